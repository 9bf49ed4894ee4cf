"""Arrow IPC: files (Feather version 2) and streams. Splits are record batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pyarrow as pa

from mrkernel.errors import SourceReadError
from mrkernel.io.base import Origin, RecordBlock, Split
from mrkernel.io.columnar import ColumnarSource
from mrkernel.io.filesource import Cut, Piece, even_ranges, reading, whole_file
from mrkernel.io.locations import Entry, is_url
from mrkernel.io.memory import rows_for
from mrkernel.io.schemas import conform

__all__ = ["IpcSource"]

_FILE_MAGIC = b"ARROW1"
_FEATHER_V1 = b"FEA1"


class IpcSource(ColumnarSource):
    """Rows of Arrow IPC files and streams; local files are memory-mapped.

    Every batch is validated before use: offsets made up by whoever wrote a file otherwise read foreign memory.

    Parameters
    ----------
    columns
        Columns to read, in this order.
    union_by_name
        Whether files may lack columns that others have (null there). Without it such files are an error.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".arrow", ".feather", ".ipc", ".arrows")
    _batches: dict[str, list[int] | None]

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_batches": {}}

    def prepare(self, entries: list[Entry]) -> None:
        """Read all schemas, which must agree before anything runs, and how many rows each batch has."""
        self._batches = {}
        schemas = []
        for entry in entries:
            if entry.size == 0:
                continue
            with reading(entry.shown), self._reader(entry.path, entry.shown) as reader:
                schemas.append((entry.shown, self.chosen(reader.schema, entry.shown)))
                if hasattr(reader, "num_record_batches"):
                    self._batches[entry.path] = [_n_rows(reader, n) for n in range(reader.num_record_batches)]
        self.agree_on(schemas)

    def cut(self, entry: Entry, chunk_bytes: int) -> Iterable[Cut]:
        """Consecutive batches of about ``chunk_bytes`` together; a stream is one split."""
        rows = self._batches.get(entry.path)
        if rows is None:
            yield from whole_file(entry, "an Arrow IPC stream cannot be split")
            return
        per_row = (entry.size or 0) / max(1, sum(rows))
        row = 0
        for first, stop in even_ranges([int(count * per_row) for count in rows], chunk_bytes):
            n_rows = sum(rows[first:stop])
            if n_rows:
                yield Cut(start=row, stop=row + n_rows, size_bytes=int(n_rows * per_row), extra=(first, stop))
            row += n_rows

    def read_piece(self, piece: Piece) -> Iterator[pa.RecordBatch]:
        """Slices of the stored batches, about 4 MB each."""
        schema = self.schema()
        with self._reader(piece.path, piece.shown) as reader:
            for n, batch in enumerate(_batches(reader, piece.extra)):
                try:
                    batch.validate(full=True)
                except pa.ArrowInvalid as error:
                    raise SourceReadError(f"cannot read {piece.shown}: record batch {n} is damaged: {error}",
                                          hint="write the file again") from None  # fmt: skip
                conformed = conform(batch, schema)
                step = rows_for(batch.num_rows, conformed.nbytes)
                for start in range(0, batch.num_rows, step):
                    yield conformed.slice(start, step)

    def locate(self, split: Split, block: RecordBlock, index: int) -> Origin:
        """File and row number in the file."""
        piece = split.payload[block.file]
        row = block.first + index + (piece.start if piece.extra else 0)
        return Origin(source=piece.shown, location=f"row {row + 1}", offset=row)

    @contextmanager
    def _reader(self, path: str, shown: str) -> Iterator[Any]:
        is_mapped = not is_url(path) and self.codec(path) is None
        with pa.memory_map(path) if is_mapped else self.open(path) as file:
            if not is_mapped and self.codec(path):
                yield pa.ipc.open_stream(file)
                return
            magic = bytes(file.read(6))
            file.seek(0)
            if magic.startswith(_FEATHER_V1):
                raise SourceReadError(
                    f"cannot read {shown}: it is Feather version 1",
                    hint="write it again with a current Feather, Arrow or Parquet writer",
                )
            with pa.ipc.open_file(file) if magic == _FILE_MAGIC else pa.ipc.open_stream(file) as reader:
                yield reader


def _n_rows(reader: Any, number: int) -> int:
    return int(reader.get_batch(number).num_rows)


def _batches(reader: Any, numbers: tuple[int, int] | None) -> Iterator[pa.RecordBatch]:
    if numbers is None:
        yield from reader
    else:
        for number in range(*numbers):
            yield reader.get_batch(number)
