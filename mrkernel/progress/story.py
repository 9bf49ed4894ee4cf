"""The log of a run: what happened besides work going well, one sentence for each."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from mrkernel.progress.snapshot import LogLine

__all__ = ["Story"]

MOST_LINES = 200
_TOGETHER_S = 2.0
_NAMED = 3
_LONGEST = 500


@dataclass(slots=True)
class _Retries:
    """Tasks that run again at about the same time for the same reason."""

    at_s: float
    stage: str
    reason: str
    tasks: list[int] = field(default_factory=list)
    attempt: int = 0

    def line(self) -> LogLine:
        return LogLine(at_s=self.at_s, kind="retry", text=_cut(f"{self._who()}: {self.reason}"))

    def _who(self) -> str:
        if len(self.tasks) == 1:
            return f"{self.stage} task {self.tasks[0]} runs again (attempt {self.attempt})"
        if len(self.tasks) <= _NAMED:
            return f"{self.stage} tasks {_listed(self.tasks)} run again"
        named = ", ".join(map(str, sorted(self.tasks)[:_NAMED]))
        return f"{len(self.tasks):,} {self.stage} tasks ({named}, …) run again"


@dataclass(slots=True)
class _Spills:
    """Map tasks of a stage whose pairs took too much memory."""

    at_s: float
    stage: str
    tasks: int = 0
    times: int = 0

    def line(self) -> LogLine:
        who = f"{self.tasks:,} {self.stage} tasks" if self.tasks > 1 else f"a {self.stage} task"
        times = "once" if self.times == 1 else f"{self.times:,} times"
        text = f"{who} wrote pairs to disk early, {times} in all, to stay within the memory of a worker"
        return LogLine(at_s=self.at_s, kind="spill", text=text)


class Story:
    """Takes what happened, in order; tells the newest 200 lines.

    Examples
    --------
    >>> story = Story()
    >>> for task in (3, 4, 7, 9):
    ...     story.retried(1.5, "map", task, 2, "worker lost")
    >>> [line.text for line in story.lines()]
    ['4 map tasks (3, 4, 7, …) run again: worker lost']
    """

    def __init__(self) -> None:
        self._items: deque[LogLine | _Retries | _Spills] = deque(maxlen=MOST_LINES)
        self._spills: dict[str, _Spills] = {}
        self.left_out = 0

    def lines(self) -> tuple[LogLine, ...]:
        """The lines that are kept, oldest first."""
        return tuple(item if isinstance(item, LogLine) else item.line() for item in self._items)

    def tell(self, at_s: float, kind: str, text: str) -> None:
        """Something happened; see :class:`LogLine` for the kinds."""
        self._append(LogLine(at_s=at_s, kind=kind, text=_cut(text)))

    def retried(self, at_s: float, stage: str, task: int, attempt: int, reason: str) -> None:
        """A task runs again; those that do so together are one line."""
        for item in reversed(self._items):
            if item.at_s < at_s - _TOGETHER_S:
                break
            if isinstance(item, _Retries) and (item.stage, item.reason) == (stage, reason):
                if task not in item.tasks:
                    item.tasks.append(task)
                item.attempt = attempt
                return
        self._append(_Retries(at_s=at_s, stage=stage, reason=reason, tasks=[task], attempt=attempt))

    def spilled(self, at_s: float, stage: str, times: int) -> None:
        """A map task wrote early; one line for all of a stage."""
        spills = self._spills.get(stage)
        if spills is None:
            spills = self._spills[stage] = _Spills(at_s=at_s, stage=stage)
            self._append(spills)
        spills.tasks += 1
        spills.times += times

    def _append(self, item: LogLine | _Retries | _Spills) -> None:
        self.left_out += len(self._items) == MOST_LINES
        self._items.append(item)


def _listed(tasks: Sequence[int]) -> str:
    *most, last = map(str, sorted(tasks))
    return f"{', '.join(most)} and {last}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
