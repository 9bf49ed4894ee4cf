"""What can be wrong with a CSV file, in words that name the row and the column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from mrkernel.config import counted
from mrkernel.errors import SourceReadError

__all__ = ["InvalidRows", "bad_row", "bad_value", "has_longer_rows", "header_problem", "wrong_length"]

_LENGTH_HINT = (
    "quote the delimiters in values, say delimiter=… if it is another one, "
    "or newlines_in_values=True if quoted values hold line breaks"
)
_BREAK_HINT = "say newlines_in_values=True if quoted values hold line breaks"
_CONVERSION = re.compile(r"In CSV column #(\d+): (?:Row #(\d+): )?CSV conversion error to ([^:]+): (.*)", re.DOTALL)


class InvalidRows:
    """Remembers the first row whose number of fields is wrong, for the message; given to Arrow's parser.

    A block of rows may get one such row more at its end (:meth:`closing`). The parser only sees it as a row where no
    quoted value is open there: an open one swallows it. Arrow would take that value for a whole one.
    """

    def __init__(self, n_columns: int = 0, delimiter: str = ",", quote_char: str | None = None) -> None:
        mark = next(mark for mark in "\x1e\x1d\x1c" if mark not in {delimiter, quote_char})
        self._end = mark + delimiter * n_columns
        self._has_end = False
        self.first: Any = None
        self.is_open = False

    def __call__(self, row: Any) -> str:
        """Keep the row and stop, unless it is the one at the end."""
        if self._has_end and row.text == self._end:
            self.is_open = False
            return "skip"
        self.first = self.first or row
        # What stands before the wrong row is closed, as the row itself is if it ends before the block does.
        self.is_open = self._has_end and self._end in row.text
        return "error"

    def closing(self, block: bytes) -> bytes:
        """The block and the row at its end."""
        self._has_end = self.is_open = True
        return b"".join((block, b"" if block.endswith(b"\n") else b"\n", self._end.encode(), b"\n"))


def bad_value(
    shown: str, names: Sequence[str], error: pa.ArrowInvalid, invalid: InvalidRows, before: int
) -> SourceReadError:
    """The error for a row of a wrong length or a value of a wrong type; ``before`` rows precede the block."""
    row = invalid.first
    if row is not None:
        place = f"row {before + row.number}" if row.number is not None else f"the row {row.text[:60]!r}"
        return SourceReadError(f"cannot read {shown}: {place} has {wrong_length(row)}", hint=_LENGTH_HINT)
    match = _CONVERSION.match(str(error))
    if match:
        number, in_block, kind, text = match.groups()
        column = names[int(number)]
        place = f"row {before + int(in_block)}, " if in_block else ""
        return SourceReadError(f"cannot read {shown}: {place}column {column!r}: {text}, and the column is {kind}",
                               hint=f"say types={{{column!r}: str}} or another type that holds all values")  # fmt: skip
    text = " ".join(str(error).split())[:300]
    return SourceReadError(f"cannot read {shown}: after row {before}: {text}", hint=_BREAK_HINT)


def wrong_length(row: Any) -> str:
    """How many fields a row has, and how many it should have."""
    return f"{counted(row.actual_columns, 'field')}, the schema has {row.expected_columns}"


def bad_row(names: Sequence[str], error: pa.ArrowInvalid | None, invalid: InvalidRows) -> SourceReadError:
    """The error for one row by itself, which need not say where it is."""
    if invalid.is_open or error is None:
        return SourceReadError("a quoted value holds a line break", hint=_BREAK_HINT)
    if invalid.first is not None:
        return SourceReadError(f"the row has {wrong_length(invalid.first)}", hint=_LENGTH_HINT)
    match = _CONVERSION.match(str(error))
    if match:
        column = names[int(match[1])]
        return SourceReadError(f"column {column!r}: {match[4]}, and the column is {match[3]}",
                               hint=f"say types={{{column!r}: str}} or another type that holds all values")  # fmt: skip
    return SourceReadError(" ".join(str(error).split())[:300])


def header_problem(names: Sequence[str], fields: Sequence[str], *, is_read: bool) -> str:
    """What is wrong with a header, or "": a name that occurs twice, another number of names than of fields."""
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        return f"the header names {double!r} twice" if is_read else f"column_names has {double!r} twice"
    if len(names) != len(fields):
        return f"its first line has {counted(len(fields), 'field')}, and {counted(len(names), 'column name')} for it"
    return ""


def has_longer_rows(block: bytes, n_rows: int) -> bool:
    """Whether a row goes over several lines: a block has as many rows as lines, unless lines are empty."""
    n_lines = block.count(b"\n") + (not block.endswith(b"\n"))
    return n_rows != n_lines and n_rows < sum(1 for line in block.splitlines() if line)
