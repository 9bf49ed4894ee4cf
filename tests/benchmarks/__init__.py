"""The speed promises, measured beside the engines people would use instead.

    make bench                                                    word count, and little data of everything else
    make bench-all                                                everything at the size that is promised
    python -m tests.benchmarks --only sums index duckdb mrkernel-batch    some workloads on some engines
    python -m tests.benchmarks --scale 0.1 --repeat 1             a quick look

Every engine is a process of its own that stays alive while its workload is measured: it gets ready once, runs the job
once to warm up, and then all of them take turns (A B C A B C …), so that a slow minute of the machine hits everyone.
Every answer is compared.
"""

from __future__ import annotations

__all__: list[str] = []
