"""What a worker does: run one attempt of a map, merge or reduce task, with plain data in and out and no dask."""

from __future__ import annotations

from mrkernel.engine.tasks.attempt import JoinCall, MapCall, MergeCall, ReduceCall, TaskReport, run_attempt
from mrkernel.engine.tasks.setting_aside import KEPT, ErrorPolicy

__all__ = ["KEPT", "ErrorPolicy", "JoinCall", "MapCall", "MergeCall", "ReduceCall", "TaskReport", "run_attempt"]
