"""Going on past what cannot be parsed: lines are set aside one by one, and every other record keeps its place."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from mrkernel.errors import SourceReadError
from mrkernel.io.base import Origin, RecordBlock

__all__ = ["Aside", "Unreadable", "sift"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A line that cannot be parsed: where it is, its text, and why."""

    origin: Callable[[], Origin]
    text: str
    error: Exception


class Aside:
    """What a reader that sets lines aside hands them to, and what it knows of the block that it is at.

    One reader of one split has one of these. That it knows the bytes at hand makes finding a record's place cheap:
    nothing is read again but, once for each piece of a file, the lines before it.

    Attributes
    ----------
    block
        Stands for the record batch at hand in :meth:`Source.locate`; its records are not there.
    n_rows
        Rows of the piece that the reader has come to, the bad ones too.
    """

    def __init__(self) -> None:
        self._receiver: Callable[[Unreadable], None] | None = None
        self.block: RecordBlock | None = None
        self._piece: Any = None
        self._dropped: list[int] = []
        self._before = 0
        self.offset = self._first = self.n_rows = 0
        self._data = b""
        self._numbers: Sequence[int] | None = None
        self._passed = 0
        self._n_lines = 0

    def receive(self, receiver: Callable[[Unreadable], None]) -> None:
        """Call ``receiver`` with each line that cannot be parsed; without one they are forgotten."""
        self._receiver = receiver

    def enter(self, piece: Any, offset: int, data: bytes) -> None:
        """The reader is at these bytes of a piece."""
        if piece is not self._piece:
            self.begin(piece, lambda: 0)
            self._first = offset
        self._passed += self._n_lines
        self._n_lines = data.count(b"\n")
        self.offset, self._data, self._numbers = offset, data, None

    def begin(self, piece: Any, count_before: Callable[[], int]) -> None:
        """The reader begins a piece of a file, which ``count_before()`` rows precede."""
        if piece is not self._piece:
            self._piece, self._dropped, self._before = piece, [], -1
            self._passed = self._n_lines = self._first = self.n_rows = 0
        self._count_before = count_before

    def keep(self, numbers: Sequence[int]) -> None:
        """Which lines of the block at hand, from 0, the records are from."""
        self._numbers = numbers

    def hand_over(self, text: str, error: Exception, origin: Callable[[], Origin]) -> None:
        """Set a line aside."""
        if self._receiver is not None:
            self._receiver(Unreadable(origin=origin, text=text, error=error))

    # -- places ------------------------------------------------------------------------------------------------

    def line_of(self, index: int) -> int:
        """Which line of the block at hand a record is from."""
        return index if self._numbers is None else self._numbers[index]

    def byte_of(self, line: int) -> int:
        """Where in the file a line of the block at hand begins."""
        place = 0
        for _ in range(line):
            place = self._data.find(b"\n", place) + 1
        return self.offset + place

    def line_number(self, line: int, count_lines: Callable[[int], int]) -> int:
        """The number, from 1, of a line of the block at hand; ``count_lines(offset)`` counts those before a piece."""
        if self._before < 0:
            self._before = count_lines(self._first) if self._first else 0
        return self._before + self._passed + line + 1

    def drop(self, row: int) -> None:
        """Row ``row`` of the piece, from 0, is none of the records."""
        insort(self._dropped, row)

    def row_of(self, kept: int) -> int:
        """The row of the piece that its record number ``kept`` is, both from 0."""
        row = kept
        for dropped in self._dropped:
            if dropped > row:
                break
            row += 1
        return row

    def absolute(self, row: int) -> int:
        """The number in its file, from 0, of a row of the piece."""
        if self._before < 0:
            self._before = self._count_before()
        return self._before + row


def sift(
    lines: Sequence[Any], parse: Callable[[Sequence[Any]], T]
) -> Iterator[tuple[int, int, T | None, SourceReadError | None]]:
    """Parse as many lines at once as can be: halves of what cannot, down to single lines.

    Yields the range of lines, and what they gave, or, for a single line, why it gave nothing.
    """
    waiting = [(0, len(lines))]
    while waiting:
        start, stop = waiting.pop()
        try:
            yield start, stop, parse(lines[start:stop]), None
        except SourceReadError as error:
            if stop - start <= 1:
                yield start, stop, None, error
                continue
            middle = (start + stop) // 2
            waiting += [(middle, stop), (start, middle)]
