"""Writing Parquet and Arrow IPC."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, BinaryIO, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from mrkernel.errors import OptionError, ValueTypeError
from mrkernel.io.schemas import holds_objects
from mrkernel.io.writers import FormatWriter, OpenFile

__all__ = ["IpcWriter", "ParquetWriter"]

_GROUP_BYTES = 32 << 20


class _ColumnarWriter(FormatWriter):
    def check_schema(self, schema: pa.Schema) -> None:
        """Refuse pickled Python objects: nobody else could read them, and nobody should unpickle a file."""
        bad = next((field.name for field in schema if holds_objects(field)), None)
        if bad is not None:
            raise ValueTypeError(
                f"column {bad!r} holds Python objects or values of several types, which no Arrow type holds",
                hint="make the values one type, or write jsonl",
            )

    def merge(self, file: BinaryIO, schema: pa.Schema, fragments: Iterable[BinaryIO]) -> None:
        """Copy the batches of all fragments."""
        out = self.open(file, schema, is_whole=True)
        try:
            for fragment in fragments:
                for batch in self.batches(fragment):
                    out.write(batch.cast(schema) if not batch.schema.equals(schema) else batch)
        except BaseException:
            # Else its destructor tries to end the format in a file that is closed by then.
            with suppress(Exception):
                out.close()
            raise
        out.close()

    @abstractmethod
    def batches(self, file: BinaryIO) -> Iterable[pa.RecordBatch]:
        """Batches of a file that this writer has written."""


class ParquetWriter(_ColumnarWriter):
    """Parquet with page checksums, in row groups of about 32 MB.

    Parameters
    ----------
    compression
        "zstd" (default), "snappy", "gzip", "lz4", "brotli" or "none".
    """

    suffixes: ClassVar[tuple[str, ...]] = (".parquet", ".pq")

    def __init__(self, *, compression: str | None = "zstd") -> None:
        self._codec = _codec(compression, ("zstd", "snappy", "gzip", "lz4", "brotli"))

    def open(self, file: BinaryIO, schema: pa.Schema, *, is_whole: bool) -> OpenFile:
        """Begin a file; fragments are whole files."""
        return _ParquetFile(file, schema, self._codec)

    def batches(self, file: BinaryIO) -> Iterable[pa.RecordBatch]:
        """Batches of a Parquet file."""
        with pq.ParquetFile(file, page_checksum_verification=True) as parquet:
            yield from parquet.iter_batches(batch_size=65_536, use_threads=False)


class _ParquetFile:
    def __init__(self, file: BinaryIO, schema: pa.Schema, codec: str | None) -> None:
        self._schema = schema
        self._writer = pq.ParquetWriter(file, schema, compression=codec or "none", write_page_checksum=True)
        self._held: list[pa.RecordBatch] = []
        self._bytes = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Collect small batches: each write would be a row group of its own."""
        self._held.append(batch)
        self._bytes += batch.nbytes
        if self._bytes >= _GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        """Write what is left, and the footer."""
        try:
            self._flush()
        finally:
            self._writer.close()

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(pa.Table.from_batches(self._held, self._schema))
            self._held, self._bytes = [], 0


class IpcWriter(_ColumnarWriter):
    """Arrow IPC files (Feather version 2).

    Parameters
    ----------
    compression
        "zstd", "lz4" or "none" (default): files that are not compressed can be memory-mapped.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".arrow", ".feather", ".ipc")

    def __init__(self, *, compression: str | None = None) -> None:
        self._codec = _codec(compression, ("zstd", "lz4"))

    def open(self, file: BinaryIO, schema: pa.Schema, *, is_whole: bool) -> OpenFile:
        """Begin a file; fragments are whole files."""
        options = pa.ipc.IpcWriteOptions(compression=self._codec, unify_dictionaries=True)
        return _IpcFile(pa.ipc.new_file(pa.PythonFile(file, mode="w"), schema, options=options))

    def batches(self, file: BinaryIO) -> Iterable[pa.RecordBatch]:
        """Batches of an IPC file."""
        with pa.ipc.open_file(file) as reader:
            for number in range(reader.num_record_batches):
                yield reader.get_batch(number)


class _IpcFile:
    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def write(self, batch: pa.RecordBatch) -> None:
        """Add a batch."""
        self._writer.write_batch(batch)

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


def _codec(name: str | None, known: tuple[str, ...]) -> str | None:
    if name in {None, "none"}:
        return None
    if name not in known:
        raise OptionError(f"compression={name!r} is not known", hint=f"use {', '.join(known)} or none")
    return name
