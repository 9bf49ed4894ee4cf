"""Reducing where bad keys are set aside: a key whose reducer raises goes alone, with its values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from mrkernel.agg import Reduction
from mrkernel.batches import Column, concat_columns, decode_column, encode_column
from mrkernel.engine.tasks.attempt import Progress
from mrkernel.engine.tasks.calling import reduced_pairs
from mrkernel.engine.tasks.ordering import value_order
from mrkernel.engine.tasks.setting_aside import SettingAside
from mrkernel.grouping import Groups, encode_keys, group
from mrkernel.job import Job
from mrkernel.taskcontext import TaskContext

__all__ = ["careful_finish", "careful_reduced_pairs"]


def careful_finish(reduction: Reduction, tables: Sequence[pa.Table], at: Progress, aside: SettingAside) -> pa.Table:
    """What the aggregates make of all keys but those whose values they refuse."""
    try:
        table = reduction.finish(tables)
    except Exception:  # noqa: BLE001  # found again below, key by key
        return _finish_good_keys(reduction, tables, at, aside)
    aside.n_seen += table.num_rows
    return table


def _finish_good_keys(reduction: Reduction, tables: Sequence[pa.Table], at: Progress, aside: SettingAside) -> pa.Table:
    groups = group(_keys(tables))
    aside.n_seen += groups.n_groups
    good = np.ones(groups.n_groups, bool)
    waiting = [(0, groups.n_groups)]
    while waiting:
        start, stop = waiting.pop()
        try:
            reduction.finish(_rows(tables, (groups.codes >= start) & (groups.codes < stop)))
        except Exception as error:  # noqa: BLE001  # an aggregate of the user's own may raise anything
            if stop - start > 1:
                middle = (start + stop) // 2
                waiting += [(middle, stop), (start, middle)]
                continue
            good[start] = False
            (at.key,), at.has_key = decode_column(groups.keys[0].slice(start, 1), groups.keys[1]), True
            aside.take(error)
            at.key, at.has_key = None, False
    return reduction.finish(_rows(tables, good[groups.codes]))


def _keys(tables: Sequence[pa.Table]) -> Column:
    return concat_columns([(piece, table.schema.field(0)) for table in tables for piece in table.column(0).chunks], "")


def _rows(tables: Sequence[pa.Table], mask: np.ndarray) -> list[pa.Table]:
    """The chosen rows; ``mask`` is over the rows of all tables."""
    kept, start = [], 0
    for table in tables:
        chosen = mask[start : start + table.num_rows]
        start += table.num_rows
        if chosen.any():
            kept.append(table.filter(pa.array(chosen)))
    return kept


def careful_reduced_pairs(
    function: Callable[..., Any],
    groups: Groups,
    values: Column,
    step: Job,
    at: Progress,
    task: TaskContext,
    aside: SettingAside,
) -> Iterator[tuple[Any, Any]]:
    """The pairs that a reducer function makes of all keys but the bad ones."""
    order, starts = groups.order(), groups.starts().tolist()
    keys = decode_column(*groups.keys)
    aside.n_seen += len(keys)
    array, field = values
    for number, key in enumerate(keys):
        at.key, at.has_key = key, True
        before = dict(task.counters)
        own = array.take(pa.array(order[starts[number] : starts[number + 1]]))
        try:
            if step.sort_values:
                own = own.take(pa.array(value_order(step, (own, field), np.zeros(len(own), np.int64), 1)))
            pairs = list(reduced_pairs(function, [key], [0, len(own)], (own, field), step.values_kind, lambda _: None))
            encode_keys([pair[0] for pair in pairs])
            encode_column([pair[1] for pair in pairs])
        except Exception as error:  # noqa: BLE001  # whatever a user's function raises
            task.counters.clear()
            task.counters.update(before)
            aside.take(error)
        else:
            yield from pairs
