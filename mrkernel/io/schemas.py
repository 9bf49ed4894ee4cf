"""Schemas of files: types by name, columns chosen, files compared, types from outside made harmless."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

import pyarrow as pa

from mrkernel.batches import KIND, MISFITS, kind_of
from mrkernel.errors import OptionError, SchemaMismatchError

__all__ = ["arrow_type", "arrow_types", "check_columns", "column_list", "conform", "difference", "holds_objects",
           "one_schema", "outside_schema"]  # fmt: skip

_TYPES: dict[Any, pa.DataType] = {
    int: pa.int64(), float: pa.float64(), str: pa.string(), bool: pa.bool_(), bytes: pa.binary(),
    dt.date: pa.date32(), dt.datetime: pa.timestamp("us"), dt.time: pa.time64("us"),
    Decimal: pa.decimal128(38, 9), "int": pa.int64(), "float": pa.float64(), "str": pa.string(), "bytes": pa.binary(),
    "date": pa.date32(), "datetime": pa.timestamp("us"), "decimal": pa.decimal128(38, 9),
}  # fmt: skip


def arrow_type(kind: Any, column: str) -> pa.DataType:
    """An Arrow type from itself, a Python type, or a name such as "int64", "str", "timestamp[s]".

    >>> arrow_type("int32", "a"), arrow_type(str, "a")
    (DataType(int32), DataType(string))
    """
    if isinstance(kind, pa.DataType):
        return kind
    found = _TYPES.get(kind) if isinstance(kind, (type, str)) else None
    if found is None and isinstance(kind, str):
        try:
            found = pa.type_for_alias(kind)
        except ValueError:
            found = None
    if found is None:
        raise OptionError(
            f"types: {kind!r} for column {column!r} is no type",
            hint='use a Python type (int, str, …), a pyarrow type, or a name such as "int64"',
        )
    return found


def arrow_types(types: Mapping[str, Any] | None) -> dict[str, pa.DataType]:
    """All of a ``types=`` option as Arrow types."""
    return {column: arrow_type(kind, column) for column, kind in (types or {}).items()}


def check_columns(wanted: Iterable[str], present: Sequence[str], where: str) -> None:
    """Raise OptionError for a column that is not there, naming the nearest."""
    for column in wanted:
        if column not in present:
            close = get_close_matches(column, present, n=1)
            shown = (", ".join(present[:20]) + (", …" if len(present) > 20 else "")) or "(none)"
            raise OptionError(f"{where} has no column {column!r}",
                              hint=f"did you mean {close[0]!r}?" if close else f"its columns are {shown}")  # fmt: skip


def column_list(columns: Sequence[str] | None) -> list[str] | None:
    """What ``columns=`` says, where a text would otherwise be taken for a list of letters."""
    if isinstance(columns, str):
        raise OptionError(f"columns={columns!r} is not a list", hint=f"say columns=[{columns!r}]")
    return list(columns) if columns is not None else None


def outside_schema(schema: pa.Schema) -> pa.Schema:
    """A file's schema without metadata, but for what is harmless of ours.

    A field that claims to hold pickled objects must not be believed, at no depth: whoever wrote the file would
    choose what is run. That a struct stands for a tuple or a dict is only a shape.
    """
    return pa.schema([field.with_metadata(None if holds_objects(field) or kind_of(field) not in {"tuple", "dict"}
                                          else {KIND: kind_of(field)}) for field in schema])  # fmt: skip


def holds_objects(field: pa.Field) -> bool:
    """Whether a field, or one inside it, says that it holds pickled Python objects."""
    children = [field.type.field(n) for n in range(field.type.num_fields)]
    return kind_of(field) not in {"", "tuple", "dict"} or any(map(holds_objects, children))


def one_schema(schemas: Iterable[tuple[str, pa.Schema]], *, union_by_name: bool) -> pa.Schema:
    """The schema that all files have, or with ``union_by_name`` one that holds them all.

    Raises
    ------
    SchemaMismatchError
        Naming two files and how they differ.
    """
    chosen: pa.Schema | None = None
    first = ""
    for shown, schema in schemas:
        if chosen is None:
            chosen, first = schema, shown
        elif union_by_name:
            try:
                chosen = pa.unify_schemas([chosen, schema], promote_options="permissive")
            except MISFITS as error:
                raise SchemaMismatchError(f"{first} and {shown} cannot be read as one: {error}",
                                          hint="read them one by one, or say types={…}") from None  # fmt: skip
        elif not chosen.equals(schema):
            raise SchemaMismatchError(
                f"{first} and {shown} have different columns: {difference(chosen, schema)}",
                hint="say union_by_name=True to fill missing columns with null, or columns=[…]",
            )
    return chosen if chosen is not None else pa.schema([])


def difference(a: pa.Schema, b: pa.Schema) -> str:
    """How two schemas differ, in words; ``a`` is the first one's.

    >>> difference(pa.schema([("x", pa.int64())]), pa.schema([("x", pa.string()), ("y", pa.int8())]))
    "'x' is int64 in the first, string in the second; 'y' is only in the second"
    """
    found = [f"{name!r} is only in the first" for name in a.names if name not in b.names]
    for field in b:
        if field.name not in a.names:
            found.append(f"{field.name!r} is only in the second")
        elif not a.field(field.name).type.equals(field.type):
            found.append(f"{field.name!r} is {a.field(field.name).type} in the first, {field.type} in the second")
    order = f"the order is {', '.join(a.names)} in the first, {', '.join(b.names)} in the second"
    return "; ".join(found[:5]) + ("; …" if len(found) > 5 else "") or order


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A batch with exactly these columns: missing ones null, types cast where a union widened them."""
    if batch.schema.equals(schema, check_metadata=True):
        return batch
    columns = []
    for field in schema:
        at = batch.schema.get_field_index(field.name)
        column = batch.column(at) if at >= 0 else pa.nulls(batch.num_rows, field.type)
        columns.append(column if column.type.equals(field.type) else column.cast(field.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema) if columns else batch.select([])
