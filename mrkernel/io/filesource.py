"""FileSource: what all sources of files share. Listing, packing into splits, change detection, error wording."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa

from mrkernel.errors import MrkernelError, OptionError, SourceChangedError, SourceReadError
from mrkernel.io.aside import Aside
from mrkernel.io.base import RecordBlock, Source, Split
from mrkernel.io.locations import Entry, compression_of, expand, fingerprint, is_url, safe_name
from mrkernel.io.objects import row_blocks
from mrkernel.io.streams import open_stream

__all__ = ["Cut", "FileSource", "Piece", "byte_ranges", "even_ranges", "reading", "whole_file"]

# Opening a file costs about as much as reading this many bytes, so that 10,000 empty files become a few splits.
_OPENING_BYTES = 16 << 10
_CODECS = (None, "gzip", "bz2", "zstd", "lz4")


@dataclass(frozen=True, slots=True)
class Piece:
    """A range of one file, as part of a split: ``payload`` of a file source's split is a tuple of these."""

    path: str
    shown: str
    start: int
    stop: int
    size_bytes: int
    fingerprint: tuple[Any, ...]
    extra: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One way :meth:`FileSource.cut` cuts a file: a range, its size, and why it is no smaller."""

    start: int
    stop: int
    size_bytes: int
    note: str = ""
    extra: Any = None


class FileSource(Source):
    """A source of one or more files of one format.

    A subclass says how a file is cut (:meth:`cut`) and how a piece of a file is read (:meth:`read_piece`, and
    :meth:`read_piece_records` where there is a quicker way than through Arrow). Splits that pack several small
    files, checks that a file is still the one that was planned, and error messages are done here.

    Parameters
    ----------
    locations
        Paths, folders, globs or URLs.
    compression
        "gzip", "bz2", "zst" or "lz4"; by default the file's suffix tells.
    storage_options
        What fsspec needs to open a URL.
    """

    suffixes: ClassVar[tuple[str, ...]] = ()
    unit: ClassVar[str] = "bytes"

    def __init__(self, *locations: str, compression: str | None = "infer",
                 storage_options: Mapping[str, Any] | None = None) -> None:  # fmt: skip
        compression = {"gz": "gzip", "zst": "zstd"}.get(compression or "", compression)
        if compression not in (*_CODECS, "infer"):
            raise OptionError(
                f"compression={compression!r} is not known", hint='use "gzip", "bz2", "zst", "lz4" or None'
            )
        self.locations = tuple(locations)
        self.compression = compression
        self.storage_options = dict(storage_options or {})
        self._entries: list[Entry] | None = None
        self._planned: int | None = None
        self.aside: Aside | None = None
        self.entries()

    def __getstate__(self) -> dict[str, Any]:
        # A worker gets its files with each split; 10,000 entries in every task would cost more than the task. What
        # subclasses leave out likewise has to be prepared again before a copy cuts anything.
        return {**self.__dict__, "_entries": None, "_planned": None, "aside": None}

    @property
    def name(self) -> str:
        first = safe_name(self.locations[0])
        return first if len(self.locations) == 1 else f"{first} and {len(self.locations) - 1} more"

    def entries(self) -> list[Entry]:
        """The files, as last listed."""
        if self._entries is None:
            self._entries = [entry for place in self.locations for entry in expand(place, self.storage_options)]
        return self._entries

    def size_bytes(self) -> int | None:
        """Total bytes of the files as stored, or None if a server does not tell."""
        sizes = [entry.size for entry in self.entries()]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    def splits(self, chunk_bytes: int) -> list[Split]:
        """Cut large files and pack small ones, after looking at the files anew."""
        self._entries = None
        return self._recut(chunk_bytes)

    def _recut(self, chunk_bytes: int) -> list[Split]:
        self.plan()
        splits: list[Split] = []
        pieces: list[Piece] = []
        weight, why = 0, ""
        for entry in self.entries():
            for cut in self.cut(entry, chunk_bytes):
                cost = max(cut.size_bytes, _OPENING_BYTES if pieces and pieces[-1].path != entry.path else 0)
                if pieces and weight + cost > chunk_bytes:
                    splits.append(self._split(len(splits), pieces, why))
                    pieces, weight, why = [], 0, ""
                pieces.append(Piece(entry.path, entry.shown, cut.start, cut.stop, cut.size_bytes, entry.fingerprint,
                                    cut.extra))  # fmt: skip
                weight, why = weight + cost, why or cut.note
        if pieces:
            splits.append(self._split(len(splits), pieces, why))
        return splits

    def plan(self) -> None:
        """Prepare what all splits must agree on, once for each state of the files."""
        state = tuple((entry.path, entry.fingerprint) for entry in self.entries())
        if self._planned != hash(state):
            self.prepare(self.entries())
            self._planned = hash(state)

    def prepare(self, entries: list[Entry]) -> None:
        """Look into the files before they are cut: infer a schema, compare schemas. Does nothing by default."""

    @abstractmethod
    def cut(self, entry: Entry, chunk_bytes: int) -> Iterable[Cut]:
        """The ranges of one file, in order, each of about ``chunk_bytes``; none for an empty file."""

    @abstractmethod
    def read_piece(self, piece: Piece) -> Iterator[pa.RecordBatch]:
        """Record batches of a range of a file."""

    def read_piece_records(self, piece: Piece) -> Iterator[RecordBlock]:
        """The same as Python objects; ``first`` counts rows from the start of the piece."""
        return row_blocks(self.read_piece(piece))

    def read(self, split: Split) -> Iterator[pa.RecordBatch]:
        """Record batches of the split's pieces, one file after the other."""
        for number, piece in enumerate(split.payload):
            with self.watching(piece):
                yield from self.watched(number, self.read_piece(piece))

    def watched(self, number: int, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The batches of one piece; where lines are set aside, it is said where each batch is."""
        first = 0
        for batch in batches:
            if self.aside is not None:
                self.aside.block = RecordBlock([], first, 0, number)
            yield batch
            first += batch.num_rows

    def setting_aside(self, aside: Aside) -> FileSource:
        """A source like this one that goes on past what its format can tell apart; for some that is nothing."""
        other = copy.copy(self)
        other.aside = aside
        return other

    def read_records(self, split: Split) -> Iterator[RecordBlock]:
        """Records of the split's pieces; each block says which file it is from."""
        for number, piece in enumerate(split.payload):
            with self.watching(piece):
                for block in self.read_piece_records(piece):
                    block.file = number
                    yield block

    def source_of(self, split: Split, block: RecordBlock) -> str:
        """The file that a block is from."""
        return str(split.payload[block.file].shown)

    def codec(self, path: str) -> str | None:
        """How a file is compressed."""
        return compression_of(path) if self.compression == "infer" else self.compression

    def open(self, path: str) -> Any:
        """A decompressed binary stream of one file."""
        return open_stream(path, self.codec(path), self.storage_options)

    @contextmanager
    def watching(self, piece: Piece) -> Iterator[None]:
        """Check the file's fingerprint around a read, and word what goes wrong with the file's name."""
        self._check_unchanged(piece)
        with reading(piece.shown):
            try:
                yield
            except (OSError, ValueError):
                # A file that was replaced meanwhile fails in odd ways: say the cause, not the symptom.
                self._check_unchanged(piece)
                raise
        self._check_unchanged(piece)

    def _check_unchanged(self, piece: Piece) -> None:
        hint = "run the job again; write to a new file and rename it rather than changing one that is read"
        try:
            now = fingerprint(piece.path, self.storage_options)
        except FileNotFoundError:
            raise SourceChangedError(f"{piece.shown} was removed after the job was planned", hint=hint) from None
        if now != piece.fingerprint:
            raise SourceChangedError(
                f"{piece.shown} changed after the job was planned "
                f"(was {_describe(piece.fingerprint)}, is {_describe(now)})",
                hint=hint,
            )

    def _split(self, index: int, pieces: list[Piece], note: str) -> Split:
        first, last = pieces[0], pieces[-1]
        one = first.path == last.path
        n_files = len({piece.path for piece in pieces})
        return Split(
            index=index,
            source=first.shown if one else f"{first.shown} and {n_files - 1} more",
            start=first.start if one else 0,
            stop=last.stop if one else n_files,
            unit=self.unit if one else "files",
            size_bytes=sum(piece.size_bytes for piece in pieces),
            fingerprint=first.fingerprint if one else None,
            payload=tuple(pieces),
            note=note,
        )


@contextmanager
def reading(shown: str) -> Iterator[None]:
    """Turn what readers raise into a SourceReadError that names the file."""
    try:
        yield
    except MrkernelError:
        raise
    except (pa.ArrowException, OSError, EOFError) as error:
        text = " ".join(str(error).split())[:500]
        raise SourceReadError(f"cannot read {shown}: {text}", hint=_hint_for(text)) from error


def whole_file(entry: Entry, why: str) -> Iterator[Cut]:
    """One cut for all of a file that cannot be split, or none if it is empty."""
    if entry.size != 0:
        size = entry.size or 0
        yield Cut(start=0, stop=size, size_bytes=size, note=why)


def even_ranges(sizes: Sequence[int], target: int) -> Iterator[tuple[int, int]]:
    """Ranges of neighbours that hold about as much each: as many as would be needed to hold ``target`` at most.

    Tasks that take turns on a few workers end together if they are alike; the last one of full ones would be small.

    >>> list(even_ranges([10] * 10, 30))
    [(0, 3), (3, 5), (5, 8), (8, 10)]
    """
    total, start, held, number = sum(sizes), 0, 0, 1
    count = _full_ranges(sizes, target)
    for n, size in enumerate(sizes):
        # What lies across an end goes to where more of it is.
        if n > start and (held + size / 2) * count > total * number:
            yield start, n
            start = n
        while (held + size / 2) * count > total * number:
            number += 1
        held += size
    if start < len(sizes):
        yield start, len(sizes)


def _full_ranges(sizes: Sequence[int], target: int) -> int:
    count, held = 1, 0
    for size in sizes:
        if held and held + size > target:
            count, held = count + 1, 0
        held += size
    return count


def byte_ranges(entry: Entry, chunk_bytes: int, begin: int = 0) -> Iterator[Cut]:
    """Ranges of equal size of a file that can be cut anywhere after ``begin``."""
    if entry.size is None:
        yield from whole_file(
            entry, f"the server does not tell the size of {entry.shown}" if is_url(entry.path) else ""
        )
        return
    length = entry.size - begin
    count = -(-length // chunk_bytes)
    for n in range(count):
        start, stop = begin + length * n // count, begin + length * (n + 1) // count
        yield Cut(start=start, stop=stop, size_bytes=stop - start)


def _describe(mark: tuple[Any, ...]) -> str:
    return f"{mark[0]} bytes" + (f", version {mark[1]}" if len(mark) > 1 else "")


def _hint_for(text: str) -> str | None:
    if "Truncated" in text or "decompress" in text or "inflate" in text:
        return "the compressed file is damaged or incomplete: copy it again, or unpack it to see how far it is whole"
    return None
