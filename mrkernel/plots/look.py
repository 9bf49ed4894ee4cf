"""How every plot looks: colours, text, figures without pyplot, axes that read alike on light and dark pages."""

from __future__ import annotations

import textwrap
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "GREY",
    "fonts",
    "label",
    "new_axes",
    "new_figure",
    "number_words",
    "plain_numbers",
    "show_legend",
    "style",
    "unescaped",
]

# Okabe and Ito's blue, vermilion, green and purple: told apart with every common colour blindness, and each with a
# contrast of 3 at least on white and on black alike. Their other colours are too light for white pages.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
# Mid grey: a contrast of 4.5 on white and 4.6 on black, so that one picture serves light and dark pages.
GREY = "#767676"
WIDTH = 7.0
LABEL_CELLS = 32
_JOINERS = "\u200c\u200d"
_WRAP = 96
# Fonts with the scripts that matplotlib's own lacks, as the systems name them.
_MORE_FONTS = (
    "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans JP", "Noto Sans SC", "Source Han Sans", "WenQuanYi Micro Hei",
    "Droid Sans Fallback", "Hiragino Sans", "PingFang SC", "Apple SD Gothic Neo", "Microsoft YaHei", "Yu Gothic",
    "Malgun Gothic", "Arial Unicode MS", "Noto Sans Devanagari", "Noto Sans Thai", "Nirmala UI",
    "Noto Emoji", "Segoe UI Emoji",
)  # fmt: skip


def new_figure(width: float, height: float) -> Figure:
    """A figure of so many inches that pyplot does not know."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Never pyplot: its global state is not safe on the threads that serve a notebook's messages.
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def new_axes(height: float = 3.6) -> Axes:
    """Empty axes on a figure of their own."""
    return new_figure(WIDTH, height).add_subplot()


def label(value: object, most: int = LABEL_CELLS) -> str:
    """A value as one short line that matplotlib draws as it is, as wide as ``most`` letters.

    >>> label("a" + chr(10) + "b")
    'a·b'
    """
    text = value if isinstance(value, str) else str(value)
    kept, cells = [], 0
    for character in text[: 4 * most]:
        cells += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if cells > most:
            break
        kept.append(character if character.isprintable() or character in _JOINERS else "·")
    if len(kept) < len(text):
        kept[-1:] = "…"
    # A dollar sign would start a formula, and a broken formula is an error when the picture is drawn.
    return "".join(kept).replace("$", r"\$")


def unescaped(text: str) -> str:
    """What a label says to people: without the marks that are for matplotlib only."""
    return text.replace(r"\$", "$")


@cache
def fonts() -> tuple[str, ...]:
    """Matplotlib's own font, then those of this machine that have more scripts."""
    from matplotlib.font_manager import fontManager

    known = set(fontManager.get_font_names())
    return ("DejaVu Sans", *(name for name in _MORE_FONTS if name in known))


def style(axes: Axes, *, title: str | None = None, said: str = "", is_framed: bool = False) -> None:
    """Give axes their colours, a title on the left, and on the right what was left out.

    Parameters
    ----------
    is_framed
        Whether all four sides have a line; else the left one and the lower one.
    """
    axes.patch.set_alpha(0.0)
    cast("Figure", axes.figure).patch.set_alpha(0.0)
    for name, spine in axes.spines.items():
        spine.set_visible(is_framed or name in {"left", "bottom"})
        spine.set_color(GREY)
    axes.tick_params(colors=GREY, labelsize=9)
    lines = textwrap.wrap(said, _WRAP)
    if lines:
        axes.set_title("\n".join(lines), loc="right", color=GREY, fontsize=9)
    if title:
        # Two titles share a line; where they would meet, the left one stands above.
        is_long = len(title) * 1.2 + len(said) > _WRAP
        axes.set_title(label(title) + "\n" * is_long * len(lines), loc="left", color=GREY, fontsize=11)
    _set_text(axes)


def show_legend(axes: Axes, **options: Any) -> None:
    """Name the series of axes."""
    legend = axes.legend(frameon=False, labelcolor=GREY, fontsize=9, **options)
    for text in legend.get_texts():
        text.set_fontfamily(list(fonts()))


def _set_text(axes: Axes) -> None:
    from matplotlib.text import Text

    for text in axes.findobj(Text):
        assert isinstance(text, Text)
        text.set_fontfamily(list(fonts()))
        # A user's own matplotlib settings may ask for TeX, which labels were not written for.
        text.set_usetex(False)
    for text in (axes.xaxis.label, axes.yaxis.label):
        text.set_color(GREY)
        text.set_fontsize(10)
    for axis in (axes.xaxis, axes.yaxis):
        axis.get_offset_text().set_color(GREY)
        axis.get_offset_text().set_fontsize(9)


def plain_numbers(axis: Any) -> None:
    """Write an axis's numbers as people do: ``51,696``, and ``2e+12`` only beyond a billion."""
    from matplotlib.ticker import FuncFormatter

    # A function of the module, so that a plot can be pickled.
    axis.set_major_formatter(FuncFormatter(_tick))


def _tick(number: float, at: int | None) -> str:
    return number_words(number)


def number_words(number: float) -> str:
    """A number for an axis.

    >>> number_words(51696.0), number_words(0.25), number_words(3e12)
    ('51,696', '0.25', '3e+12')
    """
    size = abs(number)
    return f"{number:,.10g}" if 1e-4 <= size < 1e9 or size == 0 else f"{number:.4g}"
