"""What can be wrong with a CSV file, in words that name the row and the column."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from mrkernel.errors import SourceReadError

__all__ = ["InvalidRows", "bad_value", "header_problem", "line_break_in_quotes"]

_CONVERSION = re.compile(r"In CSV column #(\d+): (?:Row #(\d+): )?CSV conversion error to ([^:]+): (.*)", re.DOTALL)


class InvalidRows:
    """Remembers the first row whose number of fields is wrong, for the message; given to Arrow's parser."""

    def __init__(self) -> None:
        self.first: Any = None

    def __call__(self, row: Any) -> str:
        """Keep the row and stop."""
        self.first = self.first or row
        return "error"


def bad_value(
    shown: str, names: Sequence[str], error: pa.ArrowInvalid, invalid: InvalidRows, before: int
) -> SourceReadError:
    """The error for a row of a wrong length or a value of a wrong type; ``before`` rows precede the block."""
    row = invalid.first
    if row is not None:
        place = f"row {before + row.number}" if row.number is not None else f"the row {row.text[:60]!r}"
        return SourceReadError(
            f"cannot read {shown}: {place} has {row.actual_columns} fields, the schema has {row.expected_columns}",
            hint="quote the delimiters in values, or say delimiter=… if it is another one",
        )
    match = _CONVERSION.match(str(error))
    if match:
        number, in_block, kind, text = match.groups()
        column = names[int(number)]
        place = f"row {before + int(in_block)}, " if in_block else ""
        return SourceReadError(f"cannot read {shown}: {place}column {column!r}: {text}, and the column is {kind}",
                               hint=f"say types={{{column!r}: str}} or another type that holds all values")  # fmt: skip
    text = " ".join(str(error).split())[:300]
    return SourceReadError(f"cannot read {shown}: after row {before}: {text}",
                           hint="say newlines_in_values=True if quoted values hold line breaks")  # fmt: skip


def header_problem(names: Sequence[str], fields: Sequence[str], *, is_read: bool) -> str:
    """What is wrong with a header, or "": a name that occurs twice, another number of names than of fields."""
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        return f"the header names {double!r} twice" if is_read else f"column_names has {double!r} twice"
    if len(names) != len(fields):
        return f"its first line has {len(fields)} fields, and {len(names)} column names were given"
    return ""


def line_break_in_quotes(block: bytes, n_rows: int | None, quoting: Mapping[str, Any]) -> bool:
    """True if a quoted value holds a line break: then byte ranges do not end at rows, and must not be trusted.

    A block has as many rows as lines, unless lines are empty; what is left open at the end shows in its last line.
    """
    n_lines = block.count(b"\n") + (not block.endswith(b"\n"))
    if n_rows is not None and n_rows != n_lines and n_rows < sum(1 for line in block.splitlines() if line):
        return True
    quote = quoting["quotechar"].encode()
    if block.count(quote) % 2 == 0:
        return False
    lines = block.splitlines(keepends=True)
    last = lines[-1].decode("utf-8", "replace")
    fields = next(csv.reader([last.rstrip("\r\n") + "\n"], **quoting), [""])
    return bool(fields) and fields[-1].endswith("\n")
