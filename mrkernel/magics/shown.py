"""Which widgets show in which cells: a page keeps one until it is closed, and with it what it holds here."""

from __future__ import annotations

from typing import Any

from IPython import get_ipython

__all__ = ["take_place", "view_data"]

_VIEW = "application/vnd.jupyter.widget-view+json"


class _Shown:
    """The widgets that show in cells. When a cell runs again its old ones are closed, and their results may go."""

    def __init__(self) -> None:
        self._views: dict[str, tuple[str, list[Any]]] = {}

    def take_place(self, view: Any) -> None:
        """Take the place of what an earlier run of the same cell has shown."""
        kernel = getattr(get_ipython(), "kernel", None)
        parent = (kernel.get_parent("shell") or {}) if kernel is not None else {}
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


def view_data(view: Any) -> dict[str, Any]:
    """A widget's display. Its text is empty: the static form has a display of its own, which outlives it."""
    return {_VIEW: {"version_major": 2, "version_minor": 0, "model_id": view.model_id}, "text/plain": ""}
