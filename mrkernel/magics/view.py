"""One job's display: nothing for a short job, one display updated in place, a static summary at the end."""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Literal, TypeAlias

from IPython.display import publish_display_data

from mrkernel.magics.live import LiveJob, beside_widget, no_widget
from mrkernel.magics.stopping import kernel_words
from mrkernel.progress import Progress
from mrkernel.render import ProgressLine, progress_html, progress_text, workers_html
from mrkernel.session import Pace

__all__ = ["JobView", "Mode", "display_mode", "publish", "publish_data", "publish_text"]

Mode: TypeAlias = Literal["live", "static", "terminal"]
# Where a program runs the notebook, output that comes or goes with the machine's speed would break comparisons.
_LONG_S = 10.0
# What the widget of such a job has shown of its workers stays, folded; of a shorter one there is nothing to tell.
_TOLD_S = 3.0


def display_mode(shell: Any) -> Mode:
    """How to show progress: in place where someone is watching, once at the end where a program runs the notebook.

    ``MRKERNEL_DISPLAY`` (``live``, ``static`` or ``auto``) decides against what is found out.
    """
    wanted = os.environ.get("MRKERNEL_DISPLAY", "auto")
    kernel = getattr(shell, "kernel", None)
    if wanted == "static":
        return "static"
    if kernel is None:
        return "terminal"
    if wanted == "live":
        return "live"
    # JupyterLab, Notebook and VS Code let the kernel ask for input; nbclient, nbconvert, papermill and nbval do not,
    # and keep or compare only the first version of a display.
    content = (kernel.get_parent("shell") or {}).get("content", {})
    return "live" if content.get("allow_stdin") else "static"


def publish(html: str, text: str) -> None:
    """One display with an HTML and a text form."""
    publish_data({"text/html": html, "text/plain": text})


def publish_data(data: dict[str, Any], **options: Any) -> None:
    """One display by its MIME types."""
    publish_display_data(data, **options)  # type: ignore[no-untyped-call]  # IPython leaves it untyped


def publish_text(text: str) -> None:
    """One display that is text only: help."""
    publish_data({"text/plain": text})


class JobView:
    """Shows one job's progress; used from one thread at a time.

    Parameters
    ----------
    has_summary
        Whether every job ends with its summary; else only one that took so long that its progress was shown, or,
        where nobody watches, longer than 10 s.
    note
        What to say below a job that has not ended.
    """

    def __init__(self, mode: Mode, *, has_summary: bool = True, note: str = "") -> None:
        self._mode = mode
        self._has_summary = has_summary
        self._note = note
        self._id = uuid.uuid4().hex
        self._is_shown = False
        self._shown = ""
        self._pace = Pace()
        self._line = ProgressLine(sys.stderr) if mode == "terminal" and sys.stderr.isatty() else None
        self._stop: Callable[[], None] | None = None
        self._leave: Callable[[], None] | None = None
        self._words = kernel_words(is_awaiting=False)
        self._live: LiveJob | None = None

    def connect(self, stop: Callable[[], None]) -> None:
        """Say what a press of Cancel calls, from any thread."""
        self._stop = stop

    def await_presses(self, *, leave: Callable[[], None] | None = None) -> None:
        """The kernel's loop is free while the job runs; ``leave`` is called for "Continue in background"."""
        self._words = kernel_words(is_awaiting=True)
        self._leave = leave

    def end_wait(self, note: str) -> None:
        """Nobody waits for the job any more; ``note`` stands below it until it has ended."""
        self._note = note
        if self._live is not None:
            self._live.end_wait()

    def open(self, progress: Progress) -> None:
        """Show a first state at once: a display that is first made after its cell ended would land in another."""
        self._show(progress)

    def update(self, progress: Progress) -> None:
        """Show this state if it is time to, and if it differs from what is shown."""
        has_news = self._live is not None and self._live.has_news
        if self._mode == "static" or not (has_news or self._pace.is_due()):
            return
        if self._line is not None:
            self._line.update(progress)
        elif self._mode == "live":
            self._show(progress)

    def finish(self, progress: Progress) -> None:
        """Show the end state; nothing changes afterwards."""
        if self._line is not None:
            self._line.clear()
        is_long = self._pace.elapsed_s >= _LONG_S if self._mode == "static" else not self._pace.is_short
        try:
            if self._has_summary or self._is_shown or is_long:
                self._show(progress)
        finally:
            # What a press calls holds the job, and so its result; nothing can be pressed any more.
            self._stop = self._leave = None

    def _show(self, progress: Progress) -> None:
        if self._note and progress.is_running:
            progress = replace(progress, notes=(*progress.notes, self._note))
        if self._mode == "live" and self._show_live(progress):
            return
        if self._live is not None and progress.is_running:
            as_of = f"as of {time.strftime('%Y-%m-%d %H:%M:%S')}; a job ends when its kernel does"
            progress = replace(progress, notes=(*progress.notes, as_of))
        text = progress_text(progress)
        if text == self._shown:
            return
        self._shown = text
        is_told = self._live is not None and not progress.is_running and (progress.log or progress.seconds >= _TOLD_S)
        html = progress_html(progress, details=workers_html(progress) if is_told else "")
        if self._live is not None and progress.is_running:
            html = beside_widget(html, self._live.mark)
        elif self._live is not None:
            publish_data(no_widget(), transient={"display_id": f"{self._id}-widget"}, update=True)
        data = {"text/html": html, "text/plain": text}
        publish_data(data, transient={"display_id": self._id}, update=self._is_shown)
        self._is_shown = True

    def _show_live(self, progress: Progress) -> bool:
        """Show the state in the job's widget; whether that is enough for now."""
        if self._live is not None:
            # The end too: a page that was loaded again while the job ran has only the widget. What that is not told,
            # the static form says.
            with suppress(Exception):
                self._live.show(progress)
            return progress.is_running and not self._live.is_static_due()
        if progress.is_running and self._stop is not None:
            # Without ipywidgets the static form is all there is.
            with suppress(ImportError):
                self._live = LiveJob(progress, stop=self._stop, leave=self._leave, words=self._words)
                publish_data(self._live.data, transient={"display_id": f"{self._id}-widget"})
        return False
