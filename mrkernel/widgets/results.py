"""The widget of a result: it shows a first page at once, and asks for everything else when somebody looks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import traitlets

from mrkernel.widgets.assets import module, style
from mrkernel.widgets.view import View

__all__ = ["Answer", "ResultsView"]

# What is said, and the buffers that go with it.
Answer: TypeAlias = tuple[dict[str, Any], Sequence[bytes]]
# The library is made for script tags and CommonJS; as CommonJS it leaves no name on the page.
_ARROW = (f"const flechette = ((exports, module) => {{\n{module('vendor/flechette.min.js')}\n"
          "return exports;\n})({}, {});\n")  # fmt: skip


class ResultsView(View):
    """A result that pages, sorts and copies, with tabs beside it.

    Parameters
    ----------
    state
        What does not change: ``columns``, ``rows``, ``tabs``, … as ``static/results.js`` reads them.
    first
        The first page as an Arrow IPC stream, so that something shows where the kernel cannot answer.
    answer
        Called with each question of the page, in a thread of its own: a sort may take seconds.
    """

    _esm = _ARROW + module("common.js", "cells.js", "table.js", "results.js")
    _css = style("results.css")
    state = traitlets.Dict().tag(sync=True)
    first = traitlets.Bytes().tag(sync=True)

    def __init__(self, state: dict[str, Any], first: bytes, answer: Callable[[dict[str, Any]], Answer]) -> None:
        super().__init__(state=state, first=first)
        self._answer = answer
        self.on_msg(self._asked)

    def _asked(self, _: Any, question: dict[str, Any], __: Any) -> None:
        threading.Thread(target=self._say, args=(question,), name="mrkernel page", daemon=True).start()

    def _say(self, question: dict[str, Any]) -> None:
        number = question.get("id")
        try:
            said, buffers = self._answer(question)
            self.send({**said, "id": number}, list(buffers))
        except Exception as error:  # noqa: BLE001  # whatever it is, the page waits for an answer
            text = (str(error) or type(error).__name__).encode("utf-8", "backslashreplace").decode()
            self.send({"error": text, "id": number}, [])
