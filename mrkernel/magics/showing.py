"""A widget and its static form in one cell: each is there for the reader that cannot have the other."""

from __future__ import annotations

from typing import Any

from IPython import get_ipython

from mrkernel.magics.view import publish_data

__all__ = ["marked", "publish_view", "take_place"]

_MIME = "application/vnd.jupyter.widget-view+json"
# Where a saved notebook's widget was, JupyterLab says "Loading widget..." or that it found no model. The static form
# follows right there, and takes that line away.
_HIDE_LOST = (".jp-OutputArea-child:has(>.lm-Panel.jp-OutputArea-output):not(:has(.mr-live))"
              ":has(+.jp-OutputArea-child [data-mr-fallback]){display:none}")  # fmt: skip


class _Shown:
    """The widgets that show in cells. When a cell runs again its old ones are closed, and their results may go."""

    def __init__(self) -> None:
        self._views: dict[str, tuple[str, list[Any]]] = {}

    def take_place(self, view: Any) -> None:
        """Take the place of what an earlier run of the same cell has shown."""
        parent = get_ipython().kernel.get_parent("shell") or {}
        cell, run = str(parent.get("metadata", {}).get("cellId", "")), str(parent.get("header", {}).get("msg_id", ""))
        # Front ends that do not name their cells keep what they have shown.
        if not cell:
            return
        last, views = self._views.get(cell, (run, []))
        if last != run:
            for old in views:
                old.close()
            views = []
        self._views[cell] = (run, [*views, view])


_shown = _Shown()


def take_place(view: Any) -> None:
    """Close the widgets that an earlier run of this cell has shown; this one shows now."""
    _shown.take_place(view)


def publish_view(view: Any) -> None:
    """Show a widget; its static form is to be displayed next."""
    _shown.take_place(view)
    publish_data({_MIME: {"version_major": 2, "version_minor": 0, "model_id": view.model_id}, "text/plain": ""})


def marked(html: str, fallback: str, *, is_plotted: bool = False) -> str:
    """The static form, which the widget hides while it shows, and which hides what is left of a lost widget."""
    kind = ' class="mr-plotted"' if is_plotted else ""
    return f'<style>{_HIDE_LOST}</style><div data-mr-fallback="{fallback}"{kind}>{html}</div>'
