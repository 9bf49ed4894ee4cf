"""Parquet: splits are row groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from mrkernel.io.base import Origin, RecordBlock, Split
from mrkernel.io.columnar import ColumnarSource
from mrkernel.io.filesource import Cut, Piece, even_ranges, reading
from mrkernel.io.locations import Entry, is_url
from mrkernel.io.memory import rows_for
from mrkernel.io.quick_parquet import QuickGroups
from mrkernel.io.schemas import conform

__all__ = ["ParquetSource"]

# Each batch costs a query where a mapper is Polars': with twice as many rows query 1 of TPC-H takes a tenth less.
_MOST_ROWS = 1 << 18


class ParquetSource(ColumnarSource):
    """Rows of Parquet files.

    Parameters
    ----------
    columns
        Columns to read, in this order; only these are read from the file.
    union_by_name
        Whether files may lack columns that others have (null there). Without it such files are an error.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".parquet", ".pq")
    unit: ClassVar[str] = "row groups"
    _groups: dict[str, list[tuple[int, int]]]

    def __init__(self, *locations: str, columns: Sequence[str] | None = None, union_by_name: bool = False,
                 storage_options: Mapping[str, Any] | None = None) -> None:  # fmt: skip
        super().__init__(*locations, columns=columns, union_by_name=union_by_name, compression=None,
                         storage_options=storage_options)  # fmt: skip

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_groups": {}}

    def prepare(self, entries: list[Entry]) -> None:
        """Read all footers: schemas must agree before anything runs."""
        self._groups = {}
        schemas = []
        for entry in entries:
            with reading(entry.shown), self._file(entry.path) as file:
                schemas.append((entry.shown, self.chosen(file.schema_arrow, entry.shown)))
                self._groups[entry.path] = [_group_size(file.metadata.row_group(n), self.columns)
                                            for n in range(file.metadata.num_row_groups)]  # fmt: skip
        self.agree_on(schemas)

    def size_bytes(self) -> int | None:
        """Bytes of the columns that are read, as stored."""
        self.plan()
        return sum(n_bytes for groups in self._groups.values() for _, n_bytes in groups)

    def cut(self, entry: Entry, chunk_bytes: int) -> Iterable[Cut]:
        """Consecutive row groups of about ``chunk_bytes`` together."""
        groups, row = self._groups[entry.path], 0
        for start, stop in even_ranges([n_bytes for _, n_bytes in groups], chunk_bytes):
            n_rows = sum(n for n, _ in groups[start:stop])
            if n_rows:
                yield self._cut(start, stop, sum(n_bytes for _, n_bytes in groups[start:stop]), row, chunk_bytes)
            row += n_rows

    def read_piece(self, piece: Piece) -> Iterator[pa.RecordBatch]:
        """Batches of about 4 MB as stored."""
        schema = self.schema()
        with self._file(piece.path) as file:
            present = [name for name in schema.names if name in file.schema_arrow.names]
            groups = [file.metadata.row_group(n) for n in range(piece.start, piece.stop)]
            n_bytes = sum(_stored_bytes(group, present) for group in groups)
            rows = rows_for(sum(group.num_rows for group in groups), n_bytes, most=_MOST_ROWS)
            quick = None if is_url(piece.path) else QuickGroups(piece.path, file, present)
            for number in range(piece.start, piece.stop):
                n_read = 0
                for batch in quick.batches(number, rows) if quick is not None else ():
                    n_read += batch.num_rows
                    yield conform(batch, schema)
                if n_read < file.metadata.row_group(number).num_rows:
                    yield from self._read_group(file, number, rows, n_read, present)

    def _read_group(
        self, file: pq.ParquetFile, number: int, rows: int, skipped: int, columns: list[str]
    ) -> Iterator[pa.RecordBatch]:
        """A row group by Arrow, without the rows that were read already."""
        schema = self.schema()
        for batch in file.iter_batches(batch_size=rows, row_groups=[number], columns=columns, use_threads=False):
            if batch.num_rows > skipped:
                yield conform(batch.slice(skipped).replace_schema_metadata(None), schema)
            skipped = max(0, skipped - batch.num_rows)

    def locate(self, split: Split, block: RecordBlock, index: int) -> Origin:
        """File and row number in the file."""
        piece = split.payload[block.file]
        row = piece.extra + block.first + index
        return Origin(source=piece.shown, location=f"row {row + 1}", offset=row)

    @contextmanager
    def _file(self, path: str) -> Iterator[pq.ParquetFile]:
        # Page checksums, where a writer has left them, find flipped bytes that otherwise give wrong numbers.
        if is_url(path):
            with self.open(path) as stream, pq.ParquetFile(stream, page_checksum_verification=True) as file:
                yield file
        else:
            with pq.ParquetFile(path, memory_map=True, page_checksum_verification=True) as file:
                yield file

    def _cut(self, start: int, stop: int, total: int, first_row: int, chunk_bytes: int) -> Cut:
        is_large = stop - start == 1 and total > 2 * chunk_bytes
        return Cut(start=start, stop=stop, size_bytes=total, extra=first_row,
                   note="a row group cannot be split" if is_large else "")  # fmt: skip


def _stored_bytes(group: Any, columns: list[str]) -> int:
    """Bytes of some columns of a row group without their compression; values that repeat count once."""
    chunks = [group.column(n) for n in range(group.num_columns)]
    return sum(chunk.total_uncompressed_size for chunk in chunks if _is_of(chunk.path_in_schema, columns))


def _group_size(group: Any, columns: list[str] | None) -> tuple[int, int]:
    sizes = [group.column(n) for n in range(group.num_columns)]
    return group.num_rows, sum(c.total_compressed_size for c in sizes if _is_of(c.path_in_schema, columns))


def _is_of(path: str, columns: list[str] | None) -> bool:
    """Whether a stored column belongs to one of these, whose names may have dots as the paths of nested ones do."""
    return columns is None or any(path == name or path.startswith(f"{name}.") for name in columns)
