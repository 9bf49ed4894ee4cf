"""Sorting a stretch of a result's rows by one column: what a worker does for a page in another order."""

from __future__ import annotations

import datetime as dt
import enum
import os
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from numbers import Number
from typing import Any

import numpy as np
import pyarrow as pa

from mrkernel.batches import decode_column, kind_of
from mrkernel.grouping import group, sort_token
from mrkernel.ordering import sort_order
from mrkernel.result.parts import PartFile
from mrkernel.result.rows import Rows

__all__ = ["Order", "Stretch", "is_plain", "key_reader", "sort_stretch"]

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_ATOMS = (Number, str, bytes, dt.date, dt.time, dt.timedelta)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Neighbouring rows to sort: rows ``start`` to ``stop`` of the parts, by a column.

    Attributes
    ----------
    folder
        Where to write the order.
    """

    parts: tuple[PartFile, ...]
    start: int
    stop: int
    column: str
    descending: bool
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The sorted order of a stretch: a file of row numbers relative to ``start``, values first, then NaN, then None.

    Missing values are last in both directions: whoever sorts downwards wants the largest first, not what is missing.
    """

    path: str
    start: int
    n_values: int
    n_nan: int
    n_none: int


def sort_stretch(stretch: Stretch) -> Order:
    """Sort one stretch and write its order. Equal values keep the order of their rows in both directions."""
    rows = Rows(stretch.parts)
    is_in_arrow = is_plain(rows, stretch.column)
    array, field = rows.column(stretch.start, stretch.stop, stretch.column)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if is_in_arrow:
        order, n_nan, n_none = _arrow_order(array, descending=stretch.descending)
    elif _is_plain_tuple(field) and not array.null_count:
        order, n_nan, n_none = _tuple_order(array, field, descending=stretch.descending), 0, 0
    else:
        order, n_nan, n_none = _python_order(decode_column(array, field), descending=stretch.descending)
    path = os.path.join(stretch.folder, f"order-{secrets.token_hex(8)}.rows")
    order.astype(np.uint32).tofile(path)
    return Order(path=path, start=stretch.start, n_values=len(order) - n_nan - n_none, n_nan=n_nan, n_none=n_none)


def is_plain(rows: Rows, column: str) -> bool:
    """Whether a column has one type in all parts whose values Arrow itself can order."""
    fields = rows.fields(column)
    return len(fields) == 1 and _is_plain_field(fields[0])


def _is_plain_field(field: pa.Field) -> bool:
    return not kind_of(field) and not pa.types.is_nested(field.type) and not pa.types.is_dictionary(field.type)


def _is_plain_tuple(field: pa.Field) -> bool:
    return kind_of(field) == "tuple" and all(map(_is_plain_field, field.type))


def _arrow_order(array: pa.Array, *, descending: bool) -> tuple[np.ndarray, int, int]:
    is_none = np.asarray(array.is_null())
    is_nan = np.zeros(len(array), bool)
    if pa.types.is_floating(array.type):
        is_nan = np.asarray(array.is_null(nan_is_null=True)) & ~is_none
    places = np.flatnonzero(~(is_none | is_nan))
    values = array if len(places) == len(array) else array.take(pa.array(places))
    if pa.types.is_string(values.type) or pa.types.is_binary(values.type):
        values = values.cast(pa.large_string() if pa.types.is_string(values.type) else pa.large_binary())
    if descending:
        # Backwards there and back: equal values are in their old order again.
        backwards = values.take(pa.array(np.arange(len(values))[::-1]))
        order = (len(values) - 1 - sort_order(backwards))[::-1]
    else:
        order = sort_order(values)
    whole = np.concatenate([places[order], np.flatnonzero(is_nan), np.flatnonzero(is_none)])
    return whole, int(is_nan.sum()), int(is_none.sum())


def _tuple_order(array: pa.Array, field: pa.Field, *, descending: bool) -> np.ndarray:
    groups = group((array, field))
    if not descending:
        return groups.order()
    return np.argsort(groups.n_groups - 1 - groups.codes, kind="stable")


def _python_order(values: list[Any], *, descending: bool) -> tuple[np.ndarray, int, int]:
    none = [row for row, value in enumerate(values) if value is None]
    nan = [row for row, value in enumerate(values) if _is_nan(value)]
    missing = {*none, *nan}
    tokens = {row: _token(value) for row, value in enumerate(values) if row not in missing}
    order = sorted(tokens, key=tokens.__getitem__, reverse=descending)
    return np.array([*order, *nan, *none], np.int64), len(nan), len(none)


def _is_nan(value: Any) -> bool:
    # A signalling NaN raises where it is compared.
    return value.is_nan() if isinstance(value, Decimal) else isinstance(value, float) and value != value


def _token(value: Any) -> tuple[Any, ...]:
    """What orders values of any mixture totally, so that stretches sorted apart fit together."""
    if value is None:
        return (0,)
    if isinstance(value, (tuple, list)):
        return (50 + isinstance(value, list), [_token(item) for item in value])
    if isinstance(value, dict):
        return (52, [(_token(key), _token(item)) for key, item in value.items()])
    if isinstance(value, (set, frozenset)):
        return (53, sorted(_token(item) for item in value))
    if isinstance(value, _ATOMS) and not isinstance(value, (complex, enum.Enum)):
        return sort_token(value)
    # Classes whose own order is only partial would part what belongs together; an address differs at each reading.
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    return (99, kind, value.name if isinstance(value, enum.Enum) else _ADDRESS.sub("", repr(value)))


def key_reader(rows: Rows, column: str) -> Callable[[int], Any]:
    """A function from a row's number to what its value is compared by, the same that sorted the stretches."""
    if not is_plain(rows, column):

        def read_token(number: int) -> Any:
            return _token(decode_column(*rows.one(number, column))[0])

        return read_token
    if pa.types.is_temporal(rows.fields(column)[0].type):
        # As integers: a nanosecond has no Python value.
        def read_integer(number: int) -> Any:
            return rows.one(number, column)[0][0].value

        return read_integer

    def read(number: int) -> Any:
        return rows.one(number, column)[0][0].as_py()

    return read
