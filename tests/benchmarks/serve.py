"""The loop inside each engine's own process: one JSON object a line, in on stdin and out on the first stdout.

    python -m tests.benchmarks.serve WORKLOAD ENGINE CORES

{"do": "prepare", "source": …} makes ready what the next run is given; {"do": "run", "options": {…}} runs the job and
answers {"wall_s": …}; {"do": "digest"} describes the last answer. They are asked for separately, so that the work
before and after is never part of what is measured.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from typing import Any

from tests.benchmarks.contenders import Engine
from tests.benchmarks.workloads import WORKLOADS

__all__ = ["main", "start"]


def start(workload: str, name: str, cores: int) -> Engine:
    """An engine, ready for a workload, in this process."""
    module, function = WORKLOADS[workload].contenders[name].start.split(":")
    engine: Engine = getattr(importlib.import_module(f"tests.benchmarks.contenders.{module}"), function)(cores)
    return engine


def main(workload: str, name: str, cores: int) -> None:
    """Serve until stdin ends."""
    # Engines print as they like: what they write to stdout goes to the log, and only this handle reaches the parent.
    wire = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(**fields: Any) -> None:
        wire.write(json.dumps(fields) + "\n")
        wire.flush()

    started = time.perf_counter()
    engine = start(workload, name, cores)
    say(ready_s=time.perf_counter() - started, version=engine.version)
    source = answer = None
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["do"] == "prepare":
            # Freed before the clock starts, as a new measurement would find it.
            answer = None
            source = engine.prepare(asked["source"])
            say()
        elif asked["do"] == "run":
            started = time.perf_counter()
            answer = engine.run(source, **asked["options"])
            say(wall_s=time.perf_counter() - started)
        else:
            say(**WORKLOADS[workload].digest(engine.table(answer)))
    engine.stop()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
