"""The reduce task: partitions of all runs through the reducer, into one part of the result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from mrkernel.batches import Column, concat_columns, decode_column, encode_column, make_table, value_columns
from mrkernel.engine.shuffle import Run, RunReaders, new_path, read_all, write_batches, write_run
from mrkernel.engine.tasks.attempt import AttemptCancelled, MergeCall, Progress, ReduceCall, Runtime
from mrkernel.engine.tasks.calling import bound, reduced_pairs
from mrkernel.engine.tasks.careful_reduce import careful_finish, careful_reduced_pairs
from mrkernel.engine.tasks.combining import raw_table
from mrkernel.engine.tasks.evenness import Evenness
from mrkernel.engine.tasks.ordering import value_order
from mrkernel.engine.tasks.setting_aside import SettingAside
from mrkernel.grouping import encode_keys, group, sort_token
from mrkernel.job import Job
from mrkernel.partition import partition_ids
from mrkernel.taskcontext import TaskContext

__all__ = ["run_merge", "run_reduce"]

_PAIRS = 1 << 16


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
    readers = RunReaders(call.runs, runtime.fetch) if call.partitions else None
    n_rows = n_out = n_bytes_in = 0
    runs: list[Run] = []
    pending: list[pa.Table] = []

    def write() -> None:
        if pending:
            path = new_path(call.folder, f"part-{call.task:05d}")
            rows, n_bytes = write_batches(iter(pending), path)
            runs.append(Run(task=call.task, path=path, worker=runtime.worker, rows=(rows,), n_bytes=n_bytes))
            pending.clear()

    evenness = Evenness(call)
    with bound(step.reducer if step.reduction is None else None, step, task) as function:
        for number in call.partitions or (None,):
            if runtime.is_cancelled():
                raise AttemptCancelled
            at.partition = number
            n_before = n_rows
            evenness.begin(number)
            tables = readers.partition(number) if readers and number is not None else _tables(call, runtime)
            n_rows += sum(table.num_rows for table in tables)
            n_bytes_in += sum(table.nbytes for table in tables)
            at.function = "reducer"
            for table in _reduced(step, function, tables, at, task, aside, evenness) if tables else ():
                n_out += table.num_rows
                if pending and pending[0].schema != table.schema:
                    write()
                pending.append(table)
            evenness.end(n_rows - n_before)
            runtime.tell(n_rows, n_bytes_in)
        at.function = "teardown"
    write()
    return {
        "records_in": n_rows,
        "records_out": n_out,
        "bytes_in": n_bytes_in,
        "bytes_out": sum(run.n_bytes for run in runs),
        "runs": tuple(runs),
        "keys": evenness.report(n_rows),
    }


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


def _reduced(
    step: Job,
    function: Any,
    tables: Sequence[pa.Table],
    at: Progress,
    task: TaskContext,
    aside: SettingAside | None,
    evenness: Evenness,
) -> Iterator[pa.Table]:
    if step.reduction is not None:
        if aside is None:
            yield step.reduction.finish(tables)
        else:
            yield careful_finish(step.reduction, tables, at, aside)
        return
    key, value = (_joined(tables, index) for index in (0, 1))
    groups = group(key)
    evenness.see(groups)
    if function is None:
        order = pa.array(groups.order())
        yield make_table([(key[0].take(order), key[1]), *value_columns((value[0].take(order), value[1]))])
        return
    if aside is not None:
        careful = careful_reduced_pairs(function, groups, value, step, at, task, aside)
        yield from _sorted_parts(list(_encoded(careful)))
        at.key, at.has_key = None, False
        return
    order = value_order(step, value, groups.codes, groups.n_groups) if step.sort_values else groups.order()
    ordered = (value[0].take(pa.array(order)), value[1])

    def on_key(current: Any) -> None:
        at.key, at.has_key = current, True

    pairs = reduced_pairs(
        function, decode_column(*groups.keys), groups.starts().tolist(), ordered, step.values_kind, on_key
    )
    yield from _sorted_parts(list(_encoded(pairs)))
    at.key, at.has_key = None, False


def _joined(tables: Sequence[pa.Table], index: int) -> Column:
    pieces = [(piece, table.schema.field(index)) for table in tables for piece in table.column(index).chunks]
    return concat_columns(pieces, ("key", "value")[index])


def _encoded(pairs: Iterator[tuple[Any, Any]]) -> Iterator[tuple[Column, Column]]:
    keys: list[Any] = []
    values: list[Any] = []
    for key, value in pairs:
        keys.append(key)
        values.append(value)
        if len(keys) >= _PAIRS:
            yield encode_keys(keys), encode_column(values, "value")
            keys, values = [], []
    if keys:
        yield encode_keys(keys), encode_column(values, "value")


def _sorted_parts(pieces: list[tuple[Column, Column]]) -> Iterator[pa.Table]:
    """The reducer's rows in key order: its own keys may come in any order."""
    if not pieces:
        return
    key = concat_columns([piece[0] for piece in pieces], "key")
    value = concat_columns([piece[1] for piece in pieces], "value")
    order = pa.array(group(key).order())
    yield make_table([(key[0].take(order), key[1]), *value_columns((value[0].take(order), value[1]))])
