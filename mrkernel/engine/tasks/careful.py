"""Mapping where bad records are set aside: a record counts wholly or not at all.

Nothing here runs unless a job asks for it. The mapper is called once for each record, never again for one that went
well; its pairs are taken when all of them are there and are pairs that can be used. Batch mappers are called again on
halves of a batch that fails, down to the rows that do.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pyarrow as pa

from mrkernel.batches import decode_column, encode_column, kind_of
from mrkernel.engine.tasks.calling import as_pair, batch_outputs, not_a_pair, pair_table, returned
from mrkernel.engine.tasks.setting_aside import SettingAside
from mrkernel.events import Counters
from mrkernel.grouping import check_keys, encode_keys
from mrkernel.job import Job
from mrkernel.taskcontext import TaskContext

__all__ = ["PairCheck", "careful_pairs", "careful_tables", "is_plain", "row_of"]

_RECORDS = 2048
_PAIRS = 1 << 14
_PIECE_S = 0.1
_SCALARS = {int, float, bool, str, bytes, type(None)}


def careful_pairs(
    function: Callable[..., Any] | None,
    records: list[Any],
    check: PairCheck,
    task: TaskContext,
    be_at: Callable[[int], None],
    aside: SettingAside,
    *,
    takes_pairs: bool,
) -> Iterator[list[Any]]:
    """The pairs of all records but the bad ones in pieces, some of them empty.

    ``be_at(n)`` is told of each record before its call.
    """
    call = _caller(function, takes_pairs=takes_pairs)
    first = 0
    while first < len(records):
        piece, due = _Piece(first, task.counters), time.monotonic() + _PIECE_S
        for index in range(first, min(first + _RECORDS, len(records))):
            be_at(index)
            piece.take(call, records[index], task)
            if len(piece.pairs) >= _PAIRS or time.monotonic() >= due:
                break
        first += len(piece.ends)
        piece.drop_misfits(check, task)
        for index in sorted(piece.bad):
            be_at(index)
            aside.take(piece.bad[index])
        yield piece.pairs


def _caller(function: Callable[..., Any] | None, *, takes_pairs: bool) -> Callable[[Any], Iterable[Any]]:
    """What gives the pairs of one record."""
    if function is None:
        return lambda record: (record,)
    is_generator = inspect.isgeneratorfunction(getattr(function, "__func__", function))
    if not takes_pairs:
        return function if is_generator else lambda record: returned(function(record))
    if is_generator:
        return lambda record: function(*as_pair(record))
    return lambda record: returned(function(*as_pair(record)))


class _Piece:
    """Pairs of some records, and which of them are whose."""

    def __init__(self, first: int, counters: Counters) -> None:
        self._first = first
        self._counters = [dict(counters)]
        self.pairs: list[Any] = []
        self.ends: list[int] = []
        self.bad: dict[int, Exception] = {}

    def take(self, call: Callable[[Any], Iterable[Any]], record: Any, task: TaskContext) -> None:
        """Call the mapper; a record that raises gives no pairs and counts nothing."""
        n_before = len(self.pairs)
        try:
            self.pairs += call(record)
        except Exception as error:  # noqa: BLE001  # whatever a user's function raises
            del self.pairs[n_before:]
            _put_back(task.counters, self._counters[-1])
            self.bad[self._first + len(self.ends)] = error
        self.ends.append(len(self.pairs))
        # One dict stands for all records that counted nothing.
        same = self._counters[-1] == task.counters
        self._counters.append(self._counters[-1] if same else dict(task.counters))

    def drop_misfits(self, check: PairCheck, task: TaskContext) -> None:
        """Drop records that gave what is no pair, or none that can be grouped, aggregated and stored."""
        try:
            check.all(self.pairs)
        except Exception:  # noqa: BLE001  # found again below, record by record
            kept, start = [], 0
            for number, end in enumerate(self.ends):
                try:
                    for pair in self.pairs[start:end]:
                        check.one(pair)
                    kept += self.pairs[start:end]
                except Exception as error:  # noqa: BLE001  # a user's own __hash__ may raise anything
                    self.bad[self._first + number] = error
                    _take_back(task.counters, self._counters[number], self._counters[number + 1])
                start = end
            self.pairs = kept


def _put_back(counters: Counters, before: Counters) -> None:
    if counters != before:
        counters.clear()
        counters.update(before)


def _take_back(counters: Counters, before: Counters, after: Counters) -> None:
    """Undo what one record has counted, where others have counted since."""
    for name, amount in after.items():
        counters[name] -= amount - before.get(name, 0)
        if not counters[name] and name not in before:
            del counters[name]


class PairCheck:
    """Whether pairs can be used: as pairs, by their keys, their values, and as columns."""

    def __init__(self, step: Job) -> None:
        reduction = step.reduction
        self._check_value = reduction.check if reduction is not None and reduction.is_algebraic else None
        # Of plain values, one of a type stands for all of it.
        self._good: set[type] = set()

    def all(self, pairs: list[Any]) -> None:
        """Raise something if any of the pairs is bad."""
        if set(map(type, pairs)) != {tuple} and not all(isinstance(pair, (tuple, list)) for pair in pairs):
            raise TypeError
        keys = [key for key, _ in pairs]
        values = [value for _, value in pairs]
        if not set(map(type, keys)) <= _SCALARS:
            check_keys(keys)
            if not all(map(is_plain, keys)):
                encode_keys(keys)
        if not self._fits_all(values):
            for value in values:
                self._fits(value)
            if not all(map(is_plain, values)):
                encode_column(values)

    def one(self, pair: Any) -> None:
        """Raise the error of a bad pair."""
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise not_a_pair("mapper", pair)
        encode_keys([pair[0]])
        self._fits(pair[1])
        if not is_plain(pair[1]):
            encode_column([pair[1]])

    def table(self, table: pa.Table, key: str | tuple[str, ...] | None) -> None:
        """Raise the error of a batch mapper's table."""
        pairs = pair_table(table, key)
        if self._check_value is None:
            return
        column, field = pairs.column(1), pairs.schema.field(1)
        if kind_of(field) or pa.types.is_nested(field.type):
            for value in decode_column(column, field):
                self._check_value(value)
        elif column.null_count < len(column):
            self._check_value(column.drop_null()[0].as_py())

    def _fits_all(self, values: list[Any]) -> bool:
        kinds = set(map(type, values))
        if not kinds <= _SCALARS:
            return False
        for kind in kinds - self._good:
            self._fits(next(value for value in values if type(value) is kind))
            self._good.add(kind)
        return True

    def _fits(self, value: Any) -> None:
        if self._check_value is not None:
            self._check_value(value)


def is_plain(value: Any) -> bool:
    """Whether a value is surely one that columns or pickle take: scalars, and shallow containers of them."""
    kind = type(value)
    if kind in _SCALARS:
        return True
    if kind is tuple or kind is list:
        return set(map(type, value)) <= _SCALARS
    return kind is dict and set(map(type, value.values())) <= _SCALARS and set(map(type, value)) <= _SCALARS


def careful_tables(
    function: Callable[..., Any],
    batch: pa.RecordBatch,
    kind: str,
    check: Callable[[pa.Table], None],
    task: TaskContext,
    set_aside: Callable[[int, Exception], None],
) -> Iterator[pa.Table]:
    """The tables of a batch mapper for all rows but the bad ones; ``set_aside(row, error)`` is told of those."""
    waiting = [(0, batch.num_rows)]
    while waiting:
        start, stop = waiting.pop()
        before = dict(task.counters)
        try:
            tables = list(batch_outputs(function, batch.slice(start, stop - start), kind))
            for table in tables:
                check(table)
        except Exception as error:
            _put_back(task.counters, before)
            if stop == start:
                raise
            if stop - start == 1:
                set_aside(start, error)
                continue
            middle = (start + stop) // 2
            waiting += [(middle, stop), (start, middle)]
        else:
            yield from tables


def row_of(batch: pa.RecordBatch, row: int) -> Any:
    """A row of a batch as a record: a line of text as it is, otherwise a dict."""
    (record,) = batch.slice(row, 1).to_pylist()
    return record["line"] if batch.schema.names == ["line"] else record
