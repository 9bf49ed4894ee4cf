"""What a running attempt spends its time on: some stretches of a kind, and the seconds of each kind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

from mrkernel.events import Phase

__all__ = ["PhaseClock", "phase", "use_clock"]

# Of more, neighbours become one: 100,000 attempts must not cost the driver more than their reports do.
_MOST, _MOST_MARKS = 12, 200
# What takes less, or a smaller share of the attempt, is nothing that anyone could see.
_MOMENT_S, _MOMENT = 0.0005, 0.005
# Blocks are read and mapped in turns, thousands of times; as a stretch of time both are one.
_SHOWN_AS = {"read": "map"}


class PhaseClock:
    """Measures one attempt.

    Parameters
    ----------
    kind
        What the attempt does while it does nothing else.
    clock
        Seconds that only grow and are the same in all processes of a host.

    Examples
    --------
    >>> seconds = iter([10.0, 11.0, 13.0, 14.0])
    >>> clock = PhaseClock("map", clock=lambda: next(seconds))
    >>> previous = clock.enter("write")
    >>> previous = clock.enter(previous)
    >>> [(one.kind, one.start_s, one.stop_s) for one in clock.finish()]
    [('map', 0.0, 1.0), ('write', 1.0, 3.0), ('map', 3.0, 4.0)]
    """

    def __init__(self, kind: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kind = kind
        self.began = self._since = clock()
        # A kind, and when it began; reading and mapping are one.
        self._marks = [(_SHOWN_AS.get(kind, kind), self.began)]
        self.totals: dict[str, float] = {}

    @property
    def kind(self) -> str:
        """What the attempt is doing now."""
        return self._kind

    def enter(self, kind: str) -> str:
        """Another phase begins; returns the kind of the one that ends."""
        ended = self._kind
        if kind != ended:
            now = self._clock()
            self.totals[ended] = self.totals.get(ended, 0.0) + now - self._since
            self._kind, self._since = kind, now
            shown = _SHOWN_AS.get(kind, kind)
            if shown != self._marks[-1][0]:
                self._marks.append((shown, now))
                if len(self._marks) > _MOST_MARKS:
                    self._marks = _marks(_joined(_phases(self._marks, now)))
        return ended

    def finish(self) -> tuple[Phase, ...]:
        """The attempt ends; its stretches in seconds since it began, at most a dozen."""
        now, began = self._clock(), self.began
        self.totals[self._kind] = self.totals.get(self._kind, 0.0) + now - self._since
        phases = _without_moments(_phases(self._marks, now), max(_MOMENT_S, (now - began) * _MOMENT))
        while len(phases) > _MOST:
            phases = _without_moments(_joined(phases), 0.0)
        return tuple(Phase(kind, start - began, stop - began) for kind, start, stop in phases)


_Stretch: TypeAlias = tuple[str, float, float]


def _phases(marks: list[tuple[str, float]], now: float) -> list[_Stretch]:
    return [(kind, start, stop) for (kind, start), (_, stop) in zip(marks, [*marks[1:], ("", now)], strict=True)]


def _marks(phases: list[_Stretch]) -> list[tuple[str, float]]:
    return [(kind, start) for kind, start, _ in phases]


def _without_moments(phases: list[_Stretch], least_s: float) -> list[_Stretch]:
    """The phases, each moment given to the one before it, and neighbours of one kind as one."""
    kept: list[_Stretch] = []
    for kind, start, stop in phases:
        if kept and (kind == kept[-1][0] or stop - start < least_s):
            kept[-1] = (kept[-1][0], kept[-1][1], stop)
        elif kept and kept[-1][2] - kept[-1][1] < least_s:
            kept[-1] = (kind, kept[-1][1], stop)
        else:
            kept.append((kind, start, stop))
    return kept


def _joined(phases: list[_Stretch]) -> list[_Stretch]:
    """Neighbours as one, of the kind that took longer."""
    pairs = (phases[start : start + 2] for start in range(0, len(phases), 2))
    return [(max(pair, key=_seconds)[0], pair[0][1], pair[-1][2]) for pair in pairs]


def _seconds(phase: _Stretch) -> float:
    return phase[2] - phase[1]


_current: ContextVar[PhaseClock | None] = ContextVar("mrkernel_phases", default=None)


@contextmanager
def use_clock(clock: PhaseClock) -> Iterator[PhaseClock]:
    """Make ``clock`` the one that :func:`phase` moves, for a ``with`` block."""
    token = _current.set(clock)
    try:
        yield clock
    finally:
        _current.reset(token)


@contextmanager
def phase(kind: str) -> Iterator[None]:
    """A block, or as a decorator a function, whose time is of this kind; nothing where no attempt is measured."""
    clock = _current.get()
    if clock is None:
        yield
        return
    before = clock.enter(kind)
    try:
        yield
    finally:
        clock.enter(before)
