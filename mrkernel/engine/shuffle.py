"""Shuffle files: the runs of map tasks in Arrow's IPC format, in the order of their partitions.

In a large run, which is a file, each partition that has rows is a record batch of its own, so that a reduce task reads
what it needs. A small run is one batch, and those of attempts that follow each other share a file: a batch costs 20 µs
and a kilobyte however little it holds, and a file up to 0.7 ms (ext4 without a journal, after many were deleted).

A map task writes its runs and returns their :class:`Run` records; a reduce task memory-maps what it needs of each. No
task sees another task's memory, and nothing is M x R in messages.
"""

from __future__ import annotations

import io
import os
import resource
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import ipc

from mrkernel.batches import as_arrow
from mrkernel.engine.phases import phase

__all__ = [
    "IPC_OPTIONS",
    "Fetch",
    "LostRunError",
    "RemoteFile",
    "Run",
    "RunReaders",
    "SmallRuns",
    "new_path",
    "partition_bytes",
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
# Linux lets a process have 65,530 memory maps.
_MOST_MAPPED = 30_000
_LEAST_FETCHED, _MOST_FETCHED = 1 << 20, 8 << 20

# (worker's address, path, start, length) -> bytes from a file on that worker's machine; OSError if it is gone.
Fetch: TypeAlias = Callable[[str, str, int, int], bytes]


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
        Rows in each partition.
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
    rows = tuple(np.bincount(partitions, minlength=n_partitions).tolist())
    stem = f"map-{task:05d}"
    if table.nbytes <= _SMALL:
        sink = pa.BufferOutputStream()
        ordered = table.take(as_arrow(np.argsort(partitions, kind="stable")))
        _write_batches(sink, table.schema, [ordered.combine_chunks()])
        content = sink.getvalue()
        path, start = small.append(content, folder, stem)
        return Run(task=task, path=path, worker=worker, rows=rows, n_bytes=content.size, start=start, is_small=True)
    path = new_path(folder, stem)
    with pa.OSFile(path, "wb") as file:
        _write_batches(file, table.schema, _by_partition(table, partitions, n_partitions))
    return Run(task=task, path=path, worker=worker, rows=rows, n_bytes=os.path.getsize(path))


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
                return ipc.open_file(pa.PythonFile(RemoteFile(run, self._fetch), mode="r"))
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


def _of_each(runs: Iterable[Run], read: Callable[[Run], Any]) -> list[Any]:
    """What is read of each run; those that are lost are told together, as each would cost another attempt."""
    found: list[Any] = []
    lost: set[int] = set()
    for run in runs:
        try:
            found.append(read(run))
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


def partition_bytes(runs: Iterable[Run], number: int) -> int:
    """About how large one partition of the runs is."""
    return sum(run.n_bytes * run.rows[number] // max(1, run.n_rows) for run in runs)


class RunReaders:
    """Open runs, so that a task that walks many partitions opens each file once, unless they are too many.

    Parameters
    ----------
    runs
        What to read.
    fetch
        Reads files of other machines.
    may_map
        False to read into memory that can be given back at once: what is mapped counts as the process's own.
    """

    @phase("fetch")
    def __init__(self, runs: Sequence[Run], fetch: Fetch | None = None, *, may_map: bool = True) -> None:
        self._runs = [run for run in runs if run.n_rows]
        self._indexes = {(run.path, run.start): index for index, run in enumerate(self._runs)}
        is_mapped = may_map and _can_be_open(self._runs)
        self._opener = _Opener(fetch, is_mapped=is_mapped)
        # Where a partition is: its batch, as one without rows has none; in a small run its first row.
        self._places = [
            np.cumsum([0, *run.rows]) if run.is_small else np.cumsum(np.asarray(run.rows) > 0) - 1 for run in self._runs
        ]
        self._readers = self._opener.open_all(self._runs) if is_mapped else None

    @phase("fetch")
    def partition(self, number: int) -> list[pa.Table]:
        """The tables of one partition, in the order of the runs.

        Raises
        ------
        LostRunError
            Naming the map task whose file is gone.
        """
        return _of_each((run for run in self._runs if run.rows[number]), partial(self._read, number))

    def pieces(self, number: int) -> list[Callable[[], pa.Table]]:
        """The same tables, each read when it is called for.

        Raises
        ------
        LostRunError
            Naming all map tasks whose files are gone by now.
        """
        runs = [run for run in self._runs if run.rows[number]]
        if not self._opener.is_remote and (lost := {run.task for run in runs if not os.path.exists(run.path)}):
            raise LostRunError(tuple(sorted(lost)))
        return [partial(self._read, number, run) for run in runs]

    @phase("fetch")
    def _read(self, number: int, run: Run) -> pa.Table:
        index = self._indexes[run.path, run.start]
        reader = self._readers[index] if self._readers else self._opener.open(run)
        place = int(self._places[index][number])
        found = _read(run, partial(reader.get_batch, 0 if run.is_small else place))
        return found.slice(place, run.rows[number]) if run.is_small else found


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
    return found if isinstance(found, pa.Table) else pa.Table.from_batches([found])


class RemoteFile(io.RawIOBase):
    """A run on another worker's machine, read in ranges of 1 to 8 MB (2.6 GB/s on loopback; PERFORMANCE, 2.7)."""

    def __init__(self, run: Run, fetch: Fetch) -> None:
        super().__init__()
        self._run, self._n_bytes, self._fetch = run, run.n_bytes, fetch
        self._place = 0
        self._first, self._held = 0, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._n_bytes}[whence]
        self._place = max(0, base + offset)
        return self._place

    def tell(self) -> int:
        return self._place

    def read(self, size: int = -1) -> bytes:
        stop = self._n_bytes if size is None or size < 0 else min(self._n_bytes, self._place + size)
        pieces = []
        while self._place < stop:
            if not self._first <= self._place < self._first + len(self._held):
                wanted = min(max(stop - self._place, _LEAST_FETCHED), _MOST_FETCHED, self._n_bytes - self._place)
                place = self._run.start + self._place
                self._first, self._held = self._place, self._fetch(self._run.worker, self._run.path, place, wanted)
                if not self._held:
                    raise OSError(f"{self._run.path} on {self._run.worker} is shorter than it was")
            start = self._place - self._first
            pieces.append(self._held[start : start + stop - self._place])
            self._place += len(pieces[-1])
        return b"".join(pieces)
