"""mrkernel on its embedded cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

import mrkernel as mr
from tests.benchmarks.contenders import Engine

__all__ = ["engine"]


def engine(
    job: mr.Job,
    cores: int,
    *,
    read: Callable[[Any], Any] = lambda source: source,
    finish: Callable[[pa.Table], pa.Table] = lambda table: table,
    **options: Any,
) -> Engine:
    """One job on a cluster of ``cores`` workers; its answer is the whole result as an Arrow table.

    ``read`` makes a source of a path, ``finish`` works on the few rows of a result; ``options`` are the cluster's.
    """
    cluster = mr.cluster(workers=cores, **options)

    def run(source: Any, **settings: Any) -> pa.Table:
        return finish(mr.run(job, read(source), progress=False, **settings).to_arrow())

    return Engine(run=run, table=lambda table: table, version=f"mrkernel {mr.__version__}", stop=cluster.close)
