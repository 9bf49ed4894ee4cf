"""The map task: records of one split through the user's mapper, into runs or parts."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

from mrkernel.engine.tasks.attempt import JoinCall, MapCall, Progress, Runtime
from mrkernel.engine.tasks.calling import batch_outputs, bound, map_pairs, not_a_pair
from mrkernel.engine.tasks.careful_map import CarefulMap
from mrkernel.engine.tasks.collecting import RunCollector
from mrkernel.engine.tasks.joining import JoinedRows
from mrkernel.engine.tasks.parts import PartCollector
from mrkernel.engine.tasks.reading import MapAttempt, Meter, Place, blocks_of, collect, reading
from mrkernel.engine.tasks.setting_aside import SettingAside
from mrkernel.errors import KeyTypeError, ValueTypeError
from mrkernel.grouping import check_keys
from mrkernel.io import Origin, Source, Split
from mrkernel.job import Job
from mrkernel.taskcontext import TaskContext

__all__ = ["run_map"]

_SEARCH_S = 10.0
# A mapper gets as many records at a time as take between these: a slow one is heard of in the midst of a block.
_SHORT_S, _LONG_S, _MOST_AT_ONCE = 0.02, 0.1, 1 << 10


def run_map(
    call: MapCall, step: Job, runtime: Runtime, task: TaskContext, at: Progress, aside: SettingAside | None
) -> dict[str, Any]:
    """Run the call; the fields of its report."""
    meter = own_meter = Meter(runtime)
    if isinstance(call, JoinCall):
        # What is read is told of, and not what the join makes of it.
        call, own_meter = replace(call, source=JoinedRows(call, runtime, meter)), Meter(runtime, tells=False)
    where: dict[str, Any] = {"task": call.task, "worker": runtime.worker, "folder": call.folder}
    collector: RunCollector | PartCollector
    if call.has_shuffle:
        collector = RunCollector(
            step, n_partitions=call.n_partitions, combine=call.combine, is_tolerant=aside is not None,
            small=runtime.small, **where,
        )  # fmt: skip
    else:
        collector = PartCollector(step, **where)
    at.function = "setup"
    with bound(step.mapper, step, task) as function:
        try:
            attempt = MapAttempt(call=call, step=step, function=function, collector=collector, meter=own_meter,
                                 task=task, at=at)  # fmt: skip
            if aside is not None:
                CarefulMap(attempt, aside).run()
            elif step.batch_kind:
                _map_batches(attempt)
            else:
                _map_records(attempt)
            at.function, at.origin = "combiner" if step.combiner is not None else "mapper", None
            spills = len(collector.runs) if call.has_shuffle else 0
            runs = collector.finish()
        except (KeyTypeError, ValueTypeError) as error:
            found = None if step.batch_kind or aside is not None else _point_at_culprit(call, step, function, at)
            raise found or error from None
        at.function = "teardown"
    return {
        "records_in": meter.records,
        "records_out": collector.n_pairs,
        "bytes_in": call.split.size_bytes or meter.n_bytes,
        "bytes_out": sum(run.n_bytes for run in runs),
        "runs": tuple(runs),
        "notes": tuple(collector.notes),
        "spills": spills,
        "keys": collector.sketch.report(collector.n_pairs) if isinstance(collector, RunCollector) else None,
    }


def _map_batches(attempt: MapAttempt) -> None:
    call, task, at, kind = attempt.call, attempt.task, attempt.at, attempt.step.batch_kind
    row = 0
    task.find_source = lambda: call.split.source
    for batch in reading(call.source.read(call.split), at):
        at.function = "mapper"
        first = row
        at.origin = partial(_rows_origin, call.source, call.split, first, batch.num_rows)
        task.locate = at.origin
        for table in batch_outputs(attempt.function, batch, kind):
            attempt.collector.add_table(table)
        row += batch.num_rows
        attempt.meter.count(batch.num_rows, batch.nbytes)
    task.find_source = task.locate = None


def _rows_origin(source: Source, split: Split, first: int, count: int) -> Origin:
    base = split.start if split.unit == "rows" else 0
    location = f"{source.record_name}s {base + first + 1} to {base + first + count} of this split"
    return Origin(source=split.source, location=location, offset=None)


def _map_records(attempt: MapAttempt) -> None:
    source, split = attempt.call.source, attempt.call.split
    task, at, takes_pairs = attempt.task, attempt.at, attempt.step.takes_pairs
    size = 1
    for block in reading(blocks_of(source, split, attempt.step), at):
        at.function = "mapper"
        records, n_mapped = iter(block.records), 0
        here = Place(source, split, block, records)
        task.find_source, task.locate = here.source, here.origin
        at.origin = here.origin
        try:
            while n_mapped < len(block.records):
                attempt.meter.within(block, n_mapped)
                began = time.perf_counter()
                some = islice(records, size)
                collect(map_pairs(attempt.function, some, takes_pairs=takes_pairs), attempt.collector)
                n_mapped += size
                size = _paced(size, time.perf_counter() - began)
        except (KeyTypeError, ValueTypeError):
            # Pairs are looked at many at a time, so the wrong one is rarely the current one.
            raise
        except BaseException:
            at.record, at.has_record = here.record(), bool(block.records)
            raise
        attempt.meter.count(len(block.records), block.n_bytes)
    task.find_source = task.locate = None


def _paced(size: int, seconds: float) -> int:
    """How many records to map next, if so many took so long."""
    if seconds < _SHORT_S:
        # More at once gain nothing, and would be many if they are slow.
        return min(2 * size, _MOST_AT_ONCE)
    return max(1, int(size * _LONG_S / seconds)) if seconds > _LONG_S else size


def _point_at_culprit(call: MapCall, step: Job, function: Any, at: Progress) -> Exception | None:
    """Find the first record whose pairs cannot be used by mapping the split once more, one record at a time.

    Only a failing attempt pays for this, and it gives up after some seconds. Returns what is wrong with the pair.
    """
    at.origin, at.has_record = None, False
    deadline = time.monotonic() + _SEARCH_S
    for block in blocks_of(call.source, call.split, step):
        for index, record in enumerate(block.records):
            if time.monotonic() > deadline:
                return None
            try:
                for pair in map_pairs(function, [record], takes_pairs=step.takes_pairs):
                    _check_pair(pair, step)
            except Exception as error:  # noqa: BLE001  # whatever the mapper raises when it is called alone is the cause
                at.record, at.has_record, at.function = record, True, "mapper"
                at.origin = lambda block=block, index=index: call.source.locate(call.split, block, index)
                return error
    return None


def _check_pair(pair: Any, step: Job) -> None:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise not_a_pair("mapper", pair)
    check_keys([pair[0]])
    if step.reduction is not None and step.reduction.is_algebraic:
        step.reduction.check(pair[1])
