"""A listener that folds a job's events into one snapshot."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from mrkernel.events import (
    Event,
    Failure,
    JobFinished,
    JobStarted,
    Phase,
    PlanChanged,
    StageFinished,
    StageStarted,
    TaskFailed,
    TaskFinished,
    TaskProgressed,
    TaskRetried,
    TaskStarted,
    WorkersSampled,
)
from mrkernel.progress.costs import Costs, CostTally
from mrkernel.progress.forecast import Forecast
from mrkernel.progress.history import History, Span, TaskTime
from mrkernel.progress.lanes import LaneBoard, lane_kind
from mrkernel.progress.snapshot import Lane, Progress
from mrkernel.progress.story import Story
from mrkernel.progress.tally import Attempt, StageTally
from mrkernel.progress.workers import Workers

__all__ = ["ProgressTracker"]

MOST_LANES = 32
_LOST = "worker lost"


class ProgressTracker:
    """A listener that folds a job's events; any thread may call it and :meth:`snapshot`.

    Parameters
    ----------
    clock
        Seconds since the epoch, as in the events.

    Attributes
    ----------
    history
        Who ran what when, for :class:`mrkernel.result.Report`.

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
        self._stages: dict[str, StageTally] = {}
        self._began: float | None = None
        self._last_task: float | None = None
        self._job: JobStarted | None = None
        self._end: JobFinished | None = None
        self._notes: list[str] = []
        self._failures: list[Failure] = []
        self._story = Story()
        self._workers = Workers()
        self._lanes = LaneBoard()
        self._forecast = Forecast()
        self._costs = CostTally()
        self.history = History()

    def __call__(self, event: Event) -> None:
        """Take an event, as a listener of the job."""
        with self._lock:
            if isinstance(event, JobStarted):
                self._job, self._began = event, event.at
                for name in event.stages:
                    self._stage(name)
            elif isinstance(event, JobFinished):
                self._on_end(event)
            elif isinstance(event, PlanChanged):
                self._notes.append(event.reason)
                self._story.tell(self._since(event.at), "plan", event.reason)
            elif isinstance(event, WorkersSampled):
                self._on_sample(event)
            elif isinstance(event, (StageStarted, StageFinished)):
                self._fold_stage(event)
            else:
                self._fold_task(event)

    def _on_sample(self, event: WorkersSampled) -> None:
        for text in self._workers.sample(event.workers):
            self._story.tell(self._since(event.at), "worker", text)
        for address, name in self._workers.newly_named():
            self._lanes.rename(address, name)
            self.history.rename(address, name)

    def _since(self, at: float) -> float:
        return max(0.0, at - (self._began if self._began is not None else at))

    def _stage(self, name: str) -> StageTally:
        if name not in self._stages:
            self._stages[name] = StageTally(name)
        return self._stages[name]

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
        else:
            stage.begin_again()

    def _fold_task(self, event: TaskStarted | TaskProgressed | TaskFinished | TaskRetried | TaskFailed) -> None:
        stage = self._stage(event.stage)
        if isinstance(event, TaskStarted):
            if event.task not in stage.running:
                stage.running[event.task] = Attempt(event.stage, event.task, event.attempt, event.worker, event.at)
        elif isinstance(event, TaskProgressed):
            # A late report of an attempt whose task is done already must not count its input twice.
            if event.task not in stage.done:
                attempt = stage.running.setdefault(event.task, Attempt(event.stage, event.task, since=event.at))
                attempt.records, attempt.n_bytes = event.records, event.input_bytes
        elif isinstance(event, TaskFinished):
            self._last_task = event.at
            self._on_finished(event, stage)
        elif isinstance(event, TaskRetried):
            self._on_retried(event, stage)
        else:
            self._on_failed(event, stage)

    def _on_finished(self, event: TaskFinished, stage: StageTally) -> None:
        if not stage.finish(event):
            return
        self._costs.add(event)
        if event.scratch_bytes:
            self._workers.wrote(event.worker, event.scratch_bytes)
        began = event.started_at if event.started_at is not None else event.at - event.seconds
        start_s = self._since(began)
        name = self._workers.name(event.worker)
        phases = event.phases or (Phase(event.stage.partition(" ")[0], 0.0, event.seconds),)
        if event.attempt > 1:
            self._lanes.add(name, "t", start_s, start_s + event.seconds)
        elif 4 * event.seconds < self._lanes.bucket_s:
            self._lanes.add(name, lane_kind(phases[0].kind), start_s, start_s + event.seconds)
        else:
            for kind, first, last in phases:
                self._lanes.add(name, lane_kind(kind), start_s + first, start_s + last)
        task = TaskTime(name, event.stage, event.task, event.attempt, start_s, start_s + event.seconds,
                        event.records_in, event.records_out, event.bytes_in, event.bytes_out)  # fmt: skip
        self.history.add(task, phases)
        if event.spills:
            self._story.spilled(self._since(event.at), event.stage, event.spills)

    def _on_retried(self, event: TaskRetried, stage: StageTally) -> None:
        stage.retried += 1
        at_s = self._since(event.at)
        attempt = stage.running.pop(event.task, None)
        done = stage.take_back(event.task)
        if done is not None:
            self._workers.wrote(done.worker, -done.scratch_bytes)
        else:
            is_lost = event.reason == _LOST
            if attempt is not None:
                stage.failed += 1
                self._show_end(attempt, event.at, "lost" if is_lost else "failed")
                said = self._workers.lose(attempt.worker) if is_lost and attempt.worker else None
                if said:
                    self._story.tell(at_s, "worker", f"{said} while it ran {event.stage} task {event.task}")
        self._story.retried(at_s, event.stage, event.task, event.attempt, event.reason)

    def _on_failed(self, event: TaskFailed, stage: StageTally) -> None:
        stage.failed += 1
        attempt = stage.running.pop(event.task, None)
        if attempt is not None:
            self._show_end(attempt, event.at, "failed")
        self._failures.append(event.failure)
        failure = event.failure
        text = f"{event.stage} task {event.task} failed: {failure.error_type}: {failure.error_text}"
        self._story.tell(self._since(event.at), "failed", text)

    def _show_end(self, attempt: Attempt, at: float, state: str) -> None:
        """Show an attempt that did not end well, as far as anyone knows when it ran."""
        name = self._workers.name(attempt.worker) if attempt.worker else "unknown"
        mark = lane_kind(attempt.stage) if state == "cancelled" else "x"
        self._lanes.add(name, mark, self._since(attempt.since), self._since(at))
        kind = attempt.stage.partition(" ")[0]
        self.history.add_span(Span(name, attempt.stage, kind, self._since(attempt.since), self._since(at),
                                   attempt.task, attempt.number, state))  # fmt: skip

    def _on_end(self, event: JobFinished) -> None:
        self._end = event
        if event.state == "finished":
            return
        for stage in self._stages.values():
            for attempt in stage.running.values():
                self._show_end(attempt, event.at, "cancelled")
        if event.state in {"cancelled", "interrupted"}:
            last = next((one for one in reversed(self._stages.values()) if one.started is not None), None)
            where = f" in the {last.name} stage, with {len(last.done):,} of {last.total:,} tasks done" if last else ""
            self._story.tell(self._since(event.at), "cancel", f"{event.state}{where}")

    def snapshot(self) -> Progress:
        """The job's progress at this moment."""
        with self._lock:
            now, end = self._clock(), self._end
            began = self._began if self._began is not None else now
            ended = None if end is None else ("stopped" if end.state == "finished" else end.state)
            stop = end.at if end is not None else now
            stages = tuple(stage.snapshot(stop, ended) for stage in self._stages.values())
            seconds = end.seconds if end else max(0.0, now - began)
            lanes = self._lanes_at(self._since(stop)) if self._job else ()
            tallies = tuple(self._stages.values())
            return Progress(
                job_id=self._job.job_id if self._job else "",
                name=self._job.name if self._job else "",
                state=end.state if end else "running" if self._job else "planning",
                stages=stages,
                seconds=seconds,
                idle_s=None if self._last_task is None or end else max(0.0, now - self._last_task),
                counters=dict(end.counters) if end else {},
                notes=tuple(self._notes),
                failures=tuple(self._failures),
                error=end.error if end else None,
                lanes=lanes[:MOST_LANES],
                bucket_s=self._lanes.bucket_s,
                lanes_left_out=max(0, len(lanes) - MOST_LANES),
                workers=self._workers.states()[:MOST_LANES],
                log=self._story.lines(),
                log_left_out=self._story.left_out,
                eta=None if end else self._forecast.predict(seconds, tallies, stages, self._workers.n_running),
            )

    def costs(self, n_workers: int) -> Costs | None:
        """What the time of so many workers went to in a job that has ended; None if it was not profiled."""
        with self._lock:
            return self._costs.total(self._end.seconds if self._end else 0.0, n_workers)

    def _lanes_at(self, until: float) -> tuple[Lane, ...]:
        running: dict[str, list[tuple[str, float]]] = {}
        if self._end is None:
            for stage in self._stages.values():
                for one in stage.running.values():
                    kind = "t" if one.number > 1 else lane_kind(one.stage)
                    if one.worker:
                        running.setdefault(self._workers.name(one.worker), []).append((kind, self._since(one.since)))
        names = self._workers.order({*self._lanes.workers, *running})
        shown = names[:MOST_LANES]
        lanes = [Lane(worker=name, cells=self._lanes.cells(name, until, running.get(name, ()))) for name in shown]
        return (*lanes, *(Lane(worker=name, cells="") for name in names[MOST_LANES:]))
