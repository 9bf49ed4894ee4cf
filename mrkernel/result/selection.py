"""Which rows have ranks ``start`` to ``stop`` among many sorted stretches, without merging them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mrkernel.result.sorting import Order

__all__ = ["Ranked"]


class Ranked:
    """All rows in one order, by rank.

    Each stretch was sorted by itself. The cut before a rank is found by bisection in all stretches at once: it reads
    some hundred values, whatever the number of rows, and holds none of them.

    Parameters
    ----------
    orders
        The sorted stretches, in the order of their rows.
    key
        From a row's number to what it is compared by.
    """

    def __init__(self, orders: Sequence[Order], key: Callable[[int], Any], *, descending: bool) -> None:
        self._orders = orders
        self._rows = [_mapped(order) for order in orders]
        self._key = key
        self._descending = descending

    def rows(self, start: int, stop: int) -> list[int]:
        """The numbers of the rows of these ranks, in order."""
        found: list[int] = []
        first = 0
        for kind in ("n_values", "n_nan", "n_none"):
            counts = [getattr(order, kind) for order in self._orders]
            low, high = max(0, start - first), min(sum(counts), stop - first)
            if low < high:
                found += self._values(low, high) if kind == "n_values" else self._missing(kind, low, high)
            first += sum(counts)
        return found

    def _values(self, start: int, stop: int) -> list[int]:
        lows, highs = self._cut(start), self._cut(stop)
        picked = [
            (self._value(stretch, place), stretch, place)
            for stretch, (low, high) in enumerate(zip(lows, highs, strict=True))
            for place in range(low, high)
        ]
        # Sorting is stable, and the list is in the order of rows: only values are compared.
        picked.sort(key=lambda one: one[0], reverse=self._descending)
        return [self._number(stretch, place) for _, stretch, place in picked]

    def _missing(self, kind: str, start: int, stop: int) -> list[int]:
        found: list[int] = []
        for stretch, order in enumerate(self._orders):
            before = order.n_values + (order.n_nan if kind == "n_none" else 0)
            count = getattr(order, kind)
            low, high = max(0, start), min(count, stop)
            found += [self._number(stretch, before + place) for place in range(low, high)]
            start, stop = start - count, stop - count
        return found

    def _number(self, stretch: int, place: int) -> int:
        return self._orders[stretch].start + int(self._rows[stretch][place])

    def _value(self, stretch: int, place: int) -> Any:
        return self._key(self._number(stretch, place))

    def _cut(self, rank: int) -> list[int]:
        """How many values of each stretch come before a rank."""
        total = sum(order.n_values for order in self._orders)
        highs = [min(order.n_values, rank) for order in self._orders]
        lows = [max(0, order.n_values - (total - rank)) for order in self._orders]
        while True:
            widest = max(range(len(lows)), key=lambda stretch: highs[stretch] - lows[stretch])
            if lows[widest] >= highs[widest]:
                return lows
            middle = (lows[widest] + highs[widest]) // 2
            pivot = self._value(widest, middle)
            # Of equal values those of earlier stretches come first.
            cuts = [
                middle if stretch == widest else self._bisect(stretch, pivot, low, high, after=stretch < widest)
                for stretch, (low, high) in enumerate(zip(lows, highs, strict=True))
            ]
            before = sum(cuts)
            if before == rank:
                return cuts
            if before < rank:
                cuts[widest] += 1
                lows = cuts
            else:
                highs = cuts

    def _bisect(self, stretch: int, pivot: Any, low: int, high: int, *, after: bool) -> int:
        while low < high:
            middle = (low + high) // 2
            value = self._value(stretch, middle)
            is_before = value > pivot if self._descending else value < pivot
            if is_before or (after and value == pivot):
                low = middle + 1
            else:
                high = middle
        return low


def _mapped(order: Order) -> np.ndarray:
    size = order.n_values + order.n_nan + order.n_none
    return np.memmap(order.path, np.uint32, "r") if size else np.empty(0, np.uint32)
