"""Heat maps of keys that are pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mrkernel.config import counted
from mrkernel.plots.axis import SMALLEST, name_axis
from mrkernel.plots.bars import Words, left_out_words
from mrkernel.plots.columns import is_number, is_ordered, is_pair, number_unit, numbers
from mrkernel.plots.look import GREY, WIDTH, fonts, label, number_words, plain_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["heat", "is_grid", "pair_of"]

_Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
# A grid that is emptier than this is a list of pairs, which bars show better.
_FULL = 0.25
_LOOKED_AT = 1_000_000
_MAX_ORDERED = 200
_MAX_TICKS = 40
_WRITTEN = 144
# Names stand on two sides, and beside the colours: they must leave room for the cells.
_LETTERS = 18
# Above it there is no room for the brighter picture that a dark page shows.
_BRIGHTEST = 0.87


def pair_of(table: pa.Table) -> pa.Table | None:
    """Columns of the pair and the number of each row, or None where keys are no pairs.

    A key of two values is a pair; so are two columns that are not numbers before one that is.
    """
    if table.num_columns >= 2 and is_pair(table.schema.field(0).type):
        key = table.schema.field(0)
        parts = [pc.struct_field(table.column(0), [n]) for n in range(2)]
        rest = range(1, table.num_columns)
        names = [
            part if not part.isdigit() else f"{key.name}[{part}]" for part in (key.type.field(n).name for n in range(2))
        ]
    elif table.num_columns >= 3:
        parts, rest = [table.column(0), table.column(1)], range(2, table.num_columns)
        names = table.schema.names[:2]
        if any(pa.types.is_nested(part.type) or is_number(part.type) for part in parts):
            return None
    else:
        return None
    for n in rest:
        if is_number(table.schema.field(n).type):
            return pa.Table.from_arrays([*parts, table.column(n)], [*names, table.schema.field(n).name])
    return None


def is_grid(pairs: pa.Table) -> bool:
    """Whether the pairs fill a grid well enough to be looked at as one."""
    if not 4 <= pairs.num_rows <= _LOOKED_AT:
        return False
    across, up = (len(pc.unique(pairs.column(n))) for n in (1, 0))
    return bool(min(across, up) >= 2 and pairs.num_rows >= _FULL * across * up)


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of the grid: its values in order, each row's place among them (-1: left out), and all there were."""

    values: pa.Array
    places: np.ndarray[Any, np.dtype[np.int64]]
    total: int
    is_ordered: bool


def heat(axes: Axes, pairs: pa.Table, *, top: int, log: bool, words: Words) -> list[str]:
    """Draw a grid of cells with a colour for each number; returns what was left out, in words."""
    pairs = pairs.combine_chunks()
    factor, unit = number_unit(pairs.column(2))
    values = numbers(pairs.column(2), factor)
    rows, columns = _side(pairs.column(0), values, top), _side(pairs.column(1), values, top)
    grid = np.full((len(rows.values), len(columns.values)), np.nan)
    inside = (rows.places >= 0) & (columns.places >= 0) & ~np.isnan(values)
    cells = rows.places[inside], columns.places[inside]
    grid[cells] = 0.0
    np.add.at(grid, cells, values[inside])
    said = _left_out(rows, columns, pairs, values)
    n_cells = int((~np.isnan(grid)).sum())
    if n_cells < inside.sum():
        said.append("rows of the same pair summed")
    if n_cells < grid.size:
        said.append(f"{counted(grid.size - n_cells, 'pair')} without a value left blank")
    said += _draw(axes, grid, label(pairs.schema.field(2).name, _LETTERS) + f" ({unit})" * bool(unit), log=log)
    room = 0.0
    for axis, side, n in ((axes.yaxis, rows, 0), (axes.xaxis, columns, 1)):
        room = _ticks(axis, side, words)
        name_axis(axis, pairs.schema.field(n).name)
    cast("Figure", axes.figure).set_size_inches(WIDTH, min(7.0, max(2.2, 0.26 * len(rows.values) + 1.3)) + room)
    return said


def _side(column: pa.ChunkedArray, values: _Floats, top: int) -> _Side:
    found = pc.dictionary_encode(column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column,
                                 null_encoding="encode")  # fmt: skip
    names, codes = found.dictionary, found.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    ordered = is_ordered(names.type)
    if ordered:
        order = pc.sort_indices(names).to_numpy()[:_MAX_ORDERED]
    else:
        weight = np.bincount(codes, np.nan_to_num(np.abs(values)), len(names))
        order = np.lexsort((np.arange(len(names)), -weight))[:top]
    place = np.full(len(names), -1, np.int64)
    place[order] = np.arange(len(order))
    return _Side(names.take(pa.array(order)), place[codes], len(names), ordered)


def _draw(axes: Axes, grid: _Floats, name: str, *, log: bool) -> list[str]:
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap, LogNorm, Normalize

    found = grid[~np.isnan(grid)]
    norm, said = Normalize(), []
    if log and (found >= SMALLEST).any():
        norm = LogNorm(found[found >= SMALLEST].min(), found.max())
        hidden = int((found < SMALLEST).sum())
        said = [f"{counted(hidden, 'cell')} of zero or less not on the logarithmic scale"] if hidden else []
    colours = ListedColormap(colormaps["cividis"](np.linspace(0, _BRIGHTEST, 256)))
    image = axes.imshow(np.ma.masked_invalid(grid), cmap=colours, norm=norm, aspect="auto", interpolation="nearest")
    if not len(found):
        return said
    bar = cast("Figure", axes.figure).colorbar(image, ax=axes, label=name, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.yaxis.label.set_color(GREY)
    bar.ax.yaxis.label.set_fontfamily(list(fonts()))
    bar.ax.tick_params(colors=GREY, labelsize=9)
    plain_numbers(bar.ax.yaxis)
    if grid.size <= _WRITTEN and grid.shape[1] <= 12:
        _write_cells(axes, grid, norm)
    return said


def _write_cells(axes: Axes, grid: _Floats, norm: Any) -> None:
    """Numbers in the cells of a small grid, so that nothing is said by colour alone."""
    for (row, column), value in np.ndenumerate(grid):
        if not np.isnan(value):
            shade = float(np.ma.filled(norm(value), 0.0))
            text = number_words(float(f"{value:.3g}")) if abs(value) < 1000 else _short(value)
            axes.text(
                column, row, text, ha="center", va="center", fontsize=8, color="black" if shade > 0.55 else "white"
            )


def _short(value: float) -> str:
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size <= abs(value) < 1e15:
            return f"{value / size:.3g}{letter}"
    return f"{value:.1e}"


def _ticks(axis: Any, side: _Side, words: Words) -> float:
    """Name the values of a side; returns the inches that leaning names need below it."""
    at = np.unique(np.linspace(0, len(side.values) - 1, min(_MAX_TICKS, len(side.values))).astype(np.int64))
    if len(at) < len(side.values):
        at = np.arange(0, len(side.values), -(-len(side.values) // _MAX_TICKS) * 2)
    names = [label(word, _LETTERS) for word in words(pa.chunked_array([side.values.take(pa.array(at, pa.int64()))]))]
    is_leaning = axis.axis_name == "x" and sum(map(len, names)) + len(names) > 70
    leaning = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if is_leaning else {}
    axis.set_ticks(at, names, **leaning)
    return 0.07 * max(map(len, names)) if is_leaning else 0.0


def _left_out(rows: _Side, columns: _Side, pairs: pa.Table, values: _Floats) -> list[str]:
    said = []
    for side, n in ((rows, 0), (columns, 1)):
        if len(side.values) < side.total:
            which = "first" if side.is_ordered else "top"
            said.append(f"{which} {len(side.values):,} of {side.total:,} {label(pairs.schema.field(n).name)}")
    empty = int(np.isnan(values).sum())
    if empty:
        said.append(left_out_words(empty))
    return said
