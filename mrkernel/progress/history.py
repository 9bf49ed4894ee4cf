"""Who ran what when, kept small: what is needed to draw a run after it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from mrkernel.events import Phase

__all__ = ["History", "Span", "TaskTime"]

MOST_ROWS = 20_000


class Span(NamedTuple):
    """A stretch of time in which a worker did one thing, in seconds since the job began.

    Attributes
    ----------
    worker, stage, kind
        Its name; the stage; ``"map"``, ``"write"``, ``"fetch"``, ``"reduce"``, ``"merge"`` or ``"commit"``.
    task, attempt, state
        Which attempt it belongs to, and how that ended: ``"finished"``, ``"failed"``, ``"lost"``, ``"cancelled"``.
    n_tasks
        1; about how many where short spans were put together, and ``task`` is then the first of them.
    """

    worker: str
    stage: str
    kind: str
    start_s: float
    stop_s: float
    task: int
    attempt: int
    state: str
    n_tasks: int = 1


class TaskTime(NamedTuple):
    """A finished task: where and when it ran, and what went in and out."""

    worker: str
    stage: str
    task: int
    attempt: int
    start_s: float
    stop_s: float
    records_in: int
    records_out: int
    bytes_in: int
    bytes_out: int


class History:
    """Spans and tasks of a run, at most 20,000 of each however many there were.

    Too many spans are joined with their neighbours; where they are too different for that, the longer half is kept.
    Of too many tasks the slowest 5,000 are kept, and every second one of the others.

    Attributes
    ----------
    spans_left_out, tasks_left_out
        How many are not kept.

    Examples
    --------
    >>> history = History()
    >>> task = TaskTime("w", "map", 0, 1, 0.0, 3.0, 10, 5, 100, 50)
    >>> history.add(task, [Phase("map", 0.0, 2.0), Phase("write", 2.0, 3.0)])
    >>> [(span.kind, span.stop_s) for span in history.spans()]
    [('map', 2.0), ('write', 3.0)]
    """

    def __init__(self, most: int = MOST_ROWS) -> None:
        self._most = most
        # Taken apart when somebody looks, or when they are many: the driver waits for whoever adds to this.
        self._new: list[tuple[TaskTime, Sequence[Phase]]] = []
        self._spans: list[Span] = []
        self._tasks: list[TaskTime] = []
        self.spans_left_out = self.tasks_left_out = 0

    def add(self, task: TaskTime, phases: Sequence[Phase]) -> None:
        """Take a finished task and what its time went to."""
        self._new.append((task, phases))
        if len(self._new) >= self._most // 4:
            self._settle()

    def add_span(self, span: Span) -> None:
        """Take a span of an attempt that did not finish."""
        self._spans.append(span)
        if len(self._spans) > self._most:
            self._settle()

    def rename(self, worker: str, name: str) -> None:
        """A worker is now called otherwise."""
        self._settle()
        self._spans = [span._replace(worker=name) if span.worker == worker else span for span in self._spans]
        self._tasks = [task._replace(worker=name) if task.worker == worker else task for task in self._tasks]

    def spans(self) -> tuple[Span, ...]:
        """All spans, by worker and time."""
        self._settle()
        return tuple(sorted(self._spans, key=_by_worker))

    def tasks(self) -> tuple[TaskTime, ...]:
        """The tasks that are kept, by time."""
        self._settle()
        return tuple(sorted(self._tasks, key=lambda task: task.start_s))

    def _settle(self) -> None:
        new, self._new = self._new, []
        self._tasks += [task for task, _ in new]
        self._spans += [
            Span(
                task.worker,
                task.stage,
                kind,
                task.start_s + start,
                task.start_s + stop,
                task.task,
                task.attempt,
                "finished",
            )
            for task, phases in new
            for kind, start, stop in phases
        ]
        while len(self._tasks) > self._most:
            self._thin_out()
        if len(self._spans) > self._most:
            self._spans = _joined(self._spans, self._most // 2)
        if len(self._spans) > self._most:
            self._spans.sort(key=_seconds, reverse=True)
            self.spans_left_out += len(self._spans) - self._most // 2
            del self._spans[self._most // 2 :]

    def _thin_out(self) -> None:
        slowest_first = sorted(self._tasks, key=lambda task: task.start_s - task.stop_s)
        n_slowest = self._most // 4
        kept = slowest_first[:n_slowest] + slowest_first[n_slowest::2]
        self.tasks_left_out += len(self._tasks) - len(kept)
        self._tasks = kept


def _by_worker(span: Span) -> tuple[str, float]:
    return span.worker, span.start_s


def _seconds(span: Span) -> float:
    return span.stop_s - span.start_s


def _joined(spans: Sequence[Span], target: int) -> list[Span]:
    """Neighbours of a worker as one, where the gap between them is the smallest, until at most ``target`` are left."""
    ordered = sorted(spans, key=_by_worker)
    costs = sorted(_cost(one, after) for one, after in pairwise(ordered))
    limit = costs[min(len(costs) - 1, len(ordered) - target)]
    joined = ordered[:1]
    is_free = True
    for one, after in pairwise(ordered):
        # A span takes in one other at a time, so that the short ones do not all end up in one long span.
        if is_free and _cost(one, after) <= limit and _is_alike(one, after):
            joined[-1] = _join(joined[-1], after)
            is_free = False
        else:
            joined.append(after)
            is_free = True
    return joined


def _cost(one: Span, after: Span) -> float:
    """How much would no longer be seen: the gap, and all of the shorter span where the kinds differ."""
    if not _is_alike(one, after):
        return float("inf")
    hidden = 0.0 if one.kind == after.kind else min(_seconds(one), _seconds(after))
    return max(0.0, after.start_s - one.stop_s) + hidden


def _is_alike(one: Span, after: Span) -> bool:
    return (
        one.worker == after.worker
        and one.stage == after.stage
        and one.state == after.state == "finished"
        and one.attempt == after.attempt == 1
    )


def _join(one: Span, after: Span) -> Span:
    longer = max(one, after, key=_seconds)
    n_tasks = one.n_tasks + (after.n_tasks if after.task != one.task else after.n_tasks - 1)
    return one._replace(kind=longer.kind, stop_s=max(one.stop_s, after.stop_s), n_tasks=n_tasks)
