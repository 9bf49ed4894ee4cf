"""Shuffle files: one Arrow IPC file for each run of a map task, one record batch for each partition that has rows.

A map task writes its runs and returns their :class:`Run` records; a reduce task memory-maps what it needs of each. No
task sees another task's memory, and nothing is M x R in messages.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyarrow import ipc

__all__ = ["LostRunError", "Run", "read_all", "read_partition", "read_range", "write_batches", "write_run"]

# get_batch() on less aligned buffers makes Acero warn and copy.
_OPTIONS = ipc.IpcWriteOptions(allow_64bit=True)
_ROWS_PER_BATCH = 1 << 16


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


def _open(run: Run) -> ipc.RecordBatchFileReader:
    try:
        return ipc.open_file(pa.memory_map(run.path))
    except (OSError, pa.ArrowInvalid):
        raise LostRunError((run.task,)) from None


def _open_all(runs: Sequence[Run]) -> list[ipc.RecordBatchFileReader]:
    readers, lost = [], []
    for run in runs:
        try:
            readers.append(_open(run))
        except LostRunError:
            lost.append(run.task)
    if lost:
        raise LostRunError(tuple(sorted(set(lost))))
    return readers


class RunReaders:
    """Open runs, so that a task that walks many partitions opens each file once."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = [run for run in runs if run.n_rows]
        self._readers = _open_all(self._runs)

    def partition(self, number: int) -> list[pa.Table]:
        """The tables of one partition, in the order of the runs."""
        tables = []
        for run, reader in zip(self._runs, self._readers, strict=True):
            if run.rows[number]:
                batch = sum(1 for count in run.rows[:number] if count)
                tables.append(pa.Table.from_batches([reader.get_batch(batch)]))
        return tables


def read_partition(runs: Sequence[Run], number: int) -> list[pa.Table]:
    """The tables of one partition, memory-mapped, in the order of the runs.

    Raises
    ------
    LostRunError
        Naming every run whose file is gone.
    """
    return RunReaders(runs).partition(number)


def read_all(runs: Sequence[Run]) -> list[pa.Table]:
    """Everything the runs hold, a table for each run that has rows."""
    return [reader.read_all() for reader in _open_all([run for run in runs if run.n_rows])]


def read_range(run: Run, start: int, stop: int) -> pa.Table:
    """Rows ``start`` to ``stop`` of a run in one partition."""
    return _open(run).read_all().slice(start, stop - start)


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
