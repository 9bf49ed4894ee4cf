"""What ``-i`` names: locations, or a notebook variable."""

from __future__ import annotations

import os
import types
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from mrkernel.cellspec.spec import CellSpec
from mrkernel.errors import OptionError
from mrkernel.session import JobHandle

__all__ = ["is_input", "resolve_sides", "resolve_source"]

_NO_DATA = (
    type,
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    int,
    float,
    complex,
)


def is_input(value: object) -> bool:
    """Whether a notebook variable can be read from: data, a location, a Result; not a function, module or number."""
    return value is not None and not isinstance(value, _NO_DATA)


def resolve_source(spec: CellSpec, namespace: Mapping[str, Any]) -> Any:
    """What the session reads for ``-i``: a variable's value, a location, or several locations.

    A word that is the name of a variable means that variable; ``./word`` means the file.

    Raises
    ------
    OptionError
        Where nothing is named, or a name is neither a variable nor a file.
    """
    return _resolve(spec, spec.inputs, "-i", namespace)


def resolve_sides(spec: CellSpec, namespace: Mapping[str, Any]) -> tuple[Any, Any]:
    """The same for ``-l`` and ``-r``."""
    return _resolve(spec, spec.left, "-l", namespace), _resolve(spec, spec.right, "-r", namespace)


def _resolve(spec: CellSpec, words: Sequence[str], flag: str, namespace: Mapping[str, Any]) -> Any:
    title = spec.title
    if not words:
        what = {"-i": "no input", "-l": "no left side", "-r": "no right side"}[flag]
        raise OptionError(
            f"{title}: {what} is given", hint=f"add {flag} with a path, a glob, a URL or a variable's name"
        )
    found = [_look_up(word, flag, namespace, title) for word in words]
    if len(found) == 1 and not _is_location(found[0]):
        if spec.format or spec.format_options:
            raise OptionError(f"{title}: -f describes files, and {words[0]} is a variable that holds "
                              f"{_kind(found[0])}", hint="leave -f and --format-option out")  # fmt: skip
        return found[0]
    for word, value in zip(words, found, strict=True):
        if not _is_location(value):
            raise OptionError(f"{title}: several inputs must all be locations, and {word} holds {_kind(value)}",
                              hint="put the data together in one variable first")  # fmt: skip
    return _locations([str(value) for value in found], spec)


def _locations(locations: list[str], spec: CellSpec) -> Any:
    if len(locations) == 1 and not spec.format and not spec.format_options:
        return locations[0]
    from mrkernel.io.registry import files

    return files(*locations, format=spec.format, **spec.format_options)


def _is_location(value: object) -> bool:
    return isinstance(value, (str, Path))


def _look_up(word: str, flag: str, namespace: Mapping[str, Any], title: str) -> Any:
    if not word.isidentifier():
        return word
    if word not in namespace:
        if os.path.exists(word):
            return word
        names = [name for name, value in namespace.items() if not name.startswith("_") and is_input(value)]
        close = get_close_matches(word, names, n=1)
        raise OptionError(f"{title}: {flag} {word} is neither a variable nor a file here",
                          hint=f"did you mean {close[0]}?" if close else f"the folder is {os.getcwd()}")  # fmt: skip
    value = namespace[word]
    if isinstance(value, JobHandle):
        # A job in the background: its result is what is meant, and it may still have to end.
        return value.result()
    if not is_input(value):
        raise OptionError(f"{title}: {flag} {word} is a variable that holds {_kind(value)}, which is no input",
                          hint=f"write ./{word} if you mean the file")  # fmt: skip
    return value


def _kind(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
