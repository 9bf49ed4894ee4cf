"""The parts of a result as a source: what the next step, or the next job, reads where it is."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyarrow import ipc

from mrkernel.batches import concat_columns, decode_column
from mrkernel.errors import SourceChangedError
from mrkernel.io import Origin, RecordBlock, Source, Split

__all__ = ["HeldFiles", "OwnedSource", "PartFile", "PartsSource", "pairs", "remove"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFile:
    """One part of a result: an Arrow IPC file."""

    path: str
    n_rows: int
    n_bytes: int


class HeldFiles:
    """Files that are removed when nobody holds this any more, or this process ends."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._finalizer = weakref.finalize(self, remove, paths)


def remove(paths: Sequence[str]) -> None:
    """Remove files, those that are there."""
    for path in paths:
        with suppress(OSError):
            os.unlink(path)


@dataclass(frozen=True)
class PartsSource(Source):
    """Rows of a result, in order. Each row is a dict, or a (key, value) pair for a mapper of two parameters."""

    parts: tuple[PartFile, ...]
    label: str = "result"

    record_name = "row"
    is_keyed = True
    has_own_marks = True

    @property
    def name(self) -> str:
        return self.label

    def local_files(self) -> list[str]:
        return [part.path for part in self.parts]

    def size_bytes(self) -> int | None:
        return sum(part.n_bytes for part in self.parts)

    def splits(self, chunk_bytes: int) -> list[Split]:
        """Row ranges of the parts, in order."""
        splits: list[Split] = []
        for part in self.parts:
            if not part.n_rows:
                continue
            pieces = min(part.n_rows, max(1, -(-part.n_bytes // chunk_bytes)))
            for piece in range(pieces):
                start, stop = part.n_rows * piece // pieces, part.n_rows * (piece + 1) // pieces
                splits.append(Split(index=len(splits), source=self.label, start=start, stop=stop, unit="rows",
                                    size_bytes=part.n_bytes // pieces, payload=part.path))  # fmt: skip
        return splits

    def read(self, split: Split) -> Iterator[pa.RecordBatch]:
        try:
            reader = ipc.open_file(pa.memory_map(split.payload))
        except OSError as error:
            raise SourceChangedError(f"cannot read {self.label}: its file is gone ({error})",
                                     hint="run the job that made it again") from None  # fmt: skip
        first = 0
        for number in range(reader.num_record_batches):
            batch = reader.get_batch(number)
            start, stop = max(split.start, first), min(split.stop, first + batch.num_rows)
            if start < stop:
                yield batch.slice(start - first, stop - start)
            first += batch.num_rows

    def read_records(self, split: Split) -> Iterator[RecordBlock]:
        first = 0
        for batch in self.read(split):
            yield RecordBlock(_dicts(batch), first, batch.nbytes)
            first += batch.num_rows

    def read_pairs(self, split: Split) -> Iterator[RecordBlock]:
        first = 0
        for batch in self.read(split):
            yield RecordBlock(pairs(batch), first, batch.nbytes)
            first += batch.num_rows

    def schema(self) -> pa.Schema | None:
        """Columns of all parts; one whose type differs from part to part is one of Python values."""
        schemas = [ipc.open_file(pa.memory_map(part.path)).schema for part in self.parts if part.n_rows]
        if not schemas or all(schema.equals(schemas[0], check_metadata=True) for schema in schemas):
            return schemas[0] if schemas else None
        names = dict.fromkeys(name for schema in schemas for name in schema.names)
        fields = {name: [schema.field(name) for schema in schemas if name in schema.names] for name in names}
        empty = {name: [(pa.nulls(0, field.type), field) for field in fields[name]] for name in names}
        return pa.schema([concat_columns(columns, name)[1] for name, columns in empty.items()])

    def locate(self, split: Split, block: RecordBlock, index: int) -> Origin:
        row = split.start + block.first + index
        return Origin(source=self.label, location=f"row {row + 1}", offset=row)


@dataclass(frozen=True)
class OwnedSource(PartsSource):
    """The same, keeping the Result whose files these are alive in this process; workers get the rest."""

    owner: Any = None

    def schema(self) -> pa.Schema | None:
        """Columns of all parts; those of the empty result where no part has rows."""
        schema = super().schema()
        return self.owner.schema if schema is None and self.owner is not None else schema

    def __reduce__(self) -> tuple[Any, ...]:
        return (PartsSource, (self.parts, self.label))


def _columns(batch: pa.RecordBatch | pa.Table) -> list[list[Any]]:
    return [decode_column(batch.column(n), field) for n, field in enumerate(batch.schema)]


def _dicts(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    names = batch.schema.names
    return [dict(zip(names, row, strict=True)) for row in zip(*_columns(batch), strict=True)]


def pairs(batch: pa.RecordBatch | pa.Table) -> list[tuple[Any, Any]]:
    """(key, value) of each row; several value columns are a dict."""
    key, *values = _columns(batch)
    if batch.schema.names[1:] == ["value"]:
        return list(zip(key, values[0], strict=True))
    names: Sequence[str] = batch.schema.names[1:]
    rows = zip(*values, strict=True) if values else ((),) * len(key)
    return [(one, dict(zip(names, row, strict=True))) for one, row in zip(key, rows, strict=True)]
