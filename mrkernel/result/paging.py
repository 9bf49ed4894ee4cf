"""Pages of a result's rows, in the order of any column over all rows."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa

from mrkernel.errors import OptionError
from mrkernel.result.cells import cell_text, csv_text, draw_cells
from mrkernel.result.parts import HeldFiles, PartFile, remove
from mrkernel.result.rows import Rows, type_words
from mrkernel.result.selection import Ranked
from mrkernel.result.sorting import Order, Stretch, is_plain, key_reader, sort_stretch

__all__ = ["Page", "Paging"]

MAX_PAGE_ROWS = 1_000
MAX_COLUMNS = 100
_FULL_TEXT = 200_000
# Rows sorted at once: 60 MB for text of 50 characters; pickled values take ten times as much each.
_PLAIN_ROWS, _OTHER_ROWS = 1 << 20, 1 << 17
_MOST_STRETCHES = 256
# Below this the sort takes less time here than a round trip and the opening of files in another process.
_FEW_ROWS = 200_000
_KEPT_ORDERS = 4
# A stretch takes about a second. A worker that hands none over for so long hangs, or is busy with something else.
_PATIENCE_S = 30.0
_OrderBy: TypeAlias = tuple[str, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some neighbouring rows in some order.

    Attributes
    ----------
    start, n_rows
        The rank of the first row, and how many rows there are here.
    ipc
        The rows as an Arrow IPC stream: numbers in their own types, all else as text, None as null.
    cut
        ``(row, column, characters)`` of each text that was cut, and its length before that.
    """

    start: int
    n_rows: int
    ipc: bytes
    cut: list[tuple[int, int, int]]


class Paging:
    """Reads and sorts the rows of a result for a display. Methods may be called from any thread.

    The first page in a new order sorts the column: in stretches of about a million rows, on the workers of ``place``
    if that is idle, else in this process. What stays is four bytes a row on disk, beside the parts; a page then reads
    some hundred values.

    Parameters
    ----------
    place
        The cluster that wrote the parts, if its workers can read them; None sorts in this process.
    held
        What holds the files of the parts, kept as long as this.
    """

    def __init__(
        self,
        parts: Sequence[PartFile],
        *,
        place: Any = None,
        empty: pa.Schema | None = None,
        held: HeldFiles | None = None,
    ) -> None:
        self._parts = tuple(parts)
        self._rows = Rows(self._parts, empty=empty)
        self._place = place
        # Only who needs a new order waits for a sort: one at a time, for each takes memory.
        self._lock, self._sorting = threading.Lock(), threading.Lock()
        self._ranked: OrderedDict[_OrderBy, Ranked] = OrderedDict()
        self._paths: dict[_OrderBy, list[str]] = {}
        self._files: list[str] = []
        self._held = held, HeldFiles(self._files)

    def columns(self) -> list[tuple[str, str]]:
        """Name and type in words of each column."""
        return [(name, type_words(self._rows.fields(name))) for name in self._rows.names()]

    def page(self, start: int, size: int, *, column: str | None = None, descending: bool = False) -> Page:
        """At most ``size`` rows from rank ``start`` on, in the order of a column or, without one, as they are.

        Raises
        ------
        OptionError
            If there is no such column.
        """
        numbers = self.numbers(start, min(size, MAX_PAGE_ROWS), column=column, descending=descending)
        cells = draw_cells(self._rows, numbers, self._rows.names()[:MAX_COLUMNS])
        return Page(start=max(0, start), n_rows=len(numbers), ipc=cells.ipc, cut=cells.cut)

    def text(self, rank: int, name: str, *, column: str | None = None, descending: bool = False) -> tuple[str, int]:
        """One value as text of at most 200,000 characters, and how many it has in all."""
        (number,) = self.numbers(rank, 1, column=column, descending=descending)
        return cell_text(self._rows, number, name, _FULL_TEXT)

    def csv(self, size: int, *, column: str | None = None, descending: bool = False) -> tuple[str, int]:
        """The first rows in an order as CSV text with a header, at most ``size`` or 4 MB; and how many those are."""
        numbers = self.numbers(0, size, column=column, descending=descending)
        return csv_text(self._rows, numbers, self._rows.names())

    def numbers(self, start: int, size: int, *, column: str | None = None, descending: bool = False) -> list[int]:
        """The numbers of the rows from rank ``start`` on, in the order of a column."""
        start = max(0, start)
        stop = min(len(self._rows), start + max(0, size))
        if column is None:
            return list(range(start, stop))
        return self._order((column, descending)).rows(start, stop)

    def _order(self, wanted: _OrderBy) -> Ranked:
        column, descending = wanted
        if column not in self._rows.names():
            raise OptionError(f"cannot sort by {column!r}: columns are {', '.join(self._rows.names())}")
        if (known := self._known(wanted)) is not None:
            return known
        with self._sorting:
            # Whoever was here before may have had the same wish.
            if (known := self._known(wanted)) is not None:
                return known
            orders = self._sorted(self._stretches(column, descending=descending))
            ranked = Ranked(orders, key_reader(self._rows, column), descending=descending)
            self._keep(wanted, ranked, [order.path for order in orders])
            return ranked

    def _known(self, wanted: _OrderBy) -> Ranked | None:
        with self._lock:
            if wanted in self._ranked:
                self._ranked.move_to_end(wanted)
            return self._ranked.get(wanted)

    def _keep(self, wanted: _OrderBy, ranked: Ranked, paths: list[str]) -> None:
        """Keep an order, in the place of the one that was not used for longest; who reads that one has it open."""
        with self._lock:
            self._files += paths
            self._paths[wanted], self._ranked[wanted] = paths, ranked
            if len(self._ranked) > _KEPT_ORDERS:
                oldest, _ = self._ranked.popitem(last=False)
                remove(self._paths.pop(oldest))

    def _stretches(self, column: str, *, descending: bool) -> list[Stretch]:
        total = len(self._rows)
        size = _PLAIN_ROWS if is_plain(self._rows, column) else _OTHER_ROWS
        size = max(size, -(-total // _MOST_STRETCHES))
        folder = os.path.dirname(self._parts[0].path) if self._parts else ""
        return [
            Stretch(parts=self._parts, start=start, stop=min(start + size, total), column=column,
                    descending=descending, folder=folder)
            for start in range(0, total, size)
        ]  # fmt: skip

    def _sorted(self, stretches: list[Stretch]) -> list[Order]:
        orders: list[Order] = []
        if len(self._rows) > _FEW_ROWS and self._place is not None:
            # A cluster that has left, was replaced, lost a worker or hangs is no reason not to show a page.
            with suppress(Exception):
                if not self._place.is_closed and not self._is_busy():
                    orders += self._sorted_on_workers(stretches)
        return orders + [sort_stretch(stretch) for stretch in stretches[len(orders) :]]

    def _is_busy(self) -> bool:
        """Whether the workers have tasks: a page should not wait for the end of a long job."""
        return any(self._place.client.processing().values())

    def _sorted_on_workers(self, stretches: list[Stretch]) -> Iterator[Order]:
        """The orders as far as the workers get; what is not asked for any more is taken from them."""
        for future in self._place.client.map(sort_stretch, stretches, pure=False, priority=100):
            yield future.result(timeout=_PATIENCE_S)
