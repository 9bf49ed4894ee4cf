"""Bytes of a file: opened, decompressed, turned to UTF-8 where needed, and cut into blocks of whole lines."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Protocol

import pyarrow as pa

from mrkernel.errors import OptionError
from mrkernel.io.locations import file_system, is_url

__all__ = [
    "UTF8",
    "ByteStream",
    "Transcoder",
    "count_lines",
    "is_line_safe",
    "line_blocks",
    "normal_encoding",
    "open_stream",
]

UTF8 = "utf-8"
_BOM = codecs.BOM_UTF8
_PAST_END = 4096


class ByteStream(Protocol):
    """What :func:`line_blocks` needs of a stream; ``seek`` only where a range starts after 0."""

    def read(self, size: int, /) -> bytes:
        """Up to ``size`` bytes, b"" at the end."""

    def seek(self, offset: int, /) -> object:
        """Go to ``offset``."""

    def close(self) -> object:
        """Release what is held."""


def open_stream(path: str, compression: str | None, storage_options: Mapping[str, Any] | None = None) -> Any:
    """A binary stream of a local file or URL, decompressed if ``compression`` names a codec."""
    if is_url(path):
        system, name = file_system(path, storage_options)
        raw: Any = _Held(system.open(name, "rb"), system)
    else:
        # Unbuffered: blocks are large already, and another copy costs a fifth of the time.
        raw = open(path, "rb", buffering=0)  # noqa: SIM115  # the caller closes it
    return raw if compression is None else pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), compression)


class _Held:
    """A remote file that keeps its file system: an archive is closed as soon as nobody holds it."""

    def __init__(self, file: Any, system: Any) -> None:
        self._file = file
        self._system = system

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._file.close()


@lru_cache
def normal_encoding(name: str) -> str:
    """The codec's own name; utf-8-sig is utf-8, since a byte order mark is always dropped.

    Raises
    ------
    OptionError
        For an encoding that Python does not know.
    """
    try:
        found = codecs.lookup(name).name
    except LookupError:
        raise OptionError(f"there is no encoding {name!r}", hint="for example utf-8, latin-1, cp1252, utf-16") from None
    return UTF8 if found in {"utf-8", "utf-8-sig"} else found


@lru_cache
def is_line_safe(encoding: str) -> bool:
    r"""True if the byte 0x0A is a newline and nothing else, so that a file can be cut there.

    UTF-8 is; so is an encoding in which each byte is one character and ``\n`` is itself.
    """
    if encoding == UTF8:
        return True
    try:
        # Stateful and multi-byte codecs turn 256 bytes into another number of characters.
        one_each = len(bytes(range(256)).decode(encoding, "replace")) == 256
        return one_each and "\n".encode(encoding) == b"\n"
    except (UnicodeError, LookupError):
        return False


class Transcoder:
    """A stream in any encoding, read as UTF-8: for those that cannot be cut at a newline byte."""

    def __init__(self, stream: Any, encoding: str, errors: str = "strict") -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)(errors)

    def read(self, size: int, /) -> bytes:
        """About ``size`` bytes of UTF-8; b"" at the end."""
        while True:
            data = bytes(self._stream.read(size))
            text = self._decoder.decode(data, final=not data)
            if text or not data:
                return text.encode(UTF8)

    def seek(self, offset: int, /) -> object:
        """Only to the start, before anything was read."""
        return self._stream.seek(offset)

    def close(self) -> None:
        """Close the stream below."""
        self._stream.close()


def line_blocks(stream: ByteStream, start: int, stop: int | None, size: int) -> Iterator[tuple[int, bytes]]:
    """Blocks of whole lines, each with its byte offset, of the lines that *start* in ``[start, stop)``.

    A block is about ``size`` bytes, more where one line is longer; only the last may lack its newline. A byte
    order mark at the start of the file is dropped.
    """
    for at, data in _blocks(stream, start, stop, size):
        is_marked = at == 0 and data.startswith(_BOM)
        offset, block = (len(_BOM), data[len(_BOM) :]) if is_marked else (at, data)
        if block:
            yield offset, block


def _blocks(stream: ByteStream, start: int, stop: int | None, size: int) -> Iterator[tuple[int, bytes]]:
    at, data = _first_line(stream, start, stop, size) if start else (0, stream.read(_read_size(0, stop, size)))
    offset = at
    held: list[bytes] = []
    while data:
        end = at + len(data)
        if stop is not None and end >= stop:
            # The last line of the range holds the byte before ``stop``.
            cut = data.find(b"\n", max(stop - 1 - at, 0)) + 1
            if cut:
                yield offset, b"".join([*held, data[:cut]])
                return
            held.append(data)
        else:
            cut = data.rfind(b"\n") + 1
            if cut:
                # A view, since a slice would be one more copy of the block.
                yield offset, b"".join([*held, memoryview(data)[:cut]]) if held or cut < len(data) else data
                offset, held = at + cut, [data[cut:]] if cut < len(data) else []
            else:
                held.append(data)
        at = end
        data = stream.read(_read_size(at, stop, size))
    if held:
        yield offset, b"".join(held)


def _first_line(stream: ByteStream, start: int, stop: int | None, size: int) -> tuple[int, bytes]:
    """Offset of the first line that starts at or after ``start``, and the bytes there that are read already."""
    at = start - 1
    stream.seek(at)
    while data := stream.read(_read_size(at, stop, size)):
        cut = data.find(b"\n") + 1
        if cut:
            if stop is not None and at + cut >= stop:
                return at + cut, b""
            rest = data[cut:]
            return at + cut, rest or stream.read(_read_size(at + cut, stop, size))
        at += len(data)
        if stop is not None and at >= stop:
            break
    return at, b""


def _read_size(at: int, stop: int | None, size: int) -> int:
    # A little past the end, so that the last line is usually there without another read.
    return size if stop is None else min(size, max(stop - at, 0) + _PAST_END)


def count_lines(stream: ByteStream, stop: int) -> int:
    """How many newlines the first ``stop`` bytes of a stream hold."""
    count = 0
    while stop > 0 and (data := stream.read(min(stop, 1 << 20))):
        count += data.count(b"\n")
        stop -= len(data)
    return count
