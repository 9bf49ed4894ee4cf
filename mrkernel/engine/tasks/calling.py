"""The user's functions, however they are written, behind one way of calling each."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, starmap
from typing import Any

import pyarrow as pa

from mrkernel.batches import KIND, Column, decode_column, encode_column, kind_of, make_table
from mrkernel.engine.tasks.failures import short_repr
from mrkernel.engine.tasks.foreign import as_key, as_tuple, as_value
from mrkernel.errors import ValueTypeError
from mrkernel.io.schemas import holds_objects
from mrkernel.job import Job, Mapper, Reducer
from mrkernel.taskcontext import TaskContext

__all__ = [
    "Values",
    "as_pair",
    "batch_outputs",
    "bound",
    "encode_pairs",
    "map_pairs",
    "not_a_pair",
    "pair_table",
    "reduced_pairs",
    "returned",
]

_DECODED_ROWS = 1 << 16


@contextmanager
def bound(function: Any, step: Job, task: TaskContext) -> Iterator[Any]:
    """The function to call in this task, between the setup and teardown of its job and of its class."""
    task.state = step.setup() if step.setup is not None else None
    with _finally(lambda: _tear_down(step, task)):
        if isinstance(function, type) and issubclass(function, (Mapper, Reducer)):
            instance = function()
            instance.setup()
            with _finally(instance.teardown):
                yield instance.map if isinstance(instance, Mapper) else instance.reduce
        else:
            yield function


def _tear_down(step: Job, task: TaskContext) -> None:
    if step.teardown is not None:
        takes_state = bool(inspect.signature(step.teardown).parameters)
        step.teardown(task.state) if takes_state else step.teardown()


@contextmanager
def _finally(teardown: Callable[[], None]) -> Iterator[None]:
    """Call ``teardown`` at the end, whose own error never hides the one that ended the task."""
    try:
        yield
    except BaseException:
        with suppress(Exception):
            teardown()
        raise
    teardown()


def map_pairs(function: Callable[..., Any] | None, records: Iterable[Any], *, takes_pairs: bool) -> Iterator[Any]:
    """What a record mapper yields for these records, as one flat stream that is not checked yet."""
    if function is None:
        return iter(records)
    outputs = starmap(function, map(as_pair, records)) if takes_pairs else map(function, records)
    if inspect.isgeneratorfunction(function) or inspect.isgeneratorfunction(getattr(function, "__func__", None)):
        return chain.from_iterable(outputs)
    # Generator expressions and not map(), which would take a StopIteration of the function's own for the end.
    if takes_pairs:
        return chain.from_iterable(returned(function(*as_pair(record))) for record in records)
    return chain.from_iterable(returned(function(record)) for record in records)


def as_pair(record: Any) -> Any:
    """The record, if it is a key and a value."""
    if isinstance(record, tuple) and len(record) == 2:
        return record
    raise ValueTypeError(
        f"the mapper takes a key and a value, but a record is {short_repr(record, 60)}",
        hint="write the mapper as def mapper(record):",
    )


def returned(output: Any) -> Iterable[Any]:
    """A returned 2-tuple is one pair, any other iterable holds pairs, None is none."""
    if output is None:
        return ()
    if isinstance(output, tuple) and len(output) == 2:
        return (output,)
    if isinstance(output, (str, bytes)) or not isinstance(output, Iterable):
        raise not_a_pair("mapper", output)
    return output


def not_a_pair(role: str, item: Any) -> ValueTypeError:
    """The error for something that should have been a (key, value) pair."""
    what = f"a tuple of {len(item)}" if isinstance(item, tuple) else f"of type {type(item).__name__}"
    return ValueTypeError(
        f"the {role} gave {short_repr(item, 60)}, {what}, where a (key, value) pair belongs",
        hint="yield pairs, such as: yield word, 1",
    )


# -- batches ---------------------------------------------------------------------------------------------------


def batch_outputs(function: Callable[..., Any], batch: pa.RecordBatch, kind: str) -> Iterator[pa.Table]:
    """The tables a batch mapper makes of one record batch; it may return one, yield several, or return None."""
    output = function(_converted(batch, kind))
    for item in output if inspect.isgenerator(output) else (output,):
        if item is not None:
            yield _plain(_as_table(item))


def _plain(table: pa.Table) -> pa.Table:
    """The table without metadata: a mark of ours in a foreign file must not make anyone unpickle its bytes."""
    return pa.Table.from_arrays(
        table.columns, schema=pa.schema([pa.field(field.name, field.type) for field in table.schema])
    )


def _converted(batch: pa.RecordBatch, kind: str) -> Any:
    if kind == "pandas":
        return batch.to_pandas()
    if kind == "polars":
        import polars as pl

        return pl.from_arrow(batch)
    return pa.Table.from_batches([batch]) if kind == "arrow table" else batch


def _as_table(item: Any) -> pa.Table:
    if isinstance(item, pa.Table):
        return item
    if isinstance(item, pa.RecordBatch):
        return pa.Table.from_batches([item])
    package = type(item).__module__.split(".")[0]
    if package == "pandas" and type(item).__name__ == "DataFrame":
        return pa.Table.from_pandas(item, preserve_index=bool(item.index.name))
    if package == "polars" and type(item).__name__ == "DataFrame":
        return item.to_arrow()
    raise ValueTypeError(
        f"the batch mapper returned {short_repr(item, 60)}, of type {type(item).__name__}",
        hint="return a RecordBatch, a Table or a DataFrame whose first column is the key",
    )


def pair_table(table: pa.Table, key: str | tuple[str, ...] | None) -> pa.Table:
    """``key`` and ``value`` from a batch mapper's columns: the rest is the value, several columns as a dict."""
    names = table.schema.names[:1] if key is None else [key] if isinstance(key, str) else list(key)
    missing = [name for name in names if name not in table.schema.names]
    if missing or not names:
        raise ValueTypeError(
            f"the batch mapper returned the columns {', '.join(table.schema.names) or '(none)'}; "
            f"the key column {', '.join(missing) or ''} is not among them",
            hint="the first column is the key, or the one that key= names",
        )
    keys = [as_key(table, name) for name in names]
    values = [as_value(table, name) for name in table.schema.names if name not in names]
    length = table.num_rows
    key_column = keys[0] if isinstance(key, str) or key is None else as_tuple(keys)
    if not values:
        value_column: Column = (pa.nulls(length), pa.field("value", pa.null()))
    else:
        value_column = values[0] if len(values) == 1 else _dicts(values)
    return make_table(
        [(key_column[0], key_column[1].with_name("key")), (value_column[0], value_column[1].with_name("value"))]
    )


def _dicts(columns: list[Column]) -> Column:
    fields = [field for _, field in columns]
    array = pa.StructArray.from_arrays([array for array, _ in columns], fields=fields)
    return array, pa.field("", array.type, metadata={KIND: b"dict"})


# -- reducers --------------------------------------------------------------------------------------------------


class Values:
    """The values of one key: iterate them, ask their number, or take ``array``, their Arrow array.

    They are decoded from Arrow a piece at a time, as often as they are iterated.
    """

    __slots__ = ("_column", "_decoded", "_start", "_stop")

    def __init__(self, column: Column, start: int, stop: int, decoded: _Window) -> None:
        self._column, self._start, self._stop, self._decoded = column, start, stop, decoded

    def __len__(self) -> int:
        return self._stop - self._start

    def __iter__(self) -> Iterator[Any]:
        if len(self) <= _DECODED_ROWS:
            return iter(self._decoded.rows(self._start, self._stop))
        return self._pieces()

    def _pieces(self) -> Iterator[Any]:
        array, field = self._column
        for start in range(self._start, self._stop, _DECODED_ROWS):
            yield from decode_column(array.slice(start, min(_DECODED_ROWS, self._stop - start)), field)

    @property
    def array(self) -> pa.Array:
        """The values as an Arrow array; pickled bytes where Arrow has no type for them.

        It is not a copy, unless they are more than the task may hold and are read from disk.
        """
        return self._column[0].slice(self._start, len(self))

    def __repr__(self) -> str:
        return f"<{len(self)} values: {short_repr(list(self)[:5], 60)}>"

    def as_kind(self, kind: str) -> Any:
        """The values as the reducer's annotation asks for them."""
        if holds_objects(self._column[1]) and kind in {"arrow", "polars"}:
            raise ValueTypeError(
                f"the values of a key, or their fields, are of several types, such as "
                f"{short_repr(next(iter(self)), 40)}; they have no {kind} form",
                hint="yield values of one type, or drop the annotation and iterate the values",
            )
        if kind == "arrow":
            return self.array
        if kind == "polars":
            import polars as pl

            return pl.from_arrow(self.array)
        if kind == "pandas":
            import pandas as pd

            return pd.Series(list(self), dtype=object) if kind_of(self._column[1]) else self.array.to_pandas()
        if kind == "numpy":
            import numpy as np

            return (
                np.array(list(self), dtype=object)
                if kind_of(self._column[1])
                else self.array.to_numpy(zero_copy_only=False)
            )
        return self


class _Window:
    """Decoded rows around the current key, so that many small keys cost one decoding."""

    def __init__(self, column: Column) -> None:
        self._column = column
        self._start, self._rows = 0, []  # type: int, list[Any]

    def rows(self, start: int, stop: int) -> list[Any]:
        if start < self._start or stop > self._start + len(self._rows):
            array, field = self._column
            self._start = start
            self._rows = decode_column(array.slice(start, max(_DECODED_ROWS, stop - start)), field)
        return self._rows[start - self._start : stop - self._start]


def reduced_pairs(
    function: Callable[..., Any],
    keys: list[Any],
    starts: list[int],
    values: Column,
    kind: str,
    on_key: Callable[[Any], None],
) -> Iterator[tuple[Any, Any]]:
    """The pairs that a reducer function makes of grouped values; ``on_key`` hears of each key before its call."""
    window = _Window(values)
    for number, key in enumerate(keys):
        on_key(key)
        group = Values(values, starts[number], starts[number + 1], window)
        output = function(key, group.as_kind(kind) if kind else group)
        if inspect.isgenerator(output):
            for pair in output:
                if not isinstance(pair, tuple) or len(pair) != 2:
                    raise not_a_pair("reducer", pair)
                yield pair
        elif output is not None:
            yield key, output


def encode_pairs(keys: list[Any], values: list[Any], encode_keys: Callable[[list[Any]], Column]) -> pa.Table:
    """A raw table of pairs."""
    return make_table([encode_keys(keys), encode_column(values, "value")])
