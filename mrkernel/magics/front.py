"""What the session shows in IPython for jobs of ordinary cells: the progress of ``mr.run``, and failure cards."""

from __future__ import annotations

from collections.abc import Sequence

from IPython import get_ipython

from mrkernel.errors import TaskFailedError
from mrkernel.events import Failure
from mrkernel.magics.failures import FailureCard
from mrkernel.magics.view import JobView, display_mode

__all__ = ["attach_card", "open_display"]


def open_display() -> JobView | None:
    """A display in the running cell; None in a terminal, where a line on standard error does."""
    mode = display_mode(get_ipython())
    return None if mode == "terminal" else JobView(mode, has_summary=False)


def attach_card(error: TaskFailedError, failures: Sequence[Failure]) -> None:
    """Let the error show its card where it reaches the notebook; a cell that catches it stays as it is."""
    error._render_traceback_ = FailureCard(error, failures)  # type: ignore[method-assign]  # for this error alone
