"""Hints in the words of where they are read: an option of a cell or of the command, not a Python argument."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias

from mrkernel.errors import MrkernelError

__all__ = ["Face", "in_words_of", "reworded", "reworded_hint"]

Face: TypeAlias = Literal["cell", "command"]
_Words: TypeAlias = str | Callable[[re.Match[str]], str]

_OPTIONS = ("binary", "column_names", "columns", "compression", "decimal_point", "delimiter", "encoding", "errors",
            "header", "newlines_in_values", "null_values", "quote_char", "storage_options", "types",
            "union_by_name")  # fmt: skip
_VALUE = r'("[^"]*"|\[[^\]]*\]|\{[^}]*\}|[^\s,;)]+)'


def reworded_hint(hint: str, face: Face, *, is_writing: bool = False) -> str:
    """The hint with options written as ``face`` writes them.

    Parameters
    ----------
    is_writing
        Whether a format in it is the output's.

    Examples
    --------
    >>> reworded_hint("say overwrite=True to replace it", "cell")
    'say --overwrite to replace it'
    >>> reworded_hint("say header=False if there is none", "command")
    'say --format-option header=false if there is none'
    """
    writing = _WRITING[face]
    rules = [*_RULES, *_RULES_OF[face], (_FORMAT, writing if is_writing else r"--format \1"), (_READER, _format_option)]
    hint = re.sub(rf"\bwrite {_FORMAT}", lambda match: "write " + _said(writing, match), hint)
    for pattern, words in rules:
        hint = re.sub(pattern, words, hint)
    return hint


def reworded(error: MrkernelError, face: Face, *, is_writing: bool = False) -> MrkernelError:
    """The error itself, its hint and that of its failure in the words of ``face``."""
    if error.hint:
        error.hint = reworded_hint(error.hint, face, is_writing=is_writing)
    failure: Any = getattr(error, "failure", None)
    if failure is not None and failure.hint:
        error.failure = dataclasses.replace(failure, hint=reworded_hint(failure.hint, face))  # type: ignore[attr-defined]  # errors of readers have one too
    return error


@contextmanager
def in_words_of(face: Face, *, is_writing: bool = False) -> Iterator[None]:
    """Reword every error of ours that leaves the block."""
    try:
        yield
    except MrkernelError as error:
        reworded(error, face, is_writing=is_writing)
        raise


def _said(words: _Words, match: re.Match[str]) -> str:
    return match.expand(words) if isinstance(words, str) else words(match)


def _ending(match: re.Match[str]) -> str:
    # A cell has no option for the output's format: the target's name tells.
    from mrkernel.io.registry import find_format

    return f"a target that ends in {next(iter(find_format(match[1]).suffixes), match[1])}"


def _format_option(match: re.Match[str]) -> str:
    name, value = match[1], match[2]
    if value in {"True", "False"}:
        value = value.lower()
    elif value[0] == '"':
        value = value.strip('"')
    # Types are named: a word of Python means nothing on an option line.
    value = re.sub(r": (int|float|str|bool|bytes)\}", r": '\1'}", value)
    option = f"{name}={value}"
    return f'--format-option "{option}"' if re.search(r"[\s{\[']", option) else f"--format-option {option}"


_FORMAT = r'format="(\w+)"'
_READER = rf'(?<!")(?<!--format-option )\b({"|".join(_OPTIONS)})={_VALUE}'
_WRITING: dict[Face, _Words] = {"cell": _ending, "command": r"--output-format \1"}
_RULES: list[tuple[str, _Words]] = [
    (r"\boverwrite=True", "--overwrite"),
    (r"\bappend=True", "--append"),
    (r'\bsort="key"', "--sort key"),
    (r'\berror_limit="([^"]+)"', r"--error-limit \1"),
    (r'\bformat="(\w+)", "(\w+)", …', r"--format \1, \2, …"),
    (r"options such as format= are", "--format and --format-option are"),
    (r"with mr\.read_files\b", "with --format files"),
]
_RULES_OF: dict[Face, list[tuple[str, _Words]]] = {
    "cell": [
        (r"pass it as (mapper|reducer)=", r"call it \1"),
        (r"\bas in (\w+)=(\w+)", r"as in \1 = \2"),
        (r"the one that key= names", "the one that key = … names"),
        (r"in the job: key=", "in the cell: key = "),
        (r'mr\.files\("([^"]*)", "([^"]*)"\)', r"-i \1 \2"),
        (r"mr\.cluster\(workers=(\w+)\) starts more", r"%mr cluster scale \1 starts more"),
    ],
    "command": [
        (r"pass it as (mapper|reducer)=", r"name it with --\1"),
        (r"\bas in (\w+)=(\w+)", r"as in --\1 MODULE:\2"),
        (r"the one that key= names", "the one that the key of an mr.Job names"),
        (r"in the job: key=\(…\)", "as the key of an mr.Job"),
        (r'mr\.files\("([^"]*)", "([^"]*)"\)', r'\1 "\2"'),
        (r"mr\.cluster\(address\)", "--cluster ADDRESS"),
        (r", or mr\.cluster\(\) for", ", or leave it out for"),
        (r"mr\.cluster\(\) starts another", "run the command again"),
        (r"mr\.cluster\(workers=(\w+)\) starts more", r"--workers \1 starts more"),
    ],
}
