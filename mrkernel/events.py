"""What happens in a run, as frozen records: the only thing that progress, history and plots listen to.

Times (``at``) are seconds since the epoch; sizes are bytes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = [
    "Counters",
    "Event",
    "Failure",
    "Frame",
    "JobFinished",
    "JobStarted",
    "Listener",
    "PlanChanged",
    "StageFinished",
    "StageStarted",
    "TaskFailed",
    "TaskFinished",
    "TaskProgressed",
    "TaskRetried",
    "TaskStarted",
]

Counters: TypeAlias = dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One line of the user's own code in a traceback: file or cell, line number, function, text."""

    filename: str
    lineno: int
    function: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a task failed, as plain text: nothing here can fail to pickle.

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

    ``records_in`` are records read (map) or groups (reduce), ``records_out`` pairs or rows written.
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
    | JobFinished
)
Listener: TypeAlias = Callable[[Event], None]
