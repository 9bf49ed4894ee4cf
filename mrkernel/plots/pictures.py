"""Plots as PNG, SVG and HTML, and how one shows itself as the last expression of a cell."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import warnings
from collections.abc import Mapping
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from mrkernel.config import settings
from mrkernel.plots.drawing import Drawing, RunPlot
from mrkernel.plots.wording import alt_text, describe_plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draws_itself", "figure_html", "figure_png", "figure_svg", "plot_bundle"]

_Bundle: TypeAlias = tuple[dict[str, Any], dict[str, Any]]
# The picture itself is readable on white and on black; a page that says which one it is gets more contrast. Colours
# that stand for numbers must not meet at white, so those of heat maps become only a little brighter.
_DARK = ('[data-jp-theme-light="false"]', 'html[theme="dark"]', ".vscode-dark")
_LIGHT = ('[data-jp-theme-light="true"]', 'html[theme="light"]', ".vscode-light")


def _filtered(pages: tuple[str, ...], picture: str, brightness: str) -> str:
    return f"{','.join(f'{page} .mrkernel {picture}' for page in pages)}{{filter:brightness({brightness})}}"


_CSS = (
    ".mrkernel .mr-picture{max-width:100%;height:auto}"
    + _filtered(_DARK, ".mr-picture", "1.45")
    + _filtered(_DARK, ".mr-picture.mr-heat", "1.15")
    + _filtered(_LIGHT, ".mr-picture:not(.mr-heat)", ".85")
)
_SVG_BACKEND = "module://mrkernel.plots.svg"
# Where a picture's own mark goes; no XML has this character.
_OWN = "\0"
# In texts there are neither < nor >, whatever they say of ids.
_TAG = re.compile(r"<[^>]*>")
_ID = re.compile(r' id="([^"]*)"')
_USE = re.compile(r'(url\(#|href="#)([^)"]*)')


def figure_png(axes: Drawing, *, dpi: int = 144) -> bytes:
    """The plot as a PNG with a transparent background; 144 dpi stays sharp at the 96 dpi of a page."""
    buffer = io.BytesIO()
    _save(axes, buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def figure_svg(axes: Drawing) -> str:
    """The plot as SVG text: no script, no link, and ids that no other picture of a page has.

    The background is transparent, letters are text in the reader's own fonts, and the same plot gives the same text.
    """
    buffer = io.StringIO()
    _save(axes, buffer, format="svg", backend=_SVG_BACKEND,
          metadata={"Date": None, "Creator": None, "Format": None, "Type": None})  # fmt: skip
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    # Matplotlib's own ids are random. Numbers in their place make the same text of the same plot.
    used = dict.fromkeys(match[2] for tag in _TAG.findall(svg) for match in _USE.finditer(tag))
    names = {name: f"mr{_OWN}-{n}" for n, name in enumerate(used)}
    svg = _TAG.sub(lambda tag: _renamed(tag[0], names), svg)
    svg = svg.replace(_OWN, hashlib.sha256(svg.encode()).hexdigest()[:12])
    said = escape(alt_text(axes))
    return svg.replace("<svg", f'<svg role="img" aria-label="{said}"', 1)


def _renamed(tag: str, names: Mapping[str, str]) -> str:
    tag = _ID.sub(lambda match: f' id="{names[match[1]]}"' if match[1] in names else "", tag)
    return _USE.sub(lambda match: f"{match[1]}{names[match[2]]}", tag)


def figure_html(axes: Drawing, *, format: str | None = None) -> str:
    """The plot as an HTML picture that carries its data and its alternative text; nothing is fetched or run.

    Parameters
    ----------
    format
        ``"png"`` or ``"svg"``; None is the setting ``plot_format``.
    """
    kind = format or settings().plot_format
    data = figure_svg(axes).encode() if kind == "svg" else figure_png(axes)
    return _html(axes, data, "image/svg+xml" if kind == "svg" else "image/png")


def _html(axes: Drawing, data: bytes, mime: str) -> str:
    width, height = _pixels(axes)
    names = "mr-picture" if isinstance(axes, RunPlot) or not axes.images else "mr-picture mr-heat"
    return (
        f'<div class="mrkernel"><style>{_CSS}</style><img class="{names}" alt="{escape(alt_text(axes))}" '
        f'width="{width}" height="{height}" src="data:{mime};base64,{base64.b64encode(data).decode()}"></div>'
    )


def plot_bundle(axes: Drawing, *, format: str | None = None) -> _Bundle:
    """What a notebook shows and keeps of a plot: HTML with alternative text, the picture, and a line of text.

    Returns
    -------
    Data and metadata, each by MIME type.
    """
    kind = format or settings().plot_format
    size = dict(zip(("width", "height"), _pixels(axes), strict=True))
    data: dict[str, Any] = {"text/plain": describe_plot(axes)}
    if kind == "svg":
        svg = figure_svg(axes)
        return {"text/html": _html(axes, svg.encode(), "image/svg+xml"), "image/svg+xml": svg, **data}, {}
    png = figure_png(axes)
    return {"text/html": _html(axes, png, "image/png"), "image/png": png, **data}, {"image/png": size}


def draws_itself(axes: Axes) -> Axes:
    """The same axes, which a notebook shows as a picture when they are the last expression of a cell."""
    # IPython shows pyplot's figures only, and looks for this name.
    axes._repr_mimebundle_ = partial(_bundle, axes)  # type: ignore[attr-defined]  # an Axes has none of its own
    return axes


def _bundle(axes: Axes, include: object = None, exclude: object = None) -> _Bundle:
    return plot_bundle(axes)


def _pixels(axes: Drawing) -> tuple[int, int]:
    width, height = (int(inches * 96) for inches in _figure(axes).get_size_inches())
    return width, height


def _save(axes: Drawing, buffer: io.BytesIO | io.StringIO, **options: Any) -> None:
    with warnings.catch_warnings():
        # A key in a script that no installed font has is drawn as boxes; the user cannot do anything about it here.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        # Nor where a person has added more around the axes than the figure has room for.
        warnings.filterwarnings("ignore", message="constrained_layout not applied")
        _figure(axes).savefig(buffer, transparent=True, **options)


def _figure(axes: Drawing) -> Figure:
    return cast("Figure", axes.figure)
