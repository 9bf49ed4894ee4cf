"""Result: the rows of a finished job, left in their files until asked for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import ipc

from mrkernel.batches import concat_columns, decode_column, kind_of, make_table, python_rows
from mrkernel.errors import MrkernelError, OptionError
from mrkernel.events import Counters
from mrkernel.grouping import canonical_key
from mrkernel.render import Preview, counters_html, counters_text, table_html, table_text
from mrkernel.render.front import notebook_front
from mrkernel.result.errors import Errors
from mrkernel.result.paging import Paging
from mrkernel.result.parts import HeldFiles, OwnedSource, PartFile, PartsSource, pairs
from mrkernel.result.plotting import plot_rows
from mrkernel.result.report import Report
from mrkernel.result.rows import type_words

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    from matplotlib.axes import Axes

    from mrkernel.io import Source
    from mrkernel.plots import Kind

__all__ = ["Result", "write_to"]

_NO_ROWS = pa.table({"key": pa.nulls(0), "value": pa.nulls(0)})


class Result:
    """The rows of a finished job: columns ``key`` and ``value``, or ``key`` and the columns that dict values became.

    Rows stay in Arrow files until they are asked for; a Result is itself a source for another job. Its files go when
    the Result goes, or this process ends.

    Attributes
    ----------
    counters
        What ``mr.counter`` counted, once for each successful task.
    report
        Tasks, records, bytes and seconds of each stage.
    planned
        What the plan said before the run, as pairs of words.
    errors
        Records that were set aside, where ``on_error`` is ``"skip"`` or ``"collect"``.

    Examples
    --------
    >>> import mrkernel as mr
    >>> result = mr.run(mr.Job(lambda word: (word, 1), sum), ["a", "b", "a"], executor="inline")
    >>> dict(result)
    {'a': 2, 'b': 1}
    """

    def __init__(
        self,
        parts: Sequence[PartFile],
        *,
        name: str,
        counters: Counters,
        report: Report,
        limit: int = 10,
        empty: pa.Table | None = None,
        place: Any = None,
        planned: Sequence[tuple[str, str]] = (),
        errors: Errors | None = None,
    ) -> None:
        self.name = name
        self.counters = counters
        self.report = report
        self.errors = errors or Errors()
        self._limit = limit
        self._empty = _NO_ROWS if empty is None else empty
        self._place = place
        self.planned = tuple(planned)
        self._source = PartsSource(tuple(parts), label=f"result of {name}" if name else "result")
        self._files = HeldFiles([part.path for part in parts])

    # -- size and schema ---------------------------------------------------------------------------------------

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return sum(part.n_rows for part in self._source.parts)

    @property
    def num_bytes(self) -> int:
        """Bytes of the files that hold the rows."""
        return sum(part.n_bytes for part in self._source.parts)

    @property
    def num_parts(self) -> int:
        """How many parts there are: one for each reduce task that had rows, at least."""
        return len(self._source.parts)

    @property
    def part_rows(self) -> tuple[int, ...]:
        """How many rows each part has."""
        return tuple(part.n_rows for part in self._source.parts)

    @property
    def schema(self) -> pa.Schema:
        """Columns and their Arrow types."""
        return self.head(0).schema

    def __len__(self) -> int:
        return self.num_rows

    # -- rows --------------------------------------------------------------------------------------------------

    def head(self, n: int = 10) -> pa.Table:
        """The first ``n`` rows as an Arrow table."""
        if len({_signature(table) for table in self._tables()}) > 1:
            return self.to_arrow().slice(0, n)
        tables, left = [], n
        for table in self._tables():
            tables.append(table.slice(0, left))
            left -= tables[-1].num_rows
            if left <= 0:
                break
        return _joined(tables) if tables else self._empty

    def to_arrow(self) -> pa.Table:
        """All rows as an Arrow table, memory-mapped where the parts' types allow."""
        tables = list(self._tables())
        return _joined(tables) if tables else self._empty

    def to_pandas(self) -> pd.DataFrame:
        """All rows as a pandas DataFrame; tuples, mixed and other Python values as objects."""
        import pandas as pd

        table = self.to_arrow()
        if not any(kind_of(field) for field in table.schema):
            frame: pd.DataFrame = table.to_pandas()
            return frame
        columns = {field.name: _pandas_column(table.column(n), field) for n, field in enumerate(table.schema)}
        return pd.DataFrame(columns)

    def to_polars(self) -> pl.DataFrame:
        """All rows as a polars DataFrame; what polars has no type for, as objects."""
        import polars as pl

        table = self.to_arrow()
        columns = {}
        for n, field in enumerate(table.schema):
            if kind_of(field) == "object":
                columns[field.name] = pl.Series(field.name, decode_column(table.column(n), field), dtype=pl.Object)
            else:
                columns[field.name] = pl.Series(field.name, pl.from_arrow(table.column(n)))
        return pl.DataFrame(columns)

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        """(key, value) of each row, in order; several value columns are a dict."""
        for table in self._tables():
            for batch in table.to_batches():
                yield from pairs(batch)

    def __contains__(self, key: object) -> bool:
        """Whether a row has this key; reads the result once, as ``result[key]`` does."""
        try:
            self[key]
        except KeyError:
            return False
        return True

    def keys(self) -> list[Any]:
        """The keys, in order: what makes ``dict(result)`` work."""
        return [key for key, _ in self]

    def __getitem__(self, key: Any) -> Any:
        """The value of a key; reads the result once and keeps it as a dict.

        Raises
        ------
        KeyError
            If no row has that key.
        """
        if not hasattr(self, "_by_key"):
            self._by_key = {canonical_key(one): value for one, value in self}
        # Canonical, as no two NaN objects are equal to a dict.
        return self._by_key[canonical_key(key)]

    def _tables(self) -> Iterator[pa.Table]:
        for part in self._source.parts:
            try:
                yield ipc.open_file(pa.memory_map(part.path)).read_all()
            except OSError as error:
                raise MrkernelError(f"cannot read the {self._source.label}: its file is gone ({error})",
                                    hint="run the job again") from None  # fmt: skip

    @cached_property
    def paging(self) -> Paging:
        """Pages of the rows, in the order of any column: what the display of a live notebook reads."""
        return Paging(self._source.parts, place=self._place, empty=self._empty.schema, held=self._files)

    def __mrkernel_source__(self) -> Source:
        """The source that this result is for another job, without moving a row."""
        return OwnedSource(self._source.parts, label=self._source.label, owner=self)

    # -- views -------------------------------------------------------------------------------------------------

    def preview(self, n: int | None = None) -> Preview:
        """The first rows as plain Python values, with what a display says about the rest."""
        table = self.head(self._limit if n is None else n)
        return Preview(
            columns=tuple(table.schema.names), types=tuple(type_words([field]) for field in table.schema),
            rows=python_rows(table), n_rows=self.num_rows, n_columns=table.num_columns, n_bytes=self.num_bytes,
            note=self.errors.summary(".errors"),
        )  # fmt: skip

    def __repr__(self) -> str:
        text = table_text(self.preview())
        return f"{text}\n{counters_text(self.counters)}" if self.counters else text

    def _repr_html_(self) -> str:
        html = table_html(self.preview())
        return f"{html}{counters_html(self.counters)}" if self.counters else html

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """In a notebook that somebody looks at, a widget that pages and sorts; elsewhere nothing."""
        front = notebook_front()
        shown: dict[str, str] = front.show_result(self) if front is not None else {}
        return shown

    def plot(
        self,
        *,
        kind: Kind | None = None,
        top: int = 20,
        log: bool = False,
        title: str | None = None,
    ) -> Axes:
        """Draw the result in the way that suits its columns, and say in the plot what it leaves out.

        Parameters
        ----------
        kind
            ``"bar"`` (the largest values), ``"line"`` (over keys that are numbers or times), ``"hist"``,
            ``"scatter"`` (two numbers) or ``"heat"`` (keys that are pairs); None chooses by the types.
        top
            How many keys at most, where keys are names.
        log
            Whether values are on a logarithmic scale.

        Returns
        -------
        Matplotlib's Axes, which a cell shows as a picture: PNG or SVG by the setting ``plot_format``.

        Raises
        ------
        OptionError
            If there is no numeric column to draw, or the kind does not suit the columns.
        """
        return plot_rows(self, kind=kind, top=top, log=log, title=title)

    def write(
        self,
        target: str | os.PathLike[str],
        *,
        format: str | None = None,
        overwrite: bool = False,
        append: bool = False,
        **options: Any,
    ) -> list[str]:
        """Write all rows to a file (a suffix names the format) or a folder of parts; all or nothing.

        Parameters
        ----------
        format
            ``"parquet"``, ``"ipc"``, ``"csv"``, ``"jsonl"`` or ``"json"``; None takes it from the suffix.
        overwrite, append
            What to do with a target that exists; without either it is an error.

        Returns
        -------
        The paths that were written.

        Raises
        ------
        TargetExistsError
            If the target exists.
        """
        from mrkernel.io import open_sink

        if overwrite and append:
            raise OptionError("overwrite and append exclude each other")
        sink = open_sink(target, format=format, overwrite=overwrite, append=append, **options)
        sink.check()
        return write_to(sink, self)


def write_to(sink: Any, result: Result) -> list[str]:
    """Write a result to a sink that was checked: parts under temporary names, one commit."""
    try:
        schemas = {_signature(one) for one in result._tables()}  # noqa: SLF001  # the class's own writer
        tables = result._tables() if len(schemas) <= 1 else iter([result.to_arrow()])  # noqa: SLF001  # as above
        first = next(tables, result.head(0))
        tables = chain([first], tables)
        if sink.is_single:
            parts = [sink.write_whole(first.schema, _batches(tables))]
        else:
            parts = [sink.write_part(index, one.schema, _batches([one])) for index, one in enumerate(tables)]
        paths: list[str] = sink.commit(parts)
    except BaseException:
        with suppress(OSError):
            sink.abort()
        raise
    return paths


def _batches(tables: Iterable[pa.Table]) -> Iterator[pa.RecordBatch]:
    return (batch for table in tables for batch in table.to_batches(max_chunksize=1 << 16))


def _signature(table: pa.Table) -> str:
    return str([(field.name, str(field.type), kind_of(field)) for field in table.schema])


def _joined(tables: list[pa.Table]) -> pa.Table:
    if len({_signature(table) for table in tables}) == 1:
        return pa.concat_tables(tables)
    names = list(dict.fromkeys(name for table in tables for name in table.schema.names))
    columns = []
    for name in names:
        pieces = []
        for table in tables:
            if name in table.schema.names:
                index = table.schema.get_field_index(name)
                pieces += [(piece, table.schema.field(index)) for piece in table.column(index).chunks]
            else:
                pieces.append((pa.nulls(table.num_rows), pa.field(name, pa.null())))
        columns.append(concat_columns(pieces, name))
    return make_table(columns)


def _pandas_column(column: pa.ChunkedArray, field: pa.Field) -> Any:
    import pandas as pd

    return pd.Series(decode_column(column, field), dtype=object) if kind_of(field) else column.to_pandas()
