"""The reduce task: partitions of all runs through the reducer, into one part of the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pyarrow as pa

from mrkernel.batches import concat_columns, decode_column
from mrkernel.engine.shuffle import Run, RunReaders, read_all, write_run
from mrkernel.engine.tasks.attempt import MergeCall, Progress, ReduceCall, Runtime
from mrkernel.engine.tasks.calling import bound
from mrkernel.engine.tasks.combining import raw_table
from mrkernel.engine.tasks.evenness import Evenness
from mrkernel.engine.tasks.parts import PartWriter
from mrkernel.engine.tasks.reductions import Reducing
from mrkernel.engine.tasks.setting_aside import SettingAside
from mrkernel.engine.tasks.spilling import KeyRange, key_ranges
from mrkernel.grouping import sort_token
from mrkernel.job import Job
from mrkernel.partition import partition_ids
from mrkernel.taskcontext import TaskContext

__all__ = ["run_merge", "run_reduce"]

# The rows of a partition, the same in order, numbers for each, and what is made of them: about so many times its size.
_ROOM_SHARE = 8


def run_merge(call: MergeCall, step: Job, runtime: Runtime) -> dict[str, Any]:
    """Merge combined map output; the fields of its report."""
    tables = read_all(call.runs, runtime.fetch)
    if not tables:
        return {}
    reduction = step.reduction
    assert reduction is not None
    try:
        merged = reduction.combine(tables)
    except Exception:
        # Values that do not fit together are the reduce task's to judge, key by key.
        if not call.errors.is_tolerant:
            raise
        runs = tuple(_as_run(table, step, call, runtime) for table in _unmerged(tables))
        return {"records_in": sum(table.num_rows for table in tables), "bytes_in": sum(r.n_bytes for r in call.runs),
                "records_out": sum(run.n_rows for run in runs), "bytes_out": sum(run.n_bytes for run in runs),
                "runs": runs}  # fmt: skip
    run = _as_run(merged, step, call, runtime)
    return {
        "records_in": sum(table.num_rows for table in tables), "records_out": merged.num_rows,
        "bytes_in": sum(run.n_bytes for run in call.runs), "bytes_out": run.n_bytes, "runs": (run,),
    }  # fmt: skip


def _unmerged(tables: Sequence[pa.Table]) -> list[pa.Table]:
    """The tables joined as far as their form allows."""
    raw = [table for table in tables if table.schema.names == ["key", "value"]]
    others: dict[str, list[pa.Table]] = {}
    for table in tables:
        if table.schema.names != ["key", "value"]:
            others.setdefault(table.schema.to_string(show_schema_metadata=True), []).append(table)
    return [*([raw_table(raw)] if raw else []), *map(pa.concat_tables, others.values())]


def _as_run(merged: pa.Table, step: Job, call: MergeCall, runtime: Runtime) -> Run:
    column = (merged.column(0).combine_chunks(), merged.schema.field(0))
    if isinstance(column[0], pa.ChunkedArray):
        column = concat_columns([(piece, column[1]) for piece in column[0].chunks], column[1].name)
    ids = partition_ids(column, call.n_partitions, step.partitioner)
    return write_run(merged, ids, call.n_partitions, folder=call.folder, task=call.task, worker=runtime.worker,
                     small=runtime.small)  # fmt: skip


def run_reduce(
    call: ReduceCall, step: Job, runtime: Runtime, task: TaskContext, at: Progress, aside: SettingAside | None
) -> dict[str, Any]:
    """Run the call; the fields of its report."""
    at.function = "setup"
    inputs = _Inputs(call, runtime)
    n_rows = n_out = n_bytes_in = 0
    evenness = Evenness(call)
    own = step.reducer if step.reduction is None else None
    with PartWriter(call.folder, call.task, runtime.worker) as parts, bound(own, step, task) as function:
        reducing = Reducing(step, function, at, task, aside, evenness)
        for number in call.partitions or (None,):
            at.partition = number
            n_before = n_rows
            evenness.begin(number)
            for rows in inputs.of(number):
                runtime.check()
                n_rows += sum(table.num_rows for table in rows) if isinstance(rows, list) else rows.n_rows
                n_bytes_in += sum(table.nbytes for table in rows) if isinstance(rows, list) else rows.n_bytes
                at.function = "reducer"
                for table in reducing.tables(rows):
                    n_out += table.num_rows
                    parts.add(table)
                runtime.tell(n_rows, n_bytes_in)
            if call.keeps_apart:
                parts.end_part()
            evenness.end(n_rows - n_before)
        at.function = "teardown"
    runs = parts.finish()
    return {
        "records_in": n_rows,
        "records_out": n_out,
        "bytes_in": n_bytes_in,
        "bytes_out": sum(run.n_bytes for run in runs),
        "runs": tuple(runs),
        "spills": inputs.n_spilled,
        "keys": evenness.report(n_rows),
    }


class _Inputs:
    """The rows of a call: a partition's tables, or ranges of its keys where it is larger than a task may hold."""

    def __init__(self, call: ReduceCall, runtime: Runtime) -> None:
        self._call, self._runtime = call, runtime
        self._room = None if runtime.memory_bytes is None else max(1, runtime.memory_bytes // _ROOM_SHARE)
        self._readers: RunReaders | None = None
        self.n_spilled = 0
        if call.partitions:
            self._readers = RunReaders(call.runs, runtime.fetch)
            if not self._fits(self._readers.n_bytes(call.partitions)):
                self._readers.unmap()

    def _fits(self, n_bytes: int) -> bool:
        return self._room is None or n_bytes <= self._room

    def of(self, number: int | None) -> Iterator[list[pa.Table] | KeyRange]:
        """All rows of a partition, or of the call if it is None; nothing where there are none."""
        if self._readers is None or number is None:
            tables = _tables(self._call, self._runtime)
            n_bytes = sum(table.nbytes for table in tables)
        else:
            n_bytes = self._readers.n_bytes([number])
            tables = self._readers.partition(number) if self._fits(n_bytes) else []
        if self._room is None or n_bytes <= self._room:
            if tables:
                yield tables
            return
        self.n_spilled += 1
        pieces: list[Callable[[], pa.Table]] = [partial(_itself, table) for table in tables]
        if self._readers is not None and number is not None:
            pieces = self._readers.pieces(number)
        yield from key_ranges(pieces, n_bytes, room=self._room, folder=self._call.folder, check=self._runtime.check)


def _itself(table: pa.Table) -> pa.Table:
    return table


def _tables(call: ReduceCall, runtime: Runtime) -> list[pa.Table]:
    """All rows of the runs, or those of the call's range of keys."""
    tables = read_all(call.runs, runtime.fetch)
    if call.lower is None and call.upper is None:
        return tables
    lower, upper = _bound_token(call.lower), _bound_token(call.upper)
    ranges = []
    for table in tables:
        start = _count_until(table, lower) if lower is not None else 0
        stop = _count_until(table, upper) if upper is not None else table.num_rows
        if stop > start:
            ranges.append(table.slice(start, stop - start))
    return ranges


def _bound_token(table: pa.Table | None) -> tuple[Any, ...] | None:
    return None if table is None else sort_token(decode_column(table.column(0), table.schema.field(0))[0])


def _count_until(table: pa.Table, bound_token: tuple[Any, ...]) -> int:
    """How many rows of a sorted table have a key not above the bound: a binary search that decodes few keys."""
    column, field = table.column(0), table.schema.field(0)
    low, high = 0, table.num_rows
    while low < high:
        middle = (low + high) // 2
        if sort_token(decode_column(column.slice(middle, 1), field)[0]) <= bound_token:
            low = middle + 1
        else:
            high = middle
    return low
