"""Reducing where bad keys are set aside: a key whose reducer raises goes alone, with its values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from mrkernel.agg import Reduction
from mrkernel.batches import Column, concat_columns, decode_column, encode_column
from mrkernel.engine.tasks.attempt import Progress
from mrkernel.engine.tasks.calling import reduced_pairs
from mrkernel.engine.tasks.careful import is_plain
from mrkernel.engine.tasks.combining import same_form
from mrkernel.engine.tasks.ordering import value_order
from mrkernel.engine.tasks.setting_aside import SettingAside
from mrkernel.grouping import Groups, check_keys, encode_keys, group
from mrkernel.job import Job
from mrkernel.ordering import sort_codes
from mrkernel.taskcontext import TaskContext

__all__ = ["careful_finish", "careful_order", "careful_reduced_pairs"]

# Keys that are tried together. Halving all of them would aggregate each good key again and again, this does it once.
_KEYS = 1 << 10


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
    by_key = _ByKey(tables, groups)
    good = np.ones(groups.n_groups, bool)
    cuts = [*range(0, groups.n_groups, _KEYS), groups.n_groups]
    waiting = list(pairwise(cuts))[::-1]
    finished: list[pa.Table] = []
    while waiting:
        start, stop = waiting.pop()
        try:
            finished.append(reduction.finish(by_key.between(start, stop)))
        except Exception as error:  # noqa: BLE001  # an aggregate of the user's own may raise anything
            if stop - start > 1:
                middle = (start + stop) // 2
                waiting += [(middle, stop), (start, middle)]
                continue
            good[start] = False
            (at.key,), at.has_key = decode_column(groups.keys[0].slice(start, 1), groups.keys[1]), True
            aside.take(error)
            at.key, at.has_key = None, False
    if finished and all(table.schema.equals(finished[0].schema, check_metadata=True) for table in finished):
        return pa.concat_tables(finished).combine_chunks()
    # What the values of a column are as a whole decides on its type.
    return reduction.finish(by_key.where(good))


def _keys(tables: Sequence[pa.Table]) -> Column:
    return concat_columns([(piece, table.schema.field(0)) for table in tables for piece in table.column(0).chunks], "")


class _ByKey:
    """Tables whose rows are sorted by key, so that those of some neighbouring keys are slices, which copy nothing."""

    def __init__(self, tables: Sequence[pa.Table], groups: Groups) -> None:
        self._tables: list[pa.Table] = []
        self._codes: list[np.ndarray] = []
        start = 0
        for table in same_form(tables):
            codes = groups.codes[start : start + table.num_rows]
            start += table.num_rows
            order = sort_codes(codes, groups.n_groups)
            self._tables.append(table.take(pa.array(order)))
            self._codes.append(codes[order])

    def between(self, start: int, stop: int) -> list[pa.Table]:
        """The rows of the keys from number ``start`` up to ``stop``."""
        found = []
        for table, codes in zip(self._tables, self._codes, strict=True):
            low, high = np.searchsorted(codes, [start, stop]).tolist()
            if high > low:
                found.append(table.slice(low, high - low))
        return found

    def where(self, good: np.ndarray) -> list[pa.Table]:
        """The rows of the keys that are ``good``."""
        found = [table.filter(pa.array(good[codes])) for table, codes in zip(self._tables, self._codes, strict=True)]
        return [table for table in found if table.num_rows]


def careful_reduced_pairs(
    function: Callable[..., Any],
    keys: list[Any],
    starts: list[int],
    values: tuple[Any, pa.Field],
    step: Job,
    *,
    at: Progress,
    task: TaskContext,
    aside: SettingAside,
    is_sorted: bool,
) -> Iterator[tuple[Any, Any]]:
    """The pairs that a reducer function makes of all keys but the bad ones; ``values`` are in the keys' order."""
    aside.n_seen += len(keys)
    kind, (array, field) = step.values_kind, values
    for number, key in enumerate(keys):
        at.key, at.has_key = key, True
        before = dict(task.counters)
        own = array if len(keys) == 1 else array.slice(starts[number], starts[number + 1] - starts[number])
        try:
            if not is_sorted:
                own = own.take(pa.array(value_order(step, (own, field), np.zeros(len(own), np.int64), 1)))
            pairs = list(reduced_pairs(function, [key], [0, len(own)], (own, field), kind, lambda _: None))
            _check(pairs)
        except Exception as error:  # noqa: BLE001  # whatever a user's function raises
            task.counters.clear()
            task.counters.update(before)
            aside.take(error)
        else:
            yield from pairs


def careful_order(step: Job, groups: Groups, values: Column) -> tuple[np.ndarray, bool]:
    """Row numbers by key, and whether the values of each key are in their order: not where sorting them raises."""
    try:
        return value_order(step, values, groups.codes, groups.n_groups), True
    except Exception:  # noqa: BLE001  # a user's sort key may raise anything; found again, key by key
        return groups.order(), False


def _check(pairs: list[tuple[Any, Any]]) -> None:
    """Raise something if a pair cannot be stored."""
    keys = [key for key, _ in pairs]
    check_keys(keys)
    if not all(map(is_plain, keys)):
        encode_keys(keys)
    if not all(is_plain(value) for _, value in pairs):
        encode_column([value for _, value in pairs])
