"""Writes a job's result to its target as the job's last stage: shown, and stopped, like the others."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from mrkernel.config import counted
from mrkernel.events import Event, StageFinished, StageStarted, TaskFinished, TaskProgressed, TaskStarted
from mrkernel.io import Part
from mrkernel.result import Result
from mrkernel.result.result import write_to

__all__ = ["STAGE", "Saved", "save"]

STAGE = "save"
_WORKER = "this process"
_TELL_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What a job has written; ``str(saved)`` says it in a sentence.

    Attributes
    ----------
    target
        Where, as the sink calls it.
    paths
        The files, by their final names.

    Examples
    --------
    >>> print(Saved(target="out.csv", paths=("out.csv",), n_rows=3))
    wrote 3 rows to out.csv
    >>> print(Saved(target="out", paths=("out/part-00000.csv", "out/part-00001.csv"), n_rows=3))
    wrote 3 rows to out: 2 files
    """

    target: str
    paths: tuple[str, ...]
    n_rows: int

    def __str__(self) -> str:
        text = f"wrote {counted(self.n_rows, 'row')} to {self.target}"
        is_folder = len(self.paths) > 1 or any(os.path.dirname(path) == self.target.rstrip("/") for path in self.paths)
        return f"{text}: {counted(len(self.paths), 'file')}" if is_folder else text


def save(sink: Any, result: Result, *, job_id: str, emit: Callable[[Event], None], check: Callable[[], None]) -> Saved:
    """Write the whole result, and commit it.

    Parameters
    ----------
    sink
        Was checked before the job ran.
    check
        Raises once the job was told to stop; nothing of the target is left then.
    """
    began = time.perf_counter()
    n_parts = 1 if sink.is_single else max(1, result.num_parts)
    emit(StageStarted(job_id=job_id, stage=STAGE, n_tasks=n_parts, input_bytes=result.num_bytes))
    watched = _WatchedSink(sink, job_id, emit, check)
    paths = write_to(watched, result)
    emit(
        StageFinished(job_id=job_id, stage=STAGE, n_tasks=watched.n_parts, seconds=time.perf_counter() - began,
                      records_in=result.num_rows, records_out=result.num_rows, bytes_in=result.num_bytes,
                      bytes_out=watched.n_bytes)
    )  # fmt: skip
    return Saved(target=str(sink.name), paths=tuple(paths), n_rows=result.num_rows)


class _WatchedSink:
    """A sink that tells of each part, and looks before each batch and in the commit whether to go on."""

    def __init__(self, sink: Any, job_id: str, emit: Callable[[Event], None], check: Callable[[], None]) -> None:
        self._sink, self._job_id = sink.stoppable(check), job_id
        self._emit, self._check = emit, check
        self.is_single: bool = sink.is_single
        self.n_parts = self.n_bytes = 0

    def write_part(self, index: int, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Part:
        return self._written(index, batches, partial(self._sink.write_part, index, schema))

    def write_whole(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Part:
        return self._written(0, batches, partial(self._sink.write_whole, schema))

    def _written(
        self, index: int, batches: Iterable[pa.RecordBatch], write: Callable[[Iterator[pa.RecordBatch]], Part]
    ) -> Part:
        began = time.perf_counter()
        named = {"job_id": self._job_id, "stage": STAGE, "task": index, "attempt": 1, "worker": _WORKER}  # type: dict[str, Any]
        self._emit(TaskStarted(**named))
        part = write(self._watched(index, batches))
        self.n_parts += 1
        self.n_bytes += part.n_bytes
        self._emit(TaskFinished(**named, seconds=time.perf_counter() - began, records_in=part.n_rows,
                                records_out=part.n_rows, bytes_in=0, bytes_out=part.n_bytes))  # fmt: skip
        return part

    def commit(self, parts: Sequence[Part]) -> list[str]:
        self._check()
        paths: list[str] = self._sink.commit(parts)
        return paths

    def abort(self) -> None:
        self._sink.abort()

    def _watched(self, index: int, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        n_rows, told = 0, time.perf_counter()
        for batch in batches:
            self._check()
            yield batch
            n_rows += batch.num_rows
            if time.perf_counter() > told + _TELL_S:
                told = time.perf_counter()
                self._emit(TaskProgressed(job_id=self._job_id, stage=STAGE, task=index, records=n_rows, input_bytes=0))
