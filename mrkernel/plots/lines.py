"""Lines over ordered keys, and scatter plots of two columns."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mrkernel.config import counted
from mrkernel.plots.axis import axis_name, name_axis, scale_log, show_places
from mrkernel.plots.bars import Words, left_out_words
from mrkernel.plots.columns import is_ordered, number_unit, numbers, places
from mrkernel.plots.look import COLOURS, GREY, label, plain_numbers, show_legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["lines", "scatter"]

_Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
_MARKERS = ("o", "s", "^", "D")
_DASHES = ("-", "--", "-.", ":")
_MARKED = 60
# Two points for each pixel of the picture's width show all that a line can show.
_DRAWN, _BUCKETS = 20_000, 2_000
# An SVG of more points than this is larger as points than as a picture of them.
_RASTERIZED = 1_000
_NAMED = 15
_TICKS = 20


def lines(axes: Axes, table: pa.Table, columns: list[int], *, log: bool, words: Words) -> list[str]:
    """Draw columns over the keys in their order; returns what was left out, in words."""
    table = table.combine_chunks()
    if _can_sort(table.schema.field(0).type):
        table = table.take(pc.sort_indices(table.column(0)))
    x, said = _keys_axis(axes, table, words)
    drawn, empty = [], 0
    for n, column in enumerate(columns):
        factor, unit = number_unit(table.column(column))
        y = numbers(table.column(column), factor)[~np.isnan(x)]
        empty += int(np.isnan(y).sum())
        drawn.append(y)
        thin_x, thin_y = _thinned(x[~np.isnan(x)], y)
        marker = _MARKERS[n] if len(y) <= _MARKED else ""
        dashes = _DASHES[n] if not marker else "-"
        axes.plot(thin_x, thin_y, dashes, color=COLOURS[n], marker=marker, markersize=4,
                  label=axis_name(table.schema.field(column).name, unit))  # fmt: skip
    if len(columns) > 1:
        show_legend(axes)
    else:
        name_axis(axes.yaxis, table.schema.field(columns[0]).name, unit)
    plain_numbers(axes.yaxis)
    if len(x) > _DRAWN:
        said.append(f"{counted(len(x), 'point')} drawn by the extremes of {_BUCKETS:,} stretches")
    if empty:
        said.append(left_out_words(empty))
    return [*said, scale_log(axes, "y", np.concatenate(drawn))] if log else said


def _can_sort(kind: pa.DataType) -> bool:
    return not pa.types.is_nested(kind) and not pa.types.is_null(kind)


def _keys_axis(axes: Axes, table: pa.Table, words: Words) -> tuple[_Floats, list[str]]:
    """Where keys stand along x, with the axis named; keys that are names stand side by side."""
    field = table.schema.field(0)
    if is_ordered(field.type):
        where = places(table.column(0))
        show_places(axes.xaxis, where, field.name, is_whole=pa.types.is_integer(field.type))
        lost = int(np.isnan(where.values).sum())
        return where.values, [f"{counted(lost, 'row')} with no key on this axis left out"] if lost else []
    ticks = np.unique(np.linspace(0, table.num_rows - 1, min(_TICKS, table.num_rows)).astype(np.int64))
    names = [label(word) for word in words(table.column(0).take(pa.array(ticks)))]
    axes.set_xticks(ticks, names, rotation=45 if max(map(len, names), default=0) > 3 else 0, ha="right")
    name_axis(axes.xaxis, field.name)
    said = [] if len(names) == table.num_rows else [f"{len(names):,} of {counted(table.num_rows, 'key')} named"]
    return np.arange(table.num_rows, dtype=np.float64), said


def _thinned(x: _Floats, y: _Floats) -> tuple[_Floats, _Floats]:
    """The smallest and the largest value of each stretch, where there are more points than a picture shows."""
    if len(x) <= _DRAWN:
        return x, y
    edges = np.linspace(0, len(x), _BUCKETS + 1).astype(np.int64)
    kept = []
    for start, end in pairwise(edges):
        part = y[start:end]
        if np.isnan(part).all():
            kept.append(start)
        else:
            kept += sorted({start + int(np.nanargmin(part)), start + int(np.nanargmax(part))})
    return x[kept], y[kept]


def scatter(axes: Axes, table: pa.Table, across: int, up: int, *, log: bool, words: Words) -> list[str]:
    """Draw one column against another, a point for each row; returns what was left out, in words."""
    where, (factor, unit) = places(table.column(across)), number_unit(table.column(up))
    x, y = where.values, numbers(table.column(up), factor)
    good = np.flatnonzero(~np.isnan(x) & ~np.isnan(y))
    said = []
    if len(good) < len(x):
        said.append(f"{counted(len(x) - len(good), 'row')} with an empty or infinite value left out")
    shown = good
    if len(good) > _DRAWN:
        shown = np.sort(np.random.default_rng(0).choice(good, _DRAWN, replace=False))
        said.append(f"a sample of {_DRAWN:,} of {counted(len(good), 'point')}")
    size, alpha = (28, 0.9) if len(shown) <= 200 else (10, 0.6) if len(shown) <= 2000 else (4, 0.35)
    axes.scatter(x[shown], y[shown], s=size, alpha=alpha, color=COLOURS[0], linewidths=0,
                 rasterized=len(shown) > _RASTERIZED)  # fmt: skip
    if across > 0 and len(shown) <= _NAMED:
        _name_points(axes, words(table.column(0).take(pa.array(shown))), x[shown], y[shown])
    show_places(axes.xaxis, where, table.schema.field(across).name)
    name_axis(axes.yaxis, table.schema.field(up).name, unit)
    plain_numbers(axes.yaxis)
    if across > 0 and where.axis == "number":
        plain_numbers(axes.xaxis)
    if log:
        said.append(scale_log(axes, "y", y[good]))
        if where.axis == "number":
            said.append(scale_log(axes, "x", x[good]))
    return list(dict.fromkeys(said))


def _name_points(axes: Axes, names: list[str], x: _Floats, y: _Floats) -> None:
    for name, *point in zip(names, x, y, strict=True):
        axes.annotate(label(name), (point[0], point[1]), xytext=(4, 3), textcoords="offset points", color=GREY,
                      fontsize=8)  # fmt: skip
