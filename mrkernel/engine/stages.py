"""What the driver knows of a running stage: its calls, and what came back."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mrkernel.engine.executor import AttemptProgressed, Executor, Message, News, TaskCall
from mrkernel.engine.ranges import thinned
from mrkernel.engine.shuffle import Run
from mrkernel.engine.tasks import TaskReport
from mrkernel.events import Failure, StageFinished, TaskFinished, TaskProgressed, WorkersSampled

__all__ = [
    "Calls",
    "Stage",
    "failing_too",
    "news_event",
    "stage_finished",
    "stage_name",
    "task_finished",
    "total_bytes",
]

_MOMENT_S = 0.2
_MOST_NOTES = 20
_SUMS = ("records_in", "records_out", "bytes_in", "bytes_out")


class Calls(Sequence[TaskCall]):
    """Calls that are made when they are asked for: what they have in common takes no room in each."""

    def __init__(self, count: int, make: Callable[[int], TaskCall]) -> None:
        self._count, self._make = count, make

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, task: Any) -> Any:
        return self._make(task)


class Stage:
    """The bookkeeping of a running stage, kept small: of a finished task its runs, and what it adds to the sums.

    Attributes
    ----------
    n_given
        So many calls, from the first on, were given to the executor.
    n_done
        Tasks that have finished.
    rows
        Rows that the runs have in each partition.
    notes
        What tasks have to say, at most 20 things.
    mended
        Tasks that ran again after their files were lost, since the calls that read them were made.
    """

    def __init__(self, name: str, calls: Sequence[TaskCall]) -> None:
        self.name = name
        self._calls = calls
        self._changed: dict[int, TaskCall] = {}
        self._runs: list[tuple[Run, ...] | None] = [None] * len(calls)
        self._starts = bytearray(len(calls))
        self.n_given = self.n_done = 0
        self.rows = np.zeros(1, np.int64)
        self.sums = dict.fromkeys(_SUMS, 0)
        self.notes: dict[str, None] = {}
        self.mended: set[int] = set()
        self.started = time.perf_counter()

    @property
    def n_tasks(self) -> int:
        """How many tasks it has."""
        return len(self._calls)

    @property
    def n_running(self) -> int:
        """Tasks that the executor has and has not reported."""
        return self.n_given - self.n_done

    def call(self, task: int) -> TaskCall | None:
        """The latest call of a task, None where there is no such task."""
        return self._changed.get(task) or (self._calls[task] if 0 <= task < len(self._calls) else None)

    def change(self, call: TaskCall) -> None:
        """Make a call the one of its task."""
        self._changed[call.task] = call

    def give(self, count: int) -> list[TaskCall]:
        """The next calls that the executor is given."""
        first, self.n_given = self.n_given, min(self.n_given + count, self.n_tasks)
        return [self._changed.get(task) or self._calls[task] for task in range(first, self.n_given)]

    def start(self, task: int) -> tuple[int, int]:
        """An attempt begins; which one it is, and which one it was planned to be."""
        self._starts[task] = attempt = min(self._starts[task] + 1, 255)
        return attempt, self._changed[task].attempt if task in self._changed else 1

    def n_starts(self, task: int) -> int:
        """Attempts of a task that began."""
        return self._starts[task]

    def is_done(self, task: int) -> bool:
        """Whether a task has finished."""
        return self._runs[task] is not None

    def finish(self, report: TaskReport) -> None:
        """A task has finished."""
        self._keep(report)
        for name in _SUMS:
            self.sums[name] += getattr(report, name)
        for run in report.runs:
            rows = np.asarray(run.rows, np.int64)
            self.rows = self.rows + rows if len(rows) == len(self.rows) else rows
        if len(self.notes) < _MOST_NOTES:
            self.notes.update(dict.fromkeys(report.notes))

    def finish_again(self, report: TaskReport) -> None:
        """A task has written anew what was lost: it counts once."""
        self._keep(report)
        self.mended.add(report.task)

    def _keep(self, report: TaskReport) -> None:
        self._runs[report.task] = tuple(_kept(run, self.n_tasks) for run in report.runs)
        self.n_done += 1

    def lose(self, task: int) -> None:
        """What a finished task has written is lost."""
        self._runs[task] = None
        self.n_done -= 1

    def unfinished(self) -> Iterator[TaskCall]:
        """The calls of tasks that have not finished."""
        for task, runs in enumerate(self._runs):
            if runs is None:
                yield self._changed.get(task) or self._calls[task]

    def runs(self) -> list[Run]:
        """What the tasks have written, by task."""
        return [run for runs in self._runs for run in runs or ()]


def _kept(run: Run, n_tasks: int) -> Run:
    """A run as the driver keeps it: 64 small ones share a file, and many a worker."""
    sample = None if run.sample is None else thinned(run.sample, run.task, n_tasks)
    return replace(run, rows=(run.n_rows,), path=sys.intern(run.path), worker=sys.intern(run.worker), sample=sample)


def stage_name(kind: str, step: int) -> str:
    """What displays call a stage: ``"map"``, ``"reduce 2"``."""
    return kind if step == 0 else f"{kind} {step + 1}"


def total_bytes(runs: Sequence[Run]) -> int:
    """Bytes of all these runs."""
    return sum(run.n_bytes for run in runs)


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


def stage_finished(job_id: str, stage: Stage) -> StageFinished:
    """The event of a stage whose tasks have all reported."""
    seconds = time.perf_counter() - stage.started
    return StageFinished(job_id=job_id, stage=stage.name, n_tasks=stage.n_tasks, seconds=seconds, **stage.sums)


def task_finished(job_id: str, report: TaskReport, stage: Stage, *, scratch: str) -> TaskFinished:
    """The event of a report; what was not written in the folder ``scratch`` is no other task's to read."""
    call = stage.call(report.task)
    is_scratch = call is not None and call.folder == scratch
    return TaskFinished(
        job_id=job_id,
        stage=report.stage,
        task=report.task,
        attempt=max(report.attempt, stage.n_starts(report.task)),
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
