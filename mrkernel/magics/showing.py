"""A widget and its static form in one cell: each is there for the reader that cannot have the other."""

from __future__ import annotations

from typing import Any

from mrkernel.magics.shown import take_place, view_data
from mrkernel.magics.view import publish_data

__all__ = ["marked", "publish_view"]

# Where a saved notebook's widget was, JupyterLab says "Loading widget..." or that it found no model. The static form
# follows right there, and takes that line away.
_HIDE_LOST = (".jp-OutputArea-child:has(>.lm-Panel.jp-OutputArea-output):not(:has(.mr-live))"
              ":has(+.jp-OutputArea-child [data-mr-fallback]){display:none}")  # fmt: skip


def publish_view(view: Any) -> None:
    """Show a widget; its static form is to be displayed next."""
    take_place(view)
    publish_data(view_data(view))


def marked(html: str, fallback: str, *, is_plotted: bool = False) -> str:
    """The static form, which the widget hides while it shows, and which hides what is left of a lost widget."""
    kind = ' class="mr-plotted"' if is_plotted else ""
    return f'<style>{_HIDE_LOST}</style><div data-mr-fallback="{fallback}"{kind}>{html}</div>'
