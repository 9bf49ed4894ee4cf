"""Runs plans: the driver over an executor, the tasks that workers run, and the shuffle between them."""

from __future__ import annotations

from mrkernel.engine.dask_executor import DaskExecutor, send_file
from mrkernel.engine.driver import Driver, Outcome
from mrkernel.engine.inline import InlineExecutor
from mrkernel.engine.shuffle import Run

__all__ = ["DaskExecutor", "Driver", "InlineExecutor", "Outcome", "Run", "send_file"]
