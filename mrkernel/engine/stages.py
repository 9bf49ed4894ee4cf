"""What the driver knows of a running stage: its calls, and what came back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from mrkernel.engine.executor import TaskCall
from mrkernel.engine.shuffle import Run
from mrkernel.engine.tasks import TaskReport
from mrkernel.events import StageFinished

__all__ = ["Stage", "in_order", "partition_rows", "stage_finished", "stage_name"]


@dataclass(slots=True)
class Stage:
    """The bookkeeping of a running stage."""

    name: str
    calls: dict[int, TaskCall]
    reports: dict[int, TaskReport] = field(default_factory=dict)
    starts: dict[int, int] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)


def stage_name(kind: str, step: int) -> str:
    """What displays call a stage: ``"map"``, ``"reduce 2"``."""
    return kind if step == 0 else f"{kind} {step + 1}"


def in_order(stage: Stage) -> list[Run]:
    """The runs that the tasks have written, by task."""
    return [run for task in sorted(stage.reports) for run in stage.reports[task].runs]


def partition_rows(runs: Sequence[Run], n_partitions: int) -> list[int]:
    """How many rows the runs hold of each partition."""
    totals = [0] * n_partitions
    for run in runs:
        for number, count in enumerate(run.rows):
            totals[number] += count
    return totals


def stage_finished(job_id: str, stage: Stage) -> StageFinished:
    """The event of a stage whose tasks have all reported."""
    reports = stage.reports.values()
    return StageFinished(
        job_id=job_id,
        stage=stage.name,
        n_tasks=len(stage.calls),
        seconds=time.perf_counter() - stage.started,
        records_in=sum(report.records_in for report in reports),
        records_out=sum(report.records_out for report in reports),
        bytes_in=sum(report.bytes_in for report in reports),
        bytes_out=sum(report.bytes_out for report in reports),
    )
