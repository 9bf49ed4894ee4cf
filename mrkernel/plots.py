"""A result as one matplotlib Axes: bars of the top keys, a line where keys are ordered, a histogram of numbers."""

from __future__ import annotations

import io
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import pyarrow as pa
import pyarrow.compute as pc

from mrkernel.errors import OptionError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Kind", "can_plot", "describe_plot", "figure_png", "figure_svg", "plot_table"]

Kind: TypeAlias = Literal["bar", "line", "hist"]
_KINDS = ("bar", "line", "hist")

# Okabe and Ito's blue and vermilion: told apart with every common colour blindness, and on white and black alike.
_MAIN, _OTHERS = "#0072b2", ("#d55e00", "#009e73", "#cc79a7")
# Mid grey: a contrast of 4.5 on white and 4.6 on black, so that one picture serves light and dark pages.
_TEXT = "#767676"
_LABEL_CHARACTERS = 32
_MAX_SERIES = 4


def can_plot(table: pa.Table) -> bool:
    """Whether :func:`plot_table` has something to show: a row, and a numeric column."""
    return table.num_rows > 0 and bool(_numeric_columns(table))


def plot_table(
    table: pa.Table,
    *,
    kind: Kind | None = None,
    top: int = 20,
    log: bool = False,
    total_rows: int | None = None,
    title: str | None = None,
) -> Axes:
    """Draw a result's keys (first column) against its values (numeric columns after it).

    Parameters
    ----------
    kind
        ``"bar"`` for keys that are names, ``"line"`` for numbers and times, ``"hist"`` for one column of numbers;
        None chooses by the types.
    top
        How many bars at most; the largest values are kept.
    log
        Whether values are on a logarithmic scale.
    total_rows
        Rows of the whole result, where ``table`` is a part of it; the plot then says so.

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
    if kind is not None and kind not in _KINDS:
        raise OptionError(f"there is no plot of kind {kind!r}", hint=f"kinds are {', '.join(_KINDS)}")
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise OptionError(f"cannot plot the top {top!r} keys", hint="top is a whole number of at least 1")
    columns = _numeric_columns(table)
    if not columns:
        names = ", ".join(f"{field.name} ({field.type})" for field in table.schema) or "none"
        raise OptionError(f"cannot plot: no column holds numbers; columns are {names}",
                          hint="reduce to numbers, or plot your own choice from .to_pandas()")  # fmt: skip
    axes = _axes()
    chosen = kind or _choose(table, columns)
    if chosen == "bar":
        said = _bars(axes, table, columns[0], top, total_rows)
    elif chosen == "line":
        said = _lines(axes, table, columns[:_MAX_SERIES])
    else:
        said = _histogram(axes, table, columns[-1])
    if log:
        axes.set_xscale("log") if chosen == "bar" else axes.set_yscale("log")
    if chosen != "bar" and total_rows is not None and total_rows > table.num_rows:
        said = f"first {table.num_rows:,} of {total_rows:,} rows" + (f", {said}" if said else "")
    _plain_thousands(axes.xaxis if chosen == "bar" else axes.yaxis)
    _finish(axes, title, said)
    # IPython shows pyplot's figures only; as the last expression of a cell this one draws itself.
    axes._repr_png_ = partial(_sized_png, axes)  # type: ignore[attr-defined]  # IPython looks for it by name
    return axes


def describe_plot(axes: Axes) -> str:
    """What the plot shows, in one line, for people and programs that see no pictures."""
    axis = f"{axes.get_ylabel() or 'value'} by {axes.get_xlabel() or 'key'}"
    said = axes.get_title(loc="right")
    return f"plot of {axis}" + (f" ({said})" if said else "")


def figure_png(axes: Axes, *, dpi: int = 144) -> bytes:
    """The plot as a PNG with a transparent background; 144 dpi stays sharp at the 96 dpi of a page."""
    buffer = io.BytesIO()
    _save(axes, buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def _sized_png(axes: Axes) -> tuple[bytes, dict[str, int]]:
    width, height = (int(inches * 96) for inches in _figure(axes).get_size_inches())
    return figure_png(axes), {"width": width, "height": height}


def figure_svg(axes: Axes) -> str:
    """The plot as SVG text with a transparent background; the same plot gives the same text."""
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "mrkernel"}):
        _save(axes, buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def _save(axes: Axes, buffer: io.BytesIO | io.StringIO, **options: Any) -> None:
    with warnings.catch_warnings():
        # A key in a script that no installed font has is drawn as boxes; the user cannot do anything about it here.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        _figure(axes).savefig(buffer, transparent=True, **options)


def _figure(axes: Axes) -> Figure:
    return cast("Figure", axes.figure)


def _axes() -> Axes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Never pyplot: its global state is not safe on the threads that serve a notebook's messages.
    figure = Figure(figsize=(7.0, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_ordered(kind: pa.DataType) -> bool:
    return bool(_is_number(kind) or pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _numeric_columns(table: pa.Table) -> list[int]:
    start = 1 if table.num_columns > 1 else 0
    return [n for n in range(start, table.num_columns) if _is_number(table.schema.field(n).type)]


def _choose(table: pa.Table, columns: list[int]) -> Kind:
    if table.num_columns == 1:
        return "hist"
    return "line" if _is_ordered(table.schema.field(0).type) and table.num_rows > 2 and columns else "bar"


def _numbers(table: pa.Table, column: int) -> pa.Array:
    return pc.cast(table.column(column).combine_chunks(), pa.float64(), safe=False)


def _label(value: object) -> str:
    text = value if isinstance(value, str) else str(value)
    text = "".join(c if c.isprintable() else "·" for c in text[: _LABEL_CHARACTERS + 1])
    text = text if len(text) <= _LABEL_CHARACTERS else text[: _LABEL_CHARACTERS - 1] + "…"
    # A dollar sign would start a formula, and a broken formula is an error when the picture is drawn.
    return text.replace("$", r"\$")


def _bars(axes: Axes, table: pa.Table, column: int, top: int, total_rows: int | None) -> str:
    values = _numbers(table, column)
    finite = pc.fill_null(pc.is_finite(values), fill_value=False)
    part = pa.table({"at": pa.array(range(len(values)), pa.int64()), "value": values}).filter(finite)
    best = pc.select_k_unstable(part, k=top, sort_keys=[("value", "descending"), ("at", "ascending")])
    rows = part.take(best)
    keys = table.column(0).take(rows["at"]) if table.num_columns > 1 else rows["at"]
    labels = [_label(key) for key in keys.to_pylist()][::-1]
    heights = rows["value"].to_pylist()[::-1]
    axes.barh(range(len(heights)), heights, color=_MAIN)
    axes.set_yticks(range(len(heights)), labels)
    axes.set_xlabel(_label(table.schema.field(column).name))
    axes.set_ylabel(_label(table.schema.field(0).name))
    _figure(axes).set_size_inches(7.0, max(1.6, 0.24 * len(heights) + 0.9))
    axes.margins(y=0.02)
    total = max(table.num_rows, total_rows or 0)
    return f"top {len(heights):,} of {total:,} keys" if len(heights) < total else ""


def _lines(axes: Axes, table: pa.Table, columns: list[int]) -> str:
    order = pc.sort_indices(table.column(0))
    keys = table.column(0).take(order)
    kind = keys.type
    x: Any = keys.to_pylist() if not _is_number(kind) else pc.cast(keys, pa.float64(), safe=False).to_numpy()
    for column, colour in zip(columns, (_MAIN, *_OTHERS), strict=False):
        y = _numbers(table, column).take(order).to_numpy(zero_copy_only=False)
        marker = "o" if len(y) <= 60 else ""
        axes.plot(x, y, color=colour, marker=marker, markersize=3, label=_label(table.schema.field(column).name))
    axes.set_xlabel(_label(table.schema.field(0).name))
    if pa.types.is_integer(kind):
        axes.locator_params(axis="x", integer=True)
    if len(columns) > 1:
        axes.legend(frameon=False, labelcolor=_TEXT)
    else:
        axes.set_ylabel(_label(table.schema.field(columns[0]).name))
    return ""


def _histogram(axes: Axes, table: pa.Table, column: int) -> str:
    values = _numbers(table, column)
    finite = values.filter(pc.fill_null(pc.is_finite(values), fill_value=False))
    axes.hist(finite.to_numpy(zero_copy_only=False), bins=min(50, max(5, int(len(finite) ** 0.5))), color=_MAIN)
    axes.set_xlabel(_label(table.schema.field(column).name))
    axes.set_ylabel("rows")
    left_out = len(values) - len(finite)
    return f"{left_out:,} empty or infinite values left out" if left_out else ""


def _finish(axes: Axes, title: str | None, said: str) -> None:
    axes.patch.set_alpha(0.0)
    axes.figure.patch.set_alpha(0.0)
    for name, spine in axes.spines.items():
        spine.set_visible(name in {"left", "bottom"})
        spine.set_color(_TEXT)
    axes.tick_params(colors=_TEXT, labelsize=9)
    for text in (axes.xaxis.label, axes.yaxis.label, axes.xaxis.get_offset_text(), axes.yaxis.get_offset_text()):
        text.set_color(_TEXT)
    if title:
        axes.set_title(_label(title), loc="left", color=_TEXT, fontsize=11)
    if said:
        axes.set_title(said, loc="right", color=_TEXT, fontsize=9)


def _plain_thousands(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter, ScalarFormatter

    # Only the values' axis: a year among the keys is 2013, not 2,013.
    if isinstance(axis.get_major_formatter(), ScalarFormatter):
        axis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,.10g}"))
