"""The loop inside each engine's own process: one JSON object a line, in on stdin and out on the first stdout.

    python -m tests.benchmarks.serve NAME CORES

{"do": "run", "source": …, "options": {…}} runs the job and answers {"wall_s": …}; {"do": "digest"} describes the last
answer. The digest is asked for separately, so that its work is never part of what is measured.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import zlib
from collections.abc import Iterable
from typing import Any

from tests.benchmarks.contenders import CONTENDERS, Engine

__all__ = ["Digest", "digest", "main"]

Digest = dict[str, int]


def digest(pairs: Iterable[tuple[str, int]]) -> Digest:
    """Number of words, their counts' sum, and a checksum over both that does not depend on the order.

    >>> digest([("a", 1), ("b", 2)]) == digest([("b", 2), ("a", 1)])
    True
    """
    distinct = total = check = 0
    for word, n in pairs:
        distinct += 1
        total += n
        check += zlib.crc32(word.encode()) * n
    return {"distinct": distinct, "total": total, "check": check % 2**53}


def main(name: str, cores: int) -> None:
    """Serve until stdin ends."""
    # Engines print as they like: what they write to stdout goes to the log, and only this handle reaches the parent.
    wire = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(**fields: Any) -> None:
        wire.write(json.dumps(fields) + "\n")
        wire.flush()

    module, function = CONTENDERS[name].start.split(":")
    started = time.perf_counter()
    engine: Engine = getattr(importlib.import_module(f"tests.benchmarks.contenders.{module}"), function)(cores)
    say(ready_s=time.perf_counter() - started, version=engine.version)
    answer = None
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["do"] == "run":
            # Freed before the clock starts, as a new measurement would find it.
            answer = None
            started = time.perf_counter()
            answer = engine.run(asked["source"], **asked["options"])
            say(wall_s=time.perf_counter() - started)
        else:
            say(**digest(engine.pairs(answer)))
    engine.stop()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
