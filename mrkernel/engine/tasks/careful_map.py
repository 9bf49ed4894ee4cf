"""The map task where bad records are set aside: blocks and batches through the careful ways of calling the mapper."""

from __future__ import annotations

from functools import partial
from typing import Any

import pyarrow as pa

from mrkernel.engine.tasks.careful import PairCheck, careful_pairs, careful_tables, row_of
from mrkernel.engine.tasks.reading import MapAttempt, Place, blocks_of, collect, reading
from mrkernel.engine.tasks.setting_aside import SettingAside
from mrkernel.io import Aside, RecordBlock, Unreadable

__all__ = ["CarefulMap"]


class CarefulMap:
    """Maps one split; what the reader cannot parse and what the mapper cannot use is set aside."""

    def __init__(self, attempt: MapAttempt, aside: SettingAside) -> None:
        self._call, self._step, self._function = attempt.call, attempt.step, attempt.function
        self._collector, self._meter = attempt.collector, attempt.meter
        self._task, self._at, self._aside = attempt.task, attempt.at, aside
        self._check = PairCheck(attempt.step)
        self._places = Aside()
        self._places.receive(self._take_line)
        self._source = attempt.call.source.setting_aside(self._places)
        self._n_before = 0

    def run(self) -> None:
        """Map all records."""
        task = self._task
        if self._step.batch_kind:
            task.find_source = lambda: self._call.split.source
            self._map_batches()
        else:
            self._map_records()
        task.find_source = task.locate = None

    def _take_line(self, line: Unreadable) -> None:
        """Set aside a line that the reader cannot parse."""
        at = self._at
        at.function, at.record, at.has_record, at.origin = "reader", line.text, True, line.origin
        self._aside.n_seen += 1
        self._aside.take(line.error)
        at.record, at.has_record, at.origin = None, False, None

    def _begin(self) -> None:
        self._at.function = "mapper"
        self._n_before = self._aside.n_seen

    def _end(self, n_records: int, n_bytes: int) -> None:
        self._at.record, self._at.has_record, self._at.origin = None, False, None
        self._aside.n_seen = self._n_before + n_records
        self._meter.count(n_records, n_bytes)

    def _map_records(self) -> None:
        task, step = self._task, self._step
        for block in reading(blocks_of(self._source, self._call.split, step), self._at):
            self._begin()
            here, n_mapped = Place(self._source, self._call.split, block, None), 0
            task.find_source, task.locate, self._at.origin = here.source, here.origin, here.origin
            for piece in careful_pairs(
                self._function, block.records, self._check, task, partial(self._be_at, here, block.records),
                self._aside, takes_pairs=step.takes_pairs,
            ):  # fmt: skip
                collect(iter(piece), self._collector)
                # It is at the last bad record of the piece, or else at its last one.
                n_mapped = max(n_mapped, here.index())
                self._meter.within(block, n_mapped)
            self._end(len(block.records), block.n_bytes)

    def _be_at(self, here: Place, records: list[Any], index: int) -> None:
        here.found = index
        self._at.record, self._at.has_record = records[index], True
        self._aside.n_seen = self._n_before + index + 1

    def _map_batches(self) -> None:
        row = 0
        for batch in reading(self._source.read(self._call.split), self._at):
            self._begin()
            block = self._places.block or RecordBlock([], row, 0)
            locate = partial(self._source.locate, self._call.split, block)
            self._task.locate = partial(locate, 0)
            tables = careful_tables(
                self._function, batch, self._step.batch_kind, self._check_table, self._task,
                partial(self._take_row, batch, locate),
            )  # fmt: skip
            for table in tables:
                self._collector.add_table(table)
            row += batch.num_rows
            self._end(batch.num_rows, batch.nbytes)

    def _take_row(self, batch: pa.RecordBatch, locate: Any, index: int, error: Exception) -> None:
        at = self._at
        at.record, at.has_record, at.origin = row_of(batch, index), True, partial(locate, index)
        self._aside.n_seen = self._n_before + index + 1
        self._aside.take(error)

    def _check_table(self, table: pa.Table) -> None:
        if self._call.has_shuffle:
            self._check.table(table, self._step.key)
