"""In-memory data, put in files of our own so that worker processes on this host read it from there.

These files are written and read by the same user's processes within one job: they are never outside input, which
is why unpickling them is sound. What is small travels with the job instead.
"""

from __future__ import annotations

import os
import pickle
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import replace
from io import BytesIO
from itertools import islice
from typing import Any, BinaryIO

import pyarrow as pa

from mrkernel.io.base import RecordBlock, Source, Split
from mrkernel.io.objects import BLOCK_RECORDS, FIRST_RECORDS, batch_of, row_blocks, row_splits, schema_of

__all__ = ["HELD_BYTES", "HeldObjects", "ScratchObjects", "ScratchTable", "write_objects", "write_table"]

_HEADER = struct.Struct("<QQ")
_BLOCK_BYTES = 1 << 20
_BATCH_BYTES = 1 << 20
HELD_BYTES = 4 << 10


def write_objects(path: str, records: Iterable[Any]) -> list[tuple[int, int]]:
    """Write records block by block; returns each block's first record and offset, closed by the totals."""
    with open(path, "wb") as file:
        os.chmod(path, 0o600)
        return _write_blocks(file, records)


def _write_blocks(file: BinaryIO, records: Iterable[Any]) -> list[tuple[int, int]]:
    import cloudpickle

    index: list[tuple[int, int]] = []
    count, offset, per_block = 0, 0, FIRST_RECORDS
    stream = iter(records)
    while block := list(islice(stream, per_block)):
        # cloudpickle, since classes and functions of a notebook exist in no module that a worker could import.
        data = cloudpickle.dumps(block, protocol=5)
        file.write(_HEADER.pack(len(block), len(data)))
        file.write(data)
        index.append((count, offset))
        count, offset = count + len(block), offset + _HEADER.size + len(data)
        per_block = max(1, min(BLOCK_RECORDS, _BLOCK_BYTES * len(block) // len(data)))
    return [*index, (count, offset)]


def write_table(path: str, table: pa.Table) -> list[tuple[int, int]]:
    """Write a table as IPC in moderate batches; returns each batch's first row and number, closed by the totals."""
    size = max(1, min(65_536, _BATCH_BYTES * max(table.num_rows, 1) // max(table.nbytes, 1)))
    index: list[tuple[int, int]] = []
    count = 0
    with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        os.chmod(path, 0o600)
        for batch in table.unify_dictionaries().to_batches(max_chunksize=size):
            index.append((count, len(index)))
            writer.write_batch(batch)
            count += batch.num_rows
    return [*index, (count, len(index))]


class _Scratch(Source):
    """Ranges of rows of a file; ``payload`` is the part of the index that a range needs."""

    def __init__(self, path: str, index: list[tuple[int, int]], *, name: str, size_bytes: int | None = None) -> None:
        self._path = path
        self._index: list[tuple[int, int]] = index
        self._name = name
        # The size that a plan speaks of, so that one chunk size cuts the data alike before and after it is written.
        self._size = os.path.getsize(path) if size_bytes is None else size_bytes

    def __getstate__(self) -> dict[str, Any]:
        # Each split carries the few entries it needs.
        return {**self.__dict__, "_index": []}

    @property
    def name(self) -> str:
        return self._name

    def size_bytes(self) -> int:
        """Bytes of the file, or of the data it was made from."""
        return self._size

    def local_files(self) -> list[str]:
        """The file, which other hosts need a copy of."""
        return [self._path]

    def splits(self, chunk_bytes: int) -> list[Split]:
        """Ranges of rows of equal size."""
        starts = [row for row, _ in self._index[:-1]]
        return [
            replace(
                split,
                payload=tuple(self._index[bisect_right(starts, split.start) - 1 : bisect_left(starts, split.stop)]),
            )
            for split in row_splits(self._name, self._index[-1][0], self._size, chunk_bytes)
        ]


class ScratchObjects(_Scratch):
    """Pickled blocks of Python objects."""

    record_name = "record"

    def opened(self) -> BinaryIO:
        """What the blocks are read from."""
        return open(self._path, "rb")

    def read_records(self, split: Split) -> Iterator[RecordBlock]:
        """The objects, equal to those that were written."""
        per_record = (split.size_bytes or 0) / max(1, split.stop - split.start)
        with self.opened() as file:
            for first, offset in split.payload:
                records = _load(file, offset)
                begin, end = max(split.start - first, 0), min(split.stop - first, len(records))
                part = records if (begin, end) == (0, len(records)) else records[begin:end]
                yield RecordBlock(part, first + begin - split.start, int(len(part) * per_record))

    def read(self, split: Split) -> Iterator[pa.RecordBatch]:
        """The objects as columns, typed by the first block of the file, so that all splits agree."""
        with self.opened() as file:
            schema = schema_of(_load(file, 0)[:FIRST_RECORDS], self._name)
        for block in self.read_records(split):
            yield batch_of(block.records, schema, self._name, split.start + block.first)


class HeldObjects(ScratchObjects):
    """The same blocks in memory, for what is too small to be worth a file: it travels with each split.

    Parameters
    ----------
    records
        Of whose pickles a copy is made at once.
    """

    def __init__(self, records: Iterable[Any], *, name: str, size_bytes: int) -> None:
        file = BytesIO()
        super().__init__("", _write_blocks(file, records), name=name, size_bytes=size_bytes)
        self._content = file.getvalue()

    @property
    def is_small(self) -> bool:
        """Whether it is as small as it seemed to be."""
        return len(self._content) <= HELD_BYTES

    def local_files(self) -> list[str]:
        """None."""
        return []

    def opened(self) -> BinaryIO:
        """The copy."""
        return BytesIO(self._content)


class ScratchTable(_Scratch):
    """An Arrow IPC file that is memory-mapped."""

    def read(self, split: Split) -> Iterator[pa.RecordBatch]:
        """Slices of the written batches, without a copy."""
        with pa.memory_map(self._path) as file, pa.ipc.open_file(file) as reader:
            for first, number in split.payload:
                batch = reader.get_batch(number)
                begin, end = max(split.start - first, 0), min(split.stop - first, batch.num_rows)
                yield batch.slice(begin, end - begin)

    def read_records(self, split: Split) -> Iterator[RecordBlock]:
        """Rows as dicts."""
        return row_blocks(self.read(split))

    def schema(self) -> pa.Schema:
        """The table's columns."""
        with pa.memory_map(self._path) as file, pa.ipc.open_file(file) as reader:
            return reader.schema


def _load(file: Any, offset: int) -> list[Any]:
    file.seek(offset)
    _, length = _HEADER.unpack(file.read(_HEADER.size))
    return pickle.loads(file.read(length))  # type: ignore[no-any-return]  # our own scratch file
