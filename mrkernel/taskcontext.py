"""What a user's function may ask of the task it runs in: its counters, and where its record came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from mrkernel.events import Counters

__all__ = ["TaskContext", "context", "counter", "use_context"]


@dataclass(slots=True)
class TaskContext:
    """The task that is running.

    Attributes
    ----------
    job_id, stage, task, attempt
        Which attempt of which task this is; ``attempt`` counts from 1, ``stage`` is ``"map"``, ``"merge"`` or
        ``"reduce"``. Outside a job they are ``""``, ``""``, 0 and 0.
    counters
        What :func:`counter` has counted in this attempt.
    state
        Free for the job's own use: whatever ``setup`` returned.
    """

    job_id: str = ""
    stage: str = ""
    task: int = 0
    attempt: int = 0
    counters: Counters = field(default_factory=dict)
    state: Any = None
    # Apart, since naming the file is cheap and asked for each record; finding a line's number reads the file.
    find_source: Callable[[], str] | None = None
    locate: Callable[[], Any] | None = None

    @property
    def source(self) -> str:
        """Path, URL or name of the input the current record came from; ``""`` in a reducer."""
        return self.find_source() if self.find_source else ""

    @property
    def location(self) -> str:
        """The current record's place in its source, for people: ``"line 7"``; counted when asked for."""
        origin = self.locate and self.locate()
        return origin.location if origin else ""

    @property
    def offset(self) -> int | None:
        """The current record's place in its source: bytes for text lines, rows otherwise; None in a reducer."""
        origin = self.locate and self.locate()
        return origin.offset if origin else None


_current: ContextVar[TaskContext | None] = ContextVar("mrkernel_task", default=None)


@contextmanager
def use_context(task: TaskContext) -> Iterator[TaskContext]:
    """Make ``task`` the one that :func:`context` and :func:`counter` speak of, for a ``with`` block."""
    token = _current.set(task)
    try:
        yield task
    finally:
        _current.reset(token)


def context() -> TaskContext:
    """The task this code runs in; a neutral one where no job runs, so that a mapper can be called by hand.

    >>> context().stage
    ''
    """
    return _current.get() or TaskContext()


def counter(name: str, amount: int = 1) -> None:
    """Add to a counter of the running job, from a mapper, combiner, partitioner or reducer.

    Counts of an attempt that fails or is lost are dropped; each task counts once. Where no job runs, nothing
    happens. Counters in a combiner count calls, whose number depends on the splits.

    >>> counter("bad_lines")
    """
    task = _current.get()
    if task is not None:
        task.counters[name] = task.counters.get(name, 0) + amount
