"""Columns in the types that a plan has promised, whatever a part, a file or a block of records brought along."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from mrkernel.batches import MISFITS, decode_column, kind_of, object_column
from mrkernel.errors import SourceReadError
from mrkernel.io.schemas import outside_schema

__all__ = ["conformed", "converted", "decoded"]


def conformed(batch: pa.RecordBatch, schema: pa.Schema, name: str, *, has_own_marks: bool) -> pa.RecordBatch:
    """The columns of ``schema``, those that are missing null.

    Parameters
    ----------
    name
        What people call the source, for messages.
    has_own_marks
        Whether a column may be believed that claims to hold pickled values.

    Raises
    ------
    SourceReadError
        If a column does not fit its type.
    """
    own = batch.schema if has_own_marks else outside_schema(batch.schema)
    columns = []
    for field in schema:
        at = own.get_field_index(field.name)
        try:
            columns.append(
                pa.nulls(batch.num_rows, field.type) if at < 0 else converted(batch.column(at), own.field(at), field)
            )
        except MISFITS as error:
            kinds = f"{field.type} in its first rows, and later {own.field(at).type}"
            raise SourceReadError(f"column {field.name!r} of {name} is {kinds}: {error}",
                                  hint="make them alike, or give its reader types={…}") from None  # fmt: skip
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def converted(column: pa.Array | pa.ChunkedArray, own: pa.Field, field: pa.Field) -> pa.Array | pa.ChunkedArray:
    """A column of type ``own`` in the type of ``field``."""
    if column.type.equals(field.type) and kind_of(own) == kind_of(field):
        return column
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), field.type)
    if kind_of(field) == "object":
        return object_column(decode_column(column, own))[0]
    column = decoded(column)
    # The key of an outer join of ints and floats is a float, as in pandas, and rounded where it has no such float.
    is_rounded = pa.types.is_integer(column.type) and pa.types.is_floating(field.type)
    return column if column.type.equals(field.type) else column.cast(field.type, safe=not is_rounded)


def decoded(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """A column without dictionaries and runs."""
    if isinstance(column, pa.ChunkedArray):
        kind = column.type
        while _is_encoded(kind):
            kind = kind.value_type
        return pa.chunked_array([decoded(chunk) for chunk in column.chunks], kind)
    while _is_encoded(column.type):
        column = column.dictionary_decode() if pa.types.is_dictionary(column.type) else pc.run_end_decode(column)
    return column


def _is_encoded(kind: pa.DataType) -> bool:
    return bool(pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind))
