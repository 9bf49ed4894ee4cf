"""A result's rows as plots take them: numbers out of Python objects, keys in words, all rows where that is cheap."""

from __future__ import annotations

from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mrkernel.batches import decode_column, kind_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mrkernel.result.result import Result

__all__ = ["can_plot_rows", "plot_rows"]

# Objects are unpickled one by one, at about a microsecond each.
_OBJECT_ROWS = 1_000_000
# Bars go through a column chunk by chunk, at some 0.2 µs a row; other kinds sort it, and hold it in memory.
_NAMED_ROWS, _ORDERED_ROWS = 20_000_000, 5_000_000


def plot_rows(result: Result, **options: Any) -> Axes:
    """Draw a result with :func:`mrkernel.plots.plot_table`; options are its own."""
    from mrkernel.plots import is_name, key_words, plot_table

    schema = result.schema
    most = _NAMED_ROWS if len(schema) > 1 and is_name(schema.field(0).type) else _ORDERED_ROWS
    if any(kind_of(field) == "object" for field in list(schema)[1:]):
        most = _OBJECT_ROWS
    table = result.head(most)
    key = table.schema.field(0) if table.num_columns else None
    columns = [_column(table.column(n), field) for n, field in enumerate(table.schema)]
    plain = pa.Table.from_arrays([column for column, _ in columns], schema=pa.schema([field for _, field in columns]))

    def words(keys: pa.ChunkedArray) -> list[str]:
        if key is None or keys.type != key.type or not kind_of(key):
            return key_words(keys)
        return [_words(value) for value in decode_column(keys, key)]

    return plot_table(plain, total_rows=result.num_rows, words=words, **options)


def can_plot_rows(result: Result) -> bool:
    """Whether a plot of the result has something to show, as far as its first rows tell."""
    from mrkernel.plots import can_plot

    table = result.head(100)
    columns = [_column(table.column(n), field) for n, field in enumerate(table.schema)]
    return can_plot(pa.Table.from_arrays([column for column, _ in columns], names=table.schema.names))


def _column(column: pa.ChunkedArray, field: pa.Field) -> tuple[pa.ChunkedArray, pa.Field]:
    if kind_of(field) != "object":
        return column, field
    values = decode_column(column, field)
    if not all(value is None or isinstance(value, (Real, Decimal)) for value in values):
        return column, field
    if all(isinstance(value, bool) or value is None for value in values):
        return column, field
    return pa.chunked_array([pa.array([_float(value) for value in values], pa.float64())]), pa.field(
        field.name, pa.float64()
    )


def _float(value: Any) -> float | None:
    try:
        return None if value is None else float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _words(value: Any) -> str:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,)
    return ", ".join(map(str, parts))
