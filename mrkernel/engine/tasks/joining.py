"""The tasks of a join: rows of a side into runs by the hash of their key, and rows of both sides into joined ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from threading import Lock
from typing import Any

import pyarrow as pa

from mrkernel.batches import Column, make_table
from mrkernel.engine.phases import phase
from mrkernel.engine.shuffle import Run, RunReaders, read_all, write_run
from mrkernel.engine.tasks.attempt import Call, JoinCall, MapCall, Progress, ReduceCall, Runtime
from mrkernel.engine.tasks.conforming import conformed
from mrkernel.engine.tasks.foreign import as_tuple
from mrkernel.engine.tasks.joiner import Indexed, Joiner, key_columns
from mrkernel.engine.tasks.key_sketch import KeySketch
from mrkernel.engine.tasks.parts import PartWriter
from mrkernel.engine.tasks.reading import Meter, reading
from mrkernel.engine.tasks.setting_aside import SettingAside
from mrkernel.grouping import encode_keys
from mrkernel.io import Aside, Origin, RecordBlock, Source, Split, Unreadable
from mrkernel.io.objects import BLOCK_RECORDS, dict_rows
from mrkernel.joins import LEFT, RIGHT, JoinPlan, Sides
from mrkernel.partition import partition_ids

__all__ = ["JoinedRows", "leave_other_joins", "run_join", "run_side"]

_SIDE = b"mrkernel:side"
# Cutting a table into partitions takes three times its size.
_RUN_BYTES = 32 << 20
# So many rows are looked up at a time: what they need and give stays small (text: 2.0 s against 2.8 s of 1 M rows).
_BLOCK_ROWS = 1 << 18
_BLOCK_BYTES = 64 << 20
# What is mapped counts as the process's own: of more than this share of its memory, partitions are read one by one.
_MAPPED_SHARE = 4


def run_side(call: MapCall, runtime: Runtime, at: Progress, aside: SettingAside | None) -> dict[str, Any]:
    """Write the rows of a split to runs, for the reduce tasks or for whoever gets them whole."""
    plan = call.join
    assert plan is not None
    side = call.split.payload[0]
    schema = plan.schema_of(side).with_metadata({_SIDE: side.encode()})
    meter, sketch = Meter(runtime), KeySketch()
    held: list[pa.RecordBatch] = []
    runs: list[Run] = []

    def write() -> None:
        if not held:
            return
        at.function = "join"
        table = pa.Table.from_batches(held, schema)
        held.clear()
        keys = _hashed_column(table, plan.key_names(side))
        sketch.add_column(make_table([(keys[0], keys[1].with_name("key"))]))
        ids = partition_ids(keys, call.n_partitions, None)
        runs.append(write_run(table, ids, call.n_partitions, folder=call.folder, task=call.task,
                              worker=runtime.worker, small=runtime.small))  # fmt: skip

    n_bytes = 0
    for batch in _batches(call, schema, meter, at, aside):
        held.append(batch)
        n_bytes += batch.nbytes
        if n_bytes > _RUN_BYTES:
            write()
            n_bytes = 0
    write()
    return {**_read(call, meter), "records_out": meter.records, "bytes_out": sum(run.n_bytes for run in runs),
            "runs": tuple(runs), "spills": max(0, len(runs) - 1), "keys": sketch.report(meter.records)}  # fmt: skip


def run_join(call: JoinCall | ReduceCall, runtime: Runtime, at: Progress, aside: SettingAside | None) -> dict[str, Any]:
    """Join a split with the side that was sent whole, or both sides' rows of some partitions."""
    counts: dict[str, Any] = {}
    n_rows = 0
    tables = (
        _streamed(call, runtime, at, aside, counts)
        if isinstance(call, JoinCall)
        else _by_partition(call, runtime, at, counts)
    )
    with PartWriter(call.folder, call.task, runtime.worker) as writer:
        for table in tables:
            runtime.check()
            if table.num_rows:
                n_rows += table.num_rows
                writer.add(table)
        runs = writer.finish()
    return {**counts, "records_out": n_rows, "bytes_out": sum(run.n_bytes for run in runs), "runs": runs}


# -- one side sent whole ---------------------------------------------------------------------------------------


def _streamed(
    call: JoinCall, runtime: Runtime, at: Progress, aside: SettingAside | None, counts: dict[str, Any]
) -> Iterator[pa.Table]:
    plan = call.join
    assert plan is not None
    at.function = "reader"
    joiner = _joiner(call, runtime)
    at.function = "join"
    meter = Meter(runtime)
    schema = plan.schema_of(plan.large)
    for block in _blocks(_batches(call, schema, meter, at, aside), schema):
        yield from joiner.joined(block)
    counts.update(_read(call, meter))


def _joiner(call: JoinCall, runtime: Runtime) -> Joiner:
    plan = call.join
    assert plan is not None
    return Joiner(plan, _sent.get(call, partial(_loaded, call, runtime)), is_left_indexed=plan.small == LEFT)


class JoinedRows(Source):
    """The rows of a split joined with the side that was sent whole, as what a mapper reads.

    Parameters
    ----------
    meter
        Told of the rows that are read, of which many more or fewer may come.
    sides
        The call's source, or one like it.
    """

    record_name = "joined row"
    has_own_marks = True

    def __init__(self, call: JoinCall, runtime: Runtime, meter: Meter, sides: Source | None = None) -> None:
        self._call, self._runtime, self._meter, self._sides = call, runtime, meter, sides or call.source

    @property
    def name(self) -> str:
        """The names of both sides."""
        return f"{self._sides.name}, joined"

    def splits(self, chunk_bytes: int) -> list[Split]:
        """The one of the call."""
        return [self._call.split]

    def read(self, split: Split) -> Iterator[pa.RecordBatch]:
        """Its rows, joined."""
        plan = self._call.join
        assert plan is not None
        joiner, schema = _joiner(self._call, self._runtime), plan.schema_of(plan.large)
        for block in _blocks(self._counted(_conformed(self._sides, self._sides.read(split), split, schema)), schema):
            for table in joiner.joined(block):
                yield from table.to_batches()

    def _counted(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield batch
            self._meter.count(batch.num_rows, batch.nbytes)

    def read_records(self, split: Split) -> Iterator[RecordBlock]:
        """The same as dicts."""
        first = 0
        for batch in self.read(split):
            for start in range(0, batch.num_rows, BLOCK_RECORDS):
                rows = batch.slice(start, BLOCK_RECORDS)
                yield RecordBlock(dict_rows(rows), first, rows.nbytes)
                first += rows.num_rows

    def setting_aside(self, aside: Aside) -> JoinedRows:
        """As the sides do; their blocks are not those of the joined rows, and stay with them."""
        own = Aside()
        own.receive(lambda line: aside.hand_over(line.text, line.error, line.origin))
        return JoinedRows(self._call, self._runtime, self._meter, self._sides.setting_aside(own))

    def locate(self, split: Split, block: RecordBlock, index: int) -> Origin:
        """The number of the joined row: it has no line of its own."""
        row = block.first + index
        return Origin(source=split.source, location=f"joined row {row + 1} of this split", offset=None)


@phase("fetch")
def _loaded(call: JoinCall, runtime: Runtime) -> Indexed:
    plan = call.join
    assert plan is not None
    assert plan.small is not None
    return Indexed(plan, plan.small, read_all(call.runs, runtime.fetch), is_kept=True)


class _Sent:
    """The side that was sent whole, as the tasks of one join share it in a worker, until one of another kind runs."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._key: Any = None
        self._held: Indexed | None = None

    def get(self, call: JoinCall, load: Callable[[], Indexed]) -> Indexed:
        key = (call.job_id, tuple((run.path, run.start) for run in call.runs))
        with self._lock:
            if self._held is None or self._key != key:
                # Two of them at once would be more memory than the plan reckons with.
                self._key = self._held = None
                self._held, self._key = load(), key
            return self._held

    def leave(self, job_id: str | None) -> None:
        with self._lock:
            if self._key is not None and self._key[0] != job_id:
                self._key = self._held = None


_sent = _Sent()


def leave_other_joins(call: Call) -> None:
    """Give back the memory that joins hold in this process, but for that of a call that joins."""
    _sent.leave(call.job_id if isinstance(call, JoinCall) else None)


# -- both sides shuffled ---------------------------------------------------------------------------------------


def _by_partition(call: ReduceCall, runtime: Runtime, at: Progress, counts: dict[str, Any]) -> Iterator[pa.Table]:
    plan = call.join
    assert plan is not None
    room = runtime.memory_bytes and runtime.memory_bytes // _MAPPED_SHARE
    readers = RunReaders(call.runs, runtime.fetch) if call.partitions else None
    if readers is not None and room is not None and readers.n_bytes(call.partitions) > room:
        readers.unmap()
    n_rows = n_bytes = 0
    at.function = "join"
    for number in call.partitions or (None,):
        at.partition = number
        runtime.check()
        tables = readers.partition(number) if readers and number is not None else read_all(call.runs, runtime.fetch)
        n_rows += sum(table.num_rows for table in tables)
        n_bytes += sum(table.nbytes for table in tables)
        sides: dict[str, list[pa.Table]] = {LEFT: [], RIGHT: []}
        for table in tables:
            sides[table.schema.metadata[_SIDE].decode()].append(table)
        yield from _joined_sides(plan, sides)
        runtime.tell(n_rows, n_bytes)
    counts.update(records_in=n_rows, bytes_in=n_bytes)


def _joined_sides(plan: JoinPlan, sides: dict[str, list[pa.Table]]) -> Iterator[pa.Table]:
    # Rows that match nowhere are kept where they are looked up; of the others the fewer are indexed.
    rows = {side: sum(table.num_rows for table in tables) for side, tables in sides.items()}
    is_left_indexed = plan.how == "right" or (plan.how == "inner" and rows[LEFT] < rows[RIGHT])
    indexed, other = (LEFT, RIGHT) if is_left_indexed else (RIGHT, LEFT)
    if not rows[other] and plan.how != "outer":
        return
    held = Indexed(plan, indexed, sides[indexed], is_kept=rows[other] > _BLOCK_ROWS)
    joiner = Joiner(plan, held, is_left_indexed=is_left_indexed)
    batches = (batch for table in sides[other] for batch in table.to_batches())
    for block in _blocks(batches, plan.schema_of(other)):
        yield from joiner.joined(block)
    if plan.how == "outer":
        yield from joiner.unmatched()


# -- reading ---------------------------------------------------------------------------------------------------


def _batches(
    call: MapCall, schema: pa.Schema, meter: Meter, at: Progress, aside: SettingAside | None
) -> Iterator[pa.RecordBatch]:
    """The batches of a split in the side's columns."""
    source = call.source
    assert isinstance(source, Sides)
    if aside is not None:
        places = Aside()
        places.receive(partial(_take_line, at, aside))
        source = source.setting_aside(places)
    for found in _conformed(source, reading(source.read(call.split), at), call.split, schema):
        at.function = "join"
        yield found
        meter.count(found.num_rows, found.nbytes)
        if aside is not None:
            aside.n_seen += found.num_rows


def _conformed(
    source: Source, batches: Iterable[pa.RecordBatch], split: Split, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    assert isinstance(source, Sides)
    has_own_marks = source.of(split.payload[0]).has_own_marks
    for batch in batches:
        yield conformed(batch, schema, source.name, has_own_marks=has_own_marks)


def _take_line(at: Progress, aside: SettingAside, line: Unreadable) -> None:
    at.function, at.record, at.has_record, at.origin = "reader", line.text, True, line.origin
    aside.n_seen += 1
    aside.take(line.error)
    at.record, at.has_record, at.origin = None, False, None


def _read(call: MapCall, meter: Meter) -> dict[str, Any]:
    return {"records_in": meter.records, "bytes_in": call.split.size_bytes or meter.n_bytes}


def _blocks(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Batches joined to tables worth looking up."""
    held: list[pa.RecordBatch] = []
    n_rows = n_bytes = 0
    for batch in batches:
        held.append(batch.replace_schema_metadata())
        n_rows += batch.num_rows
        n_bytes += batch.nbytes
        if n_rows >= _BLOCK_ROWS or n_bytes >= _BLOCK_BYTES:
            yield pa.Table.from_batches(held, schema).combine_chunks()
            held, n_rows, n_bytes = [], 0, 0
    if n_rows:
        yield pa.Table.from_batches(held, schema).combine_chunks()


def _hashed_column(table: pa.Table, names: Sequence[str]) -> Column:
    """The key of each row as one column, of types that can be hashed."""
    columns = [
        encode_keys(array.to_pylist(), field.name) if isinstance(field.type, pa.BaseExtensionType) else (array, field)
        for array, field in zip(*key_columns(table, names), strict=True)
    ]
    return columns[0] if len(columns) == 1 else as_tuple(columns)
