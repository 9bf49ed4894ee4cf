"""Whole files: each file is one record, for documents, pages and other small files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any, ClassVar

import pyarrow as pa

from mrkernel.errors import OptionError, SourceReadError
from mrkernel.io.base import Origin, RecordBlock, Split
from mrkernel.io.filesource import Cut, FileSource, Piece
from mrkernel.io.locations import Entry
from mrkernel.io.streams import UTF8, normal_encoding

__all__ = ["WholeFileSource"]

_MAX_BYTES = 1 << 30
_READ_BYTES = 4 << 20


class WholeFileSource(FileSource):
    """Files as records ``{"path": …, "content": …}``; many files make a split. Empty files are records too.

    Parameters
    ----------
    binary
        Whether ``content`` is ``bytes`` instead of ``str``.
    encoding, errors
        How text is decoded; ``errors`` is "strict" or "replace".
    compression
        As for text: compressed files are unpacked; ``None`` leaves them packed.

    Raises
    ------
    SourceReadError
        For a file larger than 1 GB: it should be read by records.
    """

    record_name = "file"
    unit: ClassVar[str] = "files"

    def __init__(
        self,
        *locations: str,
        binary: bool = False,
        encoding: str = UTF8,
        errors: str = "strict",
        compression: str | None = "infer",
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        if errors not in {"strict", "replace"}:
            raise OptionError(f"errors={errors!r} is not known", hint='use "strict" or "replace"')
        self.binary = binary
        self.encoding = normal_encoding(encoding)
        self.errors = errors
        super().__init__(*locations, compression=compression, storage_options=storage_options)

    def schema(self) -> pa.Schema:
        """Columns ``path`` and ``content``."""
        return pa.schema([("path", pa.string()), ("content", pa.binary() if self.binary else pa.string())])

    def cut(self, entry: Entry, chunk_bytes: int) -> Iterable[Cut]:
        """The whole file, also if it is empty."""
        yield Cut(start=0, stop=1, size_bytes=entry.size or 0)

    def read_piece(self, piece: Piece) -> Iterator[pa.RecordBatch]:
        """A batch of one row."""
        yield pa.RecordBatch.from_pylist([self._record(piece)], schema=self.schema())

    def read_piece_records(self, piece: Piece) -> Iterator[RecordBlock]:
        """A block of one record."""
        yield RecordBlock([self._record(piece)], 0, piece.size_bytes)

    def locate(self, split: Split, block: RecordBlock, index: int) -> Origin:
        """The file."""
        return Origin(source=split.payload[block.file].shown, location="the whole file", offset=0)

    def _record(self, piece: Piece) -> dict[str, Any]:
        parts, total = [], 0
        with closing(self.open(piece.path)) as stream:
            while data := stream.read(_READ_BYTES):
                parts.append(bytes(data))
                total += len(data)
                if total > _MAX_BYTES:
                    raise SourceReadError(f"cannot read {piece.shown} as one record: it is larger than 1 GB",
                                          hint='read it by lines or rows: format="text", "csv", …')  # fmt: skip
        content = b"".join(parts)
        return {"path": piece.shown, "content": content if self.binary else self._text(piece, content)}

    def _text(self, piece: Piece, content: bytes) -> str:
        try:
            return content.decode("utf-8-sig" if self.encoding == UTF8 else self.encoding, self.errors)
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise SourceReadError(
                f"cannot read {piece.shown}: line {line}, byte {error.start}, is not {self.encoding} ({error.reason})",
                hint="say binary=True for bytes, or encoding=…",
            ) from None
