"""What has happened in one stage so far, added up as it happens."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import median

from mrkernel.events import TaskFinished
from mrkernel.progress.finished import Done, FinishedTasks
from mrkernel.progress.snapshot import StageProgress

__all__ = ["Attempt", "StageTally"]

# Task times for the median and their spread; every second one is dropped when there are more.
_MOST_TIMES = 1_000


@dataclass(slots=True)
class Attempt:
    """A running attempt, and what it has dealt with so far."""

    stage: str
    task: int
    number: int = 1
    worker: str = ""
    since: float = 0.0
    records: int = 0
    n_bytes: int = 0


@dataclass(slots=True)
class StageTally:
    """Counts of one stage; a :class:`StageProgress` costs the same however many tasks there were."""

    name: str
    total: int = 0
    input_bytes: int | None = None
    started: float | None = None
    seconds: float | None = None
    failed: int = 0
    retried: int = 0
    done: FinishedTasks = field(default_factory=FinishedTasks)
    running: dict[int, Attempt] = field(default_factory=dict)
    phases: dict[str, float] = field(default_factory=dict)
    slowest_s: float = 0.0
    # records in and out, bytes in and out
    sums: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    times: list[float] = field(default_factory=list)
    _step: int = 1
    _typical: tuple[int, float] = (0, 0.0)

    def finish(self, event: TaskFinished) -> bool:
        """A task has finished; False if it had before, so that nothing counts twice."""
        self.running.pop(event.task, None)
        if event.task in self.done:
            return False
        one = Done(
            event.records_in, event.records_out, event.bytes_in, event.bytes_out, event.scratch_bytes, event.worker
        )
        self.done.add(event.task, one)
        self._add(one, 1)
        for kind, seconds in event.phase_seconds.items():
            self.phases[kind] = self.phases.get(kind, 0.0) + seconds
        self.slowest_s = max(self.slowest_s, event.seconds)
        if len(self.done) % self._step == 0:
            self.times.append(event.seconds)
            if len(self.times) > _MOST_TIMES:
                self.times, self._step = self.times[::2], self._step * 2
        return True

    def take_back(self, task: int) -> Done | None:
        """What a finished task has written is lost; what it was, or None if it had not finished."""
        one = self.done.pop(task)
        if one is not None:
            self._add(one, -1)
        return one

    def begin_again(self) -> None:
        """All tasks are to run once more."""
        self.done = FinishedTasks()
        self.running.clear()
        self.sums = [0, 0, 0, 0]

    def _add(self, one: Done, sign: int) -> None:
        sums = self.sums
        sums[0] += sign * one.records_in
        sums[1] += sign * one.records_out
        sums[2] += sign * one.bytes_in
        sums[3] += sign * one.bytes_out

    @property
    def typical_s(self) -> float:
        """Median seconds of a task."""
        if self._typical[0] != len(self.times):
            self._typical = (len(self.times), median(self.times))
        return self._typical[1]

    def mean_and_spread(self) -> tuple[float, float]:
        """Mean seconds of a task and their standard deviation."""
        if not self.times:
            return 0.0, 0.0
        mean = sum(self.times) / len(self.times)
        return mean, math.sqrt(sum((one - mean) ** 2 for one in self.times) / len(self.times))

    def snapshot(self, now: float, ended: str | None) -> StageProgress:
        """The stage at this moment; ``ended`` is how the job ended, None while it runs."""
        if self.seconds is not None:
            state, seconds = "finished", self.seconds
        elif self.started is not None:
            state, seconds = ended or "running", max(0.0, now - self.started)
        else:
            state, seconds = ("not run" if ended else "waiting"), 0.0
        partly = () if ended else self.running.values()
        return StageProgress(
            name=self.name,
            done=len(self.done),
            total=max(self.total, len(self.done)),
            running=len(partly),
            failed=self.failed,
            retried=self.retried,
            records=self.sums[0] + sum(one.records for one in partly),
            bytes_in=self.sums[2] + sum(one.n_bytes for one in partly),
            seconds=seconds,
            state=state,
            input_bytes=self.input_bytes,
            records_out=self.sums[1],
            bytes_out=self.sums[3],
            phases=dict(self.phases),
            slowest_s=self.slowest_s,
            typical_s=self.typical_s if self.times else 0.0,
        )
