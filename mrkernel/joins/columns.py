"""Which columns a join reads of each side, how their keys are compared, and which columns it gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from mrkernel.batches import KIND, MISFITS, kind_of
from mrkernel.errors import KeyTypeError, OptionError
from mrkernel.io.schemas import check_columns
from mrkernel.joins.spec import Join

__all__ = ["JoinColumns", "KeyPair", "OutColumn", "join_columns"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A key column of each side, and in which form their values are compared.

    Attributes
    ----------
    left, right
        The columns' names.
    form
        ``"int64"``, ``"uint64"``, ``"float64"``, ``"text"`` or ``"bytes"``; ``"number"`` where ints meet floats, which
        only whole numbers of both can; ``"day"`` and ``"time"``; ``"object"`` for what only Python can compare.
    unit
        Of the two units in which times are counted the finer one, else None.
    """

    left: str
    right: str
    form: str
    unit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutColumn:
    """A column of the result; ``left`` and ``right`` say what it is called there, both for a key of one name."""

    field: pa.Field
    left: str | None = None
    right: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinColumns:
    """All about the columns of one join.

    Attributes
    ----------
    left, right
        What is read of each side.
    keys
        The key columns.
    out
        The result's columns, in pandas' order: the left side's, then the right side's others.
    """

    left: pa.Schema
    right: pa.Schema
    keys: tuple[KeyPair, ...]
    out: tuple[OutColumn, ...]

    @property
    def schema(self) -> pa.Schema:
        """The result's columns."""
        return pa.schema([column.field for column in self.out])


def join_columns(join: Join, left: pa.Schema, right: pa.Schema) -> JoinColumns:
    """The columns of a join of sides with these columns.

    Raises
    ------
    OptionError
        For a column that does not exist, or two columns of the result that would have one name.
    KeyTypeError
        For keys that can never be equal, or that cannot be keys.
    """
    left, right = (pa.schema([_plain(field) for field in schema]) for schema in (left, right))
    for schema, names, side in ((left, join.left_on, "left"), (right, join.right_on, "right")):
        check_columns(names, schema.names, f"the {side} side")
    keys = tuple(_pair(left.field(a), right.field(b)) for a, b in zip(join.left_on, join.right_on, strict=True))
    if not join.keeps_right_columns:
        right = pa.schema([right.field(name) for name in join.right_on])
        out = tuple(OutColumn(field=field, left=field.name) for field in left)
    else:
        out = _out(join, left, right)
    if join.columns is not None:
        by_name = {column.field.name: column for column in out}
        check_columns(join.columns, list(by_name), "the join's result")
        out = tuple(by_name[name] for name in join.columns)
        left = _read(left, {*join.left_on, *(column.left for column in out)})
        right = _read(right, {*join.right_on, *(column.right for column in out)})
    return JoinColumns(left=left, right=right, keys=keys, out=out)


def _read(side: pa.Schema, names: set[str | None]) -> pa.Schema:
    return pa.schema([field for field in side if field.name in names])


# -- the columns of the result ---------------------------------------------------------------------------------


def _out(join: Join, left: pa.Schema, right: pa.Schema) -> tuple[OutColumn, ...]:
    # A key that both sides call alike is one column, as in pandas; keys of two names are two.
    shared = {a for a, b in zip(join.left_on, join.right_on, strict=True) if a == b}
    clashing = (set(left.names) & set(right.names)) - shared
    found = [*_of_left(join, left, right, shared, clashing), *_of_right(join, right, shared, clashing)]
    names = [column.field.name for column in found]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise OptionError(f"the join would have two columns {twice!r}, with suffixes={join.suffixes!r}",
                          hint="choose others, such as _left and _right")  # fmt: skip
    return tuple(found)


def _of_left(
    join: Join, left: pa.Schema, right: pa.Schema, shared: set[str], clashing: set[str]
) -> Iterator[OutColumn]:
    for field in left:
        name = field.name
        if name in shared:
            kept = {"right": right.field(name), "outer": _common(field, right.field(name))}.get(join.how, field)
            yield OutColumn(field=kept.with_name(name), left=name, right=name)
        else:
            yield OutColumn(field=field.with_name(name + join.suffixes[0] * (name in clashing)), left=name)


def _of_right(join: Join, right: pa.Schema, shared: set[str], clashing: set[str]) -> Iterator[OutColumn]:
    for field in right:
        name = field.name
        if name not in shared:
            yield OutColumn(field=field.with_name(name + join.suffixes[1] * (name in clashing)), right=name)


def _common(left: pa.Field, right: pa.Field) -> pa.Field:
    """A field that holds the keys of both sides."""
    a, b = left.type, right.type
    if a == b and kind_of(left) == kind_of(right) in {"", "tuple"}:
        return left
    if kind_of(left) == kind_of(right) == "" and pa.types.is_null(b):
        return left
    if kind_of(left) == kind_of(right) == "" and pa.types.is_null(a):
        return right
    kind = None
    if not kind_of(left) and not kind_of(right):
        if _is_int(a) and _is_int(b):
            kind = pa.int64()
        elif _is_number(a) and _is_number(b) and not (_is_wide(a) or _is_wide(b)):
            # As pandas: a column of both is one of floats.
            kind = pa.float64()
        elif _is_text(a) and _is_text(b):
            kind = pa.large_string()
        elif _is_bytes(a) and _is_bytes(b):
            kind = pa.large_binary()
        else:
            kind = _wider(a, b)
    if kind is None:
        return pa.field(left.name, pa.large_binary(), metadata={KIND: "object"})
    return pa.field(left.name, kind)


def _wider(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """The type that both times, or both decimals, fit; None for others."""
    if pa.types.is_timestamp(a) and pa.types.is_timestamp(b):
        return pa.timestamp(_finest(a, b), a.tz if a.tz == b.tz else "UTC")
    tests = (pa.types.is_decimal, pa.types.is_date, pa.types.is_time, pa.types.is_duration)
    if not any(test(a) and test(b) for test in tests):
        return None
    try:
        both = pa.unify_schemas([pa.schema([("", a)]), pa.schema([("", b)])], promote_options="permissive")
    except MISFITS:
        return None
    return both.field(0).type


# -- how keys are compared -------------------------------------------------------------------------------------


def _pair(left: pa.Field, right: pa.Field) -> KeyPair:
    for field, side in ((left, "left"), (right, "right")):
        _check_key(field, side)
    families = _family(left), _family(right)
    if "any" not in families and families[0] != families[1]:
        raise KeyTypeError(
            f"the key {_both(left, right)} is {_words(left)} on the left side and {_words(right)} on the right: "
            "they can never be equal", hint="make one of them the other's type before the join")  # fmt: skip
    form, unit = _form(left, right)
    return KeyPair(left=left.name, right=right.name, form=form, unit=unit)


def _both(left: pa.Field, right: pa.Field) -> str:
    return repr(left.name) if left.name == right.name else f"{left.name!r} or {right.name!r}"


def _check_key(field: pa.Field, side: str) -> None:
    kind = field.type
    if kind_of(field) != "dict" and (kind_of(field) or not (pa.types.is_nested(kind) or pa.types.is_interval(kind))):
        return
    raise KeyTypeError(f"the key column {field.name!r} of the {side} side is of type {kind}, which cannot be a key",
                       hint="make it text, or make its parts columns of their own")  # fmt: skip


def _family(field: pa.Field) -> str:
    kind = field.type
    if kind_of(field) == "tuple":
        return "a tuple"
    if kind_of(field) == "object" or pa.types.is_null(kind) or isinstance(kind, pa.BaseExtensionType):
        return "any"
    for name, test in _FAMILIES:
        if test(kind):
            return name
    return "any"


def _words(field: pa.Field) -> str:
    return f"{_family(field)} ({str(field.type).replace('large_', '')})"


def _form(left: pa.Field, right: pa.Field) -> tuple[str, str | None]:
    if kind_of(left) or kind_of(right):
        return "object", None
    a, b = left.type, right.type
    if pa.types.is_null(a) or pa.types.is_null(b):
        # Nulls meet nulls in whatever form the other side has.
        a, b = (b, b) if pa.types.is_null(a) else (a, a)
    if pa.types.is_null(a) or (_is_int(a) and _is_int(b)):
        return "int64", None
    if a == b and pa.types.is_uint64(a):
        return "uint64", None
    if pa.types.is_floating(a) and pa.types.is_floating(b):
        return "float64", None
    if all(_is_int(kind) or pa.types.is_floating(kind) for kind in (a, b)):
        return "number", None
    for form, test in (("text", _is_text), ("bytes", _is_bytes), ("day", pa.types.is_date)):
        if test(a) and test(b):
            return form, None
    if all(pa.types.is_temporal(kind) and hasattr(kind, "unit") for kind in (a, b)):
        return "time", _finest(a, b)
    return "object", None


def _finest(a: pa.DataType, b: pa.DataType) -> str:
    return str(max(a.unit, b.unit, key=("s", "ms", "us", "ns").index))


# -- types -----------------------------------------------------------------------------------------------------


def _plain(field: pa.Field) -> pa.Field:
    return pa.field(field.name, _travelling_type(field.type), metadata=field.metadata)


def _travelling_type(kind: pa.DataType) -> pa.DataType:
    """The type in which a column of a join travels: no dictionaries, which differ from batch to batch, and no views."""
    while pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        kind = kind.value_type
    if pa.types.is_string_view(kind):
        return pa.large_string()
    return pa.large_binary() if pa.types.is_binary_view(kind) else kind


def _is_int(kind: pa.DataType) -> bool:
    return bool(pa.types.is_boolean(kind) or (pa.types.is_integer(kind) and not pa.types.is_uint64(kind)))


def _is_wide(kind: pa.DataType) -> bool:
    return bool(pa.types.is_uint64(kind) or pa.types.is_decimal(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(_is_int(kind) or _is_wide(kind) or pa.types.is_floating(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


_FAMILIES = (
    ("a number", _is_number),
    ("text", _is_text),
    ("bytes", _is_bytes),
    ("a date", pa.types.is_date),
    ("a time with a zone", lambda kind: pa.types.is_timestamp(kind) and kind.tz is not None),
    ("a time without a zone", pa.types.is_timestamp),
    ("a time of day", pa.types.is_time),
    ("a duration", pa.types.is_duration),
)
