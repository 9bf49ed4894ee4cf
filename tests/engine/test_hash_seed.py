"""The answer does not depend on PYTHONHASHSEED, which differs between any two Python processes."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import datetime as dt, uuid
from decimal import Decimal
import mrkernel as mr

keys = ["a", "b", "ü", b"a", 1, True, 2.0, None, float("nan"), (1, "a"), ("b", None), Decimal("1.5"), uuid.UUID(int=7),
        dt.date(2024, 1, 2), dt.datetime(2024, 1, 2, tzinfo=dt.UTC), frozenset({"x"}), 2**70]

def mapper(n):
    yield keys[n % len(keys)], n
    yield f"w{n % 11}", n

for reducer in (sum, list, lambda key, values: len(values), {"n": len, "max": max}):
    for reducers in (None, 1, 3, 8):
        result = mr.run(mr.Job(mapper, reducer), range(120), executor="inline", chunk_size=50, reducers=reducers)
        print(repr(dict(result)))
print(repr(list(mr.run(mr.Job(mapper, sort="key"), range(120), executor="inline", chunk_size=50, reducers=4))))
"""


def test_answers_and_their_order_are_the_same_under_any_hash_seed():
    outputs = set()
    for seed in ("0", "1", "random"):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            cwd=os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
        )
        outputs.add(done.stdout)
    assert len(outputs) == 1
    assert len(outputs.pop().splitlines()) == 17
