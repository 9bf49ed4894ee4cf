"""What every worker process sets up before its first task; dask loads this module as the workers' preload."""

from __future__ import annotations

import signal
from typing import Any

import pyarrow as pa

from mrkernel.cluster.zygote import die_with_parent

__all__ = ["dask_setup"]


def dask_setup(worker: Any) -> None:
    """Called by dask in the worker's process before it takes tasks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    # One task at a time runs here and there is a worker for each core.
    pa.set_cpu_count(1)
    # Reading ahead from object stores needs a second one.
    pa.set_io_thread_count(2)
