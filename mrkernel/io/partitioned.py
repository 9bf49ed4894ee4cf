"""Folders ``column=value``: what ``partition_by`` writes, read back with the columns that the folders stand for."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from mrkernel.io.aside import Aside
from mrkernel.io.base import Origin, RecordBlock, Source, Split
from mrkernel.io.filesource import FileSource, Piece
from mrkernel.io.locations import Entry, is_url, local_path

__all__ = ["NULL_FOLDER", "PartitionedSource", "folder_columns"]

# Hive's and Spark's name for null, so that other tools write and read it as such.
NULL_FOLDER = "__HIVE_DEFAULT_PARTITION__"
_INTEGER = re.compile(r"-?[1-9]\d{0,17}|0")


def folder_columns(location: str, entries: Sequence[Entry]) -> dict[str, pa.DataType]:
    """Columns that the folders below a location stand for, if all its files are in such folders, of the same columns.

    A column is int64 if all its values are whole numbers as Python writes them, else text.
    """
    if is_url(location) or not os.path.isdir(local_path(location)):
        return {}
    root = os.path.abspath(local_path(location))
    values = [_values(root, entry.path) for entry in entries]
    if not values or not values[0] or any(list(other) != list(values[0]) for other in values):
        return {}
    return {name: pa.int64() if all(row[name] is None or _INTEGER.fullmatch(row[name] or "") for row in values)
            and any(row[name] is not None for row in values) else pa.string() for name in values[0]}  # fmt: skip


class PartitionedSource(Source):
    """A source of files with the columns of their folders added to each row, or where ``chosen`` has them."""

    def __init__(self, files: FileSource, root: str, columns: dict[str, pa.DataType], *,
                 chosen: Sequence[str] | None = None) -> None:  # fmt: skip
        self._files = files
        self._root = os.path.abspath(local_path(root))
        self._columns = columns
        self._chosen = list(chosen) if chosen is not None else None
        self.record_name = files.record_name

    @property
    def name(self) -> str:
        return self._files.name

    def size_bytes(self) -> int | None:
        """Total bytes of the files."""
        return self._files.size_bytes()

    def schema(self) -> pa.Schema | None:
        """The files' columns and those of the folders."""
        schema = self._files.schema()
        whole = None if schema is None else pa.schema([*schema, *self._added(schema)])
        return (
            whole if whole is None or self._chosen is None else pa.schema([whole.field(name) for name in self._chosen])
        )

    def splits(self, chunk_bytes: int) -> list[Split]:
        """The files' splits."""
        return self._files.splits(chunk_bytes)

    def _recut(self, chunk_bytes: int) -> list[Split]:
        return self._files._recut(chunk_bytes)  # noqa: SLF001  # a source that stands for this one

    def read(self, split: Split) -> Iterator[pa.RecordBatch]:
        """The files' batches with more columns."""
        for number, piece in enumerate(split.payload):
            values = self._of(piece)
            with self._files.watching(piece):
                for batch in self._files.watched(number, self._files.read_piece(piece)):
                    added = self._added(batch.schema)
                    columns = [pa.repeat(pa.scalar(values[field.name], field.type), batch.num_rows) for field in added]
                    whole = pa.RecordBatch.from_arrays(
                        [*batch.columns, *columns], schema=pa.schema([*batch.schema, *added])
                    )
                    yield whole if self._chosen is None else whole.select(self._chosen)

    def read_records(self, split: Split) -> Iterator[RecordBlock]:
        """The files' rows with more items."""
        for block in self._files.read_records(split):
            values = self._of(split.payload[block.file])
            block.records = [{**values, **record} if isinstance(record, dict) else record for record in block.records]
            if self._chosen is not None:
                block.records = [{name: record[name] for name in self._chosen} if isinstance(record, dict) else record
                                 for record in block.records]  # fmt: skip
            yield block

    def setting_aside(self, aside: Aside) -> PartitionedSource:
        """As the files do."""
        other = copy.copy(self)
        other._files = self._files.setting_aside(aside)  # noqa: SLF001  # another of this very class
        return other

    def locate(self, split: Split, block: RecordBlock, index: int) -> Origin:
        """As the files say."""
        return self._files.locate(split, block, index)

    def source_of(self, split: Split, block: RecordBlock) -> str:
        """The file of a block."""
        return self._files.source_of(split, block)

    def _added(self, schema: pa.Schema) -> list[pa.Field]:
        return [pa.field(name, kind) for name, kind in self._columns.items() if name not in schema.names]

    def _of(self, piece: Piece) -> dict[str, Any]:
        texts = _values(self._root, piece.path)
        return {name: int(text) if text is not None and pa.types.is_integer(kind) else text
                for name, kind in self._columns.items() for text in [texts[name]]}  # fmt: skip


def _values(root: str, path: str) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for part in os.path.relpath(os.path.dirname(path), root).split(os.sep):
        name, equals, value = part.partition("=")
        if equals:
            found[unquote(name)] = None if value == NULL_FOLDER else unquote(value)
    return found
