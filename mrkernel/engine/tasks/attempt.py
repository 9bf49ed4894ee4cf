"""One attempt of one task: a call in, a report out, whatever the user's functions do."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import pyarrow as pa

from mrkernel.engine.phases import PhaseClock, use_clock
from mrkernel.engine.remote import Fetch
from mrkernel.engine.shuffle import LostRunError, Run, SmallRuns
from mrkernel.engine.tasks.failures import describe_failure, full_traceback
from mrkernel.engine.tasks.sampling import Sampler
from mrkernel.engine.tasks.setting_aside import ErrorLimitReached, ErrorPolicy, SettingAside
from mrkernel.events import BadRecords, Counters, Failure, KeyShares, Phase, Samples
from mrkernel.io import Source, Split
from mrkernel.job import Job
from mrkernel.joins import JoinPlan
from mrkernel.taskcontext import TaskContext, use_context

__all__ = [
    "AttemptCancelled",
    "Call",
    "JoinCall",
    "MapCall",
    "MergeCall",
    "Progress",
    "ReduceCall",
    "Runtime",
    "TaskReport",
    "load_job",
    "run_attempt",
]

_REPORT_S = 0.25
_SCARCE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What every attempt needs to know.

    Attributes
    ----------
    job_id, stage, task, attempt
        Which attempt this is; ``stage`` is unique in the job, ``attempt`` counts from 1.
    job
        The pickled job.
    step
        Which of the job's steps.
    folder
        Where this task may write.
    errors
        What a bad record does.
    is_profiled
        Whether to find out what its time goes to.
    join
        For the tasks of a join: what is joined and how.
    """

    job_id: str
    stage: str
    task: int
    attempt: int
    job: bytes
    step: int
    folder: str
    errors: ErrorPolicy = field(default_factory=ErrorPolicy)
    is_profiled: bool = False
    join: JoinPlan | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MapCall(Call):
    """Read a split, map it, combine, and write partition-sorted runs (or, without a shuffle, a part of the result)."""

    source: Source
    split: Split
    n_partitions: int
    has_shuffle: bool
    combine: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinCall(MapCall):
    """Read a split, and join it with the side whose rows are in ``runs``; a step after the join maps its rows."""

    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeCall(Call):
    """Merge the combined output of some map tasks into one run."""

    runs: tuple[Run, ...]
    n_partitions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReduceCall(Call):
    """Reduce some partitions and write a part of the result.

    Attributes
    ----------
    partitions
        Partition numbers, each reduced by itself; empty means all rows of all partitions as one.
    lower, upper
        For a globally sorted result, instead of partitions: tables of one key, the range's ends (None where open).
    keeps_apart
        Whether each partition is a part of the result by itself.
    is_light
        Whether so little is left to do, and none of it by the user's own functions, that to send it to a worker would
        take longer.
    """

    runs: tuple[Run, ...]
    partitions: tuple[int, ...]
    lower: pa.Table | None = None
    upper: pa.Table | None = None
    keeps_apart: bool = False
    is_light: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReport:
    """How an attempt ended.

    Attributes
    ----------
    runs
        What was written.
    failure
        Why it failed, or None.
    lost
        Map tasks whose shuffle files are gone and have to run again.
    began
        When it began, by the monotonic clock of its host.
    started_at
        The same by the driver's clock, in seconds since the epoch; filled in where the report arrives.
    phases, phase_seconds, spills, samples
        As in :class:`mrkernel.events.TaskFinished`.
    bad
        What it has set aside.
    keys
        How even its keys were.
    is_over_limit
        Whether that alone is more than the job may set aside; ``failure`` is the first of them then.
    """

    stage: str
    task: int
    attempt: int
    worker: str = ""
    seconds: float = 0.0
    records_in: int = 0
    records_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    runs: tuple[Run, ...] = ()
    counters: Counters = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    failure: Failure | None = None
    lost: tuple[int, ...] = ()
    began: float = 0.0
    started_at: float = 0.0
    phases: tuple[Phase, ...] = ()
    phase_seconds: dict[str, float] = field(default_factory=dict)
    spills: int = 0
    samples: Samples | None = None
    bad: BadRecords | None = None
    keys: KeyShares | None = None
    is_over_limit: bool = False


@dataclass(slots=True)
class Runtime:
    """What the executor gives a running attempt.

    Attributes
    ----------
    worker
        The worker's address.
    report_progress
        Called now and then with (records, input bytes) done so far.
    is_cancelled
        True once the attempt should stop; asked between blocks of records.
    fetch
        Reads files of other workers' machines; None where all share one file system.
    small
        Takes small runs, of other attempts too; whoever made it closes it.
    memory_bytes
        What the attempt's process may hold; None where nothing limits it.
    resident_bytes
        Asks what it holds.
    """

    worker: str = "inline"
    report_progress: Callable[[int, int], None] = lambda records, n_bytes: None
    is_cancelled: Callable[[], bool] = lambda: False
    fetch: Fetch | None = None
    small: SmallRuns = field(default_factory=SmallRuns)
    memory_bytes: int | None = None
    resident_bytes: Callable[[], int] = lambda: 0
    _due: float = field(default_factory=lambda: time.monotonic() + _REPORT_S, init=False)

    def check(self) -> None:
        """Leave an attempt that was cancelled; otherwise :meth:`give_back`."""
        if self.is_cancelled():
            raise AttemptCancelled
        self.give_back()

    def give_back(self) -> None:
        """Give back memory that nobody uses where it gets scarce.

        The C library keeps what is freed between blocks that are not; to give it back and to take it anew costs about
        a twentieth of the time.
        """
        if self.memory_bytes is not None and self.resident_bytes() > self.memory_bytes // _SCARCE:
            pa.default_memory_pool().release_unused()

    def tell(self, records: int, n_bytes: int) -> None:
        """Report what is done so far, unless that was done a moment ago."""
        if time.monotonic() >= self._due:
            self.report_progress(records, n_bytes)
            self._due = time.monotonic() + _REPORT_S


@dataclass(slots=True)
class Progress:
    """What the attempt is at, for messages."""

    function: str = ""
    origin: Callable[[], Any] | None = None
    record: Any = None
    has_record: bool = False
    key: Any = None
    has_key: bool = False
    partition: int | None = None


class AttemptCancelled(BaseException):
    """Raised inside an attempt to leave it; never seen outside."""


@lru_cache(maxsize=8)
def load_job(job: bytes) -> Job:
    """The job of a call; cached, so that the tasks of a job share one copy of its functions in a worker."""
    import cloudpickle

    loaded: Job = cloudpickle.loads(job)
    return loaded


def run_attempt(call: Call, runtime: Runtime) -> TaskReport:
    """Run one attempt; every exception of the user's, SystemExit included, becomes a Failure."""
    from mrkernel.engine.tasks.joining import leave_other_joins, run_join, run_side
    from mrkernel.engine.tasks.mapping import run_map
    from mrkernel.engine.tasks.reducing import run_merge, run_reduce

    kind = call.stage.split()[0]
    task = TaskContext(job_id=call.job_id, stage=kind, task=call.task, attempt=call.attempt)
    at = Progress()
    outcome: dict[str, Any] = {}
    clock = PhaseClock(kind)
    aside = SettingAside(call.errors, call.stage, call.task, at) if call.errors.is_tolerant else None
    sampler = Sampler(clock) if call.is_profiled else None
    leave_other_joins(call)
    with use_context(task), use_clock(clock), sampler or nullcontext():
        try:
            step = load_job(call.job).steps[call.step]
            if sampler is not None:
                sampler.know(step)
            if isinstance(call, (JoinCall, ReduceCall)) and step.join is not None:
                outcome = run_join(call, runtime, at, aside)
            elif isinstance(call, MapCall) and step.join is not None:
                outcome = run_side(call, runtime, at, aside)
            elif isinstance(call, MapCall):
                outcome = run_map(call, step, runtime, task, at, aside)
            elif isinstance(call, MergeCall):
                outcome = run_merge(call, step, runtime)
            elif isinstance(call, ReduceCall):
                outcome = run_reduce(call, step, runtime, task, at, aside)
        except LostRunError as error:
            outcome = {"lost": error.tasks}
        except ErrorLimitReached:
            assert aside is not None
            outcome = {"failure": aside.first(), "is_over_limit": True}
        except BaseException as error:  # noqa: BLE001  # the point: a user's exit or interrupt must not end the worker
            failure = describe_failure(error, call.stage, call.task, at)
            outcome = {"failure": replace(failure, traceback=full_traceback(error))}
    runtime.give_back()
    phases = clock.finish()
    return TaskReport(
        stage=call.stage,
        task=call.task,
        attempt=call.attempt,
        worker=runtime.worker,
        seconds=phases[-1].stop_s,
        began=clock.began,
        phases=phases,
        phase_seconds=clock.totals,
        samples=sampler.samples() if sampler is not None else None,
        counters=task.counters,
        bad=aside.report() if aside is not None else None,
        **outcome,
    )
