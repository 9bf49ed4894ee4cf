"""What the session shows in IPython for jobs of ordinary cells: the progress of ``mr.run``, and failure cards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from IPython import get_ipython

from mrkernel.errors import TaskFailedError
from mrkernel.events import Failure
from mrkernel.magics.failures import FailureCard
from mrkernel.magics.results import has_widgets, live_form
from mrkernel.magics.view import JobView, display_mode
from mrkernel.magics.walkthroughs import live_walkthrough

if TYPE_CHECKING:
    from mrkernel.result import Result
    from mrkernel.tour import Walkthrough

__all__ = ["attach_card", "open_display", "show_result", "show_walkthrough"]


def open_display() -> JobView | None:
    """A display in the running cell; None in a terminal, where a line on standard error does."""
    mode = display_mode(get_ipython())
    return None if mode == "terminal" else JobView(mode, has_summary=False)


def attach_card(error: TaskFailedError, failures: Sequence[Failure]) -> None:
    """Let the error show its card where it reaches the notebook; a cell that catches it stays as it is."""
    error._render_traceback_ = FailureCard(error, failures)  # type: ignore[method-assign]  # for this error alone


def show_result(result: Result) -> dict[str, str]:
    """A result that is displayed: where somebody watches its widget, and the forms to show beside it; else nothing."""
    return live_form(result) if _is_live() else {}


def show_walkthrough(walk: Walkthrough) -> dict[str, str]:
    """The same for a walkthrough."""
    return live_walkthrough(walk) if _is_live() else {}


def _is_live() -> bool:
    return display_mode(get_ipython()) == "live" and has_widgets()
