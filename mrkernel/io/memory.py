"""Data that is in this process already: frames, Arrow tables, lists, ranges, any iterable."""

from __future__ import annotations

import inspect
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa

from mrkernel.errors import OptionError
from mrkernel.io.base import RecordBlock, Source, Split
from mrkernel.io.objects import (
    BLOCK_RECORDS,
    FIRST_RECORDS,
    OUTSIDE_MISFITS,
    batch_of,
    has_datetimes,
    row_blocks,
    row_splits,
    schema_of,
)
from mrkernel.io.schemas import outside_schema
from mrkernel.io.scratch import HELD_BYTES, HeldObjects, ScratchObjects, ScratchTable, write_objects, write_table

__all__ = ["ObjectSource", "StreamSource", "TableSource", "frame_table", "rows_for"]

_SAMPLE = 200


class ObjectSource(Source):
    """Python objects of a list, tuple or range, each one record, exactly as given.

    Batches have the records' keys as columns where all are dicts, else one column ``value``; types come from the
    first records.
    """

    record_name = "record"

    def __init__(self, records: Sequence[Any], *, name: str = "list") -> None:
        self._records = records
        self._name = name
        self._schema: pa.Schema | None = None

    @property
    def name(self) -> str:
        return self._name

    def size_bytes(self) -> int:
        """An estimate from a sample of the records."""
        count = len(self._records)
        step = max(1, count // _SAMPLE)
        sample = [len(repr(record)) if isinstance(record, (str, bytes, int, float)) else _deep_size(record)
                  for record in self._records[:: step]]  # fmt: skip
        return sum(sample) * count // max(1, len(sample))

    def splits(self, chunk_bytes: int) -> list[Split]:
        """Ranges of records."""
        return row_splits(self._name, len(self._records), self.size_bytes(), chunk_bytes)

    def read_records(self, split: Split) -> Iterator[RecordBlock]:
        """The objects themselves."""
        per_record = (split.size_bytes or 0) / max(1, split.stop - split.start)
        for first in range(split.start, split.stop, BLOCK_RECORDS):
            records = list(self._records[first : min(first + BLOCK_RECORDS, split.stop)])
            yield RecordBlock(records, first - split.start, int(len(records) * per_record))

    def read(self, split: Split) -> Iterator[pa.RecordBatch]:
        """The objects as columns."""
        schema = self.schema()
        for block in self.read_records(split):
            yield batch_of(block.records, schema, self._name, split.start + block.first)

    def schema(self) -> pa.Schema:
        """Columns that the first records have."""
        if self._schema is None:
            self._schema = schema_of(list(self._records[:FIRST_RECORDS]), self._name)
        return self._schema

    def localized(self, directory: str) -> Source:
        """The objects, pickled: few as they are, many block by block into a file; a range stays as it is."""
        if isinstance(self._records, range):
            return self
        size = self.size_bytes()
        if len(self._records) < FIRST_RECORDS and size <= HELD_BYTES and all(map(_is_plain, self._records)):
            held = HeldObjects(self._records, name=self._name, size_bytes=size)
            if held.is_small:
                return held
        path = _new_file(directory, "objects")
        return ScratchObjects(path, write_objects(path, self._records), name=self._name, size_bytes=size)


class StreamSource(Source):
    """Records of an iterable that can be walked only once, such as a generator.

    It is consumed when splits are asked for, or when it is localized: then block by block, into a file, so that
    it may be larger than memory.

    Raises
    ------
    OptionError
        For a generator that is used up already.
    """

    record_name = "record"

    def __init__(self, records: Iterable[Any], *, name: str = "iterable") -> None:
        if inspect.isgenerator(records) and inspect.getgeneratorstate(records) == inspect.GEN_CLOSED:
            raise OptionError("this generator is used up already and would give no records",
                              hint="make a new one, or keep its records in a list")  # fmt: skip
        self._stream: Iterable[Any] | None = records
        self._kept: Source | None = None
        self._name = name

    def __getstate__(self) -> dict[str, Any]:
        self._source()
        return self.__dict__

    @property
    def name(self) -> str:
        return self._name

    def splits(self, chunk_bytes: int) -> list[Split]:
        """Ranges of records, after all are read."""
        return self._source().splits(chunk_bytes)

    def read(self, split: Split) -> Iterator[pa.RecordBatch]:
        """The records as columns."""
        return self._source().read(split)

    def read_records(self, split: Split) -> Iterator[RecordBlock]:
        """The objects themselves."""
        return self._source().read_records(split)

    def schema(self) -> pa.Schema | None:
        """Columns that the first records have, once they are read."""
        return self._kept.schema() if self._kept else None

    def size_bytes(self) -> int | None:
        """An estimate, once the records are read."""
        return self._kept.size_bytes() if self._kept else None

    def localized(self, directory: str) -> Source:
        """The records, written to a file block by block."""
        if self._kept is None:
            path = _new_file(directory, "objects")
            stream, self._stream = self._stream, None
            self._kept = ScratchObjects(path, write_objects(path, () if stream is None else stream), name=self._name)
            return self._kept
        return self._kept.localized(directory)

    def _source(self) -> Source:
        if self._kept is None:
            self._kept = ObjectSource(list(() if self._stream is None else self._stream), name=self._name)
            self._stream = None
        return self._kept


class TableSource(Source):
    """An Arrow table: rows are dicts."""

    def __init__(self, table: pa.Table, *, name: str = "table") -> None:
        # The table may come from a foreign file, whose marks must not be believed.
        self._table = pa.Table.from_arrays(table.columns, schema=outside_schema(table.schema))
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    def size_bytes(self) -> int:
        """Bytes in memory."""
        return int(self._table.nbytes)

    def schema(self) -> pa.Schema:
        """The table's columns."""
        return self._table.schema

    def splits(self, chunk_bytes: int) -> list[Split]:
        """Ranges of rows."""
        return row_splits(self._name, self._table.num_rows, self.size_bytes(), chunk_bytes)

    def read(self, split: Split) -> Iterator[pa.RecordBatch]:
        """Slices of the table, without a copy."""
        rows = self._table.slice(split.start, split.stop - split.start)
        yield from rows.to_batches(max_chunksize=rows_for(rows.num_rows, split.size_bytes or 0))

    def read_records(self, split: Split) -> Iterator[RecordBlock]:
        """Rows as dicts."""
        return row_blocks(self.read(split))

    def localized(self, directory: str) -> Source:
        """The table in an Arrow IPC file that workers memory-map."""
        path = _new_file(directory, "arrow")
        return ScratchTable(path, write_table(path, self._table), name=self._name, size_bytes=self.size_bytes())


def frame_table(frame: Any) -> pa.Table:
    """An Arrow table of a pandas DataFrame; the index is a column only if it has a name, NaN stays NaN."""
    import pandas as pd

    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    names = [str(name) for name in frame.columns]
    if len(set(names)) < len(names):
        double = next(name for name in names if names.count(name) > 1)
        raise OptionError(f"the DataFrame has two columns {double!r}", hint="rename one")
    columns = [_column(name, frame.iloc[:, n], pd) for n, name in enumerate(names)]
    return pa.Table.from_arrays(columns, names=names)


def _column(name: str, series: Any, pd: Any) -> pa.Array:
    # pandas means "missing" by NaN in object columns, but in a float column it may be a value: keep it there.
    is_plain_float = getattr(series.dtype, "kind", "") == "f" and not isinstance(
        series.dtype, pd.api.extensions.ExtensionDtype
    )
    try:
        column = pa.array(series.to_numpy()) if is_plain_float else pa.array(series, from_pandas=True)
        if pa.types.is_date(column.type) and has_datetimes(series):
            raise TypeError("dates and datetimes are mixed")
    except OUTSIDE_MISFITS as error:
        raise OptionError(
            f"column {name!r} of the DataFrame has no one Arrow type: {error}",
            hint='hand over records instead: frame.to_dict("records")',
        ) from None
    return column


def rows_for(n_rows: int, n_bytes: int, target: int = 4 << 20, *, most: int = 131_072) -> int:
    """How many rows make about ``target`` bytes, between 1 and ``most``."""
    return max(1, min(most, target * max(n_rows, 1) // max(n_bytes, 1)))


def _is_plain(record: Any, depth: int = 0) -> bool:
    """Whether the estimate of a record's size may be believed."""
    if type(record) is dict and depth < 3:
        return all(_is_plain(item, depth + 1) for pair in record.items() for item in pair)
    if type(record) in {list, tuple} and depth < 3:
        return all(_is_plain(item, depth + 1) for item in record)
    return type(record) in {str, bytes, int, float, bool, type(None)}


def _deep_size(record: Any, depth: int = 0) -> int:
    if isinstance(record, dict) and depth < 3:
        return 8 + sum(_deep_size(k, depth + 1) + _deep_size(v, depth + 1) for k, v in islice(record.items(), 100))
    if isinstance(record, (list, tuple, set, frozenset)) and depth < 3:
        return 8 + sum(_deep_size(item, depth + 1) for item in islice(record, 100))
    return len(record) if isinstance(record, (str, bytes)) else 8


def _new_file(directory: str, suffix: str) -> str:
    os.makedirs(directory, exist_ok=True)
    return os.path.join(directory, f"input-{uuid.uuid4().hex[:12]}.{suffix}")
