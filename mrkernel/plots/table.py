"""A table as one matplotlib Axes: which plot suits its columns, and what that plot leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import pyarrow as pa

from mrkernel.config import counted
from mrkernel.errors import OptionError
from mrkernel.plots.bars import Words, bars, histogram, top_rows
from mrkernel.plots.columns import has_repeats, is_ordered, key_words, number_unit, numbers, numeric_columns, with_times
from mrkernel.plots.heat import heat, is_grid, pair_of
from mrkernel.plots.lines import lines, scatter
from mrkernel.plots.look import COLOURS, GREY, label, new_axes, number_words, style, unescaped
from mrkernel.plots.pictures import draws_itself
from mrkernel.plots.wording import Drawn, remember

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["KINDS", "Kind", "can_plot", "plot_table"]

Kind: TypeAlias = Literal["bar", "line", "hist", "scatter", "heat"]
KINDS: tuple[Kind, ...] = ("bar", "line", "hist", "scatter", "heat")
_SERIES = len(COLOURS)


def can_plot(table: pa.Table) -> bool:
    """Whether :func:`plot_table` has something to show: a row, and a numeric column."""
    return table.num_rows > 0 and bool(numeric_columns(table))


def plot_table(
    table: pa.Table,
    *,
    kind: Kind | None = None,
    top: int = 20,
    log: bool = False,
    total_rows: int | None = None,
    title: str | None = None,
    words: Words | None = None,
) -> Axes:
    """Draw a result's keys (first column) against its values (numeric columns after it).

    Parameters
    ----------
    kind
        ``"bar"`` for keys that are names, ``"line"`` for numbers and times, ``"hist"`` for one column of numbers,
        ``"scatter"`` for two numbers, ``"heat"`` for keys that are pairs; None chooses by the types.
    top
        How many keys at most; the largest values are kept. Keys on a scale are all kept.
    log
        Whether values are on a logarithmic scale.
    total_rows
        Rows of the whole result, where ``table`` is a part of it; the plot then says so.
    words
        Turns keys into text; asked for the keys that are shown only.

    Raises
    ------
    OptionError
        If no column holds numbers, or an option cannot be used.

    Examples
    --------
    >>> axes = plot_table(pa.table({"key": ["the", "and"], "value": [63919, 51696]}))
    >>> [float(bar.get_width()) for bar in axes.patches]
    [51696.0, 63919.0]
    """
    columns = _checked(table, kind, top)
    timed = with_times(table)
    chosen = kind or _choose(timed, columns)
    axes = new_axes()
    if not table.num_rows:
        said = _nothing(axes, table, chosen)
    else:
        said = _draw(axes, table if chosen == "bar" else timed, chosen, columns, top=top, log=log,
                     words=words or key_words)  # fmt: skip
    if total_rows is not None and total_rows > table.num_rows:
        said = [f"first {table.num_rows:,} of {counted(total_rows, 'row')}", *said]
    said = [part for part in said if part]
    style(axes, title=title, said="; ".join(said), is_framed=chosen == "heat")
    remember(axes, Drawn(kind=chosen, facts=_facts(table, chosen, columns, words or key_words)))
    return draws_itself(axes)


def _checked(table: pa.Table, kind: Kind | None, top: int) -> list[int]:
    if kind is not None and kind not in KINDS:
        raise OptionError(f"there is no plot of kind {kind!r}", hint=f"kinds are {', '.join(KINDS)}")
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise OptionError(f"cannot plot the top {top!r} keys", hint="top is a whole number of at least 1")
    columns = numeric_columns(table)
    if not columns:
        names = ", ".join(f"{field.name} ({field.type})" for field in table.schema) or "none"
        raise OptionError(f"cannot plot: no column holds numbers; columns are {names}",
                          hint="reduce to numbers, or plot your own choice from .to_pandas()")  # fmt: skip
    if kind == "heat" and pair_of(table) is None:
        kind_words = f"{table.schema.names[0]} ({table.schema.field(0).type})"
        raise OptionError(f"cannot draw a heat map: the key {kind_words} is no pair",
                          hint="yield keys of two values, as (origin, month), or take another kind")  # fmt: skip
    if kind == "scatter" and _scatter_columns(table, columns) is None:
        raise OptionError("cannot draw a scatter plot: only one column holds numbers",
                          hint="reduce to two numbers, as {'distance': d, 'delay': m}, or take"
                               " another kind")  # fmt: skip
    return columns


def _choose(table: pa.Table, columns: list[int]) -> Kind:
    if table.num_columns == 1:
        return "hist"
    if (pairs := pair_of(table)) is not None:
        return "heat" if is_grid(pairs) else "bar"
    if table.num_rows <= 2:
        return "bar"
    key = table.column(0)
    if is_ordered(key.type):
        # A line through several values of one key would only go up and down.
        return "scatter" if has_repeats(key) else "line"
    return "scatter" if len(columns) == 2 and table.num_columns == 3 else "bar"


def _scatter_columns(table: pa.Table, columns: list[int]) -> tuple[int, int] | None:
    """The columns across and up: two numeric values, or else an ordered key and its value."""
    if table.num_columns > 1 and is_ordered(with_times(table).schema.field(0).type):
        return 0, columns[0]
    return (columns[0], columns[1]) if len(columns) > 1 else None


def _draw(
    axes: Axes, table: pa.Table, kind: Kind, columns: list[int], *, top: int, log: bool, words: Words
) -> list[str]:
    used = columns[:1]
    if kind == "bar":
        said = bars(axes, table, columns[0], top=top, log=log, words=words)
    elif kind == "line":
        used = columns[:_SERIES]
        said = lines(axes, table, used, log=log, words=words)
    elif kind == "hist":
        used = columns[-1:]
        said = histogram(axes, table, columns[-1], log=log)
    elif kind == "scatter":
        used = list(_scatter_columns(table, columns) or ())
        said = scatter(axes, table, used[0], used[1], log=log, words=words)
    else:
        pairs = pair_of(table)
        assert pairs is not None
        used = [table.schema.get_field_index(pairs.schema.names[2])]
        said = heat(axes, pairs, top=top, log=log, words=words)
    unused = [label(table.schema.field(n).name) for n in columns if n not in used]
    return [*said, f"not drawn: {', '.join(unused[:5])}{', …' * (len(unused) > 5)}"] if unused else said


def _facts(table: pa.Table, kind: Kind, columns: list[int], words: Words) -> tuple[str, ...]:
    """What a look at the picture tells first: the largest values, or the range of a histogram."""
    if kind == "hist":
        found = numbers(table.column(columns[-1]), number_unit(table.column(columns[-1]))[0])
        found = found[~np.isnan(found)]
        if not len(found):
            return ()
        ends = (number_words(float(f"{end:.6g}")) for end in (found.min(), found.max()))
        return (f"from {' to '.join(ends)}",)
    column = table.column(columns[0])
    at, _ = top_rows(column, 3)
    if not len(at) or table.num_columns == 1:
        return ()
    factor, unit = number_unit(column)
    largest = table.take(pa.array(at, pa.int64()))
    values = numbers(largest.column(columns[0]), factor)
    pairs = zip(words(largest.column(0)), values, strict=True)
    said = (f"{unescaped(label(key))}: {number_words(float(f'{value:.6g}'))} {unit}".strip() for key, value in pairs)
    return ("highest values", *said)


def _nothing(axes: Axes, table: pa.Table, kind: Kind) -> list[str]:
    axes.text(0.5, 0.5, "no rows", transform=axes.transAxes, ha="center", va="center", color=GREY, fontsize=12)
    names = [label(table.schema.names[0]), label(table.schema.names[-1])]
    across, up = reversed(names) if kind == "bar" else names
    axes.set(xticks=[], yticks=[], xlabel=across, ylabel=up)
    return []
