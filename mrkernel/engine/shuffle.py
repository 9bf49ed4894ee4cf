"""Shuffle files: one Arrow IPC file for each run of a map task, one record batch for each partition that has rows.

A map task writes its runs and returns their :class:`Run` records; a reduce task memory-maps what it needs of each. No
task sees another task's memory, and nothing is M x R in messages.
"""

from __future__ import annotations

import io
import os
import resource
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from pyarrow import ipc

from mrkernel.engine.phases import phase

__all__ = [
    "Fetch",
    "LostRunError",
    "RemoteFile",
    "Run",
    "RunReaders",
    "new_path",
    "read_all",
    "write_batches",
    "write_run",
]

# get_batch() on less aligned buffers makes Acero warn and copy.
_OPTIONS = ipc.IpcWriteOptions(allow_64bit=True)
_ROWS_PER_BATCH = 1 << 16
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
        Size of the file.
    sample
        For range partitioning: a table of evenly spaced keys, in order; else None.
    """

    task: int
    path: str
    worker: str
    rows: tuple[int, ...]
    n_bytes: int
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


@phase("write")
def write_run(
    table: pa.Table, partitions: np.ndarray, n_partitions: int, *, folder: str, task: int, worker: str
) -> Run:
    """Write ``table`` sorted by partition; rows of a partition keep their order."""
    counts = np.bincount(partitions, minlength=n_partitions)
    if n_partitions > 1:
        order = np.argsort(partitions, kind="stable")
        table = table.take(pa.array(order))
    table = table.combine_chunks()
    path = new_path(folder, f"map-{task:05d}")
    starts = np.concatenate([[0], np.cumsum(counts)])
    with pa.OSFile(path, "wb") as file, ipc.new_file(file, table.schema, options=_OPTIONS) as writer:
        for start, count in zip(starts.tolist(), counts.tolist(), strict=False):
            if count:
                for batch in table.slice(start, count).to_batches():
                    writer.write_batch(batch)
    return Run(task=task, path=path, worker=worker, rows=tuple(counts.tolist()), n_bytes=os.path.getsize(path))


def _open(run: Run, fetch: Fetch | None, *, is_mapped: bool = True) -> ipc.RecordBatchFileReader:
    try:
        if fetch is None or os.path.exists(run.path):
            return ipc.open_file(pa.memory_map(run.path) if is_mapped else pa.OSFile(run.path))
        return ipc.open_file(pa.PythonFile(RemoteFile(run.worker, run.path, run.n_bytes, fetch), mode="r"))
    except (OSError, pa.ArrowInvalid):
        raise LostRunError((run.task,)) from None


def _most_open() -> int:
    """How many runs may be open at once, half of what the process may open; of more, each is read and closed."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _MOST_MAPPED if limit == resource.RLIM_INFINITY else min(_MOST_MAPPED, limit // 2)


def _open_all(runs: Sequence[Run], fetch: Fetch | None) -> list[ipc.RecordBatchFileReader]:
    readers, lost = [], []
    for run in runs:
        try:
            readers.append(_open(run, fetch))
        except LostRunError:
            lost.append(run.task)
    if lost:
        raise LostRunError(tuple(sorted(set(lost))))
    return readers


class RunReaders:
    """Open runs, so that a task that walks many partitions opens each file once, unless they are too many."""

    @phase("fetch")
    def __init__(self, runs: Sequence[Run], fetch: Fetch | None = None) -> None:
        self._runs = [run for run in runs if run.n_rows]
        self._fetch = fetch
        # A partition without rows has no batch in its file.
        self._places = [np.cumsum(np.asarray(run.rows) > 0) - 1 for run in self._runs]
        self._readers = _open_all(self._runs, fetch) if len(self._runs) <= _most_open() else None

    @phase("fetch")
    def partition(self, number: int) -> list[pa.Table]:
        """The tables of one partition, in the order of the runs.

        Raises
        ------
        LostRunError
            Naming the map task whose file is gone.
        """
        tables = []
        for index, run in enumerate(self._runs):
            if run.rows[number]:
                reader = self._readers[index] if self._readers else _open(run, self._fetch, is_mapped=False)
                tables.append(_read(run, partial(reader.get_batch, int(self._places[index][number]))))
        return tables


@phase("fetch")
def read_all(runs: Sequence[Run], fetch: Fetch | None = None) -> list[pa.Table]:
    """Everything the runs hold, a table for each run that has rows.

    Raises
    ------
    LostRunError
        Naming the map tasks whose files are gone.
    """
    kept = [run for run in runs if run.n_rows]
    if len(kept) > _most_open():
        return [_read(run, _open(run, fetch, is_mapped=False).read_all) for run in kept]
    return [_read(run, reader.read_all) for run, reader in zip(kept, _open_all(kept, fetch), strict=True)]


def _read(run: Run, read: Callable[[], Any]) -> pa.Table:
    try:
        found = read()
    except OSError:
        raise LostRunError((run.task,)) from None
    return found if isinstance(found, pa.Table) else pa.Table.from_batches([found])


class RemoteFile(io.RawIOBase):
    """A file on another worker's machine, read in ranges of 1 to 8 MB (2.6 GB/s on loopback; PERFORMANCE, 2.7)."""

    def __init__(self, worker: str, path: str, n_bytes: int, fetch: Fetch) -> None:
        super().__init__()
        self._worker, self._path, self._n_bytes, self._fetch = worker, path, n_bytes, fetch
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
                wanted = min(max(stop - self._place, _LEAST_FETCHED), _MOST_FETCHED)
                self._first, self._held = self._place, self._fetch(self._worker, self._path, self._place, wanted)
                if not self._held:
                    raise OSError(f"{self._path} on {self._worker} is shorter than it was")
            start = self._place - self._first
            pieces.append(self._held[start : start + stop - self._place])
            self._place += len(pieces[-1])
        return b"".join(pieces)


@phase("commit")
def write_batches(batches: Iterator[pa.Table], path: str) -> tuple[int, int]:
    """Write tables of one schema to a new IPC file in batches of 64 k rows; returns rows and bytes."""
    rows, writer, file = 0, None, None
    try:
        for table in batches:
            if writer is None:
                file = pa.OSFile(path, "wb")
                writer = ipc.new_file(file, table.schema, options=_OPTIONS)
            writer.write_table(table, max_chunksize=_ROWS_PER_BATCH)
            rows += table.num_rows
    finally:
        if writer is not None:
            writer.close()
        if file is not None:
            file.close()
    return rows, os.path.getsize(path) if file is not None else 0
