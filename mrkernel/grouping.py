"""Which rows share a key: dense codes in key order, for Arrow columns and for Python objects alike.

Keys follow Python's equality, with NaN equal to itself. The order is by kind (None, numbers, text, bytes, dates and
times, tuples, everything else), then by value; NaN is the largest number.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import total_ordering
from numbers import Number
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mrkernel.batches import (
    Column,
    as_arrow,
    as_numpy,
    concat_columns,
    decode_column,
    encode_column,
    kind_of,
    object_column,
)
from mrkernel.errors import KeyTypeError
from mrkernel.ordering import sort_codes, sort_order

__all__ = [
    "Groups",
    "canonical_key",
    "check_keys",
    "encode_keys",
    "group",
    "key_order",
    "merge_keys",
    "signature",
    "sort_token",
]

_NAN = float("nan")
_NANS = {Decimal: Decimal("NaN"), complex: complex("nan")}
# Types whose equality is the contract's as it is, and those that can always be hashed.
_UNCHANGED = {str, bytes, int, bool, type(None)}
_ATOMS = _UNCHANGED | {float}
# Fewer are quicker in Arrow's hash table, which stays in the cache; in a much larger range most look-ups miss it.
_FEW_ROWS, _MOST_SPARSE = 1 << 15, 4


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows grouped by key.

    Attributes
    ----------
    codes
        Integers, one for each row: the number of its group; groups are numbered in the order of ``keys``.
    keys
        One key for each group, in key order unless that was not asked for.
    """

    codes: np.ndarray
    keys: Column

    @property
    def n_groups(self) -> int:
        """How many distinct keys there are."""
        return len(self.keys[0])

    def order(self) -> np.ndarray:
        """Row numbers sorted by group, rows of a group in their old order."""
        return sort_codes(self.codes, self.n_groups)

    def starts(self) -> np.ndarray:
        """Where each group begins in :meth:`order`, and the end: ``n_groups + 1`` numbers."""
        counts = np.bincount(self.codes, minlength=self.n_groups)
        return np.concatenate([[0], np.cumsum(counts)])


def encode_keys(keys: list[Any], name: str = "key") -> Column:
    """Keys as a column, with -0.0 made 0.0.

    Raises
    ------
    KeyTypeError
        For a key that cannot be hashed.
    """
    check_keys(keys)
    if not set(map(type, keys)) <= _UNCHANGED:
        keys = [canonical_key(key) for key in keys]
    return encode_column(keys, name)


def check_keys(keys: list[Any]) -> None:
    """Refuse keys that cannot be hashed.

    Raises
    ------
    KeyTypeError
        Naming the first such key.
    """
    if set(map(type, keys)) <= _ATOMS:
        return
    for key in keys:
        try:
            hash(key)
        except TypeError as error:
            raise KeyTypeError(
                f"the key {_shorten(key)} is a {type(key).__name__}, which cannot be hashed: {error}",
                hint="use a tuple" if not isinstance(key, dict) else "use a tuple of its items",
            ) from None


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def canonical_key(key: Any) -> Any:
    """The key with every NaN of a type made one object and -0.0 made 0.0, also inside tuples and frozensets."""
    kind = type(key)
    if kind is float:
        return _NAN if key != key else key + 0.0
    if kind is tuple:
        return tuple(item if type(item) in _UNCHANGED else canonical_key(item) for item in key)
    if kind in _UNCHANGED:
        return key
    return _canonical_rare(key)


def _canonical_rare(key: Any) -> Any:
    if isinstance(key, tuple):
        items = [canonical_key(item) for item in key]
        is_same = all(new is old for new, old in zip(items, key, strict=True))
        # tuple.__new__, since the classes of named tuples take their items one by one.
        return key if is_same else tuple.__new__(type(key), items)
    if isinstance(key, frozenset):
        return type(key)(canonical_key(item) for item in key)
    if isinstance(key, np.generic):
        value = key.item()
        return (
            key
            if isinstance(value, np.generic) or isinstance(key, (np.datetime64, np.timedelta64, np.void))
            else canonical_key(value)
        )
    if isinstance(key, (Decimal, complex)) and key != key:
        return _NANS.get(type(key), key)
    return key


_WIDTHS = {bool: 0, int: 1, float: 2}


def merge_keys(left: Any, right: Any) -> Any:
    """Of two equal keys the one shown: the wider of bool < int < float < other numbers, item by item in tuples.

    >>> merge_keys((1, "a"), (1.0, "a"))
    (1.0, 'a')
    """
    if type(left) is tuple and type(right) is tuple:
        return tuple(merge_keys(a, b) for a, b in zip(left, right, strict=True))
    return right if _WIDTHS.get(type(right), 3) > _WIDTHS.get(type(left), 3) else left


def group(column: Column, *, ordered: bool = True) -> Groups:
    """Group the rows of a key column.

    Without ``ordered`` groups may come in any order, which saves sorting the keys: about half of the time for text.
    """
    array, field = column
    if isinstance(array, pa.ChunkedArray):
        array, field = concat_columns([(piece, field) for piece in array.chunks], field.name)
    if kind_of(field) == "object":
        return _group_objects(decode_column(array, field), field.name)
    if pa.types.is_int64(array.type) and not array.null_count and len(array) > _FEW_ROWS:
        numbers = as_numpy(array)
        least = int(numbers.min())
        span = int(numbers.max()) - least + 1
        if _FEW_ROWS < span <= _MOST_SPARSE * len(array):
            return _group_dense(numbers - least, span, least, field)
    if not ordered and not pa.types.is_nested(array.type) and not pa.types.is_null(array.type):
        encoded = _without_minus_zero(array).dictionary_encode(null_encoding="encode")
        return Groups(as_numpy(encoded.indices), (encoded.dictionary, field))
    codes, keys = _ranked(array)
    return Groups(codes, (keys, field))


def _group_dense(offsets: np.ndarray, span: int, least: int, field: pa.Field) -> Groups:
    """Integers that fill much of their range, such as row numbers, are looked up in a table of it.

    14 ns a row for 300,000 different ones, where a hash table takes 45 to 80, and their order comes with it.
    """
    is_there = np.zeros(span, np.bool_)
    is_there[offsets] = True
    rank = np.cumsum(is_there, dtype=np.int64)
    keys = (np.flatnonzero(is_there) + least).astype(offsets.dtype)
    return Groups(rank[offsets] - 1, (as_arrow(keys), field))


def key_order(column: Column) -> np.ndarray:
    """Row numbers in key order, rows of one key in their old order; for text half of what :func:`group` takes."""
    array, field = column
    if kind_of(field) == "object" or pa.types.is_nested(array.type) or pa.types.is_null(array.type):
        return group(column).order()
    return sort_order(_without_minus_zero(array))


def _without_minus_zero(array: pa.Array) -> pa.Array:
    return pc.add(array, pa.scalar(0.0, array.type)) if pa.types.is_floating(array.type) else array


def _ranked(array: pa.Array) -> tuple[np.ndarray, pa.Array]:
    """Dense codes in value order, and the key of each code."""
    if pa.types.is_null(array.type):
        return np.zeros(len(array), np.int64), array.slice(0, 1)
    if pa.types.is_struct(array.type):
        codes, first = _codes_of_rows([_ranked(child)[0] for child in array.flatten()])
        return codes, array.take(as_arrow(first))
    if pa.types.is_nested(array.type):
        raise KeyTypeError(f"a key of type {array.type} cannot be hashed", hint="use a tuple")
    encoded = _without_minus_zero(array).dictionary_encode(null_encoding="encode")
    rank_to_code = sort_order(encoded.dictionary)
    code_to_rank = np.empty(len(rank_to_code), np.int64)
    code_to_rank[rank_to_code] = np.arange(len(rank_to_code))
    return code_to_rank[as_numpy(encoded.indices)], encoded.dictionary.take(as_arrow(rank_to_code))


def _codes_of_rows(children: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    combined = children[0]
    for child in children[1:]:
        size = int(child.max(initial=0)) + 1
        if len(combined) and (int(combined.max()) + 1) * size >= 2**62:
            combined = np.unique(combined, return_inverse=True)[1]
        combined = combined * size + child
    _, first, codes = np.unique(combined, return_index=True, return_inverse=True)
    return codes.astype(np.int64, copy=False), first


def _group_objects(keys: list[Any], name: str) -> Groups:
    shown: dict[Any, Any] = {}
    canonical = [canonical_key(key) for key in keys]
    for key in canonical:
        known = shown.setdefault(key, key)
        if known is not key and (type(known) is not type(key) or type(key) is tuple):
            shown[key] = merge_keys(known, key)
    ordered = sorted(shown, key=sort_token)
    number = {key: n for n, key in enumerate(ordered)}
    codes = np.fromiter((number[key] for key in canonical), np.int64, len(canonical))
    return Groups(codes, object_column([shown[key] for key in ordered], name))


@total_ordering
class _Natural:
    """A value of some other class: its own order where it has one, else that of its state."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Natural) and bool(self.value == other.value)

    def __lt__(self, other: _Natural) -> bool:
        try:
            return bool(self.value < other.value)
        except TypeError:
            # What others see of an object may be its address, which is another one wherever it is unpickled.
            return signature(self.value) < signature(other.value)

    __hash__ = None  # type: ignore[assignment]  # only ever compared


def sort_token(key: Any) -> tuple[Any, ...]:
    """Something to sort keys of any mixture by: kind first, then value.

    >>> sorted([(1, 2), "b", None, 2.5, True, "a"], key=sort_token)
    [None, True, 2.5, 'a', 'b', (1, 2)]
    """
    if key is None:
        return (0,)
    # What equals a plain value has its place.
    if isinstance(key, enum.Enum) and isinstance(key, (Number, str, bytes, tuple)):
        key = key.value
    elif isinstance(key, complex) and not key.imag:
        key = key.real
    if isinstance(key, Number) and not isinstance(key, (complex, enum.Enum)):
        return (1, 1) if key != key else (1, 0, key)
    for rank, (kind, token) in enumerate(_TOKENS, start=2):
        if isinstance(key, kind) and not isinstance(key, enum.Enum):
            return (rank, *token(key))
    name = f"{type(key).__module__}.{type(key).__qualname__}"
    if isinstance(key, enum.Enum):
        return (99, name, key.name)
    return (99, name, _Natural(key))


def _datetime_token(value: dt.datetime) -> tuple[Any, ...]:
    return (value.tzinfo is not None, value)


def _time_token(value: dt.time) -> tuple[Any, ...]:
    return (value.tzinfo is not None, value)


def _each(items: Iterable[Any]) -> list[tuple[Any, ...]]:
    return [sort_token(item) for item in items]


_TOKENS: tuple[tuple[type, Callable[[Any], tuple[Any, ...]]], ...] = (
    (str, lambda value: (value,)),
    (bytes, lambda value: (value,)),
    (dt.datetime, _datetime_token),
    (dt.date, lambda value: (value,)),
    (dt.time, _time_token),
    (dt.timedelta, lambda value: (value,)),
    (tuple, lambda value: (_each(value),)),
    # A set's own < means subset, which is no order for sorting.
    (frozenset, lambda value: (sorted(_each(value)),)),
)


def signature(key: Any) -> str:
    """Text that is equal for equal keys of one class: its name and the state that copying would carry over."""
    name = f"{type(key).__module__}.{type(key).__qualname__}"
    if isinstance(key, enum.Enum):
        return f"{name}.{key.name}"
    if isinstance(key, type) or callable(key):
        return f"{name} {getattr(key, '__module__', '')}.{getattr(key, '__qualname__', key)}"
    _, arguments, *rest = key.__reduce_ex__(4)
    state = rest[0] if rest else None
    fields = [state] if not isinstance(state, dict) else sorted(state.items())
    return f"{name} {[_part(item) for item in (*arguments, *fields)]}"


def _part(item: Any) -> str:
    if isinstance(item, (tuple, list)):
        return f"({', '.join(_part(each) for each in item)})"
    if item is None or isinstance(item, (str, bytes, int, float, type)):
        return repr(item)
    return signature(item)
