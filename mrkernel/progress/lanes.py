"""What each worker did over time, in at most 240 cells however long the job takes."""

from __future__ import annotations

import math
from collections.abc import Iterable

__all__ = ["LaneBoard", "lane_kind"]

MOST_CELLS = 240
_FIRST_BUCKET_S = 0.05
# A worker is waiting in a cell only if it waited for most of it: a row of short tasks has gaps that mean nothing.
_BUSY = 0.25
# Differences of seconds since the epoch are this uncertain, as a share of a cell.
_GRAIN = 1e-5
_KINDS = {
    "map": "m", "read": "m", "write": "w", "fetch": "f", "reduce": "r", "merge": "c", "commit": "c", "save": "c",
}  # fmt: skip


def lane_kind(word: str) -> str:
    """The character for a phase, or for what a stage of this name mostly does.

    >>> lane_kind("fetch"), lane_kind("reduce 2"), lane_kind("save")
    ('f', 'r', 'c')
    """
    return _KINDS.get(word.partition(" ")[0], "m")


class _Lane:
    """Seconds of each kind by bucket, and the cells that are known already."""

    def __init__(self) -> None:
        self.buckets: dict[int, dict[str, float]] = {}
        self.cells: list[str] = []
        self.stale: set[int] = set()


class LaneBoard:
    """One lane for each worker, by its address or name.

    Attributes
    ----------
    bucket_s
        Seconds of a cell; doubles whenever the cells are used up.

    Examples
    --------
    >>> board = LaneBoard()
    >>> board.add("a", "m", 0.0, 0.1)
    >>> board.add("a", "w", 0.1, 0.14)
    >>> board.cells("a", 0.19)
    'mmw.'
    """

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}
        self.bucket_s = _FIRST_BUCKET_S

    @property
    def workers(self) -> tuple[str, ...]:
        """Whose lanes there are."""
        return tuple(self._lanes)

    def add(self, worker: str, kind: str, start_s: float, stop_s: float) -> None:
        """A worker did something from ``start_s`` to ``stop_s`` after the job began."""
        lane = self._lanes.get(worker)
        if lane is None:
            lane = self._lanes[worker] = _Lane()
        if stop_s >= MOST_CELLS * self.bucket_s:
            self._make_room(stop_s)
        width = self.bucket_s
        first = int(start_s / width + _GRAIN)
        last = max(first, int(stop_s / width - _GRAIN))
        for number in range(first, last + 1):
            begin, end = number * width, (number + 1) * width
            seconds = (min(end, stop_s)) - (max(begin, start_s))
            if seconds > 0 or first == last:
                bucket = lane.buckets.get(number)
                if bucket is None:
                    bucket = lane.buckets[number] = {}
                bucket[kind] = bucket.get(kind, 0.0) + seconds
                lane.stale.add(number)

    def rename(self, worker: str, name: str) -> None:
        """A worker is now called otherwise; if another lane has that name, both become one."""
        lane = self._lanes.pop(worker, None)
        if lane is None:
            return
        known = self._lanes.setdefault(name, _Lane())
        for number, seconds in lane.buckets.items():
            bucket = known.buckets.setdefault(number, {})
            for kind, amount in seconds.items():
                bucket[kind] = bucket.get(kind, 0.0) + amount
            known.stale.add(number)

    def cells(self, worker: str, until: float, running: Iterable[tuple[str, float]] = ()) -> str:
        """The lane up to ``until``; ``running`` are kinds and beginnings of what the worker does at that moment."""
        self._make_room(until)
        lane, width = self._lanes.get(worker) or _Lane(), self.bucket_s
        n_cells = min(MOST_CELLS, max(1, math.ceil(until / width - _GRAIN)))
        cells = lane.cells
        cells += "." * (n_cells - len(cells))
        # The last cell is not over: what is a small part of it may be all of it so far.
        for number in {*lane.stale, n_cells - 1}:
            if number < n_cells:
                part = min(width, until - number * width)
                cells[number] = _dominant(lane.buckets.get(number, {}), part)
        lane.stale = {number for number in lane.stale if number >= n_cells} | {n_cells - 1}
        shown = cells[:n_cells]
        for kind, since in running:
            _lay_over(shown, kind, since, until, width)
        return "".join(shown)

    def _make_room(self, until: float) -> None:
        while until >= MOST_CELLS * self.bucket_s:
            self.bucket_s *= 2
            for lane in self._lanes.values():
                _fold(lane)


def _fold(lane: _Lane) -> None:
    """Two neighbouring buckets become one."""
    folded: dict[int, dict[str, float]] = {}
    for number, seconds in lane.buckets.items():
        bucket = folded.setdefault(number // 2, {})
        for kind, amount in seconds.items():
            bucket[kind] = bucket.get(kind, 0.0) + amount
    lane.buckets, lane.cells, lane.stale = folded, [], set(folded)


def _dominant(seconds: dict[str, float], width: float) -> str:
    for kind in "xt":
        if kind in seconds:
            return kind
    if not seconds or sum(seconds.values()) < _BUSY * width:
        return "."
    return max(seconds, key=seconds.__getitem__)


def _lay_over(cells: list[str], kind: str, since: float, until: float, width: float) -> None:
    for number in range(int(since / width + _GRAIN), len(cells)):
        start, stop = number * width, min(until, (number + 1) * width)
        is_idle = cells[number] == "." and stop - max(start, since) >= _BUSY * (stop - start)
        if is_idle or (kind == "t" and cells[number] != "x"):
            cells[number] = kind
