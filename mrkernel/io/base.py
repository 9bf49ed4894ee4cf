"""Source, Sink and Split: what a format has to provide, and nothing about any one format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from mrkernel.io.aside import Aside

__all__ = ["Origin", "Part", "RecordBlock", "Sink", "Source", "Split"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """What one map task reads.

    Attributes
    ----------
    index
        Position among all splits of the job, from 0: the input order.
    source
        What people call the input: a path, a URL, ``"list"``, ``"DataFrame"``.
    start, stop
        Half-open range in ``unit``.
    unit
        ``"bytes"``, ``"rows"``, ``"row groups"`` or ``"files"``.
    size_bytes
        Bytes read, as stored (compressed files: compressed), or None if unknown.
    fingerprint
        What identifies the content's version (size and mtime, or an ETag); compared when the split is read.
    payload
        Whatever else the reader needs; it must pickle.
    note
        Why this could not be split further, in words, for the plan ("gzip cannot be split"); else empty.
    """

    index: int
    source: str
    start: int = 0
    stop: int = 0
    unit: str = "bytes"
    size_bytes: int | None = None
    fingerprint: tuple[Any, ...] | None = None
    payload: Any = None
    note: str = ""


@dataclass(slots=True)
class RecordBlock:
    """Some consecutive records of a split.

    Attributes
    ----------
    records
        Python objects as the mapper gets them.
    first
        Where ``records[0]`` is: bytes from the start of the file where the source says so (text), else the
        record's number within the split.
    n_bytes
        Input bytes that these records stand for, as stored or estimated; drives progress only.
    file
        Which of the files that the split packs (its ``payload``) the block is from; a block is from one file.
    """

    records: list[Any]
    first: int
    n_bytes: int
    file: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a record came from: ``source`` (a path, a URL), ``location`` ("line 7", "row 3"), ``offset``."""

    source: str
    location: str
    offset: int | None


class Source(ABC):
    """Somewhere records come from. Instances are small, immutable and picklable; workers get a copy.

    To add a format, implement :meth:`splits` and :meth:`read`, and run the contract suite
    ``mrkernel.testing.SourceContract`` over it.

    Attributes
    ----------
    record_name
        What one record is called in messages: "line" or "row".
    is_keyed
        True if each row is a (key, value) pair from an earlier step, so that a mapper with two parameters fits.
    has_own_marks
        True if the batches come from mrkernel's own tasks, so that a column may be believed that claims to hold pickled
        Python values; what comes from outside must not be.
    """

    record_name: str = "row"
    is_keyed: bool = False
    has_own_marks: bool = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    @property
    @abstractmethod
    def name(self) -> str:
        """What people call this input, short enough for one line, without secrets."""

    @abstractmethod
    def splits(self, chunk_bytes: int) -> list[Split]:
        """Cut the input into splits of about ``chunk_bytes`` bytes each, in input order, ``index`` from 0.

        Raises SourceError (or a subclass) when the input does not exist or cannot be listed. No record may
        be lost or read twice whatever the size. An input without records gives no splits, or empty ones.
        """

    def _recut(self, chunk_bytes: int) -> list[Split]:
        """As :meth:`splits`, of the input as it was last listed, where listing takes time."""
        return self.splits(chunk_bytes)

    @abstractmethod
    def read(self, split: Split) -> Iterator[pa.RecordBatch]:
        """Record batches of one split, in input order, at most some MB each, all of one schema.

        Raises SourceReadError with the file and the place for what cannot be parsed, and SourceChangedError
        if the file is no longer what ``split.fingerprint`` says.
        """

    def read_records(self, split: Split) -> Iterator[RecordBlock]:
        """The same content as Python objects; the default makes a ``dict`` of every row of :meth:`read`."""
        first = 0
        for batch in self.read(split):
            if batch.num_rows:
                yield RecordBlock(batch.to_pylist(), first, batch.nbytes)
                first += batch.num_rows

    def read_pairs(self, split: Split) -> Iterator[RecordBlock]:
        """For a keyed source: the same rows as (key, value) tuples."""
        raise TypeError(f"{self.name} is not made of (key, value) pairs")

    def setting_aside(self, aside: Aside) -> Source:
        """A source like this one that hands rows which it cannot parse to ``aside``, and goes on.

        Sources whose rows cannot be told apart return themselves: what cannot be parsed is an error then.
        """
        return self

    def schema(self) -> pa.Schema | None:
        """Columns of :meth:`read`, if they are known without reading everything; else None."""
        return None

    def size_bytes(self) -> int | None:
        """Total bytes as stored, or None if unknown."""
        return None

    def locate(self, split: Split, block: RecordBlock, index: int) -> Origin:
        """Where ``block.records[index]`` is, for messages and ``mr.context()``; may be slow, called rarely."""
        row = block.first + index + (split.start if split.unit == "rows" else 0)
        return Origin(source=split.source, location=f"{self.record_name} {row + 1}", offset=row)

    def source_of(self, split: Split, block: RecordBlock) -> str:
        """The exact file of a block, where a split packs several; cheap, unlike :meth:`locate`."""
        return split.source

    def local_files(self) -> list[str]:
        """Files of a localized source that only this machine has; workers on other hosts get copies."""
        return []

    def localized(self, directory: str) -> Source:
        """A source that workers on this host can read, with in-memory data put in files under ``directory``.

        Sources of files return themselves.
        """
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One piece of output, written under a temporary name and not yet visible."""

    index: int
    path: str
    n_rows: int
    n_bytes: int
    extra: dict[str, Any] = field(default_factory=dict)


class Sink(ABC):
    """Somewhere a result goes, all or nothing: parts are written under temporary names, then committed once.

    Until :meth:`commit` has returned a reader sees what was there before; afterwards the whole new output.
    Run the contract suite ``mrkernel.testing.SinkContract`` over an implementation.

    Attributes
    ----------
    is_single
        Whether the output is one file, so that whoever has all rows does best to call :meth:`write_whole`.
    """

    is_single: bool = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    @property
    @abstractmethod
    def name(self) -> str:
        """What people call the target, without secrets."""

    @abstractmethod
    def check(self) -> None:
        """Raise TargetExistsError or SinkError if this could not be written; called before a job runs."""

    @abstractmethod
    def write_part(self, index: int, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Part:
        """Write part ``index`` (its place in the result) under a temporary name in the target's file system."""

    def write_whole(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Part:
        """Write all rows as the only part; a sink that would join parts to one file saves that here."""
        return self.write_part(0, schema, batches)

    @abstractmethod
    def commit(self, parts: Sequence[Part]) -> list[str]:
        """Make the output visible and return the final paths. Removes every temporary name."""

    @abstractmethod
    def abort(self) -> None:
        """Remove every temporary name this sink has written; the target stays as it was."""

    def stoppable(self, check: Callable[[], None]) -> Sink:
        """A sink like this one that calls ``check`` now and then in its commit, before anything can be seen of it.

        What ``check`` raises is to leave the commit; :meth:`abort` follows. Sinks whose commit does not take long
        return themselves.
        """
        return self
