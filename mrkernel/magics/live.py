"""A job's widget in a display of its own; the static form stands beside it, for whatever has no widgets."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

from mrkernel.magics.shown import take_place, view_data
from mrkernel.progress import Progress, progress_state

__all__ = ["LiveJob", "beside_widget", "no_widget"]

# A kernel that is killed leaves its notebook with the last static form that was sent, so the first ones come soon; each
# of them is four times as large as what the widget is told. A front end that never spoke may have nothing else.
_OFTEN_S, _HEARD_S, _UNHEARD_S = 1.0, 30.0, 10.0
# A state that says nothing new is sent after all this often, so that the page knows that the kernel lives.
_BEAT_S = 5.0
_TIMES = ("seconds", "idle", "eta", "fraction")
_STAGE_TIMES = ("seconds", "rate", "byteRate")
# In JupyterLab: the static form is hidden where the widget before it is alive; else what stands in the widget's place
# ("Loading widget...", "model not found") is.
_EITHER = (".jp-OutputArea-child:has(.mr-progress)+.jp-OutputArea-child:has([data-mr-progress]){display:none}"
           ".jp-OutputArea-child:has(>.lm-Panel.jp-OutputArea-output):not(:has(.mr-progress))"
           ":has(+.jp-OutputArea-child [data-mr-progress]){display:none}")  # fmt: skip


class LiveJob:
    """One job's widget; used from one thread at a time.

    Parameters
    ----------
    words
        What this kernel's Cancel can do, in words.

    Attributes
    ----------
    mark
        By this the widget knows the static form that stands beside it.
    """

    def __init__(
        self, progress: Progress, *, stop: Callable[[], None], leave: Callable[[], None] | None, words: str
    ) -> None:
        from mrkernel.widgets.progress import ProgressWidget

        self._words = words
        self.mark = secrets.token_hex(4)
        self._began = self._sent = self._drawn = time.monotonic()
        self._widget = ProgressWidget(self._state(progress), stop=stop, leave=leave)
        take_place(self._widget)
        self._told: dict[str, Any] = {}

    def _state(self, progress: Progress) -> dict[str, Any]:
        return {**progress_state(progress, kernel=self._words), "beside": self.mark}

    @property
    def data(self) -> dict[str, Any]:
        """The widget's display."""
        return view_data(self._widget)

    @property
    def has_news(self) -> bool:
        """Whether a press of a button is to be answered now."""
        return self._widget.has_news

    def end_wait(self) -> None:
        """Take away what only a waiting cell can do."""
        self._widget.end_wait()
        self._words = ""

    def show(self, progress: Progress) -> None:
        """Send this state, if it tells something or if the page has not heard from the kernel for a while."""
        try:
            state = self._state(progress)
            now, told = time.monotonic(), _told(state)
            if told != self._told or self.has_news or now - self._sent >= _BEAT_S:
                self._told, self._sent = told, now
                self._widget.show(state)
        finally:
            if not progress.is_running:
                self._widget.let_go()

    def is_static_due(self) -> bool:
        """Whether the static form should be renewed now; True counts as done."""
        now = time.monotonic()
        most = _HEARD_S if self._widget.is_heard else max(_UNHEARD_S, (now - self._began) / 10)
        if now - self._drawn < min(most, max(_OFTEN_S, self._drawn - self._began)):
            return False
        self._drawn = now
        return True


def beside_widget(html: str, mark: str) -> str:
    """The static form of a running job, to be shown right after the widget that hides what has its mark."""
    return f'<style>{_EITHER}</style><div data-mr-progress="{mark}">{html}</div>'


def no_widget() -> dict[str, str]:
    """What takes the widget's place in its display when the job has ended: nothing, and no space for it."""
    gone = "<style>.jp-OutputArea-child:has([data-mr-gone]){display:none}</style><div data-mr-gone></div>"
    return {"text/html": gone, "text/plain": ""}


def _told(state: dict[str, Any]) -> dict[str, Any]:
    """What a state says apart from the passing of time, and from the last few bytes of workers' memory."""
    stages = [{name: value for name, value in stage.items() if name not in _STAGE_TIMES} for stage in state["stages"]]
    rest = {name: value for name, value in state.items() if name not in {*_TIMES, "stages", "workers"}}
    return {**rest, "stages": stages, "workers": [(worker["name"], worker["state"]) for worker in state["workers"]]}
