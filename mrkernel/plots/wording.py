"""What a plot shows, in words: for people and programs that see no pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mrkernel.plots.drawing import Drawing, RunPlot
from mrkernel.plots.look import unescaped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Drawn", "alt_text", "describe_plot", "remember"]

_NAMES = {
    "bar": "Bar chart", "line": "Line chart", "hist": "Histogram", "scatter": "Scatter plot", "heat": "Heat map",
}  # fmt: skip
_ATTRIBUTE = "mrkernel_drawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What was drawn: its kind, and the facts that its picture shows at a glance."""

    kind: str
    facts: tuple[str, ...] = ()


def remember(axes: Axes, drawn: Drawn) -> None:
    """Keep with the axes what they show."""
    setattr(axes, _ATTRIBUTE, drawn)


def _known(axes: Axes) -> Drawn | None:
    found = getattr(axes, _ATTRIBUTE, None)
    return found if isinstance(found, Drawn) else None


def describe_plot(axes: Drawing) -> str:
    """What the plot shows, in one line."""
    if isinstance(axes, RunPlot):
        return axes.description
    keys, values = unescaped(axes.get_xlabel()), unescaped(axes.get_ylabel())
    drawn = _known(axes)
    if drawn is not None and drawn.kind == "bar":
        keys, values = values, keys
    if not values and (legend := axes.get_legend()) is not None:
        values = ", ".join(unescaped(text.get_text()) for text in legend.get_texts())
    axis = f"{values or 'value'} by {keys or 'key'}"
    if drawn is not None and drawn.kind == "heat":
        axis = f"{_bar_label(axes)} by {values} and {keys}"
    said = " ".join(unescaped(axes.get_title(loc="right")).split())
    return f"plot of {axis}" + (f" ({said})" if said else "")


def _bar_label(axes: Axes) -> str:
    bars = [image.colorbar for image in axes.images if image.colorbar is not None]
    return unescaped(bars[0].ax.get_ylabel()) if bars else "value"


def alt_text(axes: Drawing) -> str:
    """The plot for a screen reader: its kind, its title, what it shows, and its outstanding values."""
    if isinstance(axes, RunPlot):
        return axes.alt
    drawn = _known(axes)
    title = unescaped(axes.get_title(loc="left")).strip()
    kind = _NAMES.get(drawn.kind, "Plot") if drawn is not None else "Plot"
    sentence = describe_plot(axes).removeprefix("plot of ")
    facts = "; ".join(drawn.facts).replace("; ", ": ", 1) if drawn is not None else ""
    return f"{kind}{f' “{title}”' if title else ''}: {sentence}{f'; {facts}' if facts else ''}."
