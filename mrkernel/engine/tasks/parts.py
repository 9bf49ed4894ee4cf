"""What a map-only task does with its pairs: parts of the result, in input order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from mrkernel.batches import encode_column, make_table, value_columns
from mrkernel.engine.partfiles import PartFile, write_batches
from mrkernel.engine.shuffle import Run, new_path
from mrkernel.engine.tasks.weighing import FIRST_PAIRS, sampled_bytes
from mrkernel.grouping import encode_keys
from mrkernel.job import Job

__all__ = ["PartCollector", "PartWriter"]

_PAIRS = 1 << 16
_PART_BYTES = 64 << 20


class PartCollector:
    """Pairs of a map-only job: parts of the result, in input order; a new part wherever the column types change."""

    def __init__(self, step: Job, *, task: int, worker: str, folder: str) -> None:
        self._step, self._task, self._worker, self._folder = step, task, worker, folder
        self._keys: list[Any] = []
        self._values: list[Any] = []
        self._held = 0
        self.n_at_once = FIRST_PAIRS
        self._tables: list[pa.Table] = []
        self._bytes = 0
        self.runs: list[Run] = []
        self.n_pairs = 0
        self.notes: list[str] = []

    def add(self, keys: list[Any], values: list[Any]) -> None:
        """Take some pairs, in order."""
        self.n_pairs += len(keys)
        self._keys += keys
        self._values += values
        self._held += sampled_bytes(values)
        if len(self._keys) >= _PAIRS or self._held > _PART_BYTES // 4:
            self._flush()

    def count(self, pairs: list[tuple[Any, Any]]) -> bool:
        """Nothing is combined here."""
        return False

    def stream(self, pairs: Iterator[Any]) -> None:
        """Nothing is combined here."""

    def add_table(self, table: pa.Table) -> None:
        """Take a batch mapper's table; its columns are the result's."""
        self.n_pairs += table.num_rows
        self._append(table)

    def finish(self) -> list[Run]:
        """Write what is left and return all parts."""
        self._flush()
        self._write()
        return self.runs

    def _flush(self) -> None:
        if self._keys:
            value = encode_column(self._values, "value")
            self._append(make_table([encode_keys(self._keys), *value_columns(value)]))
            self._keys, self._values, self._held = [], [], 0

    def _append(self, table: pa.Table) -> None:
        if self._tables and not self._tables[0].schema.equals(table.schema, check_metadata=True):
            self._write()
        self._tables.append(table)
        self._bytes += table.nbytes
        if self._bytes > _PART_BYTES:
            self._write()

    def _write(self) -> None:
        if self._tables:
            path = new_path(self._folder, f"part-{self._task:05d}")
            rows, n_bytes = write_batches(self._tables, path)
            self.runs.append(Run(task=self._task, path=path, worker=self._worker, rows=(rows,), n_bytes=n_bytes))
            self._tables, self._bytes = [], 0


class PartWriter:
    """Rows on their way into parts of the result, none of them held; a new part wherever the column types change."""

    def __init__(self, folder: str, task: int, worker: str) -> None:
        self._folder, self._task, self._worker = folder, task, worker
        self._file: PartFile | None = None
        self._runs: list[Run] = []

    def add(self, table: pa.Table) -> None:
        """Take some rows."""
        if self._file is None or not self._file.takes(table):
            self.end_part()
            self._file = PartFile(new_path(self._folder, f"part-{self._task:05d}"), table.schema)
        self._file.write(table)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What an attempt that failed has written goes: it may be the disk that is full."""
        if error is not None:
            with suppress(OSError, pa.ArrowInvalid):
                self.end_part()
            for path in [*(run.path for run in self._runs), *([self._file.path] if self._file is not None else [])]:
                with suppress(OSError):
                    os.unlink(path)

    def finish(self) -> tuple[Run, ...]:
        """Return all parts."""
        self.end_part()
        return tuple(self._runs)

    def end_part(self) -> None:
        """What comes next is a part of its own."""
        if self._file is not None:
            path, (rows, n_bytes) = self._file.path, self._file.close()
            self._runs.append(Run(task=self._task, path=path, worker=self._worker, rows=(rows,), n_bytes=n_bytes))
            self._file = None
