"""The speed promises, measured beside the engines people would use instead.

    make bench                                            everything but the gigabyte
    python -m tests.benchmarks --only counter duckdb      some engines
    python -m tests.benchmarks --size 10MB --repeat 1     a quick look

Every engine is a process of its own that stays alive: it gets ready once, runs the job once to warm up, and then
all of them take turns (A B C A B C …), so that a slow minute of the machine hits everyone. Every answer is compared.
"""

from __future__ import annotations

__all__: list[str] = []
