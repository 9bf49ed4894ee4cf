"""The card of a failed job, in the words of the notebook: ``Cell In[3]``, and the lines around the failing one."""

from __future__ import annotations

import linecache
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from IPython import get_ipython

from mrkernel.errors import TaskFailedError
from mrkernel.events import Failure, Frame
from mrkernel.magics.body import as_written
from mrkernel.magics.view import publish
from mrkernel.render import failure_html, failure_text

__all__ = ["FailureCard", "in_cell_terms"]

_CONTEXT_LINES = 2


class FailureCard:
    """What IPython calls instead of rendering the error's traceback: shows the card, then the error in a line.

    Holds plain data only, and not the error: an error is pickled with everything that hangs on it.
    """

    def __init__(self, error: TaskFailedError, failures: Sequence[Failure]) -> None:
        self._failure = error.failure
        self._failures = tuple(failures)
        self._lines = TaskFailedError._render_traceback_(error)
        self._shown_in = -1

    def __call__(self) -> list[str]:
        """Show the card, and return the lines of the error's own output."""
        shell = get_ipython()
        # Below %%time and the like IPython renders an error twice.
        if shell is not None and self._failure is not None and self._shown_in != shell.execution_count:
            self._shown_in = shell.execution_count
            failure, context = in_cell_terms(shell, self._failure)
            alike = [f for f in self._failures if f.error_type == failure.error_type]
            given: dict[str, Any] = {"more": max(0, len(alike) - 1), "context": context}
            publish(failure_html(failure, **given), failure_text(failure, **given))
        return self._lines


def in_cell_terms(shell: Any, failure: Failure) -> tuple[Failure, list[tuple[int, str]]]:
    """The failure with cells named as the notebook names them (``Cell In[3]``), and the lines around its last frame."""
    frames, context = [], []
    for frame in failure.frames:
        named = shell.compile.format_code_name(frame.filename)
        context = _source_lines(frame, is_cell=bool(named))
        text = frame.text or next((line for number, line in context if number == frame.lineno), "")
        frames.append(replace(frame, filename=" ".join(named) if named else frame.filename, text=text))
    return replace(failure, frames=tuple(frames)), context


def _source_lines(frame: Frame, *, is_cell: bool) -> list[tuple[int, str]]:
    lines = linecache.getlines(frame.filename)
    if not 0 < frame.lineno <= len(lines):
        return []
    # A worker has no cell's source; and a file of another host may have this name here, with other content.
    if not (is_cell and not frame.text) and lines[frame.lineno - 1].strip() != frame.text.strip():
        return []
    first = max(1, frame.lineno - _CONTEXT_LINES)
    last = min(len(lines), frame.lineno + _CONTEXT_LINES)
    return [(n, as_written(lines[n - 1]) if is_cell and n == 1 else lines[n - 1]) for n in range(first, last + 1)]
