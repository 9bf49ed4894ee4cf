"""Columns of the tables that batch mappers make, in the types that the rest of the engine uses."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from mrkernel.batches import KIND, Column, decode_column, encode_column, kind_of
from mrkernel.engine.tasks.conforming import decoded
from mrkernel.errors import KeyTypeError, ValueTypeError
from mrkernel.grouping import encode_keys

__all__ = ["as_key", "as_tuple", "as_value"]


def as_key(table: pa.Table, name: str) -> Column:
    """A column as keys.

    Raises
    ------
    KeyTypeError
        For columns of lists, maps, structs and intervals.
    """
    array, field = _column(table, name)
    kind = field.type
    if _is_python_only(kind):
        return encode_keys(array.to_pylist(), name)
    if pa.types.is_nested(kind) or pa.types.is_interval(kind):
        raise _refused(name, kind)
    return _microseconds(array, name) if kind == pa.time64("ns") else (array, field)


def _refused(name: str, kind: pa.DataType) -> KeyTypeError:
    if pa.types.is_interval(kind):
        what, hint = "an interval", "make it a duration, or text"
    elif pa.types.is_struct(kind):
        fields = tuple(field.name for field in kind)
        what, hint = "a dict", f"make its fields columns of their own and name them in the job: key={fields!r}"
    else:
        what = "a map" if pa.types.is_map(kind) else "a list"
        hint = "make it text, or make its items columns of their own and name them in the job: key=(…)"
    return KeyTypeError(f"the key column {name!r} is of type {kind}, and {what} cannot be a key", hint=hint)


def _microseconds(array: pa.Array, name: str) -> Column:
    try:
        return array.cast(pa.time64("us")), pa.field(name, pa.time64("us"))
    except pa.ArrowInvalid:
        raise KeyTypeError(
            f"the key column {name!r} is of type {array.type} and holds parts of microseconds, which a time cannot",
            hint="round it to microseconds, or make it an integer",
        ) from None


def as_value(table: pa.Table, name: str) -> Column:
    """A column as values.

    Raises
    ------
    ValueTypeError
        For a column of intervals, which neither Arrow nor polars computes with, and Python does not pickle.
    """
    array, field = _column(table, name)
    if pa.types.is_interval(field.type):
        raise ValueTypeError(
            f"the column {name!r} is of type {field.type}, and an interval cannot be a value",
            hint="make it a duration, or text",
        )
    return encode_column(array.to_pylist(), name) if _is_python_only(field.type) else (array, field)


def _is_python_only(kind: pa.DataType) -> bool:
    """Whether Arrow stores such values but has no functions for them."""
    is_empty = pa.types.is_struct(kind) and kind.num_fields == 0
    return is_empty or pa.types.is_union(kind) or isinstance(kind, pa.BaseExtensionType)


def as_tuple(columns: Sequence[Column]) -> Column:
    """Keys of several columns."""
    if any(kind_of(field) == "object" for _, field in columns):
        return encode_keys(list(zip(*(decode_column(*column) for column in columns), strict=True)))
    fields = [field.with_name(str(n)) for n, (_, field) in enumerate(columns)]
    array = pa.StructArray.from_arrays([array for array, _ in columns], fields=fields)
    return array, pa.field("", array.type, metadata={KIND: b"tuple"})


def _column(table: pa.Table, name: str) -> Column:
    column = decoded(table.column(name))
    wider = _wider(column.type)
    if wider != column.type:
        column = column.cast(wider)
    array = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return array, pa.field(name, wider)


def _wider(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_string(kind) or pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_binary(kind) or pa.types.is_binary_view(kind) or pa.types.is_fixed_size_binary(kind):
        return pa.large_binary()
    if pa.types.is_integer(kind) and not pa.types.is_uint64(kind):
        return pa.int64()
    if pa.types.is_decimal32(kind) or pa.types.is_decimal64(kind):
        # Arrow cannot group by the narrow ones.
        return pa.decimal128(kind.precision, kind.scale)
    return pa.float64() if pa.types.is_floating(kind) else kind
