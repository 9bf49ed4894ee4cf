"""What the workers' time went to, added up from what attempts were found at."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple

from mrkernel.events import TaskFinished

__all__ = ["PARTS", "CostTally", "Costs", "LineCost"]

PARTS = ("reading", "user code", "combine", "convert", "shuffle", "reduce", "scheduling")
# Of a phase in which no attempt was ever found, all of them too short.
_USUAL = {"read": "reading", "map": "user code", "merge": "combine", "reduce": "reduce"}
_MOST_LINES = 1_000
_Place = tuple[str, int, str]
_NOWHERE: _Place = ("", 0, "")


class LineCost(NamedTuple):
    """Seconds of one line of the user's own code."""

    filename: str
    lineno: int
    function: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Seconds of all workers together.

    Attributes
    ----------
    parts
        Each of :data:`PARTS` with its seconds; what no attempt that finished used is ``"scheduling"``: starting,
        waiting, idling, and attempts that were lost.
    lines
        Of the user's own code, the heaviest first.
    """

    parts: dict[str, float]
    lines: tuple[LineCost, ...]

    @property
    def seconds(self) -> float:
        """All of it."""
        return sum(self.parts.values())


class CostTally:
    """Adds up finished attempts of a profiled job.

    How long each phase took is measured, and what was done in it is estimated from looks of all its attempts together:
    those that were too short to be looked at count as the others were.
    """

    def __init__(self) -> None:
        self._measured: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._found: defaultdict[tuple[str, str], defaultdict[tuple[str, _Place], float]] = defaultdict(
            lambda: defaultdict(float)
        )
        self._is_used = False

    def add(self, event: TaskFinished) -> None:
        """Take a task that has finished; one that was not profiled counts nothing."""
        if event.samples is None:
            return
        self._is_used = True
        for phase, seconds in event.phase_seconds.items():
            self._measured[event.stage, phase] += seconds
        for (phase, part, filename, lineno, function), seconds in event.samples.items():
            self._found[event.stage, phase][part, (filename, lineno, function)] += seconds

    def total(self, seconds: float, n_workers: int) -> Costs | None:
        """Where ``seconds`` of so many workers went; None if the job was not profiled."""
        if not self._is_used:
            return None
        parts = dict.fromkeys(PARTS, 0.0)
        lines: defaultdict[_Place, float] = defaultdict(float)
        for (stage, phase), spent in self._measured.items():
            found = self._found.get((stage, phase)) or {(_USUAL.get(phase, "shuffle"), _NOWHERE): 1.0}
            per_look = spent / sum(found.values())
            for (part, place), looks in found.items():
                parts[part] += looks * per_look
                if place != _NOWHERE:
                    lines[place] += looks * per_look
        parts["scheduling"] += max(0.0, seconds * n_workers - sum(parts.values()))
        heaviest = sorted(lines.items(), key=lambda item: (-item[1], item[0]))[:_MOST_LINES]
        return Costs(parts=parts, lines=tuple(LineCost(*place, spent) for place, spent in heaviest))
