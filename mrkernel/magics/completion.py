"""Completion on the magics' option lines: options, their values, notebook variables, files and kept names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult

from mrkernel.cellspec import Option, aggregate_names, is_input, options_of
from mrkernel.magics.clusters import CLUSTER_WORDS
from mrkernel.magics.subcommands import SUBCOMMANDS

__all__ = ["OptionMatcher"]

_MAGIC_LINE = re.compile(r"\s*(%%?)(mapreduce|mrjoin|mapper|reducer|mr)\s+(.*)$")


class OptionMatcher:
    """A matcher (API version 2) for ``IPCompleter.custom_matchers``.

    Parameters
    ----------
    kept
        Kept functions: role → name → function.
    """

    # IPython reads these from the matcher, as it would from a decorated function.
    matcher_api_version = 2
    matcher_priority = 1000.0
    matcher_identifier = "mrkernel"

    def __init__(self, shell: Any, kept: Mapping[str, Mapping[str, Any]]) -> None:
        self._shell = shell
        self._kept = kept
        # IPython asks for a function's name even where there is an identifier.
        self.__qualname__ = self.matcher_identifier

    def __call__(self, context: CompletionContext) -> SimpleMatcherResult:
        """What may stand at the cursor; nothing outside the lines of magics."""
        match = _MAGIC_LINE.match(context.text_until_cursor)
        if not match or (match[1] == "%%" and context.cursor_line != 0):
            return {"completions": [], "suppress": False}
        words = match[3].split(" ")
        fragment = words[-1]
        found = self._matches(match[2], [word for word in words[:-1] if word], fragment)
        completions = [SimpleCompletion(text=text, type=kind) for text, kind in found if text.startswith(fragment)]
        return {"completions": completions, "matched_fragment": fragment, "suppress": True}

    def _matches(self, magic: str, before: list[str], fragment: str) -> Iterable[tuple[str, str]]:
        if magic == "mr":
            words = SUBCOMMANDS if not before else CLUSTER_WORDS if before == ["cluster"] else ()
            return [(name, "keyword") for name in words]
        options = options_of(magic)
        if fragment.startswith("-"):
            used = {option.dest for word in before for option in options if word in option.flags}
            return [
                (flag, "option") for o in options if o.dest not in used for flag in o.flags if _fits(flag, fragment)
            ]
        option = _open_option(options, before)
        return self._values(option, fragment) if option else []

    def _values(self, option: Option, fragment: str) -> list[tuple[str, str]]:
        if option.choices:
            return [(choice, "value") for choice in option.choices]
        if option.completes in {"mapper", "reducer"}:
            aggregates = aggregate_names() if option.completes == "reducer" else ()
            return [(name, "function") for name in dict.fromkeys([*self._kept.get(option.completes, {}), *aggregates])]
        if option.completes == "format":
            from mrkernel.io import formats

            return [(found.name, "value") for found in formats()]
        files = [(path, "path") for path in _files(fragment)] if option.completes in {"input", "path"} else []
        return files + (self._variables() if option.completes == "input" else [])

    def _variables(self) -> list[tuple[str, str]]:
        hidden = getattr(self._shell, "user_ns_hidden", {})
        names = self._shell.user_ns
        return [(n, "variable") for n in names if not n.startswith("_") and n not in hidden and is_input(names[n])]


def _fits(flag: str, fragment: str) -> bool:
    return flag.startswith("--") or not fragment.startswith("--")


def _open_option(options: Iterable[Option], before: list[str]) -> Option | None:
    """The option whose value comes next: the last one given, if it still takes one."""
    for distance, word in enumerate(reversed(before)):
        for option in options:
            if word in option.flags:
                return option if option.metavar and (option.several or distance == 0) else None
    return None


def _files(fragment: str) -> list[str]:
    folder, _, start = fragment.rpartition("/")
    try:
        with os.scandir(os.path.expanduser(folder) or ("/" if fragment.startswith("/") else ".")) as entries:
            names = sorted((e.name + ("/" if e.is_dir() else "")) for e in entries if e.name.startswith(start))
    except OSError:
        return []
    visible = [name for name in names if start.startswith(".") or not name.startswith(".")]
    return [f"{folder}/{name}" if "/" in fragment else name for name in visible[:200]]
