"""The magics: ``%%mapreduce``, ``%mapreduce``, ``%mrjoin``, ``%%mapper``, ``%%reducer`` and ``%mr``."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Any

from IPython.core.magic import Magics, cell_magic, line_cell_magic, line_magic, magics_class, no_var_expand

from mrkernel import session
from mrkernel.cellspec import (
    CellSpec,
    build_job,
    cell_functions,
    help_text,
    parse,
    resolve_sides,
    resolve_source,
)
from mrkernel.errors import OptionError
from mrkernel.io import Sink, Source, as_source, open_sink
from mrkernel.job import Job
from mrkernel.magics.body import run_body
from mrkernel.magics.failures import in_cell_words
from mrkernel.magics.jobs import Jobs
from mrkernel.magics.running import CellRun
from mrkernel.magics.subcommands import run_subcommand, subcommand_help
from mrkernel.magics.view import publish, publish_text
from mrkernel.session import JobHandle

__all__ = ["MapReduceMagics", "Planned"]


@dataclass(frozen=True, slots=True)
class Planned:
    """A cell that is ready to run."""

    spec: CellSpec
    job: Job
    source: Source


@magics_class
class MapReduceMagics(Magics):
    """Everything one shell knows of mrkernel: kept functions and the jobs it has started."""

    shell: Any

    def __init__(self, shell: Any) -> None:
        super().__init__(shell)
        self.kept: dict[str, dict[str, Any]] = {"mapper": {}, "reducer": {}}
        self.jobs = Jobs()
        self._awaited: dict[str, JobHandle] = {}
        self.last: Planned | None = None
        self.configuration: Any = None
        self.transform: Any = None
        self.matcher: Any = None

    @no_var_expand
    @line_cell_magic
    def mapreduce(self, line: str, cell: str | None = None) -> Any:
        __tracebackhide__ = True
        with in_cell_words():
            return self._run_now(self._plan(line, cell))

    @no_var_expand
    @cell_magic
    def mapreduce_async(self, line: str, cell: str) -> Awaitable[Any]:
        """What a ``%%mapreduce`` cell becomes in a kernel; not for use by hand."""
        __tracebackhide__ = True
        with in_cell_words():
            return self._run_awaited(self._plan(line, cell))

    @no_var_expand
    @line_cell_magic
    def mrjoin(self, line: str, cell: str | None = None) -> Any:
        __tracebackhide__ = True
        with in_cell_words():
            return self._run_now(self._plan_join(line, cell))

    @no_var_expand
    @cell_magic
    def mrjoin_async(self, line: str, cell: str) -> Awaitable[Any]:
        """What a ``%%mrjoin`` cell becomes in a kernel; not for use by hand."""
        __tracebackhide__ = True
        with in_cell_words():
            return self._run_awaited(self._plan_join(line, cell))

    @no_var_expand
    @cell_magic
    def mapper(self, line: str, cell: str) -> None:
        __tracebackhide__ = True
        with in_cell_words():
            self._keep("mapper", line, cell)

    @no_var_expand
    @cell_magic
    def reducer(self, line: str, cell: str) -> None:
        __tracebackhide__ = True
        with in_cell_words():
            self._keep("reducer", line, cell)

    @no_var_expand
    @line_magic
    def mr(self, line: str) -> None:
        __tracebackhide__ = True
        with in_cell_words():
            run_subcommand(self, line)

    def _plan(self, line: str, cell: str | None) -> Planned | None:
        spec = parse(line, self.shell.user_ns, is_line=cell is None)
        if spec.wants_help:
            publish_text(help_text("mapreduce"))
            return None
        names, functions = self._body("mapreduce", line, cell)
        job = build_job(spec, functions, self.kept, names)
        return self._planned(Planned(spec, job, as_source(resolve_source(spec, self.shell.user_ns))))

    def _plan_join(self, line: str, cell: str | None) -> Planned | None:
        spec = parse(line, self.shell.user_ns, "mrjoin", is_line=cell is None)
        if spec.wants_help:
            publish_text(help_text("mrjoin"))
            return None
        names, functions = self._body("mrjoin", line, cell)
        then = None
        if names or spec.kept or spec.sort:
            then = build_job(spec, functions, self.kept, names)
        else:
            # Joined rows are seldom worth a plot that nobody has asked for.
            spec = replace(spec, plot=bool(spec.plot))
        left, right = resolve_sides(spec, self.shell.user_ns)
        assert spec.join is not None
        is_unnamed = then is None or then.name == "mapreduce"
        name = spec.name or spec.output or ("join" if is_unnamed else None)
        return self._planned(
            Planned(spec, *session.join_job(spec.join, left, right, then=then, name=name, settings=spec.settings))
        )

    def _body(self, magic: str, line: str, cell: str | None) -> tuple[tuple[str, ...], dict[str, Any]]:
        """Run the lines below a cell's first; the names that they bind, and the functions of a job among them."""
        if cell is None or not cell.strip():
            return (), {}
        names = run_body(self.shell, magic, line, cell)
        return names, cell_functions(names, self.shell.user_ns)

    def _planned(self, planned: Planned) -> Planned | None:
        """What is ready to run; None where the plan was all that was asked for."""
        self.last = planned
        if planned.spec.explain:
            self.explain(planned)
            return None
        return planned

    def _run_now(self, planned: Planned | None) -> Any:
        if planned is None:
            return None
        return self._in_background(planned) if planned.spec.background else self._run(planned).wait()

    def _run_awaited(self, planned: Planned | None) -> Awaitable[Any]:
        if planned is None:
            return _already(None)
        if planned.spec.background:
            return _already(self._in_background(planned))
        return self._awaited_run(planned, self._run(planned))

    def explain(self, planned: Planned) -> None:
        """Show what a planned cell would do."""
        plan = session.explain(planned.job, planned.source, **planned.spec.settings)
        publish(plan._repr_html_(), str(plan))

    def _run(self, planned: Planned) -> CellRun:
        return CellRun(self.shell, planned.spec, self._submit(planned))

    def _in_background(self, planned: Planned) -> JobHandle:
        handle = self._submit(planned)
        CellRun(self.shell, planned.spec, handle).follow()
        self._promise(planned, handle)
        return handle

    async def _awaited_run(self, planned: Planned, run: CellRun) -> JobHandle | None:
        handle = await run.wait_async()
        if handle is not None:
            self._promise(planned, handle)
        return handle

    def _promise(self, planned: Planned, handle: JobHandle) -> None:
        """Let the handle stand for the result until there is one."""
        if planned.spec.output:
            self.shell.user_ns[planned.spec.output] = handle
            self._awaited[planned.spec.output] = handle

    def take_results(self, *_: Any) -> None:
        """Put results in the place of their handles: before a cell runs, so that no name changes under its feet.

        A name that the user has bound to something else stays; so does the handle of a job that failed.
        """
        for name, handle in list(self._awaited.items()):
            if self.shell.user_ns.get(name) is not handle:
                del self._awaited[name]
            elif handle.done():
                del self._awaited[name]
                if handle.state == "finished":
                    self.shell.user_ns[name] = handle.result()

    def _submit(self, planned: Planned) -> JobHandle:
        spec = planned.spec
        handle = session.submit(planned.job, planned.source, save=_sink(spec), **spec.settings)
        self.jobs.add(handle)
        return handle

    def _keep(self, role: str, line: str, cell: str) -> None:
        spec = parse(line, self.shell.user_ns, role)
        if spec.wants_help:
            publish_text(help_text(role))
            return
        names = run_body(self.shell, role, line, cell)
        function = _one_function(role, spec.target, names, self.shell.user_ns)
        self.kept[role][spec.target] = function
        self.shell.user_ns[spec.target] = function


def _sink(spec: CellSpec) -> Sink | None:
    if spec.save is None:
        return None
    with in_cell_words(is_writing=True):
        return open_sink(spec.save, overwrite=spec.overwrite, append=spec.append)


def _one_function(role: str, target: str, names: tuple[str, ...], namespace: dict[str, Any]) -> Any:
    found = cell_functions(names, namespace, f"%%{role}").get(role)
    if found is None and target in names:
        found = namespace[target]
    if found is None:
        callables = [namespace[name] for name in names if callable(namespace.get(name))]
        if len(callables) != 1:
            raise OptionError(f"%%{role} {target}: the cell defines no {role}",
                              hint=f"define {role}, or {target}, in the cell")  # fmt: skip
        found = callables[0]
    if role == "mapper" and not callable(found):
        raise OptionError(f"%%mapper {target}: the mapper is a {type(found).__name__}, not a function",
                          hint="define mapper(record) that yields (key, value)")  # fmt: skip
    return found


async def _already(value: Any) -> Any:
    return value


MapReduceMagics.mapreduce.__doc__ = help_text("mapreduce")
MapReduceMagics.mrjoin.__doc__ = help_text("mrjoin")
MapReduceMagics.mapper.__doc__ = help_text("mapper")
MapReduceMagics.reducer.__doc__ = help_text("reducer")
MapReduceMagics.mr.__doc__ = subcommand_help()
