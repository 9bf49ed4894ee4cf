"""The functions of a cell: which names its body binds, and the Job that they make."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeGuard

from mrkernel import agg
from mrkernel.cellspec.spec import CellSpec
from mrkernel.errors import OptionError
from mrkernel.job import Job, Mapper, Reducer

__all__ = ["ROLES", "aggregate", "aggregate_names", "bound_names", "build_job", "cell_functions"]

ROLES = ("mapper", "combiner", "reducer", "partitioner", "sort_values", "setup", "teardown", "key")
_BUILTINS = ("sum", "min", "max", "len", "list", "set")


def bound_names(body: str | ast.AST) -> tuple[str, ...]:
    r"""Names that running ``body`` (text, or its tree) binds at its top level, in order.

    What ``if``, ``try``, ``with`` and loops bind is included.

    >>> bound_names("import re\ndef mapper(line):\n    x = 1\nreducer = sum")
    ('re', 'mapper', 'reducer')
    """
    finder = _Bound()
    finder.visit(ast.parse(body) if isinstance(body, str) else body)
    return tuple(dict.fromkeys(finder.names))


class _Bound(ast.NodeVisitor):
    def __init__(self) -> None:
        self.names: list[str] = []

    def _definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        # Not visited further: what a function binds inside is its own.
        self.names.append(node.name)

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _definition

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """A lambda binds nothing here."""

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.names.append(node.id)

    def visit_alias(self, node: ast.alias) -> None:
        self.names.append(node.asname or node.name.split(".")[0])

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        """A comprehension's variables are its own."""

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension


def cell_functions(names: Sequence[str], namespace: Mapping[str, Any], title: str = "%%mapreduce") -> dict[str, Any]:
    """The functions of a job by role, among the names that a cell's body has bound.

    A class that subclasses ``mr.Mapper`` or ``mr.Reducer`` stands for its role where no name of the role is bound.
    """
    found = {role: namespace[role] for role in ROLES if role in names and namespace.get(role) is not None}
    for role, base in (("mapper", Mapper), ("reducer", Reducer)):
        if role in found:
            continue
        classes: list[type] = [c for c in (namespace.get(name) for name in names) if _is_subclass(c, base)]
        # A class that another one builds on is only its base.
        leaves = [c for c in classes if not any(d is not c and issubclass(d, c) for d in classes)]
        if len(leaves) > 1:
            listed = " and ".join(c.__name__ for c in leaves)
            raise OptionError(f"{title}: the cell defines more than one {role}: {listed}",
                              hint=f"say which one: {role} = {leaves[0].__name__}")  # fmt: skip
        if leaves:
            found[role] = leaves[0]
    return found


def _is_subclass(value: object, base: type) -> TypeGuard[type]:
    return isinstance(value, type) and issubclass(value, base) and value is not base


def build_job(
    spec: CellSpec,
    functions: Mapping[str, Any],
    kept: Mapping[str, Mapping[str, Any]],
    names: Sequence[str] = (),
) -> Job:
    """The Job of a cell: its own functions, and the kept ones that its options name.

    Parameters
    ----------
    kept
        Kept functions: role → name → function.
    names
        All names that the body binds, to recognise a misspelt one.

    Raises
    ------
    OptionError
        Where no mapper is given, one is given twice, or a kept name is unknown.
    """
    title = spec.title
    parts = dict(functions)
    for role, kept_name in spec.kept.items():
        if role in parts:
            raise OptionError(f"{title}: --{role} {kept_name} is given, and the cell defines a {role} too",
                              hint="leave one of them out")  # fmt: skip
        parts[role] = _kept(role, kept_name, kept, title)
    if "mapper" not in parts:
        if spec.is_line:
            raise OptionError(f"{title}: no mapper is named",
                              hint="add --mapper NAME; a cell that begins with %%mapper NAME keeps one")  # fmt: skip
        close = get_close_matches("mapper", [n for n in names if n not in ROLES], n=1, cutoff=0.5)
        define = "define mapper(record) that yields (key, value), or name a kept one: --mapper NAME"
        hint = f"rename {close[0]} to mapper" if close else define
        raise OptionError(f"{title}: the cell defines no mapper", hint=hint)
    if spec.sort:
        parts["sort"] = spec.sort
    name = str(spec.name or spec.output or getattr(parts["mapper"], "__name__", ""))
    return Job(name="mapreduce" if name in {"", "mapper", "<lambda>"} else name, **parts)


def _kept(role: str, name: str, kept: Mapping[str, Mapping[str, Any]], title: str) -> Any:
    group = "reducer" if role == "combiner" else role
    known = kept.get(group, {})
    if name in known:
        return known[name]
    aggregates = aggregate_names() if group == "reducer" else ()
    if name in aggregates:
        return aggregate(name)
    close = get_close_matches(name, [*known, *aggregates], n=1)
    hint = f"did you mean {close[0]}?" if close else f"define it in a cell that begins with %%{group} {name}"
    is_no_aggregate = ", and no aggregate has it" if aggregates else ""
    raise OptionError(f"{title}: no {group} is kept under the name {name!r}{is_no_aggregate}", hint=hint)


def aggregate_names() -> tuple[str, ...]:
    """The names under which a reducer can be had that nobody has to define.

    >>> [name for name in ("sum", "len", "mean", "top") if name in aggregate_names()]
    ['sum', 'len', 'mean', 'top']
    """
    own = [name for name in agg.__all__ if name[0].islower() and name != "as_reduction"]
    return tuple(dict.fromkeys([*_BUILTINS, *own]))


def aggregate(name: str) -> Any:
    """The reducer of one of :func:`aggregate_names`; those that take a number have their usual one.

    >>> aggregate("sum") is sum
    True
    """
    if name in _BUILTINS:
        return getattr(builtins, name)
    found = getattr(agg, name)
    return found if isinstance(found, agg.Aggregate) else found()
