"""What columns hold, as a plot sees them: names, numbers, times, pairs; and their values as floats."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "Places",
    "has_repeats",
    "is_name",
    "is_number",
    "is_ordered",
    "is_pair",
    "key_words",
    "number_unit",
    "numbers",
    "numeric_columns",
    "places",
    "with_times",
]

_Axis: TypeAlias = Literal["number", "time", "clock"]
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_UNITS = ((1e-6, "µs"), (1e-3, "ms"), (1.0, "s"), (60.0, "min"), (3600.0, "h"), (86400.0, "days"))
# Python's years, which matplotlib's dates are made of; a day of room on both sides for margins and zones.
_FIRST_S = dt.datetime(1, 1, 3, tzinfo=dt.UTC).timestamp()
_LAST_S = dt.datetime(9999, 12, 29, tzinfo=dt.UTC).timestamp()
_DATE_TEXT = r"^\d{4}-\d{2}(-\d{2}([T ]\d{2}(:\d{2}){0,2})?)?$"
_LOOKED_AT = 1_000_000
# Sums and margins of numbers beyond this would not fit a float.
_HUGE = 1e290


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where keys stand on an axis: NaN for those that have no place.

    Attributes
    ----------
    axis
        ``"number"``, ``"time"`` (days since 1970) or ``"clock"`` (seconds of a day).
    zone
        The zone that times are shown in.
    unit
        What a duration is counted in.
    """

    values: np.ndarray[Any, np.dtype[np.float64]]
    axis: _Axis = "number"
    zone: dt.tzinfo | None = None
    unit: str = ""


def is_number(kind: pa.DataType) -> bool:
    """Whether values can be drawn as a length: numbers and durations."""
    is_plain = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return bool(is_plain or pa.types.is_duration(kind))


def is_ordered(kind: pa.DataType) -> bool:
    """Whether values stand on a scale: numbers, dates, times and durations."""
    return bool(is_number(kind) or pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_time(kind))


def is_name(kind: pa.DataType) -> bool:
    """Whether values are names, side by side in any order: neither on a scale nor pairs."""
    return not is_ordered(kind) and not is_pair(kind)


def is_pair(kind: pa.DataType) -> bool:
    """Whether values are pairs of plain values: keys such as ``("JFK", 2013)``."""
    if not pa.types.is_struct(kind) or kind.num_fields != 2:
        return False
    # A part with metadata is Python objects, which are no plain values however they are stored.
    return not any(pa.types.is_nested(kind.field(n).type) or kind.field(n).metadata for n in range(2))


def numeric_columns(table: pa.Table) -> list[int]:
    """Columns that can be drawn: those of numbers behind the key, or the only one."""
    start = 1 if table.num_columns > 1 else 0
    return [n for n in range(start, table.num_columns) if is_number(table.schema.field(n).type)]


def number_unit(column: pa.ChunkedArray) -> tuple[float, str]:
    """What a column's numbers are divided by, and the unit that is then said; 1 and nothing for most.

    Durations are counted in what their largest needs; numbers near the end of floats in powers of ten.
    """
    if pa.types.is_duration(column.type):
        largest = _largest(column)
        factor, unit = next((u for u in reversed(_UNITS) if largest >= 2 * u[0]), _UNITS[2])
        return factor, unit
    if pa.types.is_floating(column.type) and (largest := _largest(column)) > _HUGE:
        power = int(np.log10(largest))
        return float(f"1e{power}"), f"× 1e{power}"
    return 1.0, ""


def _largest(column: pa.ChunkedArray) -> float:
    sizes = (np.abs(numbers(chunk)) for chunk in column.chunks)
    return max((float(np.nanmax(size)) for size in sizes if np.isfinite(size).any()), default=0.0)


def numbers(column: pa.Array | pa.ChunkedArray, factor: float = 1.0) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Values as floats over ``factor``, durations in seconds first; NaN for None, NaN and infinities."""
    kind = column.type
    if pa.types.is_duration(kind):
        factor *= _PER_SECOND[kind.unit]
        column = pc.cast(column, pa.int64())
    floats = pc.cast(column, pa.float64(), safe=False)
    chunks = floats.chunks if isinstance(floats, pa.ChunkedArray) else [floats]
    # An empty array at the end, as a column may have no chunk at all.
    parts = [*(chunk.to_numpy(zero_copy_only=False) for chunk in chunks), np.empty(0)]
    values = np.concatenate(parts)
    if factor != 1.0:
        values = values / factor
    return np.where(np.isfinite(values), values, np.nan)


def places(column: pa.ChunkedArray) -> Places:
    """Where the values of an ordered column stand."""
    kind = column.type
    if is_number(kind):
        factor, unit = number_unit(column)
        return Places(values=numbers(column, factor), unit=unit)
    if pa.types.is_time(kind):
        width = pa.int32() if pa.types.is_time32(kind) else pa.int64()
        return Places(values=numbers(pc.cast(column, width), _PER_SECOND[kind.unit]), axis="clock")
    if pa.types.is_timestamp(kind):
        seconds = numbers(pc.cast(column, pa.int64()), _PER_SECOND[kind.unit])
    elif pa.types.is_date32(kind):
        seconds = numbers(pc.cast(column, pa.int32())) * 86400
    else:
        seconds = numbers(pc.cast(column, pa.int64()), 1000)
    within = np.where((seconds >= _FIRST_S) & (seconds <= _LAST_S), seconds, np.nan)
    zone = pa.scalar(0, kind).as_py().tzinfo if pa.types.is_timestamp(kind) and kind.tz else None
    return Places(values=within / 86400, axis="time", zone=zone)


def has_repeats(column: pa.ChunkedArray) -> bool:
    """Whether two keys of an ordered column stand at the same place."""
    # Arrow counts distinct values a hundred times slower than NumPy sorts them.
    found = np.sort(places(column).values)
    return bool((np.diff(found) == 0).any())


def with_times(table: pa.Table) -> pa.Table:
    """The table with its key as timestamps where all keys are texts such as ``2013-01`` or ``2013-01-31``."""
    if not 0 < table.num_rows <= _LOOKED_AT or table.num_columns < 2:
        return table
    field, keys = table.schema.field(0), table.column(0)
    is_text = pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    if not is_text or not pc.all(pc.match_substring_regex(keys, _DATE_TEXT), skip_nulls=False).as_py():
        return table
    try:
        times = np.array(keys.to_pylist(), "datetime64[s]")
    except ValueError:
        return table
    return table.set_column(0, pa.field(field.name, pa.timestamp("s")), pa.array(times))


def key_words(keys: pa.ChunkedArray) -> list[str]:
    """Keys as text, the values of a pair with a comma between them."""
    try:
        values = keys.to_pylist()
    except (OverflowError, ValueError):
        # Times beyond Python's calendar.
        values = pc.cast(keys, pa.int64()).to_pylist()
    return [", ".join(map(str, value.values())) if isinstance(value, dict) else str(value) for value in values]
