"""What happens in a run, as frozen records: the only thing that progress, history and plots listen to.

Times (``at``) are seconds since the epoch; sizes are bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import NamedTuple, TypeAlias

__all__ = [
    "BadRecords",
    "Counters",
    "Evenness",
    "Event",
    "Failure",
    "Frame",
    "HeavyKey",
    "JobFinished",
    "JobStarted",
    "KeyShares",
    "Listener",
    "Phase",
    "PlanChanged",
    "Samples",
    "SlowPartition",
    "StageFinished",
    "StageStarted",
    "TaskFailed",
    "TaskFinished",
    "TaskProgressed",
    "TaskRetried",
    "TaskStarted",
    "WorkerSample",
    "WorkersSampled",
]

Counters: TypeAlias = dict[str, int]
# Seconds by phase and part of the job, and for the user's code by file, line and function.
Samples: TypeAlias = dict[tuple[str, str, str, int, str], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One line of the user's own code in a traceback: file or cell, line number, function, text."""

    filename: str
    lineno: int
    function: str
    text: str

    def __post_init__(self) -> None:
        _escape_surrogates(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a task failed, as plain text: nothing here can fail to pickle, or to be written as UTF-8.

    Attributes
    ----------
    stage, task
        ``"map"``, ``"merge"`` or ``"reduce"``, and the task's number from 0.
    function
        The user's function that raised (``"mapper"``, ``"reducer"``, …), or the part of ours that did.
    source, location
        The input (path, URL, ``"list"``) and the place in it (``"line 1042"``, ``"row 17"``, ``"key 'the'"``).
    offset
        Bytes from the start of the file for text; rows from the start otherwise. None where there is none.
    record
        A short repr of the record, or of the key in a reducer; empty where there is none.
    error_type, error_text
        The exception's class name and its first 2,000 characters.
    frames
        The user's own frames, outermost first, at most 20.
    traceback
        The whole traceback as Python writes it, with frames of ours and of libraries; at most 20,000 characters.
        Empty where it was not asked for.
    partition
        The partition that a reduce task was at, or None.
    key
        A short repr of the key, where a reducer has set one aside; else empty.
    kind
        What it has in common with others of its kind, where it was set aside; else empty.
    is_user_error
        True if the user's function or data is the cause, so that another attempt would fail as well.
    """

    stage: str
    task: int
    function: str
    error_type: str
    error_text: str
    source: str = ""
    location: str = ""
    offset: int | None = None
    record: str = ""
    frames: tuple[Frame, ...] = ()
    hint: str | None = None
    is_user_error: bool = True
    traceback: str = ""
    partition: int | None = None
    key: str = ""
    kind: str = ""

    def __post_init__(self) -> None:
        _escape_surrogates(self)


def _escape_surrogates(described: Frame | Failure) -> None:
    # A file's name may be any bytes and a record any characters; Arrow and Jupyter's messages take neither.
    for one in fields(described):
        value = getattr(described, one.name)
        if isinstance(value, str):
            object.__setattr__(described, one.name, value.encode("utf-8", "backslashreplace").decode())


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRecords:
    """Records that were set aside, by a task or by a whole job.

    Attributes
    ----------
    total
        How many records of map stages, and keys of reduce stages.
    n_records
        Out of how many records.
    n_bad_keys, n_keys
        How many of ``total`` are keys, and out of how many.
    kinds
        How many of each kind: exceptions of one type from one line of one function are a kind.
    kept
        The first of them and one of each kind, in input order; ``record`` is not shortened before 4,000 characters.
    """

    total: int = 0
    n_records: int = 0
    n_bad_keys: int = 0
    n_keys: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    kept: tuple[Failure, ...] = ()


class Phase(NamedTuple):
    """A stretch of an attempt, in seconds since the attempt began.

    ``kind`` is ``"map"`` (reading included), ``"write"`` (of shuffle files), ``"fetch"`` (of those of others),
    ``"reduce"``, ``"merge"`` or ``"commit"`` (writing the result).
    """

    kind: str
    start_s: float
    stop_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSample:
    """How a worker process is: ``worker`` is its address as in :class:`TaskStarted`, ``name`` is for people.

    ``memory`` are resident bytes, ``memory_limit`` is None where there is none; ``state`` is the cluster's word.
    """

    worker: str
    name: str
    memory: int = 0
    memory_limit: int | None = None
    state: str = "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowPartition:
    """The partition of a stage that took longest.

    Attributes
    ----------
    stage, task
        The reduce stage, and the task that the partition was in.
    partition
        Its number; None where one task reduced all of them, or a range of keys.
    seconds, median_s
        How long it took, and how long a partition of the stage's middle task took.
    n_rows, share
        The rows it had, and their share of the stage's rows.
    key
        Its heaviest key as text, where all its values were needed at once; else empty.
    """

    stage: str
    task: int
    partition: int | None
    seconds: float
    n_rows: int
    median_s: float = 0.0
    share: float = 0.0
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeavyKey:
    """A key with a large share of a stage's pairs: its text, its share (0 to 1), and about how many pairs it has."""

    stage: str
    key: str
    share: float
    n_pairs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evenness:
    """How even the keys and partitions of a job were.

    Attributes
    ----------
    keys
        Keys with a hundredth of a stage's pairs or more, the heaviest first, at most 20.
    slowest
        The partition that took longest, by itself and against the others; None without a reduce stage.
    """

    keys: tuple[HeavyKey, ...] = ()
    slowest: SlowPartition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyShares:
    """How even the keys of a task are.

    Attributes
    ----------
    n_pairs
        Pairs that it had.
    heavy
        The heaviest keys as text, and about how many pairs each had; too low by a thousandth of all pairs at most.
    partition_s
        Seconds for each partition, on average.
    slowest
        The partition of a reduce task that took longest.
    """

    n_pairs: int = 0
    heavy: dict[str, int] = field(default_factory=dict)
    partition_s: float = 0.0
    slowest: SlowPartition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    job_id: str
    at: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStarted(_Event):
    """The driver has a plan and begins. ``stages`` are the planned stage names in order."""

    name: str
    stages: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStarted(_Event):
    """A stage begins; ``stage`` is unique in the job (``"map"``, ``"reduce"``, ``"map 2"`` for the second step)."""

    stage: str
    n_tasks: int
    input_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted(_Event):
    """An attempt of a task begins on a worker. ``attempt`` counts from 1."""

    stage: str
    task: int
    attempt: int
    worker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskProgressed(_Event):
    """A running attempt has dealt with this much of its input so far."""

    stage: str
    task: int
    records: int
    input_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFinished(_Event):
    """An attempt ended well; counted once per task.

    ``records_in`` are records read (map) or rows of pairs (reduce), ``records_out`` pairs or rows written.

    Attributes
    ----------
    started_at
        When the attempt began, on the same clock as ``at``; None if nobody knows better than ``at - seconds``.
    phases
        What it did when.
    phase_seconds
        Seconds of each kind in all, ``"read"`` apart from ``"map"``.
    scratch_bytes
        What it left on its worker's disk for other tasks.
    spills
        How often it wrote early because its pairs took too much memory.
    samples
        What it was found at when it was looked at now and then, where the job is profiled; else None.
    """

    stage: str
    task: int
    attempt: int
    worker: str
    seconds: float
    records_in: int
    records_out: int
    bytes_in: int
    bytes_out: int
    started_at: float | None = None
    phases: tuple[Phase, ...] = ()
    phase_seconds: dict[str, float] = field(default_factory=dict)
    scratch_bytes: int = 0
    spills: int = 0
    samples: Samples | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRetried(_Event):
    """A task will run again; ``reason`` is in words ("worker lost", "shuffle file lost", an I/O error)."""

    stage: str
    task: int
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailed(_Event):
    """A task failed for good and takes the job with it."""

    stage: str
    task: int
    failure: Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFinished(_Event):
    """All tasks of a stage ended well."""

    stage: str
    n_tasks: int
    seconds: float
    records_in: int
    records_out: int
    bytes_in: int
    bytes_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChanged(_Event):
    """The driver changed its plan from what it measured; ``reason`` says what and why."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersSampled(_Event):
    """How all workers are that the job may use; comes about once a second."""

    workers: tuple[WorkerSample, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFinished(_Event):
    """The job ended. ``state`` is ``"finished"``, ``"failed"``, ``"cancelled"`` or ``"interrupted"``."""

    state: str
    seconds: float
    counters: Counters = field(default_factory=dict)
    error: str | None = None


Event: TypeAlias = (
    JobStarted
    | StageStarted
    | TaskStarted
    | TaskProgressed
    | TaskFinished
    | TaskRetried
    | TaskFailed
    | StageFinished
    | PlanChanged
    | WorkersSampled
    | JobFinished
)
Listener: TypeAlias = Callable[[Event], None]
