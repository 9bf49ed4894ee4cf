"""A page of rows as an Arrow table that a front end can draw: numbers as they are, all else as short text."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc

from mrkernel.batches import Column, decode_column, encode_plain, kind_of
from mrkernel.io.write_text import to_text
from mrkernel.render import value_text
from mrkernel.render.values import printable, whole_text
from mrkernel.result.rows import Rows

__all__ = ["Cells", "cell_text", "csv_text", "draw_cells"]

_MOST_CHARACTERS, _LEAST_CHARACTERS = 2_000, 60
_PAGE_CHARACTERS = 2_000_000
_CSV_ROWS, _CSV_CHARACTERS = 100, 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Some rows, ready to be sent.

    Attributes
    ----------
    ipc
        An Arrow IPC stream. Integers, floats and booleans have their own types, everything else is text as a display
        shows it; None is null.
    cut
        ``(row, column, characters)`` of each text that was cut, with its length before that.
    """

    ipc: bytes
    cut: list[tuple[int, int, int]]


def draw_cells(rows: Rows, numbers: Sequence[int], names: Sequence[str]) -> Cells:
    """The rows of these numbers. Long text is cut, shorter where there are many cells: a page is 2 MB at most."""
    room = _PAGE_CHARACTERS // max(1, len(numbers) * len(names))
    limit = max(_LEAST_CHARACTERS, min(_MOST_CHARACTERS, room))
    arrays, cut = [], []
    for index, name in enumerate(names):
        array, lengths = _drawn(rows.columns_of_rows(numbers, name), limit)
        arrays.append(array)
        cut += [(row, index, length) for row, length in lengths]
    # Two columns may be told apart by an unprintable character only.
    table = pa.Table.from_arrays(arrays, names=[value_text(name) for name in names])
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return Cells(ipc=sink.getvalue().to_pybytes(), cut=cut)


def cell_text(rows: Rows, number: int, name: str, limit: int) -> tuple[str, int]:
    """One value as text of at most ``limit`` characters, and how many characters it has in all."""
    array, field = rows.one(number, name)
    if _is_text(array):
        (text,), lengths = _cut_strings(array, limit)
        text = "None" if text is None else text
        return text, lengths[0][1] if lengths else len(text)
    (value,) = decode_column(array, field)
    whole = whole_text(value)
    return whole[:limit], len(whole)


def csv_text(rows: Rows, numbers: Sequence[int], names: Sequence[str]) -> tuple[str, int]:
    """Rows as CSV, until they are 4 MB: what a file would hold, and what that refuses as Python shows it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    n_rows = 0
    for start in range(0, len(numbers), _CSV_ROWS):
        some = numbers[start : start + _CSV_ROWS]
        columns = [[_csv_value(value, name) for column in rows.columns_of_rows(some, name)
                    for value in decode_column(*column)] for name in names]  # fmt: skip
        for row in zip(*columns, strict=True):
            writer.writerow(row)
            n_rows += 1
            if out.tell() > _CSV_CHARACTERS:
                return _sendable(out.getvalue()), n_rows
    return _sendable(out.getvalue()), n_rows


def _sendable(text: str) -> str:
    """Text whose lone surrogates are written as escapes: Jupyter's messages are UTF-8, which has none."""
    return text.encode("utf-8", "backslashreplace").decode()


def _csv_value(value: Any, name: str) -> str:
    try:
        return to_text(value, name)
    except Exception:  # noqa: BLE001  # bytes, NaN in a list, too many digits; and a user's __repr__ may raise anything
        return whole_text(value)


def _drawn(pieces: list[Column], limit: int) -> tuple[pa.Array, list[tuple[int, int]]]:
    kinds = {array.type for array, _ in pieces}
    if len(kinds) == 1 and all(_is_sent_as_it_is(field) for _, field in pieces):
        return pa.concat_arrays([array for array, _ in pieces]), []
    texts: list[str | None] = []
    lengths: list[tuple[int, int]] = []
    for piece in pieces:
        drawn, long = _texts(piece, limit)
        lengths += [(len(texts) + row, length) for row, length in long]
        texts += drawn
    return encode_plain(texts, str)[0].cast(pa.string()), lengths


def _is_sent_as_it_is(field: pa.Field) -> bool:
    kind = field.type
    return not kind_of(field) and (
        pa.types.is_integer(kind) or pa.types.is_float32(kind) or pa.types.is_float64(kind) or pa.types.is_boolean(kind)
    )


def _texts(piece: Column, limit: int) -> tuple[list[str | None], list[tuple[int, int]]]:
    array, field = piece
    if _is_text(array):
        return _cut_strings(array, limit)
    texts: list[str | None] = []
    lengths = []
    for row, value in enumerate(decode_column(array, field)):
        text = None if value is None else value_text(value)[:limit]
        if text is not None and _is_shortened(text, whole := whole_text(value)):
            lengths.append((row, len(whole)))
        texts.append(text)
    return texts, lengths


def _is_text(array: pa.Array) -> bool:
    return bool(pa.types.is_string(array.type) or pa.types.is_large_string(array.type))


def _is_shortened(text: str, whole: str) -> bool:
    # A display sorts what is in sets and dicts.
    return len(text) != len(whole) or (text != whole and sorted(text) != sorted(whole))


def _cut_strings(array: pa.Array, limit: int) -> tuple[list[str | None], list[tuple[int, int]]]:
    """Cut before anything is copied: one value may have gigabytes."""
    sizes = pc.utf8_length(array).to_pylist()
    kept = pc.utf8_slice_codeunits(array, 0, limit).to_pylist()
    texts = [None if text is None else printable(text) for text in kept]
    lengths = [(row, size) for row, size in enumerate(sizes) if size is not None and size > limit]
    return texts, lengths
