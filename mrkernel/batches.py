"""Python objects to Arrow columns and back, exactly: what goes in comes out.

A column holds one kind of value in Arrow's own type. Where Arrow's type alone would lose what the value was, the
field's metadata ``mrkernel:kind`` says so: ``tuple`` and ``dict`` are structs, ``object`` is pickled Python values
(mixed types, integers beyond 64 bits, whatever Arrow cannot type). Text and bytes use 64-bit offsets, so that a
column may exceed 2 GiB. Object columns are only ever read from files that this job's own tasks have written.
"""

from __future__ import annotations

import datetime as dt
import pickle
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import chain
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mrkernel.errors import ValueTypeError

__all__ = [
    "KIND",
    "MISFITS",
    "Column",
    "as_arrow",
    "as_numpy",
    "concat_columns",
    "decode_column",
    "encode_column",
    "encode_plain",
    "kind_of",
    "make_table",
    "object_column",
    "plain_type",
    "python_rows",
    "struct_child",
    "value_columns",
]

KIND = b"mrkernel:kind"
Column: TypeAlias = tuple[pa.Array, pa.Field]
_NONE = type(None)
_PLAIN = {
    str: pa.large_string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_(), bytes: pa.large_binary(),
    dt.date: pa.date32(), dt.timedelta: pa.duration("us"),
}  # fmt: skip
# Longer columns are worth pandas, which pyarrow imports for its own, quicker way.
_FEW = 1 << 16
_LIST_ITEMS = {str, int, float, bool, bytes}
# What Arrow raises when a value or a column does not fit a type.
MISFITS = (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, OverflowError, UnicodeEncodeError)


def kind_of(field: pa.Field) -> str:
    """``"object"``, ``"tuple"`` or ``"dict"`` for the columns that need it, ``""`` for plain Arrow columns."""
    kind: bytes = (field.metadata or {}).get(KIND, b"")
    return kind.decode()


def _field(name: str, kind: pa.DataType, tag: str = "") -> pa.Field:
    return pa.field(name, kind, metadata={KIND: tag} if tag else None)


def as_arrow(numbers: np.ndarray) -> pa.Array:
    """Numbers as an Arrow array, not copied.

    Like :func:`as_numpy` it leaves pandas alone, which pyarrow's own ways import at their first use: a third of the
    first small job's time.
    """
    return pa.Array.from_buffers(pa.from_numpy_dtype(numbers.dtype), len(numbers), [None, pa.py_buffer(numbers)])


def as_numpy(array: pa.Array) -> np.ndarray:
    """The numbers of an array without nulls, not copied and not to be changed."""
    kind = np.dtype(array.type.to_pandas_dtype())
    return np.frombuffer(array.buffers()[1], kind, len(array), array.offset * kind.itemsize)


def _dumps(value: Any) -> bytes:
    try:
        return pickle.dumps(value, protocol=5)
    except (pickle.PicklingError, AttributeError, TypeError):
        # A class that a notebook cell defines has no importable module: cloudpickle ships it by value.
        import cloudpickle

        by_value: bytes = cloudpickle.dumps(value, protocol=5)
        return by_value


def object_column(values: Sequence[Any], name: str = "") -> Column:
    """A column of pickled Python objects."""
    array = pa.array([_dumps(value) for value in values], pa.large_binary())
    return array, _field(name, pa.large_binary(), "object")


def encode_column(values: list[Any], name: str = "") -> Column:
    """The Arrow column that gives back exactly these values, and its field.

    NumPy scalars become the Python values they stand for.

    >>> encode_column([1, None, 3])[1].type
    DataType(int64)
    >>> kind_of(encode_column([1, "a"])[1])
    'object'
    """
    kinds = set(map(type, values))
    if any(kind.__module__ == "numpy" for kind in kinds):
        values = [_unboxed(value) for value in values]
        kinds = set(map(type, values))
    kinds.discard(_NONE)
    if not kinds:
        return pa.nulls(len(values)), _field(name, pa.null())
    encoded = None
    if len(kinds) == 1:
        try:
            encoded = _encode_one_kind(values, kinds.pop(), name)
        except MISFITS:
            encoded = None
    return encoded if encoded is not None else object_column(values, name)


def encode_plain(values: list[Any], kind: type, name: str = "") -> Column:
    """The same for values that are all known to be of one plain class, which saves looking at each.

    >>> encode_plain(["a", "b"], str)[1].type
    DataType(large_string)
    """
    try:
        return _plain_array(values, kind), _field(name, _PLAIN[kind])
    except MISFITS:
        return object_column(values, name)


def plain_type(kind: pa.DataType) -> pa.DataType | None:
    """The type in which a column's values would come back as after a round trip through Python; None if not plain.

    >>> plain_type(pa.int8()), plain_type(pa.date32())
    (DataType(int64), None)
    """
    for test, item in (
        (pa.types.is_boolean, bool), (pa.types.is_signed_integer, int), (pa.types.is_floating, float),
        (pa.types.is_string, str), (pa.types.is_large_string, str),
        (pa.types.is_binary, bytes), (pa.types.is_large_binary, bytes),
    ):  # fmt: skip
        if test(kind):
            return _PLAIN[item]
    return None


def _plain_array(values: list[Any], kind: type) -> pa.Array:
    if kind in (str, int) and len(values) < _FEW and "pandas" not in sys.modules:
        # None has neither text nor a number; pyarrow knows what to do with it.
        with suppress(TypeError):
            return _text_array(values) if kind is str else as_arrow(np.array(values, np.int64))
    return pa.array(values, _PLAIN[kind])


def _text_array(values: list[str]) -> pa.Array:
    text = "".join(values)
    lengths = map(len, values if text.isascii() else [value.encode() for value in values])
    ends = np.cumsum(np.fromiter(lengths, np.int64, len(values)))
    offsets = pa.py_buffer(np.concatenate([np.zeros(1, np.int64), ends]))
    return pa.Array.from_buffers(_PLAIN[str], len(values), [None, offsets, pa.py_buffer(text.encode())])


def _unboxed(value: Any) -> Any:
    plain = isinstance(value, np.generic) and not isinstance(value, (np.datetime64, np.timedelta64, np.void))
    return value.item() if plain else value


def _encode_one_kind(values: list[Any], kind: type, name: str) -> Column | None:
    if kind in _PLAIN:
        return _plain_array(values, kind), _field(name, _PLAIN[kind])
    if kind is tuple:
        return _encode_tuples(values, name)
    if kind is dict:
        return _encode_dicts(values, name)
    if kind is list:
        return _encode_lists(values, name)
    arrow_type: pa.DataType | None = None
    if kind is dt.datetime and not _has_fold(values):
        arrow_type = _timestamp_type(values)
        if arrow_type is not None and arrow_type.tz not in {None, "UTC"} and not _keeps_local_time(values, arrow_type):
            return None
    elif kind is dt.time and not _has_fold(values) and not any(value is not None and value.tzinfo for value in values):
        arrow_type = pa.time64("us")
    elif kind is Decimal:
        arrow_type = _decimal_type(values)
    return None if arrow_type is None else (pa.array(values, arrow_type), _field(name, arrow_type))


def _timestamp_type(values: list[Any]) -> pa.DataType | None:
    zones = {value.tzinfo for value in values if value is not None}
    if len(zones) != 1:
        return None
    zone = zones.pop()
    if zone is None:
        return pa.timestamp("us")
    if zone is dt.UTC:
        return pa.timestamp("us", tz="UTC")
    # A column in UTC comes back with datetime.UTC; its namesake ZoneInfo travels as an object.
    return pa.timestamp("us", tz=zone.key) if isinstance(zone, ZoneInfo) and zone.key not in {None, "", "UTC"} else None


def _has_fold(values: list[Any]) -> bool:
    return any(value is not None and value.fold for value in values)


def _keeps_local_time(values: list[Any], arrow_type: pa.DataType) -> bool:
    """Whether no value lies in the hour that a zone leaves out in spring: Arrow would move it."""
    local = pa.array([value and value.replace(tzinfo=None) for value in values], pa.timestamp("us"))
    return bool(pc.local_timestamp(pa.array(values, arrow_type)).equals(local))


def _decimal_type(values: list[Any]) -> pa.DataType | None:
    exponents = {value.as_tuple().exponent for value in values if value is not None}
    scale = exponents.pop()
    # Decimals of several scales are equal after Arrow has padded them, but no longer print alike.
    if exponents or not isinstance(scale, int) or not -38 <= scale <= 0:
        return None
    return pa.decimal128(38, -scale)


def _encode_struct(columns: list[Column], name: str, tag: str) -> Column:
    fields = [field for _, field in columns]
    array = pa.StructArray.from_arrays([array for array, _ in columns], fields=fields)
    return array, _field(name, pa.struct(fields), tag)


def _encode_tuples(values: list[Any], name: str) -> Column | None:
    lengths = {len(value) if value is not None else -1 for value in values}
    width = lengths.pop()
    if lengths or width < 1:
        return None
    columns = [encode_column(list(items), str(n)) for n, items in enumerate(zip(*values, strict=True))]
    if any(kind_of(field) == "object" for _, field in columns):
        return None
    return _encode_struct(columns, name, "tuple")


def _encode_dicts(values: list[Any], name: str) -> Column | None:
    shapes = {tuple(value) if value is not None else None for value in values}
    shape = shapes.pop()
    if shapes or not shape or not all(type(key) is str for key in shape):
        return None
    columns = [encode_column([value[key] for value in values], key) for key in shape]
    return _encode_struct(columns, name, "dict")


def _encode_lists(values: list[Any], name: str) -> Column | None:
    kinds = set(map(type, chain.from_iterable(value for value in values if value is not None)))
    if len(kinds) > 1 or not kinds <= _LIST_ITEMS:
        return None
    item = _PLAIN[kinds.pop()] if kinds else pa.null()
    return pa.array(values, pa.large_list(item)), _field(name, pa.large_list(item))


def decode_column(array: pa.Array | pa.ChunkedArray, field: pa.Field) -> list[Any]:
    """The Python values of a column, as they were before :func:`encode_column`.

    >>> decode_column(*encode_column([(1, "a"), (2, "b")]))
    [(1, 'a'), (2, 'b')]
    """
    if isinstance(array, pa.ChunkedArray):
        return list(chain.from_iterable(decode_column(piece, field) for piece in array.chunks))
    kind = kind_of(field)
    if kind == "object":
        return [pickle.loads(value) if value is not None else None for value in array.to_pylist()]
    if kind in {"tuple", "dict"}:
        children = [decode_column(child, array.type.field(n)) for n, child in enumerate(array.flatten())]
        if kind == "tuple":
            rows: list[Any] = list(zip(*children, strict=True))
        else:
            names = [child.name for child in array.type]
            rows = [dict(zip(names, row, strict=True)) for row in zip(*children, strict=True)]
        return (
            [row if valid else None for row, valid in zip(rows, array.is_valid().to_pylist(), strict=True)]
            if (array.null_count)
            else rows
        )
    if array.null_count == 0 and (pa.types.is_integer(array.type) or pa.types.is_floating(array.type)):
        # NumPy makes Python numbers about twice as fast as Arrow's scalars do.
        return list(as_numpy(array).tolist())
    if pa.types.is_timestamp(array.type) and array.type.tz == "UTC":
        # As an offset, since Arrow would make it ZoneInfo("UTC"), which is equal but no longer the same kind of zone.
        array = array.cast(pa.timestamp(array.type.unit, "+00:00"))
    return list(array.to_pylist())


def concat_columns(columns: Sequence[Column], name: str) -> Column:
    """One column of several, in order, whose types may differ: equal types are kept, others travel as objects.

    >>> kind_of(concat_columns([encode_column([1]), encode_column([1.5])], "key")[1])
    'object'
    """
    typed = [column for column in columns if not pa.types.is_null(column[1].type)] or list(columns[:1])
    first = typed[0][1]
    if all(_same(field, first) for _, field in typed):
        arrays = [
            array if _same(field, first) or pa.types.is_null(first.type) else _nulls(len(array), first)
            for array, field in columns
        ]
        flat = [
            piece for array in arrays for piece in (array.chunks if isinstance(array, pa.ChunkedArray) else [array])
        ]
        merged = flat[0] if len(flat) == 1 else pa.concat_arrays(flat) if flat else pa.array([], first.type)
        return merged, first.with_name(name)
    struct = _concat_structs(columns, name)
    if struct is not None:
        return struct
    values = list(chain.from_iterable(decode_column(array, field) for array, field in columns))
    return object_column(values, name)


def _concat_structs(columns: Sequence[Column], name: str) -> Column | None:
    """Dicts of the same keys, or tuples of the same length, joined field by field."""
    shapes = {(kind_of(field), *(child.name for child in field.type)) if pa.types.is_struct(field.type) else None
              for _, field in columns}  # fmt: skip
    shape = shapes.pop()
    if shapes or shape is None or any(array.null_count for array, _ in columns):
        return None
    children = [
        concat_columns([(struct_child(array, n), field.type.field(n)) for array, field in columns], child)
        for n, child in enumerate(shape[1:])
    ]
    if shape[0] == "tuple" and any(kind_of(field) == "object" for _, field in children):
        return None
    return _encode_struct(children, name, shape[0])


def struct_child(array: pa.Array | pa.ChunkedArray, index: int) -> pa.Array:
    """Field ``index`` of a struct array, as one array."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
    # field() ignores a slice's offset; flatten() applies it.
    return array.flatten()[index]


def _nulls(length: int, field: pa.Field) -> pa.Array:
    if kind_of(field) == "object":
        return pa.array([_dumps(None)] * length, pa.large_binary())
    return pa.nulls(length, field.type)


def _same(left: pa.Field, right: pa.Field) -> bool:
    if left.type != right.type or kind_of(left) != kind_of(right):
        return False
    if pa.types.is_struct(left.type):
        return all(_same(a, b) and a.name == b.name for a, b in zip(left.type, right.type, strict=True))
    return True


def make_table(columns: Iterable[Column]) -> pa.Table:
    """A table whose schema keeps the columns' fields."""
    arrays, fields = zip(*columns, strict=True)
    return pa.Table.from_arrays(list(arrays), schema=pa.schema(list(fields)))


def python_rows(table: pa.Table | pa.RecordBatch) -> list[tuple[Any, ...]]:
    """Rows as tuples of Python values."""
    columns = [decode_column(table.column(n), field) for n, field in enumerate(table.schema)]
    return list(zip(*columns, strict=True))


def value_columns(column: Column) -> list[Column]:
    """The columns a value becomes in a result: the fields of a dict, else the value itself.

    A dict whose only field is called ``value`` stays one, as its column could not be told from a plain value's.

    Raises
    ------
    ValueTypeError
        If a field is called ``key``, as the key's own column is.
    """
    array, field = column
    if kind_of(field) != "dict" or array.null_count:
        return [column]
    names = [child.name for child in field.type]
    if "key" in names:
        raise ValueTypeError(
            "a result's dict has a field named 'key', which the key's own column is called",
            hint="choose another name for the field",
        )
    if names == ["value"]:
        return [column]
    return [(struct_child(array, n), array.type.field(n)) for n in range(field.type.num_fields)]
