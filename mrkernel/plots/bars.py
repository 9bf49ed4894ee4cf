"""Bars of the top keys, and the histogram of one column."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mrkernel.config import counted
from mrkernel.plots.axis import name_axis, scale_log
from mrkernel.plots.columns import number_unit, numbers
from mrkernel.plots.look import COLOURS, WIDTH, label, plain_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Words", "bars", "histogram", "left_out_words", "top_rows"]

Words: TypeAlias = Callable[[pa.ChunkedArray], list[str]]
_MAX_BINS = 50


def bars(axes: Axes, table: pa.Table, column: int, *, top: int, log: bool, words: Words) -> list[str]:
    """Draw the ``top`` largest values as bars that lie, the largest on top; returns what was left out, in words."""
    factor, unit = number_unit(table.column(column))
    at, left_out = top_rows(table.column(column), top)
    rows = table.take(pa.array(at[::-1], pa.int64()))
    heights = numbers(rows.column(column), factor)
    keys = words(rows.column(0)) if table.num_columns > 1 else [str(index) for index in at[::-1]]
    axes.barh(range(len(heights)), heights, color=COLOURS[0])
    axes.set_yticks(range(len(heights)), [label(key) for key in keys])
    name_axis(axes.xaxis, table.schema.field(column).name, unit)
    name_axis(axes.yaxis, table.schema.field(0).name if table.num_columns > 1 else "row")
    cast("Figure", axes.figure).set_size_inches(WIDTH, max(1.6, 0.24 * len(heights) + 0.9))
    axes.margins(y=0.02)
    plain_numbers(axes.xaxis)
    said = (
        [f"top {len(heights):,} of {counted(table.num_rows, 'key')}"]
        if len(heights) < table.num_rows - left_out
        else []
    )
    if left_out:
        said.append(left_out_words(left_out))
    if log:
        said.append(scale_log(axes, "x", heights))
    return said


def top_rows(column: pa.ChunkedArray, top: int) -> tuple[np.ndarray[Any, np.dtype[np.int64]], int]:
    """Rows of the ``top`` largest values, largest first and earlier rows first; and how many have no number.

    One chunk at a time, so that a column larger than memory can be looked through.
    """
    best = pa.table({"at": pa.array([], pa.int64()), "value": pa.array([], pa.float64())})
    start = left_out = 0
    for chunk in column.chunks:
        values = numbers(chunk)
        at = np.flatnonzero(~np.isnan(values))
        left_out += len(values) - len(at)
        best = pa.concat_tables([best, pa.table({"at": at + start, "value": values[at]})])
        order = pc.select_k_unstable(best, k=top, sort_keys=[("value", "descending"), ("at", "ascending")])
        best = best.take(order)
        start += len(values)
    return best["at"].to_numpy(), left_out


def left_out_words(number: int) -> str:
    """How many values have no place in a plot.

    >>> left_out_words(1)
    '1 empty or infinite value left out'
    """
    return f"{counted(number, 'empty or infinite value')} left out"


def histogram(axes: Axes, table: pa.Table, column: int, *, log: bool) -> list[str]:
    """Draw how many rows have which values; returns what was left out, in words."""
    values, field = table.column(column), table.schema.field(column)
    factor, unit = number_unit(values)
    chunks = [numbers(chunk, factor) for chunk in values.chunks] or [np.empty(0)]
    found = np.concatenate([chunk[~np.isnan(chunk)] for chunk in chunks])
    counts, edges = np.histogram(found, bins=_bins(found, is_whole=pa.types.is_integer(field.type)))
    axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=COLOURS[0], linewidth=0)
    name_axis(axes.xaxis, field.name, unit)
    axes.set_ylabel("rows")
    plain_numbers(axes.xaxis)
    plain_numbers(axes.yaxis)
    said = [left_out_words(len(values) - len(found))] if len(found) < len(values) else []
    if log and len(found):
        axes.set_yscale("log")
        plain_numbers(axes.yaxis)
    return said


def _bins(found: np.ndarray[Any, np.dtype[np.float64]], *, is_whole: bool) -> Any:
    count = min(_MAX_BINS, max(5, int(len(found) ** 0.5)))
    if not len(found):
        return count
    low, high = float(found.min()), float(found.max())
    finest = math.ulp(max(abs(low), abs(high)))
    if (high - low or 1.0) < 2 * count * finest:
        # Between these there are too few floats for so many edges.
        return [low - finest, high + finest]
    if is_whole and high - low < _MAX_BINS:
        # One bin for each whole number, with the number in its middle.
        return np.arange(low, high + 2) - 0.5
    return count
