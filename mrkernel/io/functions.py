"""A source from two plain functions: one that says what there is to read, one that reads it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import pyarrow as pa

from mrkernel.errors import OptionError, SourceError
from mrkernel.io.base import Origin, RecordBlock, Source, Split
from mrkernel.io.objects import FIRST_RECORDS, batch_of, row_blocks, schema_of

__all__ = ["FunctionSource", "custom"]


def custom(splits: Callable[..., Iterable[Any]], read: Callable[[Any], Iterable[Any]], *, name: str = "custom",
           schema: pa.Schema | None = None) -> Source:  # fmt: skip
    """A source from a function that splits and one that reads.

    Parameters
    ----------
    splits
        Called without arguments, or with the target size in bytes if it takes one; returns what one task each
        reads: any objects that pickle, such as page numbers or ids.
    read
        Called with one of these in a worker process; returns or yields records, or record batches.
    name
        What to call the input.
    schema
        Columns of the batches; without it they come from the first records of each split.

    Examples
    --------
    >>> pages = custom(splits=lambda: [1, 2], read=lambda page: [page * 10, page * 10 + 1])
    >>> [record for s in pages.splits(1) for block in pages.read_records(s) for record in block.records]
    [10, 11, 20, 21]
    """
    for option, function in (("splits", splits), ("read", read)):
        if not callable(function):
            raise OptionError(f"{option}={function!r} is not a function")
    return FunctionSource(splits, read, name=name, schema=schema)


class FunctionSource(Source):
    """What :func:`custom` returns."""

    record_name = "record"

    def __init__(
        self,
        splits: Callable[..., Iterable[Any]],
        read: Callable[[Any], Iterable[Any]],
        *,
        name: str = "custom",
        schema: pa.Schema | None = None,
    ) -> None:
        self._splits = splits
        self._read = read
        self._name = name
        self._schema = schema

    @property
    def name(self) -> str:
        return self._name

    def schema(self) -> pa.Schema | None:
        """The schema that was given."""
        return self._schema

    def splits(self, chunk_bytes: int) -> list[Split]:
        """One split for each object that the function gives."""
        items = self._splits(chunk_bytes) if _takes_argument(self._splits) else self._splits()
        return [Split(index=n, source=self._name, stop=1, unit="rows", payload=item) for n, item in enumerate(items)]

    def read_records(self, split: Split) -> Iterator[RecordBlock]:
        """What the function yields: records, or the rows of its batches as dicts."""
        first = 0
        for records in _groups(self._read(split.payload), self._name):
            if isinstance(records, pa.RecordBatch):
                blocks = row_blocks([records])
            else:
                blocks = iter([RecordBlock(records, 0, 0)])
            for block in blocks:
                yield RecordBlock(block.records, first, block.n_bytes)
                first += len(block.records)

    def read(self, split: Split) -> Iterator[pa.RecordBatch]:
        """The function's batches, or its records as columns."""
        first, schema = 0, self._schema
        for records in _groups(self._read(split.payload), self._name):
            if isinstance(records, pa.RecordBatch):
                yield records
                continue
            schema = schema or schema_of(records, self._name)
            yield batch_of(records, schema, self._name, first)
            first += len(records)

    def locate(self, split: Split, block: RecordBlock, index: int) -> Origin:
        """The split's object and the record's number in it."""
        number = block.first + index
        return Origin(source=self._name, location=f"record {number + 1} of {split.payload!r:.60}", offset=number)


def _groups(result: Any, name: str) -> Iterator[Any]:
    """Record batches one by one, records as lists of some thousand."""
    if isinstance(result, (pa.RecordBatch, pa.Table)):
        result = result.to_batches() if isinstance(result, pa.Table) else [result]
    if result is None or isinstance(result, (str, bytes)) or not isinstance(result, Iterable):
        raise SourceError(f"cannot read {name}: its read function gave {type(result).__name__}",
                          hint="return or yield records, such as a list, or record batches")  # fmt: skip
    records: list[Any] = []
    for item in result:
        if isinstance(item, (pa.RecordBatch, pa.Table)):
            yield from item.to_batches() if isinstance(item, pa.Table) else [item]
            continue
        records.append(item)
        if len(records) >= FIRST_RECORDS:
            yield records
            records = []
    if records:
        yield records


def _takes_argument(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(
        p.default is p.empty and p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD} for p in islice(parameters, 1)
    )
