"""What the driver knows of a running stage: its calls, and what came back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mrkernel.engine.executor import AttemptProgressed, Executor, Message, News, TaskCall
from mrkernel.engine.shuffle import Run
from mrkernel.engine.tasks import TaskReport
from mrkernel.events import Failure, StageFinished, TaskFinished, TaskProgressed, WorkersSampled

__all__ = [
    "Stage", "failing_too", "in_order", "news_event", "partition_rows", "stage_finished", "stage_name", "task_finished",
]  # fmt: skip

_MOMENT_S = 0.2


@dataclass(slots=True)
class Stage:
    """The bookkeeping of a running stage; ``waiting`` are the tasks that no worker was given yet, the next one last."""

    name: str
    calls: dict[int, TaskCall]
    reports: dict[int, TaskReport] = field(default_factory=dict)
    starts: dict[int, int] = field(default_factory=dict)
    waiting: list[int] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)


def stage_name(kind: str, step: int) -> str:
    """What displays call a stage: ``"map"``, ``"reduce 2"``."""
    return kind if step == 0 else f"{kind} {step + 1}"


def in_order(stage: Stage) -> list[Run]:
    """The runs that the tasks have written, by task."""
    return [run for task in sorted(stage.reports) for run in stage.reports[task].runs]


def failing_too(executor: Executor, messages: Sequence[Message]) -> list[Failure]:
    """Failures of other tasks at the moment when one has failed: that one fails alone is news, and so is that all do.

    ``messages`` are those that the driver has taken and not handled yet.
    """
    found = list(messages)
    # A lone worker would begin its next task for this.
    deadline = time.monotonic() + (_MOMENT_S if executor.n_workers > 1 else 0.0)
    while (left := deadline - time.monotonic()) > 0:
        found += executor.poll(left)
    reports = [message for message in found if isinstance(message, TaskReport)]
    return [report.failure for report in reports if report.failure is not None and report.failure.is_user_error]


def partition_rows(runs: Sequence[Run], n_partitions: int) -> list[int]:
    """How many rows the runs hold of each partition."""
    if not runs:
        return [0] * n_partitions
    totals: list[int] = np.sum([run.rows for run in runs], axis=0).tolist()
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


def task_finished(job_id: str, report: TaskReport, stage: Stage, *, scratch: str) -> TaskFinished:
    """The event of a report; what was not written in the folder ``scratch`` is no other task's to read."""
    call = stage.calls.get(report.task)
    is_scratch = call is not None and call.folder == scratch
    return TaskFinished(
        job_id=job_id,
        stage=report.stage,
        task=report.task,
        attempt=max(report.attempt, stage.starts.get(report.task, 1)),
        worker=report.worker,
        seconds=report.seconds,
        records_in=report.records_in,
        records_out=report.records_out,
        bytes_in=report.bytes_in,
        bytes_out=report.bytes_out,
        started_at=report.started_at or None,
        phases=report.phases,
        phase_seconds=report.phase_seconds,
        scratch_bytes=sum(run.n_bytes for run in report.runs) if is_scratch else 0,
        spills=report.spills,
        samples=report.samples,
    )


def news_event(job_id: str, news: News) -> TaskProgressed | WorkersSampled:
    """The event of a message that changes nothing for the driver."""
    if isinstance(news, AttemptProgressed):
        return TaskProgressed(
            job_id=job_id, stage=news.stage, task=news.task, records=news.records, input_bytes=news.n_bytes
        )
    return WorkersSampled(job_id=job_id, workers=news.workers)
