"""What a step's reducer makes of rows: of tables that hold all rows of their keys, or of a range of keys on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mrkernel.batches import (
    Column,
    as_arrow,
    as_numpy,
    concat_columns,
    decode_column,
    encode_column,
    kind_of,
    make_table,
    value_columns,
)
from mrkernel.engine.tasks.attempt import Progress
from mrkernel.engine.tasks.calling import reduced_pairs
from mrkernel.engine.tasks.careful_reduce import careful_finish, careful_order, careful_reduced_pairs
from mrkernel.engine.tasks.evenness import Evenness
from mrkernel.engine.tasks.ordering import sorted_pieces, value_order
from mrkernel.engine.tasks.setting_aside import SettingAside
from mrkernel.engine.tasks.spilling import KeyRange, SpilledColumn
from mrkernel.grouping import Groups, encode_keys, group, key_order
from mrkernel.job import Job
from mrkernel.taskcontext import TaskContext

__all__ = ["Reducing"]

_PAIRS = 1 << 16


@dataclass(frozen=True, slots=True)
class Reducing:
    """The reducer of one attempt."""

    step: Job
    function: Any
    at: Progress
    task: TaskContext
    aside: SettingAside | None
    evenness: Evenness

    def tables(self, rows: list[pa.Table] | KeyRange) -> Iterator[pa.Table]:
        """The result's rows in key order."""
        if self.step.reduction is not None:
            yield self._finished(rows)
        elif not isinstance(rows, KeyRange):
            yield from self._of_tables(rows, are_sorted=self.step.sort == "key")
        elif rows.has_one_key and not self.step.sort_values and (values := rows.values()) is not None:
            yield from self._of_one_key(rows, values)
        else:
            yield from self._of_tables(rows.tables())

    def _finished(self, rows: list[pa.Table] | KeyRange) -> pa.Table:
        reduction = self.step.reduction
        assert reduction is not None
        if isinstance(rows, KeyRange) and rows.has_one_key and reduction.is_algebraic and self.aside is None:
            merged: list[pa.Table] = []
            for table in rows.each():
                merged = [reduction.combine([*merged, table])]
            return reduction.finish(merged)
        tables = rows.tables() if isinstance(rows, KeyRange) else rows
        if self.aside is None:
            return reduction.finish(tables)
        return careful_finish(reduction, tables, self.at, self.aside)

    def _of_one_key(self, rows: KeyRange, values: SpilledColumn) -> Iterator[pa.Table]:
        key = rows.key()
        self.evenness.see(key, np.array([len(values)]))
        if self.function is not None:
            yield from self._called(key, [0, len(values)], (values, values.field))
            return
        for start in range(0, len(values), _PAIRS):
            found = values.slice(start, _PAIRS)
            shown = key[0].take(as_arrow(np.zeros(len(found), np.int64)))
            yield make_table([(shown, key[1]), *value_columns((found, values.field))])

    def _of_tables(self, tables: Sequence[pa.Table], *, are_sorted: bool = False) -> Iterator[pa.Table]:
        if self.function is None:
            for piece in sorted_pieces(tables) if are_sorted else [tables]:
                yield self._in_order(_joined(piece, 0), _joined(piece, 1))
            return
        key, value = (_joined(tables, index) for index in (0, 1))
        groups = group(key)
        starts = groups.starts()
        self.evenness.see(groups.keys, np.diff(starts))
        order, is_sorted = self._order(groups, value)
        ordered = value if order is None else (value[0].take(as_arrow(order)), value[1])
        yield from self._called(groups.keys, starts.tolist(), ordered, is_sorted=is_sorted)

    def _in_order(self, key: Column, value: Column) -> pa.Table:
        """Rows in key order; whoever orders them need not number their groups, which takes as long again."""
        array, field = key
        if kind_of(field) or pa.types.is_nested(array.type) or pa.types.is_null(array.type):
            groups = group(key)
            self.evenness.see(groups.keys, np.diff(groups.starts()))
            order = as_arrow(groups.order())
            ordered = array.take(order)
        else:
            order = as_arrow(key_order(key))
            ordered = array.take(order)
            stretches = pc.run_end_encode(ordered, run_end_type=pa.int64())
            self.evenness.see((stretches.values, field), np.diff(as_numpy(stretches.run_ends), prepend=0))
        return make_table([(ordered, field), *value_columns((value[0].take(order), value[1]))])

    def _order(self, groups: Groups, value: Column) -> tuple[np.ndarray | None, bool]:
        """Row numbers by key, None where they are in that order already; and whether the values are sorted too."""
        if not self.step.sort_values:
            return (groups.order() if groups.n_groups > 1 else None), True
        if self.aside is not None:
            return careful_order(self.step, groups, value)
        return value_order(self.step, value, groups.codes, groups.n_groups), True

    def _called(
        self, key: Column, starts: list[int], values: tuple[Any, pa.Field], *, is_sorted: bool = True
    ) -> Iterator[pa.Table]:
        keys, at, step = decode_column(*key), self.at, self.step

        def on_key(current: Any) -> None:
            at.key, at.has_key = current, True

        if self.aside is not None:
            pairs = careful_reduced_pairs(self.function, keys, starts, values, step, at=at, task=self.task,
                                          aside=self.aside, is_sorted=is_sorted)  # fmt: skip
        else:
            pairs = reduced_pairs(self.function, keys, starts, values, step.values_kind, on_key)
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
    order = as_arrow(group(key).order())
    yield make_table([(key[0].take(order), key[1]), *value_columns((value[0].take(order), value[1]))])
