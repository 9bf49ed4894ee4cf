"""Python records as Arrow columns, for batch mappers: types from the first records, or an error."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import pyarrow as pa

from mrkernel.batches import decode_column
from mrkernel.errors import SourceReadError
from mrkernel.io.base import RecordBlock, Split
from mrkernel.io.schemas import outside_schema

__all__ = [
    "BLOCK_RECORDS",
    "FIRST_RECORDS",
    "OUTSIDE_MISFITS",
    "batch_of",
    "dict_rows",
    "has_datetimes",
    "row_blocks",
    "row_splits",
    "schema_of",
]

BLOCK_RECORDS = 8192
FIRST_RECORDS = 1024
# Arrow lets through what Python itself raises for some values from outside: an infinite Decimal after a number, a
# missing time of pandas, a time zone of one's own.
OUTSIDE_MISFITS = (NotImplementedError, OverflowError, TypeError, ValueError)


def row_splits(name: str, n_rows: int, n_bytes: int, chunk_bytes: int) -> list[Split]:
    """Splits of ``n_rows`` rows by number, of equal size."""
    if not n_rows:
        return []
    count = min(n_rows, max(1, -(-n_bytes // chunk_bytes)))
    edges = [n_rows * n // count for n in range(count + 1)]
    return [Split(index=n, source=name, start=a, stop=b, unit="rows", size_bytes=n_bytes * (b - a) // n_rows)
            for n, (a, b) in enumerate(pairwise(edges))]  # fmt: skip


def schema_of(records: list[Any], name: str) -> pa.Schema:
    """Columns of some records: the keys where all are dicts, else one column ``value``.

    Raises
    ------
    SourceReadError
        If the records have no one Arrow type.
    """
    try:
        if _are_rows(records):
            columns = dict.fromkeys(key for record in records for key in record)
            return pa.schema([(key, pa.infer_type([record.get(key) for record in records])) for key in columns])
        return pa.schema([("value", pa.infer_type(records))])
    except OUTSIDE_MISFITS as error:
        raise _mismatch(name, "its records have no one Arrow type", error) from None


def batch_of(records: list[Any], schema: pa.Schema, name: str, first: int) -> pa.RecordBatch:
    """Records as one batch of ``schema``; ``first`` is the number of the first one, for messages."""
    try:
        if schema.names == ["value"] and not _are_rows(records):
            return pa.record_batch([_fitting(records, schema.field(0).type)], schema=schema)
        extra = next((key for record in records for key in record if key not in schema.names), None)
        if extra is not None:
            raise ValueError(f"column {extra!r} is not in the first records")
        columns = [_fitting([record.get(field.name) for record in records], field.type) for field in schema]
        return pa.RecordBatch.from_arrays(columns, schema=schema)
    except (*OUTSIDE_MISFITS, AttributeError) as error:
        place = f"records {first + 1} to {first + len(records)} do not fit the type of the first ones"
        raise _mismatch(name, place, error) from None


def _fitting(values: list[Any], kind: pa.DataType) -> pa.Array:
    """Values as an array; what does not fit raises, also 1.5 and a time of day, of which pa.array makes 1 and a day."""
    if pa.types.is_date(kind) and has_datetimes(values):
        raise TypeError("dates and datetimes are mixed")
    is_cut = pa.types.is_integer(kind) or pa.types.is_date(kind)
    return pa.array(values).cast(kind) if is_cut else pa.array(values, kind)


def has_datetimes(values: Iterable[Any]) -> bool:
    """Whether times are among values of which ``pa.array`` would make days, without a word, as the first is a date."""
    # pandas' NaT is a datetime too, and not equal to itself.
    return any(isinstance(value, dt.datetime) and value == value for value in values)


def dict_rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Rows of a batch as dicts; column by column, half the time of ``to_pylist``; tuples stay tuples."""
    names = batch.schema.names
    if not names:
        return [{} for _ in range(batch.num_rows)]
    columns = [decode_column(column, field) for column, field in zip(batch.columns, batch.schema, strict=True)]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def row_blocks(batches: Iterable[pa.RecordBatch]) -> Iterator[RecordBlock]:
    """Rows of batches as dicts, some thousand at a time; ``first`` counts rows from 0."""
    first = 0
    for outside in batches:
        # A source of the user's own may hand on batches of a foreign file, whose marks must not be believed.
        whole = pa.RecordBatch.from_arrays(outside.columns, schema=outside_schema(outside.schema))
        for start in range(0, whole.num_rows, BLOCK_RECORDS):
            batch = whole.slice(start, BLOCK_RECORDS)
            yield RecordBlock(dict_rows(batch), first, batch.nbytes)
            first += batch.num_rows


def _are_rows(records: list[Any]) -> bool:
    return bool(records) and all(type(record) is dict and all(type(key) is str for key in record) for record in records)


def _mismatch(name: str, what: str, error: BaseException) -> SourceReadError:
    return SourceReadError(f"cannot make batches of {name}: {what} ({error})",
                           hint="use a mapper of single records, or hand over a pyarrow Table")  # fmt: skip
