"""How a format writes its files: FormatWriter, and what text formats share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, BinaryIO, ClassVar, Protocol

import pyarrow as pa

from mrkernel.errors import OptionError

__all__ = ["FormatWriter", "OpenFile", "TextFormatWriter"]

_COPY_BYTES = 4 << 20
_ENDINGS = {None: "", "gzip": ".gz", "bz2": ".bz2", "zstd": ".zst", "lz4": ".lz4"}


class OpenFile(Protocol):
    """A file of some format that is being written."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows."""

    def close(self) -> None:
        """Finish the format; the file below stays open."""


class FormatWriter(ABC):
    """Writes record batches as files of one format; where they go, and when they can be seen, is not its concern.

    Instances are small and picklable. A subclass is all that an output format of files needs:
    :class:`~mrkernel.io.sinks.FileSink` does the rest.

    Attributes
    ----------
    suffixes
        File suffixes of the format; files are named with the first.
    is_single
        True for a format that makes sense as one file only.
    """

    suffixes: ClassVar[tuple[str, ...]] = ()
    is_single: ClassVar[bool] = False
    compression: str | None = None

    @property
    def suffix(self) -> str:
        """The suffix of the files written."""
        return self.suffixes[0]

    def check_schema(self, schema: pa.Schema) -> None:  # noqa: B027  # most formats hold every column
        """Raise ValueTypeError for columns that the format cannot hold, before anything is written."""

    @abstractmethod
    def open(self, file: BinaryIO, schema: pa.Schema, *, is_whole: bool) -> OpenFile:
        """Begin a file; with ``is_whole=False`` a fragment, which :meth:`merge` makes part of a file."""

    @abstractmethod
    def merge(self, file: BinaryIO, schema: pa.Schema, fragments: Iterable[BinaryIO]) -> None:
        """Write one whole file out of fragments, in order."""


class TextFormatWriter(FormatWriter):
    """A format whose files are a head, rows, and a tail: fragments are joined as bytes.

    A subclass writes rows in :meth:`rows`.

    Parameters
    ----------
    compression
        "gzip", "bz2", "zstd" or "lz4"; files get its suffix.
    """

    separator: ClassVar[bytes] = b""

    def __init__(self, *, compression: str | None = None) -> None:
        self.compression = {"gz": "gzip", "zst": "zstd"}.get(compression or "", compression)
        if self.compression not in _ENDINGS:
            raise OptionError(f"compression={compression!r} is not known", hint='use "gzip", "bz2", "zstd" or "lz4"')

    @property
    def suffix(self) -> str:
        """The suffix of the files written, with that of the compression."""
        return super().suffix + _ENDINGS[self.compression]

    def head(self, schema: pa.Schema) -> bytes:
        """What a whole file starts with."""
        return b""

    def tail(self) -> bytes:
        """What a whole file ends with."""
        return b""

    @abstractmethod
    def rows(self, batch: pa.RecordBatch) -> bytes:
        """Rows as bytes."""

    def open(self, file: BinaryIO, schema: pa.Schema, *, is_whole: bool) -> OpenFile:
        """Begin a file; fragments have neither head nor tail nor compression."""
        return _TextFile(self, file, schema, is_whole=is_whole)

    def merge(self, file: BinaryIO, schema: pa.Schema, fragments: Iterable[BinaryIO]) -> None:
        """Head, fragments, tail."""
        out = pa.CompressedOutputStream(_sink(file), self.compression) if self.compression else file
        out.write(self.head(schema))
        is_first = True
        for fragment in fragments:
            data = fragment.read(_COPY_BYTES)
            if data and not is_first:
                out.write(self.separator)
            is_first = is_first and not data
            while data:
                out.write(data)
                data = fragment.read(_COPY_BYTES)
        out.write(self.tail())
        if out is not file:
            out.close()


class _TextFile:
    def __init__(self, writer: TextFormatWriter, file: BinaryIO, schema: pa.Schema, *, is_whole: bool) -> None:
        self._writer = writer
        self._is_whole = is_whole
        self._codec = writer.compression if is_whole else None
        self._out: Any = pa.CompressedOutputStream(_sink(file), self._codec) if self._codec else file
        self._is_empty = True
        if is_whole:
            self._out.write(writer.head(schema))

    def write(self, batch: pa.RecordBatch) -> None:
        if batch.num_rows:
            if not self._is_empty:
                self._out.write(self._writer.separator)
            self._out.write(self._writer.rows(batch))
            self._is_empty = False

    def close(self) -> None:
        if self._is_whole:
            self._out.write(self._writer.tail())
        if self._codec:
            self._out.close()


class _KeptOpen:
    """A file whose close() does nothing: it has to be synced after the compressor is closed."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: Any) -> int:
        return self._file.write(bytes(data))

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        pass


def _sink(file: BinaryIO) -> pa.PythonFile:
    return pa.PythonFile(_KeptOpen(file), mode="w")
