"""Rows of one side joined with all rows of the other: in a worker that has those whole, or in one partition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from mrkernel.batches import as_arrow
from mrkernel.engine.phases import phase
from mrkernel.engine.tasks.combining import whole
from mrkernel.engine.tasks.conforming import converted
from mrkernel.engine.tasks.matching import KeyIndex, Matches
from mrkernel.joins import LEFT, RIGHT, JoinPlan

__all__ = ["Indexed", "Joiner", "key_columns"]

# What a heavy key gives must fit into memory: rows are given so many at a time.
_OUT_ROWS, _OUT_BYTES = 1 << 18, 64 << 20


class Indexed:
    """The rows of one side and an index over their keys; not changed once it is made."""

    def __init__(self, plan: JoinPlan, side: str, tables: Sequence[pa.Table], *, is_kept: bool = False) -> None:
        schema = plan.schema_of(side)
        self.table = pa.concat_tables([table.replace_schema_metadata() for table in tables] or [schema.empty_table()])
        # To gather from many pieces takes Arrow much longer than from one.
        self.table = self.table.combine_chunks()
        self.index = KeyIndex(plan.columns.keys, is_kept).build(*key_columns(self.table, plan.key_names(side)))


class Joiner:
    """Joins blocks of one side with all rows of the other, which are indexed."""

    def __init__(self, plan: JoinPlan, indexed: Indexed, *, is_left_indexed: bool) -> None:
        held, other = (LEFT, RIGHT) if is_left_indexed else (RIGHT, LEFT)
        self._plan, self._index = plan, indexed.index
        self._held = indexed.table.select(_given(plan, held))
        self._own_names = _given(plan, other)
        self._is_left_indexed = is_left_indexed
        self._names = plan.key_names(RIGHT if is_left_indexed else LEFT)
        self._found = np.zeros(self._index.n_slots + 1, np.bool_) if plan.how == "outer" else None

    def joined(self, block: pa.Table) -> Iterator[pa.Table]:
        """The rows that a block gives."""
        matches, how = self._matches(block), self._plan.how
        if how in {"semi", "anti"}:
            yield block.select(self._own_names).filter(pa.array((matches.counts > 0) == (how == "semi")))
            return
        block = block.select(self._own_names)
        most = _rows_at_once(block, self._held)
        for rows, places, is_real in matches.pieces(most, keeps_unmatched=how != "inner"):
            yield self._pairs(block, rows, self._row_numbers(places, is_real))

    @phase("reduce")
    def _matches(self, block: pa.Table) -> Matches:
        slots = self._index.slots(*key_columns(block, self._names))
        if self._found is not None:
            self._found[slots] = True
        return self._index.matches(slots)

    @phase("reduce")
    def _pairs(self, block: pa.Table, rows: np.ndarray, others: pa.Array) -> pa.Table:
        own = block if _are_all(rows, block.num_rows) else block.take(as_arrow(rows))
        return self._rows(own, self._held.take(others), len(rows))

    def _row_numbers(self, places: np.ndarray, is_real: np.ndarray) -> pa.Array:
        if is_real.all():
            return as_arrow(self._index.rows(places))
        # A row that is not there is null, and so are its columns.
        rows = np.zeros(len(places), np.int64)
        rows[is_real] = self._index.rows(places[is_real])
        bits = pa.py_buffer(np.packbits(is_real, bitorder="little"))
        return pa.Array.from_buffers(pa.int64(), len(rows), [bits, pa.py_buffer(rows)])

    def unmatched(self) -> Iterator[pa.Table]:
        """The rows of the indexed side that no block has found."""
        assert self._found is not None
        missing, most = self._index.rows_without(self._found[:-1]), _rows_at_once(self._held)
        for start in range(0, len(missing), most):
            rows = self._held.take(as_arrow(missing[start : start + most]))
            yield self._rows(None, rows, len(missing[start : start + most]))

    def _rows(self, own: pa.Table | None, held: pa.Table, n_rows: int) -> pa.Table:
        left, right = (held, own) if self._is_left_indexed else (own, held)
        columns = []
        for column in self._plan.columns.out:
            # A key that both sides call alike is the left side's, unless there may be no row of it.
            is_right = column.left is None or (column.right is not None and (self._plan.how == "right" or own is None))
            table, name = (right, column.right) if is_right else (left, column.left)
            columns.append(
                pa.nulls(n_rows, column.field.type) if table is None
                else converted(table.column(name), table.schema.field(name), column.field)
            )  # fmt: skip
        return pa.Table.from_arrays(columns, schema=self._plan.columns.schema)


def _given(plan: JoinPlan, side: str) -> list[str]:
    """The columns of a side that the result is made of: a key that both sides call alike is taken from one of them."""
    names = []
    for column in plan.columns.out:
        name, other = (column.left, column.right) if side == LEFT else (column.right, column.left)
        is_of_other = other is not None and plan.how != "outer" and (plan.how == "right") == (side == LEFT)
        if name is not None and not is_of_other:
            names.append(name)
    return names


def _rows_at_once(*tables: pa.Table) -> int:
    """How many rows made of one of each table are given at a time."""
    n_bytes: int = sum(table.nbytes // max(1, table.num_rows) for table in tables)
    return max(1, min(_OUT_ROWS, _OUT_BYTES // max(1, n_bytes)))


def _are_all(rows: np.ndarray, n_rows: int) -> bool:
    return len(rows) == n_rows and bool((rows == np.arange(n_rows)).all())


def key_columns(table: pa.Table, names: Sequence[str]) -> tuple[list[pa.Array], list[pa.Field]]:
    """Key columns, each as one array, and their fields."""
    fields = [table.schema.field(name) for name in names]
    return [whole((table.column(name), field))[0] for name, field in zip(names, fields, strict=True)], fields
