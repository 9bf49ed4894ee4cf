"""Shuffle files: the runs of map tasks in Arrow's IPC format, in the order of their partitions.

In a large run, which is a file, each partition that has rows is a record batch of its own, so that a reduce task reads
what it needs. A small run is one batch, and those of attempts that follow each other share a file: a batch costs 20 µs
and a kilobyte however little it holds, and a file up to 0.7 ms (ext4 without a journal, after many were deleted).

A map task writes its runs and returns their :class:`Run` records; a reduce task memory-maps what it needs of each. A
run says itself how many rows it has in each partition, so that calls need not: nothing is M x R in messages.
"""

from __future__ import annotations

import os
import resource
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
from pyarrow import ipc

from mrkernel.batches import as_arrow
from mrkernel.engine.phases import phase
from mrkernel.engine.remote import Fetch, RemoteFile

__all__ = [
    "IPC_OPTIONS",
    "LostRunError",
    "Run",
    "RunReaders",
    "SmallRuns",
    "new_path",
    "read_all",
    "write_run",
]

# get_batch() on less aligned buffers makes Acero warn and copy.
IPC_OPTIONS = ipc.IpcWriteOptions(allow_64bit=True)
_ROWS_PER_BATCH = 1 << 16
_SMALL = 1 << 18
# Batches this many times smaller than they may be are joined first: each is cut into all partitions.
_MOST_SLICED = 8
_ALIGNMENT = 64
_ROWS = b"mrkernel.rows"
# Linux lets a process have 65,530 memory maps.
_MOST_MAPPED = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a task has written: a file, or for results one part of the result.

    Attributes
    ----------
    task
        The map task whose output this is; what has to run again if the file is lost.
    path
        The file, on the machine of ``worker``.
    worker
        The address of the worker process that wrote it.
    rows
        Rows in each partition, as its task reports them. Later, and for parts of the result, one number for all.
    n_bytes
        Size of the run.
    start
        Where in the file it starts.
    is_small
        Whether it is one batch for all partitions, and may share its file with others.
    sample
        For range partitioning: a table of evenly spaced keys, in order; else None.
    """

    task: int
    path: str
    worker: str
    rows: tuple[int, ...]
    n_bytes: int
    start: int = 0
    is_small: bool = False
    sample: pa.Table | None = None

    @property
    def n_rows(self) -> int:
        """Rows in all partitions."""
        return sum(self.rows)

    def bare(self) -> Run:
        """What a task needs to read it: the file says the rest."""
        return self if len(self.rows) == 1 and self.sample is None else replace(self, rows=(self.n_rows,), sample=None)


class LostRunError(Exception):
    """A shuffle file cannot be read any more; ``tasks`` are the map tasks that have to run again."""

    def __init__(self, tasks: tuple[int, ...]) -> None:
        super().__init__(tasks)
        self.tasks = tasks


def new_path(folder: str, stem: str) -> str:
    """A file name that no other attempt of the same task uses."""
    return os.path.join(folder, f"{stem}-{secrets.token_hex(4)}.arrow")


class SmallRuns:
    """The file that small runs of attempts go to that run one after the other in one process; made when one comes."""

    def __init__(self) -> None:
        self._file: BinaryIO | None = None
        self._path = ""

    def append(self, content: pa.Buffer, folder: str, stem: str) -> tuple[str, int]:
        """Add a run; returns the file's path, and where in it the run starts."""
        # What is appended to a file that was deleted meanwhile would be lost too.
        if self._file is None or os.path.dirname(self._path) != folder or not os.path.exists(self._path):
            self.close()
            self._path = new_path(folder, stem)
            self._file = open(self._path, "wb")  # noqa: SIM115  # other attempts go on writing to it
        try:
            # Mapped, a run's buffers are as well aligned as in a file of its own.
            self._file.write(bytes(-self._file.tell() % _ALIGNMENT))
            start = self._file.tell()
            self._file.write(content)
            self._file.flush()
        except OSError as error:
            self.close()
            error.filename = self._path
            raise
        return self._path, start

    def close(self) -> None:
        """Close the file, if there is one."""
        file, self._file = self._file, None
        if file is not None:
            # What could not be written has been told already.
            with suppress(OSError):
                file.close()


@phase("write")
def write_run(
    table: pa.Table,
    partitions: np.ndarray,
    n_partitions: int,
    *,
    folder: str,
    task: int,
    worker: str,
    small: SmallRuns,
) -> Run:
    """Write ``table`` sorted by partition; rows of a partition keep their order. ``small`` takes it if it is small."""
    counts = np.bincount(partitions, minlength=n_partitions)
    rows = tuple(counts.tolist())
    schema = table.schema.with_metadata({**(table.schema.metadata or {}), _ROWS: _packed(counts)})
    stem = f"map-{task:05d}"
    if table.nbytes <= _SMALL:
        sink = pa.BufferOutputStream()
        ordered = table.take(as_arrow(np.argsort(partitions, kind="stable")))
        _write_batches(sink, schema, [ordered.combine_chunks()])
        content = sink.getvalue()
        path, start = small.append(content, folder, stem)
        return Run(task=task, path=path, worker=worker, rows=rows, n_bytes=content.size, start=start, is_small=True)
    path = new_path(folder, stem)
    with pa.OSFile(path, "wb") as file:
        _write_batches(file, schema, _by_partition(table, partitions, n_partitions))
    return Run(task=task, path=path, worker=worker, rows=rows, n_bytes=os.path.getsize(path))


def _packed(counts: np.ndarray) -> bytes:
    """Numbers in as few bytes as the largest needs."""
    kind = np.min_scalar_type(int(counts.max(initial=0)))
    return kind.char.encode() + counts.astype(kind).tobytes()


def _unpacked(content: bytes) -> np.ndarray:
    return np.frombuffer(content, content[:1].decode(), offset=1)


def _by_partition(table: pa.Table, partitions: np.ndarray, n_partitions: int) -> Iterator[pa.Table]:
    """The rows of each partition that has some, in their order.

    Some rows at a time are sorted: to gather text that lies scattered over more than the cache takes twice as long.
    """
    if n_partitions == 1:
        yield table.combine_chunks()
        return
    pieces: list[list[pa.RecordBatch]] = [[] for _ in range(n_partitions)]
    first = 0
    batches = table.to_batches(max_chunksize=_ROWS_PER_BATCH)
    if len(batches) * _ROWS_PER_BATCH > _MOST_SLICED * table.num_rows:
        batches = table.combine_chunks().to_batches(max_chunksize=_ROWS_PER_BATCH)
    for batch in batches:
        ids = partitions[first : first + batch.num_rows]
        ordered = batch.take(as_arrow(np.argsort(ids, kind="stable")))
        counts = np.bincount(ids, minlength=n_partitions)
        starts = np.cumsum(counts) - counts
        for number in np.flatnonzero(counts).tolist():
            pieces[number].append(ordered.slice(starts[number], counts[number]))
        first += batch.num_rows
    for found in pieces:
        if found:
            yield pa.Table.from_batches(found).combine_chunks()


def _write_batches(sink: Any, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    with ipc.new_file(sink, schema, options=IPC_OPTIONS) as writer:
        for table in tables:
            for batch in table.to_batches():
                writer.write_batch(batch)


class _Opener:
    """Opens runs; those that share a file share its mapping."""

    def __init__(self, fetch: Fetch | None, *, is_mapped: bool) -> None:
        self._fetch, self._is_mapped = fetch, is_mapped
        self._files: dict[str, pa.NativeFile] = {}

    @property
    def is_remote(self) -> bool:
        """Whether files may be on other machines."""
        return self._fetch is not None

    def open(self, run: Run) -> ipc.RecordBatchFileReader:
        try:
            if self._fetch is not None and not os.path.exists(run.path):
                remote = RemoteFile(run.worker, run.path, self._fetch, start=run.start, n_bytes=run.n_bytes)
                return ipc.open_file(pa.PythonFile(remote, mode="r"))
            file = self._files.get(run.path)
            if file is None:
                file = pa.memory_map(run.path) if self._is_mapped else pa.OSFile(run.path)
            if not run.is_small:
                return ipc.open_file(file)
            if self._is_mapped:
                self._files[run.path] = file
            file.seek(run.start)
            return ipc.open_file(file.read_buffer(run.n_bytes))
        except (OSError, pa.ArrowInvalid):
            raise LostRunError((run.task,)) from None

    def open_all(self, runs: Sequence[Run]) -> list[ipc.RecordBatchFileReader]:
        return _of_each(runs, self.open)


def _of_each(items: Iterable[Any], read: Callable[[Any], Any]) -> list[Any]:
    """What is read of each run; those that are lost are told together, as each would cost another attempt."""
    found: list[Any] = []
    lost: set[int] = set()
    for item in items:
        try:
            found.append(read(item))
        except LostRunError as error:
            lost.update(error.tasks)
    if lost:
        raise LostRunError(tuple(sorted(lost)))
    return found


def _can_be_open(runs: Sequence[Run]) -> bool:
    """Whether their files are no more than half of what the process may open; else each is read and closed."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    most = _MOST_MAPPED if limit == resource.RLIM_INFINITY else min(_MOST_MAPPED, limit // 2)
    return len({run.path for run in runs}) <= most


class RunReaders:
    """Open runs, so that a task that walks many partitions opens each file once, unless they are too many."""

    @phase("fetch")
    def __init__(self, runs: Sequence[Run], fetch: Fetch | None = None) -> None:
        self._runs = [run for run in runs if run.n_rows]
        self._fetch, self._is_mapped = fetch, _can_be_open(self._runs)
        self._opener = _Opener(fetch, is_mapped=self._is_mapped)
        opened = _of_each(self._runs, self._opened)
        self._readers = [reader for _, reader in opened]
        # One line for each run.
        self._rows = np.stack([rows for rows, _ in opened]) if opened else np.zeros((0, 0), np.uint8)
        self._row_bytes = np.array([run.n_bytes / run.n_rows for run in self._runs])
        self._is_small = np.array([run.is_small for run in self._runs], bool)
        self._at, self._places = 0, np.zeros(len(self._runs), np.int64)
        self._kinds = list(_kinds(self._readers))

    def _opened(self, run: Run) -> tuple[np.ndarray, Any]:
        """The rows that a run has in each partition, and what it is read from if it stays open."""
        reader = self._opener.open(run)
        rows = _unpacked(reader.schema.metadata[_ROWS])
        if not self._is_mapped:
            return rows, None
        return rows, _read(run, partial(reader.get_batch, 0)) if run.is_small else reader

    def n_bytes(self, partitions: Sequence[int]) -> int:
        """About how large some partitions are."""
        if not self._runs:
            return 0
        return int((self._rows[:, list(partitions)].sum(axis=1) * self._row_bytes).sum())

    def unmap(self) -> None:
        """From here on read into memory that can be given back at once: what is mapped counts as the process's own."""
        self._readers = [None] * len(self._runs)
        self._opener = _Opener(self._fetch, is_mapped=False)

    @phase("fetch")
    def partition(self, number: int) -> list[pa.Table]:
        """The tables of one partition, in the order of the runs; neighbours of small runs are one table.

        Raises
        ------
        LostRunError
            Naming the map task whose file is gone.
        """
        stretches = self._stretches(number)
        tables = zip(stretches, _of_each(stretches, self._read), strict=True)
        # Whatever is done with a table costs 10 to 30 µs, and 10,000 splits have as many here of some rows each.
        groups = groupby(tables, lambda pair: self._kinds[pair[0][0]])
        together = [[table for _, table in group] for _, group in groups]
        return [tables[0] if len(tables) == 1 else pa.concat_tables(tables).combine_chunks() for tables in together]

    def pieces(self, number: int) -> list[Callable[[], pa.Table]]:
        """The tables of each run, each read when it is called for.

        Raises
        ------
        LostRunError
            Naming all map tasks whose files are gone by now.
        """
        stretches = self._stretches(number)
        runs = [self._runs[index] for index, _, _ in stretches]
        if not self._opener.is_remote and (lost := {run.task for run in runs if not os.path.exists(run.path)}):
            raise LostRunError(tuple(sorted(lost)))
        return [partial(phase("fetch")(self._read), stretch) for stretch in stretches]

    def _stretches(self, number: int) -> list[tuple[int, int, int]]:
        """Where a partition is: the index of a run, the place in it, and how many rows."""
        if not self._runs:
            return []
        self._go_to(number)
        rows = self._rows[:, number]
        having = np.flatnonzero(rows)
        return list(zip(having.tolist(), self._places[having].tolist(), rows[having].tolist(), strict=True))

    def _go_to(self, number: int) -> None:
        """Find where a partition is: its batch, as one without rows has none; in a small run its first row."""
        if number < self._at:
            self._at, self._places = 0, np.zeros_like(self._places)
        passed = self._rows[:, self._at : number]
        self._places = self._places + np.where(
            self._is_small, passed.sum(axis=1, dtype=np.int64), np.count_nonzero(passed, axis=1)
        )
        self._at = number

    def _read(self, stretch: tuple[int, int, int]) -> pa.Table:
        index, place, n_rows = stretch
        run, reader = self._runs[index], self._readers[index]
        if not run.is_small:
            return _read(run, partial((reader or self._opener.open(run)).get_batch, place))
        table = _read(run, partial(self._opener.open(run).get_batch, 0)) if reader is None else reader
        return table.slice(place, n_rows)


def _kinds(readers: Iterable[Any]) -> Iterator[int]:
    """A number for each run, the same for small ones with columns like those before."""
    kind, last = 0, None
    for reader in readers:
        schema = reader.schema if isinstance(reader, pa.Table) else None
        if schema is None or last is None or not schema.equals(last, check_metadata=True):
            kind, last = kind + 1, schema
        yield kind


@phase("fetch")
def read_all(runs: Sequence[Run], fetch: Fetch | None = None) -> list[pa.Table]:
    """Everything the runs hold, a table for each run that has rows.

    Raises
    ------
    LostRunError
        Naming the map tasks whose files are gone.
    """
    kept = [run for run in runs if run.n_rows]
    is_mapped = _can_be_open(kept)
    opener = _Opener(fetch, is_mapped=is_mapped)
    if not is_mapped:
        return _of_each(kept, lambda run: _read(run, opener.open(run).read_all))
    return [_read(run, reader.read_all) for run, reader in zip(kept, opener.open_all(kept), strict=True)]


def _read(run: Run, read: Callable[[], Any]) -> pa.Table:
    try:
        found = read()
    except OSError:
        raise LostRunError((run.task,)) from None
    table = found if isinstance(found, pa.Table) else pa.Table.from_batches([found])
    # What a task says of its columns stays.
    told = {name: value for name, value in (table.schema.metadata or {}).items() if name != _ROWS}
    return table.replace_schema_metadata(told or None)
