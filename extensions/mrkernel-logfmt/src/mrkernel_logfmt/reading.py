"""Reading logfmt: lines come from mrkernel's text source, this turns them into rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

import mrkernel as mr
from mrkernel.errors import SourceReadError
from mrkernel_logfmt.lines import parse_line

__all__ = ["LogfmtSource"]


class LogfmtSource(mr.Source):
    """Records of logfmt files: a dict of text for each line.

    Parameters
    ----------
    locations
        Paths, folders, globs or URLs.
    columns
        Keys to keep; batches need them, since each line may have keys of its own.
    text
        Options of the text source: ``encoding``, ``errors``, ``compression``, ``storage_options``.
    """

    suffixes = (".logfmt",)
    record_name = "line"

    def __init__(self, *locations: str, columns: list[str] | None = None, **text: Any) -> None:
        self._lines = mr.read_text(*locations, **text)
        self._columns = columns

    @property
    def name(self) -> str:
        """The locations."""
        return self._lines.name

    def splits(self, chunk_bytes: int) -> list[mr.Split]:
        """Ranges of lines."""
        return self._lines.splits(chunk_bytes)

    def size_bytes(self) -> int | None:
        """Total bytes of the files."""
        return self._lines.size_bytes()

    def schema(self) -> pa.Schema | None:
        """The chosen columns, all text."""
        return pa.schema([(column, pa.string()) for column in self._columns]) if self._columns else None

    def read_records(self, split: mr.Split) -> Iterator[mr.RecordBlock]:
        """Lines as dicts."""
        for block in self._lines.read_records(split):
            records = [self._record(split, block, index) for index in range(len(block.records))]
            yield mr.RecordBlock(records, block.first, block.n_bytes, block.file)

    def read(self, split: mr.Split) -> Iterator[pa.RecordBatch]:
        """The chosen columns of the same lines."""
        schema = self.schema()
        if schema is None:
            raise SourceReadError(f"cannot make batches of {self.name}: each line may have other keys",
                                  hint="say columns=[…], or use a mapper of single records")  # fmt: skip
        for block in self.read_records(split):
            yield pa.RecordBatch.from_pylist(block.records, schema=schema)

    def locate(self, split: mr.Split, block: mr.RecordBlock, index: int) -> mr.Origin:
        """File and line."""
        return self._lines.locate(split, block, index)

    def source_of(self, split: mr.Split, block: mr.RecordBlock) -> str:
        """The file of a block."""
        return self._lines.source_of(split, block)

    def _record(self, split: mr.Split, block: mr.RecordBlock, index: int) -> dict[str, str | None]:
        try:
            pairs = parse_line(block.records[index])
        except ValueError as error:
            origin = self.locate(split, block, index)
            raise SourceReadError(f"cannot read {origin.source}: {origin.location}, {error}",
                                  hint="mend the line") from None  # fmt: skip
        return {column: pairs.get(column) for column in self._columns} if self._columns else {**pairs}
