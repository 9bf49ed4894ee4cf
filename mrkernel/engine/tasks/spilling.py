"""Partitions larger than a task may hold: their rows on disk, cut into ranges of keys that are small enough.

Ranges come in the order of their keys and are reduced one by one, so that what comes out is in order too. A range
larger than the rest holds one key, whose values can be read as often as they are asked for.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyarrow import ipc

from mrkernel.batches import Column, as_arrow, as_numpy, concat_columns
from mrkernel.engine.phases import phase
from mrkernel.engine.tasks.combining import same_form
from mrkernel.grouping import group

__all__ = ["KeyRange", "SpilledColumn", "key_ranges"]

_SAMPLED_ROWS, _SAMPLED_PIECES = 1 << 13, 64
_MOST_CUTS = 64
# So much of what a range may hold is cut at once.
_CUT_SHARE = 4
_ROWS_PER_BATCH = 1 << 16


class _Spill:
    """A file without a name: nothing of it is left, however the process ends."""

    def __init__(self, folder: str) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # the last range that reads it closes it
        weakref.finalize(self, self._file.close)
        self._end = 0

    @phase("write")
    def append(self, batch: pa.RecordBatch) -> tuple[int, int]:
        """Add a batch; returns where it starts, and its length."""
        sink = pa.BufferOutputStream()
        # A stream of its own, which brings its dictionaries along.
        with ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        content = sink.getvalue()
        self._file.write(content)
        start, self._end = self._end, self._end + content.size
        return start, content.size

    def flush(self) -> None:
        """Make what was added readable."""
        self._file.flush()

    @phase("fetch")
    def read(self, start: int, length: int) -> pa.RecordBatch:
        """A batch that was added. It is read and not mapped: what is mapped counts as the worker's memory."""
        buffer = pa.allocate_buffer(length)
        os.preadv(self._file.fileno(), [memoryview(buffer)], start)
        with ipc.open_stream(buffer) as reader:
            return reader.read_next_batch()


@dataclass(frozen=True, slots=True)
class _Batch:
    """Rows in a spill file."""

    spill: _Spill
    start: int
    length: int
    schema: pa.Schema
    n_rows: int

    def read(self) -> pa.Table:
        return pa.Table.from_batches([self.spill.read(self.start, self.length)])


@dataclass(frozen=True, slots=True)
class KeyRange:
    """All rows of some neighbouring keys, in the order in which they came.

    Attributes
    ----------
    has_one_key
        Whether it is known to hold only one key; then it may be of any size.
    """

    batches: tuple[_Batch, ...]
    has_one_key: bool

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        return sum(batch.n_rows for batch in self.batches)

    @property
    def n_bytes(self) -> int:
        """Their size."""
        return sum(batch.length for batch in self.batches)

    def each(self) -> Iterator[pa.Table]:
        """The rows, some at a time."""
        for batch in self.batches:
            yield batch.read()

    def tables(self) -> list[pa.Table]:
        """All rows at once."""
        return same_form(list(self.each()))

    def key(self) -> Column:
        """The key, of a range that has one: the widest of equal ones."""
        found = [group((table.column(0), table.schema.field(0))).keys for table in self.each()]
        return group(concat_columns(found, "key")).keys

    def values(self) -> SpilledColumn | None:
        """The values, if all have one type."""
        schema = self.batches[0].schema
        is_same = all(batch.schema.field(1).equals(schema.field(1), check_metadata=True) for batch in self.batches)
        return SpilledColumn(self.batches) if is_same else None


class SpilledColumn:
    """The second column of a range in place of its Arrow array: what is asked for is read from disk."""

    def __init__(self, batches: Sequence[_Batch]) -> None:
        self._batches = batches
        self._starts = np.cumsum([0, *(batch.n_rows for batch in batches)])
        self._held: tuple[int, pa.Array] | None = None

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def type(self) -> pa.DataType:
        """Arrow's type of the values."""
        return self.field.type

    @property
    def field(self) -> pa.Field:
        """Name, type and kind of the values."""
        return self._batches[0].schema.field(1)

    def slice(self, start: int = 0, length: int | None = None) -> pa.Array:
        """Some values as an Arrow array."""
        stop = len(self) if length is None else min(len(self), start + length)
        numbers = self._numbers(start, stop) if stop - start > _ROWS_PER_BATCH else None
        if numbers is not None:
            return numbers
        pieces = list(self._pieces(start, stop)) or [pa.nulls(0, self.type)]
        return pieces[0] if len(pieces) == 1 else pa.concat_arrays(pieces)

    def _numbers(self, start: int, stop: int) -> pa.Array | None:
        """Numbers, without holding all of them twice; None for others, and where some are missing."""
        if not (pa.types.is_integer(self.type) or pa.types.is_floating(self.type)):
            return None
        numbers = np.empty(stop - start, self.type.to_pandas_dtype())
        end = 0
        for piece in self._pieces(start, stop):
            if piece.null_count:
                return None
            numbers[end : end + len(piece)] = as_numpy(piece)
            end += len(piece)
        return as_arrow(numbers)

    def _pieces(self, start: int, stop: int) -> Iterator[pa.Array]:
        number = int(np.searchsorted(self._starts, start, side="right")) - 1
        while start < stop:
            first, last = self._starts[number : number + 2].tolist()
            yield self._batch(number).slice(start - first, min(stop, last) - start)
            start, number = last, number + 1

    def _batch(self, number: int) -> pa.Array:
        if self._held is None or self._held[0] != number:
            self._held = None
            found = self._batches[number].read().column(1).chunk(0)
            # A copy, since what is read holds its keys too.
            self._held = number, pa.concat_arrays([found, found.slice(0, 0)])
        return self._held[1]


def key_ranges(
    pieces: Sequence[Callable[[], pa.Table]],
    n_bytes: int,
    *,
    room: int,
    folder: str,
    check: Callable[[], None] = lambda: None,
) -> Iterator[KeyRange]:
    """All rows in ranges of keys, in key order, each of at most ``room`` bytes unless it has one key.

    Parameters
    ----------
    pieces
        Each gives some of the rows, and may be called twice.
    n_bytes
        About how much they give.
    folder
        Where the spill file is.
    check
        Called now and then; may raise.

    Notes
    -----
    Keys of a sample cut the rows, and each of them makes a range of its own: a heavy key is sure to be one of them.
    Ranges that are still too large are cut again.
    """
    cuts = _cuts(pieces, min(_MOST_CUTS, -(-2 * n_bytes // room)))
    found = _cut(pieces, cuts, at_once=max(1, room // _CUT_SHARE), folder=folder, check=check)
    waiting: list[_Batch] = []
    held = 0
    for number, batches in enumerate(found):
        size = sum(batch.length for batch in batches)
        if waiting and held + size > room:
            yield KeyRange(tuple(waiting), has_one_key=False)
            waiting, held = [], 0
        if size <= room:
            waiting += batches
            held += size
        elif number % 2:
            yield KeyRange(tuple(batches), has_one_key=True)
        else:
            yield from key_ranges([batch.read for batch in batches], size, room=room, folder=folder, check=check)
        found[number] = []
    if waiting:
        yield KeyRange(tuple(waiting), has_one_key=False)


def _cuts(pieces: Sequence[Callable[[], pa.Table]], count: int) -> Column:
    """Some keys, in order, with about as many rows between each two."""
    chosen = pieces[:: -(-len(pieces) // _SAMPLED_PIECES)]
    sampled: list[Column] = []
    for piece in chosen:
        table = piece()
        places = np.linspace(0, table.num_rows - 1, min(table.num_rows, _SAMPLED_ROWS // len(chosen))).astype(np.int64)
        column = table.column(0).take(as_arrow(places))
        sampled += [(chunk, table.schema.field(0)) for chunk in column.chunks]
    groups = group(concat_columns(sampled, "key"))
    ends = groups.starts()[1:]
    places = np.linspace(0, ends[-1] - 1, count + 2)[1:-1].astype(np.int64)
    keys, field = groups.keys
    return keys.take(as_arrow(np.unique(np.searchsorted(ends, places, side="right")).astype(np.int64))), field


def _cut(
    pieces: Sequence[Callable[[], pa.Table]], cuts: Column, *, at_once: int, folder: str, check: Callable[[], None]
) -> list[list[_Batch]]:
    """The rows below the first cut, those that equal it, those up to the next, and so on."""
    spill = _Spill(folder)
    found: list[list[_Batch]] = [[] for _ in range(2 * len(cuts[0]) + 1)]
    waiting: list[pa.Table] = []
    held = 0
    for number, piece in enumerate(pieces):
        waiting.append(piece())
        held += waiting[-1].nbytes
        if held >= at_once or number == len(pieces) - 1:
            for table in same_form(waiting):
                _cut_table(table, cuts, spill, found)
            waiting, held = [], 0
            check()
    spill.flush()
    return found


def _cut_table(table: pa.Table, cuts: Column, spill: _Spill, found: list[list[_Batch]]) -> None:
    field = table.schema.field(0)
    both = concat_columns([cuts, *((chunk, field) for chunk in table.column(0).chunks)], "key")
    # Equal keys have equal codes, whatever types the two columns have.
    codes = group(both).codes
    at, own = codes[: len(cuts[0])], codes[len(cuts[0]) :]
    numbers = (np.searchsorted(at, own, side="left") + np.searchsorted(at, own, side="right")).astype(np.uint8)
    ordered = table.take(as_arrow(np.argsort(numbers, kind="stable")))
    counts = np.bincount(numbers, minlength=len(found))
    starts = np.cumsum(counts) - counts
    for number in np.flatnonzero(counts).tolist():
        part = ordered.slice(starts[number], counts[number]).combine_chunks()
        for batch in part.to_batches(max_chunksize=_ROWS_PER_BATCH):
            found[number].append(_Batch(spill, *spill.append(batch), table.schema, batch.num_rows))
