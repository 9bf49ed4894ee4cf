"""Events folded into what a person wants to see: per stage how much is done, how fast, how long still."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mrkernel.events import (
    Counters,
    Event,
    Failure,
    JobFinished,
    JobStarted,
    PlanChanged,
    StageFinished,
    StageStarted,
    TaskFailed,
    TaskFinished,
    TaskProgressed,
    TaskRetried,
    TaskStarted,
)

__all__ = ["Progress", "ProgressTracker", "StageProgress"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageProgress:
    """How far one stage is.

    Attributes
    ----------
    done, total, running, retried
        Tasks; ``retried`` counts attempts beyond the first.
    records, bytes_in
        Input dealt with so far, each task once, running tasks included.
    input_bytes
        Bytes the stage will read, or None if unknown.
    records_out, bytes_out
        What its finished tasks wrote.
    seconds
        Since the stage began; its whole time once it ended.
    state
        ``"waiting"``, ``"running"``, ``"finished"``, the job's own end state, or ``"not run"`` if that came first.
    """

    name: str
    done: int = 0
    total: int = 0
    running: int = 0
    retried: int = 0
    records: int = 0
    bytes_in: int = 0
    seconds: float = 0.0
    state: str = "waiting"
    input_bytes: int | None = None
    records_out: int = 0
    bytes_out: int = 0

    @property
    def fraction(self) -> float:
        """Share of the stage that is done, 0 to 1: of its bytes where they are known, else of its tasks."""
        if self.state == "finished":
            return 1.0
        tasks = self.done / self.total if self.total else 0.0
        read = self.bytes_in / self.input_bytes if self.input_bytes else 0.0
        # A task counts as done only at its end, bytes only as they are read: the larger one is nearer the truth.
        return min(1.0, max(tasks, read))

    @property
    def records_per_s(self) -> float:
        """Records dealt with per second so far; 0 before any time has passed."""
        return self.records / self.seconds if self.seconds > 0 else 0.0

    @property
    def bytes_per_s(self) -> float:
        """Input bytes dealt with per second so far; 0 before any time has passed."""
        return self.bytes_in / self.seconds if self.seconds > 0 else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds this stage still needs at its speed so far; None while that would be a guess."""
        if self.state != "running" or self.seconds < 1 or not 0.02 < self.fraction < 1:
            return None
        return self.seconds * (1 - self.fraction) / self.fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a job is.

    Attributes
    ----------
    state
        ``"planning"``, ``"running"``, ``"finished"``, ``"failed"``, ``"cancelled"`` or ``"interrupted"``.
    seconds
        Since the job began; its whole time once it ended.
    idle_s
        Seconds since a task last finished, or None before the first.
    notes
        What the driver changed in its plan, in words.
    failures
        Why tasks failed for good.
    """

    job_id: str = ""
    name: str = ""
    state: str = "planning"
    stages: tuple[StageProgress, ...] = ()
    seconds: float = 0.0
    idle_s: float | None = None
    counters: Counters = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    error: str | None = None

    @property
    def is_running(self) -> bool:
        """Whether the job has not ended."""
        return self.state in {"planning", "running"}

    @property
    def fraction(self) -> float:
        """Share of the job that is done, each stage counting the same."""
        return sum(stage.fraction for stage in self.stages) / len(self.stages) if self.stages else 0.0


class _Stage:
    """What has happened in one stage so far."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.total = 0
        self.input_bytes: int | None = None
        self.started: float | None = None
        self.seconds: float | None = None
        self.finished: dict[int, TaskFinished] = {}
        self.running: dict[int, tuple[int, int]] = {}
        self.retried = 0

    def snapshot(self, now: float, ended: str | None) -> StageProgress:
        if self.seconds is not None:
            state, seconds = "finished", self.seconds
        elif self.started is not None:
            state, seconds = ended or "running", max(0.0, now - self.started)
        else:
            state, seconds = ("not run" if ended else "waiting"), 0.0
        tasks, partly = self.finished.values(), () if ended else self.running.values()
        return StageProgress(
            name=self.name,
            done=len(self.finished),
            total=max(self.total, len(self.finished)),
            running=len(partly),
            retried=self.retried,
            records=sum(t.records_in for t in tasks) + sum(p[0] for p in partly),
            bytes_in=sum(t.bytes_in for t in tasks) + sum(p[1] for p in partly),
            seconds=seconds,
            state=state,
            input_bytes=self.input_bytes,
            records_out=sum(t.records_out for t in tasks),
            bytes_out=sum(t.bytes_out for t in tasks),
        )


class ProgressTracker:
    """A listener that folds a job's events; any thread may call it and :meth:`snapshot`.

    Parameters
    ----------
    clock
        Seconds since the epoch, as in the events.

    Examples
    --------
    >>> tracker = ProgressTracker()
    >>> tracker(JobStarted(job_id="j1", name="count", stages=("map", "reduce")))
    >>> [stage.name for stage in tracker.snapshot().stages]
    ['map', 'reduce']
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._stages: dict[str, _Stage] = {}
        self._started: float | None = None
        self._last_task: float | None = None
        self._job: JobStarted | None = None
        self._end: JobFinished | None = None
        self._notes: list[str] = []
        self._failures: list[Failure] = []

    def __call__(self, event: Event) -> None:
        """Take an event, as a listener of the job."""
        with self._lock:
            if isinstance(event, JobStarted):
                self._job, self._started = event, event.at
                for name in event.stages:
                    self._stage(name)
            elif isinstance(event, JobFinished):
                self._end = event
            elif isinstance(event, PlanChanged):
                self._notes.append(event.reason)
            elif isinstance(event, (StageStarted, StageFinished)):
                self._fold_stage(event)
            else:
                self._fold_task(event)

    def _stage(self, name: str) -> _Stage:
        return self._stages.setdefault(name, _Stage(name))

    def _fold_stage(self, event: StageStarted | StageFinished) -> None:
        stage = self._stage(event.stage)
        stage.total = event.n_tasks
        if isinstance(event, StageFinished):
            stage.seconds = event.seconds
            return
        stage.input_bytes = event.input_bytes
        stage.seconds = None
        if stage.started is None:
            stage.started = event.at

    def _fold_task(self, event: TaskStarted | TaskProgressed | TaskFinished | TaskRetried | TaskFailed) -> None:
        stage = self._stage(event.stage)
        if isinstance(event, TaskStarted):
            stage.running.setdefault(event.task, (0, 0))
        elif isinstance(event, TaskProgressed):
            # A late report of an attempt whose task is done already must not count its input twice.
            if event.task not in stage.finished:
                stage.running[event.task] = (event.records, event.input_bytes)
        elif isinstance(event, TaskFinished):
            stage.running.pop(event.task, None)
            stage.finished.setdefault(event.task, event)
            self._last_task = event.at
        elif isinstance(event, TaskRetried):
            stage.retried += 1
            stage.running.pop(event.task, None)
            stage.finished.pop(event.task, None)
        else:
            stage.running.pop(event.task, None)
            self._failures.append(event.failure)

    def snapshot(self) -> Progress:
        """The job's progress at this moment."""
        with self._lock:
            now, end = self._clock(), self._end
            began = self._started if self._started is not None else now
            ended = None if end is None else ("stopped" if end.state == "finished" else end.state)
            stop = end.at if end is not None else now
            return Progress(
                job_id=self._job.job_id if self._job else "",
                name=self._job.name if self._job else "",
                state=end.state if end else "running" if self._job else "planning",
                stages=tuple(stage.snapshot(stop, ended) for stage in self._stages.values()),
                seconds=end.seconds if end else max(0.0, now - began),
                idle_s=None if self._last_task is None or end else max(0.0, now - self._last_task),
                counters=dict(end.counters) if end else {},
                notes=tuple(self._notes),
                failures=tuple(self._failures),
                error=end.error if end else None,
            )
