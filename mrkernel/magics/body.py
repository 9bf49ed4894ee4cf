"""Runs a cell's body in the user's namespace, so that its lines, sources and tracebacks are the cell's own."""

from __future__ import annotations

import ast
import inspect
import re
import traceback
from types import MethodType, TracebackType
from typing import Any

from mrkernel.cellspec import bound_names
from mrkernel.errors import JobSpecError

__all__ = ["as_written", "run_body"]

# The magic's line stays as a comment: line numbers are the cell's, and the whole parses as Python.
_COMMENT = "# "
_MAGICS = ("mapreduce", "mapper", "reducer")


def run_body(shell: Any, magic: str, line: str, body: str) -> tuple[str, ...]:
    """Execute the body and return the names it binds at its top level.

    Raises
    ------
    JobSpecError
        For a syntax error, with the cell's line.
    Exception
        Whatever the body raises, its traceback beginning at the user's own line.
    """
    source = f"{_COMMENT}%%{magic} {line}\n{body}"
    try:
        code = shell.transform_cell(source)
        # IPython's own compiler would say no more than "incomplete input" for a bracket that is never closed.
        ast.parse(code)
        name = shell.compile.cache(code, _cell_number(shell), raw_code=source)
        tree = shell.compile.ast_parse(code, name)
        compiled = shell.compile(tree, name, "exec")
    except SyntaxError as error:
        raise JobSpecError(_syntax_message(error)) from None
    try:
        exec(compiled, shell.user_global_ns, shell.user_ns)  # noqa: S102  # it is the user's own cell
    except Exception as error:
        _show_from(shell, error, name)
        raise
    return bound_names(tree)


def as_written(line: str) -> str:
    """The first line of a cell as the user wrote it."""
    return line.removeprefix(_COMMENT) if line.startswith(tuple(f"{_COMMENT}%%{m}" for m in _MAGICS)) else line


def _cell_number(shell: Any) -> int:
    # The shell counts on before it runs a cell, but not for every front end; the cell's own name is always right.
    frame = inspect.currentframe()
    while frame is not None:
        named = shell.compile.format_code_name(frame.f_code.co_filename)
        if named and (number := re.search(r"\d+", named[1])):
            return int(number[0])
        frame = frame.f_back
    return int(shell.execution_count)


def _syntax_message(error: SyntaxError) -> str:
    text = (error.text or "").rstrip("\n")
    message = f"the cell is not valid Python: line {error.lineno}: {error.msg}"
    if not text:
        return message
    indent = len(text) - len(text.lstrip())
    mark = " " * max(0, (error.offset or 1) - 1 - indent) + "^"
    return f"{message}\n    {text.strip()}\n    {mark}"


def _show_from(shell: Any, error: Exception, filename: str) -> None:
    found = error.__traceback__
    while found is not None and found.tb_frame.f_code.co_filename != filename:
        found = found.tb_next
    if found is None or hasattr(error, "_render_traceback_"):
        return
    shown: Any = error
    try:
        shown._render_traceback_ = MethodType(_Rendering(shell, found), error)
    except AttributeError:
        # An exception with __slots__ shows IPython's full traceback.
        return


class _Rendering:
    """Renders an exception from the user's first frame on, without the magic's own frames."""

    def __init__(self, shell: Any, found: TracebackType) -> None:
        self._shell = shell
        self._found = found

    def __call__(self, error: Exception) -> list[str]:
        try:
            return list(self._shell.InteractiveTB.structured_traceback(type(error), error, self._found))
        except (TypeError, ValueError, AttributeError):
            return traceback.format_exception(type(error), error, self._found)
