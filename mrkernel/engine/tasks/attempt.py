"""One attempt of one task: a call in, a report out, whatever the user's functions do."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import pyarrow as pa

from mrkernel.engine.shuffle import Fetch, LostRunError, Run
from mrkernel.engine.tasks.failures import describe_failure
from mrkernel.events import Counters, Failure
from mrkernel.io import Source, Split
from mrkernel.job import Job
from mrkernel.taskcontext import TaskContext, use_context

__all__ = [
    "AttemptCancelled",
    "Call",
    "MapCall",
    "MergeCall",
    "Progress",
    "ReduceCall",
    "Runtime",
    "TaskReport",
    "load_job",
    "run_attempt",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What every attempt needs to know.

    Attributes
    ----------
    job_id, stage, task, attempt
        Which attempt this is; ``stage`` is unique in the job, ``attempt`` counts from 1.
    job
        The pickled job, or the path of a file that holds it.
    step
        Which of the job's steps.
    folder
        Where this task may write.
    """

    job_id: str
    stage: str
    task: int
    attempt: int
    job: bytes | str
    step: int
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MapCall(Call):
    """Read a split, map it, combine, and write partition-sorted runs (or, without a shuffle, a part of the result)."""

    source: Source
    split: Split
    n_partitions: int
    has_shuffle: bool
    combine: bool | None


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
    """

    runs: tuple[Run, ...]
    partitions: tuple[int, ...]
    lower: pa.Table | None = None
    upper: pa.Table | None = None


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
    """

    worker: str = "inline"
    report_progress: Callable[[int, int], None] = lambda records, n_bytes: None
    is_cancelled: Callable[[], bool] = lambda: False
    fetch: Fetch | None = None


@dataclass(slots=True)
class Progress:
    """What the attempt is at, for messages."""

    function: str = ""
    origin: Callable[[], Any] | None = None
    record: Any = None
    has_record: bool = False
    key: Any = None
    has_key: bool = False


class AttemptCancelled(BaseException):
    """Raised inside an attempt to leave it; never seen outside."""


@lru_cache(maxsize=8)
def load_job(job: bytes | str) -> Job:
    """The job of a call; cached, so that the tasks of a job share one copy of its functions in a worker."""
    import cloudpickle

    content = job
    if isinstance(content, str):
        with open(content, "rb") as file:
            content = file.read()
    loaded: Job = cloudpickle.loads(content)
    return loaded


def run_attempt(call: Call, runtime: Runtime) -> TaskReport:
    """Run one attempt; every exception of the user's, SystemExit included, becomes a Failure."""
    from mrkernel.engine.tasks.mapping import run_map
    from mrkernel.engine.tasks.reducing import run_merge, run_reduce

    started = time.perf_counter()
    task = TaskContext(job_id=call.job_id, stage=call.stage.split()[0], task=call.task, attempt=call.attempt)
    at = Progress()
    outcome: dict[str, Any] = {}
    with use_context(task):
        try:
            step = load_job(call.job).steps[call.step]
            if isinstance(call, MapCall):
                outcome = run_map(call, step, runtime, task, at)
            elif isinstance(call, MergeCall):
                outcome = run_merge(call, step, runtime)
            elif isinstance(call, ReduceCall):
                outcome = run_reduce(call, step, runtime, task, at)
        except LostRunError as error:
            outcome = {"lost": error.tasks}
        except BaseException as error:  # noqa: BLE001  # the point: a user's exit or interrupt must not end the worker
            outcome = {"failure": describe_failure(error, call.stage, call.task, at)}
    return TaskReport(
        stage=call.stage,
        task=call.task,
        attempt=call.attempt,
        worker=runtime.worker,
        seconds=time.perf_counter() - started,
        counters=task.counters,
        **outcome,
    )
