"""One job's display: nothing for a short job, one display updated in place, a static summary at the end."""

from __future__ import annotations

import os
import sys
import uuid
from typing import Any, Literal, TypeAlias

from IPython.display import publish_display_data

from mrkernel.progress import Progress
from mrkernel.render import ProgressLine, progress_html, progress_text
from mrkernel.session import Pace

__all__ = ["JobView", "Mode", "display_mode", "publish", "publish_data", "publish_text"]

Mode: TypeAlias = Literal["live", "static", "terminal"]
# Where a program runs the notebook, output that comes or goes with the machine's speed would break comparisons.
_LONG_S = 10.0


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
    """

    def __init__(self, mode: Mode, *, has_summary: bool = True) -> None:
        self._mode = mode
        self._has_summary = has_summary
        self._id = uuid.uuid4().hex
        self._is_shown = False
        self._shown = ""
        self._pace = Pace()
        self._line = ProgressLine(sys.stderr) if mode == "terminal" and sys.stderr.isatty() else None

    def open(self, progress: Progress) -> None:
        """Show a first state at once: a display that is first made after its cell ended would land in another."""
        self._show(progress)

    def update(self, progress: Progress) -> None:
        """Show this state if it is time to, and if it differs from what is shown."""
        if self._mode == "static" or not self._pace.is_due():
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
        if self._has_summary or self._is_shown or is_long:
            self._show(progress)

    def _show(self, progress: Progress) -> None:
        text = progress_text(progress)
        if text == self._shown:
            return
        self._shown = text
        data = {"text/html": progress_html(progress), "text/plain": text}
        publish_data(data, transient={"display_id": self._id}, update=self._is_shown)
        self._is_shown = True
