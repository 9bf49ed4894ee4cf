"""What combines the pairs of a map task, and how tables of pairs are joined for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mrkernel.agg import Reduction, as_reduction
from mrkernel.agg.totals import Count
from mrkernel.batches import as_arrow, concat_columns, decode_column, kind_of, make_table
from mrkernel.engine.tasks.calling import encode_pairs, pair_table, reduced_pairs
from mrkernel.grouping import encode_keys, group
from mrkernel.job import Job
from mrkernel.partition import partition_ids

__all__ = ["combiner_of", "n_different", "raw_table", "same_form", "whole"]

_SAMPLED = 64


def combiner_of(step: Job) -> Callable[[list[pa.Table]], pa.Table] | None:
    """What combines tables in this step, if anything does."""
    given = as_reduction(step.combiner) if step.combiner is not None else None
    reduction = step.reduction
    if step.combiner is not None and (given is None or reduction is None or given != reduction):
        return _FunctionCombiner(step.combiner, given)
    if reduction is None:
        return None
    can_keep = not reduction.is_named and type(reduction.aggregates[0][1]).keep is not _NO_KEEP
    return reduction.combine if reduction.is_algebraic or can_keep else None


_NO_KEEP = Count.keep


class _FunctionCombiner:
    """A combiner other than the reducer's own: pairs in, fewer pairs out."""

    def __init__(self, function: Any, reduction: Reduction | None) -> None:
        self._function, self._reduction = function, reduction

    def __call__(self, tables: list[pa.Table]) -> pa.Table:
        if self._reduction is not None:
            table = self._reduction.finish(tables)
            key, *values = ((table.column(n), field) for n, field in enumerate(table.schema))
            return pair_table(table, None) if len(values) > 1 else make_table([key, *values])
        table = raw_table(tables)
        groups = group(whole((table.column(0), table.schema.field(0))))
        grouped = (table.column(1).take(pa.array(groups.order())).combine_chunks(), table.schema.field(1))
        function = self._function
        if isinstance(function, type):
            function = function().reduce
        keys = decode_column(*groups.keys)
        pairs = list(reduced_pairs(function, keys, groups.starts().tolist(), whole(grouped), "", lambda key: None))
        return encode_pairs([key for key, _ in pairs], [value for _, value in pairs], encode_keys)


def whole(column: Any) -> Any:
    """The column in one chunk."""
    array, field = column
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks == 1 else array.combine_chunks()
    return array, field


def n_different(tables: list[pa.Table]) -> int | None:
    """About how many keys there are in tables of pairs, for a part of what combining costs; None if not plain.

    Of the keys those are counted whose hash is in one of 64 ranges (distinct sampling, Gibbons 2001).
    """
    found: list[pa.Array] = []
    for table in tables:
        column, field = table.column(0), table.schema.field(0)
        # Others are hashed one by one, which takes longer than combining them.
        is_plain = any(test(field.type) for test in _PLAIN) and not pa.types.is_uint64(field.type)
        if not is_plain or kind_of(field) == "object":
            return None
        for chunk in column.chunks:
            places = np.flatnonzero(partition_ids((chunk, field), _SAMPLED, None) == 0)
            found.append(chunk.take(as_arrow(places)))
    if len({chunk.type for chunk in found}) != 1:
        return None
    return int(pc.count_distinct(pa.chunked_array(found), mode="all").as_py()) * _SAMPLED


_PLAIN = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_integer,
)


def raw_table(tables: list[pa.Table]) -> pa.Table:
    """One raw table of several whose column types may differ."""
    columns = []
    for index, name in enumerate(("key", "value")):
        pieces = [(piece, table.schema.field(index)) for table in tables for piece in table.column(index).chunks]
        columns.append(
            concat_columns(pieces, name) if pieces else whole((tables[0].column(index), tables[0].schema.field(index)))
        )
    return make_table(columns)


def same_form(tables: Sequence[pa.Table]) -> list[pa.Table]:
    """The tables joined where neighbours have one schema, so that each run has one."""
    joined: list[list[pa.Table]] = []
    for table in tables:
        if table.num_rows == 0:
            continue
        if joined and joined[-1][0].schema.equals(table.schema, check_metadata=True):
            joined[-1].append(table)
        else:
            joined.append([table])
    return [pa.concat_tables(group) for group in joined]
