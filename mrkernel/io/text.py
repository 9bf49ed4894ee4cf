"""Text: one record for each line, without its newline."""

from __future__ import annotations

from array import array
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from mrkernel.errors import OptionError, SourceReadError
from mrkernel.io.base import Origin, RecordBlock, Split
from mrkernel.io.filesource import Cut, FileSource, Piece, byte_ranges, whole_file
from mrkernel.io.locations import Entry
from mrkernel.io.streams import UTF8, ByteStream, Transcoder, count_lines, is_line_safe, line_blocks, normal_encoding

__all__ = ["LineSource", "TextSource", "lines_array"]

# One character beyond Latin-1 makes a whole str two or four times wider: decode this much at a time, never a
# split (decode and split: 0.86 GB/s at 64 to 512 kB, 0.05 GB/s at 256 MB).
RECORD_BYTES = 256 << 10
# Splitting by Arrow: 0.66 GB/s at 1 MB, 0.55 at 256 kB.
BATCH_BYTES = 1 << 20
_MAX_LINE = (1 << 31) - 2
# Each task that sets lines aside counts those before its piece; further into a file only their bytes are told.
MOST_COUNTED = 1 << 30


class LineSource(FileSource):
    """What formats of one record a line share: byte ranges, encodings, and where a line is.

    Parameters
    ----------
    encoding
        Any Python codec. UTF-8 and single-byte encodings are split by byte range; others (UTF-16, Shift-JIS, …)
        are one split for each file.
    errors
        "strict" makes bytes that are not in the encoding an error, "replace" turns them to U+FFFD.
    """

    record_name = "line"

    def __init__(self, *locations: str, encoding: str = UTF8, errors: str = "strict", compression: str | None = "infer",
                 storage_options: Mapping[str, Any] | None = None) -> None:  # fmt: skip
        self.encoding = normal_encoding(encoding)
        if errors not in {"strict", "replace"}:
            raise OptionError(f"errors={errors!r} is not known", hint='use "strict" or "replace"')
        self.errors = errors
        super().__init__(*locations, compression=compression, storage_options=storage_options)

    def unsplittable(self, entry: Entry) -> str:
        """Why a file is one split, in words; "" if it can be cut."""
        codec = self.codec(entry.path)
        if codec:
            return f"{codec} cannot be split"
        return "" if is_line_safe(self.encoding) else f"{self.encoding} cannot be split"

    def cut(self, entry: Entry, chunk_bytes: int) -> Iterable[Cut]:
        """Equal byte ranges; a line belongs to the range in which it starts."""
        why = self.unsplittable(entry)
        return whole_file(entry, why) if why else byte_ranges(entry, chunk_bytes)

    def open_lines(self, path: str) -> ByteStream:
        """A stream in which 0x0A ends a line: the file's bytes, or UTF-8 made from an encoding that lacks this."""
        stream = self.open(path)
        return stream if is_line_safe(self.encoding) else Transcoder(stream, self.encoding, self.errors)

    def blocks(self, piece: Piece, size: int) -> Iterator[tuple[int, bytes]]:
        """Blocks of whole lines of a piece, as stored, each with its offset in the (decompressed) file."""
        open_ended = self.codec(piece.path) or not is_line_safe(self.encoding) or not piece.stop
        with closing(self.open_lines(piece.path)) as stream:
            try:
                for offset, block in line_blocks(stream, piece.start, None if open_ended else piece.stop, size):
                    if self.aside is not None:
                        self.aside.enter(piece, offset, block)
                    yield offset, block
            except UnicodeDecodeError as error:
                raise self._bad_bytes(piece, None, error) from None

    def text_of(self, piece: Piece, offset: int, block: bytes) -> str:
        r"""A block as text, with ``\r\n`` turned to ``\n``.

        Raises
        ------
        SourceReadError
            Naming the line and byte that are not in the encoding.
        """
        try:
            text = block.decode(self.encoding if is_line_safe(self.encoding) else UTF8, self.errors)
        except UnicodeDecodeError as error:
            if self.aside is None:
                raise self._bad_bytes(piece, offset, error) from None
            text = "\n".join(self._good_lines(piece, offset, block))
        return text.replace("\r\n", "\n") if "\r" in text else text

    def line_number(self, piece: Piece, offset: int) -> int:
        """The number, from 1, of the line that holds this offset; reads the file up to there."""
        with closing(self.open_lines(piece.path)) as stream:
            return count_lines(stream, offset) + 1

    def locate(self, split: Split, block: RecordBlock, index: int) -> Origin:
        """File, line number and byte offset; reads the file up to there."""
        piece = split.payload[block.file]
        if self.aside is not None:
            return self.origin_of(piece, self.aside.line_of(index))
        offset = self._offset_of(piece, block.first, index)
        is_stored = is_line_safe(self.encoding)
        return Origin(source=piece.shown, location=f"line {self.line_number(piece, offset)}",
                      offset=offset if is_stored else None)  # fmt: skip

    def origin_of(self, piece: Piece, line: int) -> Origin:
        """Where a line of the block at hand is; for readers that set lines aside."""
        assert self.aside is not None
        place = self.aside.byte_of(line)
        if piece.start > MOST_COUNTED:
            location = f"byte {place}"
        else:
            location = f"line {self.aside.line_number(line, lambda offset: self.line_number(piece, offset) - 1)}"
        return Origin(source=piece.shown, location=location, offset=place if is_line_safe(self.encoding) else None)

    def set_aside(self, piece: Piece, line: int, text: str, error: Exception) -> None:
        """Hand over a line of the block at hand."""
        assert self.aside is not None
        self.aside.hand_over(text, error, lambda: self.origin_of(piece, line))

    def _good_lines(self, piece: Piece, offset: int, block: bytes) -> list[str]:
        """The lines of a block, with those made empty that are not in the encoding."""
        lines, place = [], offset
        for number, line in enumerate(block.split(b"\n")):
            try:
                lines.append(line.decode(self.encoding if is_line_safe(self.encoding) else UTF8))
            except UnicodeDecodeError as error:
                lines.append("")
                self.bad_line(piece, number, place, line, error)
            place += len(line) + 1
        return lines

    def bad_line(self, piece: Piece, number: int, place: int, line: bytes, error: UnicodeDecodeError) -> None:
        """Set a line aside whose bytes are not in the encoding."""
        what = error.object[error.start : error.start + 4].hex(" ")
        cause = SourceReadError(
            f"byte {place + error.start} is not {self.encoding} ({error.reason}: {what})",
            hint='say encoding="latin-1" (or what it is), or errors="replace"',
        )
        self.set_aside(piece, number, line.removesuffix(b"\r").decode(UTF8, "backslashreplace"), cause)

    def is_record(self, line: bytes) -> bool:
        """Whether a line is a record; formats that skip empty lines say no to those."""
        return True

    def _offset_of(self, piece: Piece, offset: int, index: int) -> int:
        """Where the record is that comes ``index`` records after the one at ``offset``."""
        with closing(self.open_lines(piece.path)) as stream:
            begin = passed = 0
            if self.codec(piece.path) or not is_line_safe(self.encoding):
                count_lines(stream, offset)
                passed = offset
            elif offset > len(BOM_UTF8):
                begin = offset
            for at, block in line_blocks(stream, begin, None, RECORD_BYTES):
                place = at + passed
                for line in block.split(b"\n"):
                    if self.is_record(line):
                        if not index:
                            return place
                        index -= 1
                    place += len(line) + 1
        return offset

    def _bad_bytes(self, piece: Piece, offset: int | None, error: UnicodeDecodeError) -> SourceReadError:
        what = error.object[error.start : error.start + 4].hex(" ")
        if offset is None:
            place = "somewhere"
        else:
            place = f"line {self.line_number(piece, offset + error.start)}, byte {offset + error.start},"
        return SourceReadError(f"cannot read {piece.shown}: {place} is not {self.encoding} ({error.reason}: {what})",
                               hint='say encoding="latin-1" (or what it is), or errors="replace"')  # fmt: skip


class TextSource(LineSource):
    r"""Lines of text files: each record is a ``str`` without its newline; empty lines are records too.

    ``\n`` and ``\r\n`` end a line; a byte order mark at the start of a file is dropped. Batches have one column,
    ``line``.

    Examples
    --------
    >>> TextSource("books/*.txt", encoding="latin-1")  # doctest: +SKIP
    """

    suffixes: ClassVar[tuple[str, ...]] = (".txt", ".log", ".md", ".text", "")
    _schema: ClassVar[pa.Schema] = pa.schema([pa.field("line", pa.string())])
    # Lines of the block at hand that were set aside.
    _dropped: list[int]

    def schema(self) -> pa.Schema:
        """One column, ``line``."""
        return self._schema

    def read_piece(self, piece: Piece) -> Iterator[pa.RecordBatch]:
        """Batches of about 1 MB of lines."""
        for offset, block in self.blocks(piece, BATCH_BYTES):
            lines = self._chosen_lines(piece, offset, block)
            if lines is None:
                raise SourceReadError(f"cannot read {piece.shown}: the line at byte {offset} is longer than 2 GB")
            yield pa.RecordBatch.from_arrays([lines], schema=self._schema)

    def read_piece_records(self, piece: Piece) -> Iterator[RecordBlock]:
        """Blocks of about 256 kB of lines; ``first`` is the byte offset of the block in its file."""
        for offset, block in self.blocks(piece, RECORD_BYTES):
            self._dropped = []
            lines = self.text_of(piece, offset, block).split("\n")
            if not lines[-1]:
                lines.pop()
            if self._dropped:
                kept = self._kept(len(lines))
                lines = [lines[number] for number in kept]
            yield RecordBlock(lines, offset, len(block))

    def bad_line(self, piece: Piece, number: int, place: int, line: bytes, error: UnicodeDecodeError) -> None:
        """An empty line is a record here, so that one that is set aside must go."""
        self._dropped.append(number)
        super().bad_line(piece, number, place, line, error)

    def _kept(self, n_lines: int) -> list[int]:
        assert self.aside is not None
        kept = sorted(set(range(n_lines)) - set(self._dropped))
        self.aside.keep(kept)
        return kept

    def _chosen_lines(self, piece: Piece, offset: int, block: bytes) -> pa.StringArray | None:
        self._dropped = []
        text = self._utf8(piece, offset, block)
        lines = lines_array(text)
        return lines.take(pa.array(self._kept(len(lines)))) if self._dropped and lines is not None else lines

    def _utf8(self, piece: Piece, offset: int, block: bytes) -> bytes:
        if self.encoding == UTF8 and self.errors == "strict":
            if not block.isascii():
                text = self.text_of(piece, offset, block)
                if self._dropped:
                    return text.encode(UTF8)
            return block.replace(b"\r\n", b"\n") if b"\r" in block else block
        return self.text_of(piece, offset, block).encode(UTF8)


def lines_array(block: bytes) -> pa.StringArray | None:
    r"""The lines of a block of valid UTF-8 as an Arrow array; None if it is too large for one.

    >>> lines_array(b"a\n\nb").to_pylist()
    ['a', '', 'b']
    """
    length = len(block) - block.endswith(b"\n")
    if length > _MAX_LINE:
        return None
    whole = pa.StringArray.from_buffers(1, pa.py_buffer(array("i", [0, length])), pa.py_buffer(block))
    return pc.split_pattern(whole, "\n").flatten()
