"""The card of a failed job, in the words of the notebook: ``Cell In[3]``, and the lines around the failing one."""

from __future__ import annotations

import ast
import inspect
import linecache
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from IPython import get_ipython

from mrkernel.cellspec import reworded
from mrkernel.errors import MrkernelError, TaskFailedError
from mrkernel.events import Failure, Frame
from mrkernel.magics.body import as_written
from mrkernel.magics.view import display_mode, publish
from mrkernel.render import failure_html, failure_text

__all__ = ["FailureCard", "failing_call", "in_cell_terms", "in_cell_words", "whole_traceback"]

_CONTEXT_LINES = 2
_NO_LITERAL = object()
_FRAME = re.compile(r'  File "(?P<file>[^"]+)", line (?P<line>\d+)(?P<rest>, in .*)?$')


class FailureCard:
    """What IPython calls instead of rendering the error's traceback: shows the card, then the error in a line.

    Holds plain data only, and not the error: an error is pickled with everything that hangs on it.
    """

    def __init__(self, error: TaskFailedError, failures: Sequence[Failure]) -> None:
        self._failure = error.failure
        self.failures = tuple(failures)
        self._lines = TaskFailedError._render_traceback_(error)
        self._shown_in = -1

    def __call__(self) -> list[str]:
        """Show the card, and return the lines of the error's own output."""
        shell = get_ipython()
        if shell is None or self._failure is None:
            return self._lines
        is_run_by_program = display_mode(shell) == "static"
        failure, context = in_cell_terms(shell, self._failure)
        # How many tasks fail at the same moment is luck, and where a program runs the notebook, outputs are compared.
        others = () if is_run_by_program else [in_cell_terms(shell, f)[0] for f in self.failures if f != self._failure]
        given: dict[str, Any] = {
            "others": others,
            "context": context,
            "call": failing_call(shell.user_ns, self._failure),
        }
        text = failure_text(failure, **given)
        # Below %%time and the like IPython renders an error twice.
        if self._shown_in != shell.execution_count:
            self._shown_in = shell.execution_count
            publish(failure_html(failure, **given), text)
        # A program that runs a notebook logs the error's own output and nothing else of the cell.
        return [*text.split("\n"), "", *self._lines] if is_run_by_program else self._lines


@contextmanager
def in_cell_words(*, is_writing: bool = False) -> Iterator[None]:
    """Let errors of ours leave the block with hints that name a cell's options; their cards say the same."""
    __tracebackhide__ = True
    try:
        yield
    except MrkernelError as error:
        reworded(error, "cell", is_writing=is_writing)
        card = getattr(error, "_render_traceback_", None)
        if isinstance(card, FailureCard) and isinstance(error, TaskFailedError):
            error._render_traceback_ = FailureCard(error, card.failures)  # type: ignore[method-assign]  # as attach_card
        raise


def in_cell_terms(shell: Any, failure: Failure) -> tuple[Failure, list[tuple[int, str]]]:
    """The failure with cells named as the notebook names them (``Cell In[3]``), and the lines around its last frame."""
    frames, context = [], []
    for frame in failure.frames:
        named = shell.compile.format_code_name(frame.filename)
        context = _source_lines(frame, is_cell=bool(named))
        text = frame.text or next((line for number, line in context if number == frame.lineno), "")
        frames.append(replace(frame, filename=" ".join(named) if named else frame.filename, text=text))
    return replace(failure, frames=tuple(frames)), context


def whole_traceback(shell: Any, failure: Failure) -> str:
    """Every frame of the failure, those of libraries and of mrkernel too, with cells named as the notebook does."""
    lines = []
    for line in failure.traceback.rstrip().split("\n"):
        found = _FRAME.match(line)
        named = shell.compile.format_code_name(found["file"]) if found else None
        if found is None or not named:
            lines.append(line)
            continue
        lines.append(f"  {' '.join(named)}, line {found['line']}{found['rest']}")
        # A worker has no cell's source.
        lines.append(f"    {linecache.getline(found['file'], int(found['line'])).strip()}")
    return "\n".join(lines)


def failing_call(names: Mapping[str, Any], failure: Failure) -> str:
    """A call of the user's mapper with the failing record, if its name and the record's repr stand for them here."""
    function = names.get(failure.frames[0].function) if failure.frames else None
    record = _literal(failure.record)
    if failure.function != "mapper" or function is None or record is _NO_LITERAL:
        return ""
    code = getattr(function, "__code__", None)
    # Another function may have taken the name since.
    if code is None or code.co_kwonlyargcount or code.co_filename != failure.frames[0].filename:
        return ""
    # A mapper of two parameters is called with the pair's key and value.
    is_pair = code.co_argcount == 2 and isinstance(record, tuple) and len(record) == 2
    if code.co_argcount != 1 and not is_pair:
        return ""
    call = f"{function.__name__}({', '.join(map(repr, record)) if is_pair else failure.record})"
    return f"list({call})" if inspect.isgeneratorfunction(function) else call


def _literal(text: str) -> Any:
    """The value that a repr stands for; reprs that were shortened and those of most objects stand for none."""
    if "..." in text:
        return _NO_LITERAL
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return _NO_LITERAL


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
