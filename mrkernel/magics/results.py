"""A result where somebody watches: the widget, with the static form beside it for the saved notebook."""

from __future__ import annotations

import importlib
import secrets
import weakref
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from IPython import get_ipython

from mrkernel.config import counted, format_bytes, settings
from mrkernel.errors import MrkernelError, OptionError
from mrkernel.magics.showing import marked, publish_view
from mrkernel.magics.view import publish
from mrkernel.render import Preview, counters_html, counters_text, table_html, table_text, value_text
from mrkernel.render.progress import headline, stages_table
from mrkernel.render.values import printable
from mrkernel.result import Errors, Result, can_plot_rows
from mrkernel.result.paging import MAX_COLUMNS

if TYPE_CHECKING:
    from mrkernel.plots.drawing import Drawing

__all__ = ["Answers", "has_widgets", "live_form", "publish_live"]

_MOST_COPIED = 10_000
_MOST_BAD, _BAD_CHARACTERS = 100, 300


def has_widgets() -> bool:
    """Whether what the widget needs is installed, and can be imported."""
    try:
        importlib.import_module("mrkernel.widgets.results")
    except ImportError:
        return False
    return True


class Answers:
    """Answers the questions of one result's widget.

    Parameters
    ----------
    is_bound
        Whether a variable of the user holds the result. Its files then go with the variable, whatever a page still
        shows; else only the page holds it.
    """

    def __init__(self, result: Result, plot_kind: str | None = None, *, is_bound: bool = False) -> None:
        self._find: Callable[[], Result | None] = weakref.ref(result) if is_bound else lambda: result
        self._plot_kind = plot_kind

    @property
    def result(self) -> Result:
        """The result.

        Raises
        ------
        MrkernelError
            If nobody holds it any more.
        """
        found = self._find()
        if found is None:
            raise MrkernelError("these rows are gone: no variable holds them any more", hint="run the cell again")
        return found

    def __call__(self, question: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        """The answer to a question of ``static/results.js``."""
        order: dict[str, Any] = {"column": question.get("column"), "descending": bool(question.get("descending"))}
        paging = self.result.paging
        match question["op"]:
            case "page":
                page = paging.page(int(question["start"]), int(question["size"]), **order)
                return {"cut": page.cut}, [page.ipc]
            case "text":
                text, length = paging.text(int(question["rank"]), question["name"], **order)
                return {"text": text if len(text) >= length else f"{text}… ({length:,} characters in all)"}, []
            case "csv":
                text, n_rows = paging.csv(_MOST_COPIED, **order)
                return {"text": text, "rows": n_rows}, []
            case "tab":
                return self._tab(question["name"])
        raise OptionError(f"a result has no answer to {question['op']!r}")

    @cached_property
    def tabs(self) -> list[str]:
        """What can be looked at; a view with nothing to say is left out."""
        result = self.result
        has = {
            "plot": result.num_rows > 1 and can_plot_rows(result),
            "counters": bool(result.counters),
            "stages": bool(result.report.stages),
            "skew": bool(result.report.skew),
            "bad records": bool(result.errors),
            "plan": bool(result.planned),
        }
        return ["table", *(name for name, is_there in has.items() if is_there)]

    def _tab(self, name: str) -> tuple[dict[str, Any], list[bytes]]:
        result = self.result
        match name:
            case "plot":
                return _picture(result.plot(kind=self._plot_kind))  # type: ignore[arg-type]  # the cell checked the kind
            case "counters":
                rows = [[printable(one), f"{result.counters[one]:,}"] for one in sorted(result.counters)]
                return _table(["counter", "count"], rows, [False, True]), []
            case "stages":
                return _stages(result)
            case "skew":
                return {"kind": "text", "text": str(result.report.skew)}, []
            case "bad records":
                return _bad_records(result.errors), []
            case "plan":
                return _table([], [[printable(text) for text in fact] for fact in result.planned], [False, False]), []
        raise OptionError(f"a result has no view {name!r}")


def _table(head: list[str], rows: list[list[str]], right: list[bool], note: str = "") -> dict[str, Any]:
    return {"kind": "table", "head": head, "rows": rows, "right": right, "note": note}


def _stages(result: Result) -> tuple[dict[str, Any], list[bytes]]:
    progress = result.report.progress
    table = _table(*stages_table(progress), note=printable(". ".join((headline(progress), *progress.notes))))
    try:
        picture, data = _picture(result.report.plot())
    except OptionError:
        # Too short a run has nothing to draw.
        return table, []
    return table | {"picture": picture}, data


def _bad_records(errors: Errors) -> dict[str, Any]:
    preview = errors.preview(_MOST_BAD)
    rows = [["" if value is None else value_text(value)[:_BAD_CHARACTERS] for value in row] for row in preview.rows]
    return _table(list(preview.columns), rows, [kind.startswith("int") for kind in preview.types], preview.note)


def _picture(drawing: Drawing) -> tuple[dict[str, Any], list[bytes]]:
    from mrkernel.plots import alt_text, figure_png, figure_svg

    is_svg = settings().plot_format == "svg"
    width = int(drawing.figure.get_size_inches()[0] * 96)  # type: ignore[union-attr]  # never a figure inside another
    is_heat = bool(getattr(drawing, "images", None))
    said = {"kind": "image", "mime": "image/svg+xml" if is_svg else "image/png", "alt": alt_text(drawing),
            "width": width, "class": "mr-picture mr-heat" if is_heat else "mr-picture"}  # fmt: skip
    return said, [figure_svg(drawing).encode() if is_svg else figure_png(drawing)]


def publish_live(
    result: Result, preview: Preview, *, is_plotted: bool, plots_first: bool = False, plot_kind: str | None = None
) -> None:
    """Show the widget of a cell's result, and its rows and counters in the static form.

    Parameters
    ----------
    is_plotted
        Whether a plot is displayed right after this; the widget hides that too, having one of its own.
    plots_first
        Whether the widget opens with its plot.
    """
    html, text = table_html(preview), table_text(preview)
    if result.counters:
        html, text = html + counters_html(result.counters), f"{text}\n\n{counters_text(result.counters)}"
    # Without its widget a result still has its static form.
    with suppress(Exception):
        answers = Answers(result, plot_kind, is_bound=_is_bound(result))
        fallback = _publish_widget(answers, preview, tab="plot" if plots_first else "table")
        html = marked(html, fallback, is_plotted=is_plotted and "plot" in answers.tabs)
    publish(html, text)


def live_form(result: Result) -> dict[str, str]:
    """What a cell whose value is a result shows after its widget, which this publishes."""
    try:
        fallback = _publish_widget(Answers(result, is_bound=_is_bound(result)), result.preview())
    except Exception:  # noqa: BLE001  # without its widget a result still has its other forms
        return {}
    return {"text/html": marked(result._repr_html_(), fallback), "text/plain": repr(result)}


def _is_bound(result: Result) -> bool:
    """Whether a variable of the user holds a result."""
    return any(value is result for value in get_ipython().user_ns.values())


def _publish_widget(answers: Answers, preview: Preview, tab: str = "table") -> str:
    """Publish the widget of a result; returns the mark by which it knows the static form that is published next."""
    from mrkernel.widgets.results import ResultsView

    fallback = secrets.token_hex(8)
    size = min(len(preview.rows), 1_000) or 10
    page = answers.result.paging.page(0, size)
    state = _state(answers, preview) | {"tab": tab if tab in answers.tabs else "table", "size": size, "cut": page.cut}
    view = ResultsView(state | {"fallback": fallback}, page.ipc, answers)
    publish_view(view)
    return fallback


def _state(answers: Answers, preview: Preview) -> dict[str, Any]:
    result = answers.result
    columns = result.paging.columns()
    shown = columns[:MAX_COLUMNS]
    said = [counted(result.num_rows, "row"), counted(len(columns), "column"), format_bytes(result.num_bytes)]
    if len(shown) < len(columns):
        said[1] = f"{len(shown)} of {said[1]}"
    return {
        "columns": shown, "labels": [value_text(name) for name, _ in shown], "rows": result.num_rows,
        "tabs": answers.tabs, "footer": ", ".join(said), "access": preview.access,
        "notes": [printable(note) for note in (preview.note, preview.written) if note],
    }  # fmt: skip
