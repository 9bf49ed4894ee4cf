"""The option line of a magic: words, ``{{name}}``, options, and one clear error for what does not fit."""

from __future__ import annotations

import argparse
import ast
import builtins
import keyword
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, NoReturn

from mrkernel.cellspec.options import EXAMPLES, FUNCTIONS, SUMMARIES, options_of
from mrkernel.cellspec.spec import CellSpec, title_of
from mrkernel.config import Settings
from mrkernel.errors import OptionError
from mrkernel.joins import Join

__all__ = ["check_name", "format_option", "help_text", "interpolate", "parse", "split_line"]

_BRACES = re.compile(r"\{\{\s*(.*?)\s*\}\}")
_HELP = frozenset({"-h", "--help"})
_KEEPING = frozenset({"mapper", "reducer"})
_RESERVED = frozenset({"In", "Out", "get_ipython", "exit", "quit"})


def parse(line: str, namespace: Mapping[str, Any], magic: str = "mapreduce", *, is_line: bool = False) -> CellSpec:
    """The options of one magic line.

    Parameters
    ----------
    namespace
        The notebook's variables, for ``{{name}}``.
    magic
        ``"mapreduce"``, ``"mrjoin"``, ``"mapper"`` or ``"reducer"``.
    is_line
        Whether it is the line magic, for messages.

    Raises
    ------
    OptionError
        One sentence for the first thing that does not fit, with the nearest option as hint.

    Examples
    --------
    >>> parse('-i a.txt -o counts --chunk-size "16 MiB"', {}).settings
    {'chunk_size': 16777216}
    """
    title = title_of(magic, is_line=is_line)
    words = interpolate(split_line(line, title), namespace, title)
    if _HELP & set(words):
        return CellSpec(magic=magic, is_line=is_line, wants_help=True)
    parser = _parser(magic, title)
    values, rest = parser.parse_known_args(words)
    if rest:
        _refuse_rest(rest, magic, title)
    given = vars(values)
    if magic in _KEEPING:
        return CellSpec(magic=magic, target=check_name(given["target"], title))
    spec = _spec(magic, given, title, is_line=is_line)
    return spec if magic == "mapreduce" else _joining(spec, given, title)


def split_line(line: str, title: str = "the option line") -> list[str]:
    """Words of a line, with quotes and backslashes as a shell takes them; ``{{ name }}`` stays one word.

    >>> split_line('-i "a b.txt" {{ x }}')
    ['-i', 'a b.txt', '{{x}}']
    """
    try:
        return shlex.split(_BRACES.sub(lambda match: "{{" + match[1].replace(" ", "") + "}}", line))
    except ValueError as error:
        raise OptionError(f"{title}: cannot read the options: {str(error).lower()}",
                          hint="close the quote, or put a backslash before it") from None  # fmt: skip


def interpolate(words: Sequence[str], namespace: Mapping[str, Any], title: str = "the option line") -> list[str]:
    """Words with ``{{name}}`` replaced by the variable's text; a value never becomes two words, or an option.

    >>> interpolate(["data/{{year}}.csv"], {"year": 2013})
    ['data/2013.csv']
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in namespace:
            close = get_close_matches(name, [n for n in namespace if not n.startswith("_")], n=1)
            hint = f"did you mean {{{{{close[0]}}}}}?" if close else f"set {name} in a cell before"
            raise OptionError(f"{title}: {{{{{name}}}}} names no variable", hint=hint)
        return str(namespace[name])

    done = []
    for word in words:
        text = _BRACES.sub(value, word)
        if text.startswith("-") and not word.startswith("-"):
            raise OptionError(f"{title}: {word} stands for {text!r}, which would be read as an option",
                              hint="write ./ before a file name that begins with a dash")  # fmt: skip
        done.append(text)
    return done


def help_text(magic: str) -> str:
    """What ``-h`` shows, and the magic's docstring: examples first, then each option."""
    lines = [SUMMARIES[magic], "", "Examples", "--------", EXAMPLES[magic], ""]
    if magic == "mapreduce":
        lines += ["What the cell may define", "------------------------", FUNCTIONS, ""]
    lines += ["Options", "-------"]
    for option in options_of(magic):
        value = f" {option.metavar}{' …' if option.several else ''}" if option.metavar else ""
        value = f" [{option.metavar}]" if option.is_bare else value
        lines.append(f"{', '.join(option.flags)}{value}")
        lines.append(f"    {option.help}")
    if magic not in _KEEPING:
        lines += ["", "{{name}} on the option line stands for a notebook variable. An option beats %config MapReduce,",
                  "which beats pyproject.toml and the user's configuration file."]  # fmt: skip
    return "\n".join(lines)


def check_name(name: str, title: str, option: str = "NAME") -> str:
    """``name`` if a variable may be called so; else an OptionError."""
    if not name.isidentifier() or keyword.iskeyword(name):
        raise OptionError(f"{title}: {option} {name!r} is no name for a variable",
                          hint="use letters, digits and _, as for any Python variable")  # fmt: skip
    if hasattr(builtins, name) or name in _RESERVED:
        raise OptionError(f"{title}: {option} {name} would hide Python's own {name}",
                          hint=f"call it {name}_result, for example")  # fmt: skip
    return name


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        text = re.sub(r"^argument (\S*?/)?(-\S+): ", r"\2: ", message)
        text = text.replace("the following arguments are required: target", "a name is missing")
        raise OptionError(f"{self.prog}: {text}", hint=f"{self.prog} -h shows all options")


class _Once(argparse.Action):
    """Stores a value, and refuses to do so twice."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        if getattr(namespace, self.dest, None) is not None:
            hint = f"write {option_string} A B" if self.nargs == "+" else "give it once"
            raise OptionError(f"{parser.prog}: {option_string} is given twice", hint=hint)
        setattr(namespace, self.dest, True if self.nargs == 0 else values)


def _parser(magic: str, title: str) -> _Parser:
    parser = _Parser(prog=title, add_help=False, allow_abbrev=False)
    if magic in _KEEPING:
        parser.add_argument("target")
    for option in options_of(magic):
        nargs = 0 if not option.metavar else "+" if option.several else "?" if option.is_bare else None
        parser.add_argument(*option.flags, dest=option.dest, nargs=nargs, action=_Once, metavar=option.metavar or None,
                            choices=option.choices or None, const=True if nargs == "?" else None)  # fmt: skip
    return parser


def _refuse_rest(rest: Sequence[str], magic: str, title: str) -> NoReturn:
    flags = [flag for option in options_of(magic) for flag in option.flags]
    for word in rest:
        if word.startswith("-"):
            name = word.split("=")[0]
            close = get_close_matches(name, flags, n=1)
            hint = f"did you mean {close[0]}?" if close else f"{title} -h shows all options"
            raise OptionError(f"{title}: there is no option {name}", hint=hint)
    inputs = {"mapreduce": "-i", "mrjoin": "-l and -r"}.get(magic)
    hint = f"inputs follow {inputs}; quote a value that holds spaces" if inputs else "give one name"
    raise OptionError(f"{title}: {rest[0]!r} belongs to no option", hint=hint)


def _spec(magic: str, given: dict[str, Any], title: str, *, is_line: bool) -> CellSpec:
    if given["plot"] and given["no_plot"]:
        raise OptionError(f"{title}: --plot and --no-plot exclude each other", hint="give one of them")
    if given["overwrite"] and given["append"]:
        raise OptionError(f"{title}: --overwrite and --append exclude each other", hint="give one of them")
    if (given["overwrite"] or given["append"]) and not given["save"]:
        raise OptionError(f"{title}: --overwrite and --append say how to --save", hint="add --save TARGET")
    if given["background"] and given["explain"]:
        raise OptionError(f"{title}: --explain runs nothing, so there is nothing to do in the background",
                          hint="give one of them")  # fmt: skip
    return CellSpec(
        magic=magic,
        is_line=is_line,
        inputs=tuple(given.get("input") or ()),
        format=given.get("format"),
        format_options=dict(format_option(text, title) for text in given.get("format_option") or ()),
        output=check_name(given["output"], title, "-o") if given["output"] else None,
        save=given["save"],
        overwrite=bool(given["overwrite"]),
        append=bool(given["append"]),
        settings=_settings(magic, given, title),
        sort=given.get("sort"),
        plot=True if given["plot"] else False if given["no_plot"] else None,
        plot_kind=given["plot"] if isinstance(given["plot"], str) else None,
        explain=bool(given["explain"]),
        background=bool(given["background"]),
        kept={role: given[role] for role in ("mapper", "reducer", "combiner") if given.get(role)},
        name=given["name"],
    )


def _joining(spec: CellSpec, given: dict[str, Any], title: str) -> CellSpec:
    """The spec with its sides."""
    names = ("on", "left_on", "right_on", "how", "suffixes", "columns")
    found = {name: given[name] for name in names if given[name] is not None}
    broadcast = {"on": True, "off": False}.get(given["broadcast"] or "auto")
    try:
        join = Join.of(**found, broadcast=broadcast)
    except OptionError as error:
        raise OptionError(f"{title}: {error.message}", hint=error.hint) from None
    return replace(spec, left=tuple(given["left"] or ()), right=tuple(given["right"] or ()), join=join)


def _settings(magic: str, given: dict[str, Any], title: str) -> dict[str, Any]:
    chosen = {
        option.setting: given[option.dest]
        for option in options_of(magic)
        if option.setting and given[option.dest] is not None
    }
    if given["no_progress"]:
        chosen["progress"] = False
    checked = Settings().with_values(origin=title, **chosen)
    # A setting's None means "not given", so what takes a value back ("auto") stays the word that it is.
    return {name: value if (value := getattr(checked, name)) is not None else chosen[name] for name in chosen}


def format_option(text: str, title: str) -> tuple[str, Any]:
    """A name and a value from ``name=value``; numbers, lists and true or false become Python's.

    >>> format_option("skip=2", "here")
    ('skip', 2)
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise OptionError(f"{title}: --format-option {text!r} is not of the form name=value",
                          hint="write it as --format-option delimiter=; for example")  # fmt: skip
    if value.lower() in {"true", "false"}:
        return name, value.lower() == "true"
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value
