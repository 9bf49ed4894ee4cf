"""The map task: records of one split through the user's mapper, into runs or parts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

from mrkernel.engine.tasks.attempt import AttemptCancelled, MapCall, Progress, Runtime
from mrkernel.engine.tasks.calling import batch_outputs, bound, map_pairs, not_a_pair
from mrkernel.engine.tasks.collecting import RunCollector
from mrkernel.engine.tasks.parts import PartCollector
from mrkernel.errors import KeyTypeError, ValueTypeError
from mrkernel.grouping import check_keys
from mrkernel.io import RecordBlock, Source, Split
from mrkernel.job import Job
from mrkernel.taskcontext import TaskContext

__all__ = ["run_map"]

# Pairs are checked and handed on in pieces that stay in the cache.
_PIECE = 1 << 9
_REPORT_S = 0.25
_SEARCH_S = 10.0


def run_map(call: MapCall, step: Job, runtime: Runtime, task: TaskContext, at: Progress) -> dict[str, Any]:
    """Run the call; the fields of its report."""
    where: dict[str, Any] = {"task": call.task, "worker": runtime.worker, "folder": call.folder}
    collector: RunCollector | PartCollector
    if call.has_shuffle:
        collector = RunCollector(step, n_partitions=call.n_partitions, combine=call.combine, **where)
    else:
        collector = PartCollector(step, **where)
    meter = _Meter(runtime)
    at.function = "setup"
    with bound(step.mapper, step, task) as function:
        try:
            if step.batch_kind:
                _map_batches(call, step.batch_kind, function, collector, meter, task, at)
            else:
                _map_records(call, step, function, collector, meter, task, at)
            at.function, at.origin = "combiner" if step.combiner is not None else "mapper", None
            runs = collector.finish()
        except (KeyTypeError, ValueTypeError) as error:
            found = None if step.batch_kind else _point_at_culprit(call, step, function, at)
            raise found or error from None
        at.function = "teardown"
    return {
        "records_in": meter.records,
        "records_out": collector.n_pairs,
        "bytes_in": call.split.size_bytes or meter.n_bytes,
        "bytes_out": sum(run.n_bytes for run in runs),
        "runs": tuple(runs),
        "notes": tuple(collector.notes),
    }


class _Meter:
    """Counts what was read, reports it now and then, and leaves when the attempt is cancelled."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._due = time.monotonic() + _REPORT_S
        self.records = self.n_bytes = 0

    def count(self, records: int, n_bytes: int) -> None:
        self.records += records
        self.n_bytes += n_bytes
        if self._runtime.is_cancelled():
            raise AttemptCancelled
        if time.monotonic() >= self._due:
            self._runtime.report_progress(self.records, self.n_bytes)
            self._due = time.monotonic() + _REPORT_S


def _map_batches(
    call: MapCall,
    kind: str,
    function: Any,
    collector: RunCollector | PartCollector,
    meter: _Meter,
    task: TaskContext,
    at: Progress,
) -> None:
    row = 0
    task.find_source = lambda: call.split.source
    for batch in _reading(call.source.read(call.split), at):
        at.function = "mapper"
        first = row
        at.origin = partial(_rows_origin, call.source, call.split, first, batch.num_rows)
        task.locate = at.origin
        for table in batch_outputs(function, batch, kind):
            collector.add_table(table)
        row += batch.num_rows
        meter.count(batch.num_rows, batch.nbytes)
    task.find_source = task.locate = None


def _rows_origin(source: Source, split: Split, first: int, count: int) -> Any:
    from mrkernel.io import Origin

    base = split.start if split.unit == "rows" else 0
    location = f"{source.record_name}s {base + first + 1} to {base + first + count} of this split"
    return Origin(source=split.source, location=location, offset=None)


def _map_records(
    call: MapCall,
    step: Job,
    function: Any,
    collector: RunCollector | PartCollector,
    meter: _Meter,
    task: TaskContext,
    at: Progress,
) -> None:
    source, split = call.source, call.split
    takes_pairs = step.takes_pairs
    for block in _reading(_blocks(call, step), at):
        at.function = "mapper"
        records = iter(block.records)
        here = _Place(source, split, block, records)
        task.find_source, task.locate = here.source, here.origin
        at.origin = here.origin
        try:
            _collect(map_pairs(function, records, takes_pairs=takes_pairs), collector)
        except (KeyTypeError, ValueTypeError):
            # Pairs are looked at many at a time, so the wrong one is rarely the current one.
            raise
        except BaseException:
            at.record, at.has_record = here.record(), bool(block.records)
            raise
        meter.count(len(block.records), block.n_bytes)
    task.find_source = task.locate = None


def _blocks(call: MapCall, step: Job) -> Iterator[RecordBlock]:
    if step.takes_pairs and call.source.is_keyed:
        return call.source.read_pairs(call.split)
    return call.source.read_records(call.split)


def _reading(items: Iterator[Any], at: Progress) -> Iterator[Any]:
    """The items, with the reader named as the one at work while it is."""
    while True:
        at.function = "reader"
        item = next(items, None)
        if item is None:
            return
        yield item


class _Place:
    """The record that the mapper is at, worked out from how much of the block is left: free until it is asked."""

    def __init__(self, source: Source, split: Split, block: RecordBlock, records: Any) -> None:
        self._source, self._split, self._block, self._records = source, split, block, records
        self._found: int | None = None

    def index(self) -> int:
        if self._found is not None:
            return self._found
        return max(0, len(self._block.records) - int(self._records.__length_hint__()) - 1)

    def record(self) -> Any:
        return self._block.records[self.index()] if self._block.records else None

    def source(self) -> str:
        return self._source.source_of(self._split, self._block)

    def origin(self) -> Any:
        return self._source.locate(self._split, self._block, self.index())


def _point_at_culprit(call: MapCall, step: Job, function: Any, at: Progress) -> Exception | None:
    """Find the first record whose pairs cannot be used by mapping the split once more, one record at a time.

    Only a failing attempt pays for this, and it gives up after some seconds. Returns what is wrong with the pair.
    """
    at.origin, at.has_record = None, False
    deadline = time.monotonic() + _SEARCH_S
    for block in _blocks(call, step):
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
    return None


def _check_pair(pair: Any, step: Job) -> None:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise not_a_pair("mapper", pair)
    check_keys([pair[0]])
    if step.reduction is not None and step.reduction.is_algebraic:
        step.reduction.check(pair[1])


def _collect(pairs: Iterator[Any], collector: RunCollector | PartCollector) -> None:
    while piece := list(islice(pairs, _PIECE)):
        if set(map(type, piece)) != {tuple}:
            # A named tuple or a list of two is a pair as well; a string of two characters is not.
            for pair in piece:
                if not isinstance(pair, (tuple, list)):
                    raise not_a_pair("mapper", pair)
        try:
            if collector.count(piece):
                collector.stream(pairs)
                continue
        except (IndexError, TypeError, ValueError):
            _split(piece)
            raise
        collector.add(*_split(piece))


def _split(pairs: list[Any]) -> tuple[list[Any], list[Any]]:
    """Keys and values of pairs, or the error for what is no pair with a key that can be hashed."""
    try:
        keys = [key for key, _ in pairs]
    except ValueError:
        raise not_a_pair("mapper", next(pair for pair in pairs if len(pair) != 2)) from None
    check_keys(keys)
    return keys, [value for _, value in pairs]
