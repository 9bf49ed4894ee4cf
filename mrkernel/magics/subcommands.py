"""``%mr``: what has run, what is running, and on which cluster."""

from __future__ import annotations

import importlib.metadata
import shlex
import sys
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from mrkernel.config import counted, format_duration
from mrkernel.errors import OptionError
from mrkernel.magics.clusters import cluster_command, cluster_help
from mrkernel.magics.failures import whole_traceback
from mrkernel.magics.view import publish, publish_text
from mrkernel.magics.walkthroughs import walkthrough_command
from mrkernel.render import plan_html, plan_text

__all__ = ["SUBCOMMANDS", "run_subcommand", "subcommand_help"]

_EXAMPLES = (
    "%mr jobs             what has run, and how long it took",
    "%mr cancel counts    stop the running job that is called counts",
    "%mr cluster scale 4  four workers for what comes",
    "%mr explain          why the last cell was split as it was",
    "%mr tune             which chunk size and partitions suit the last cell's job",
)
_TUNE_FORMS = (
    "tune [JOB] [OPTIONS]  JOB is a variable; OPTIONS are those of %mapreduce -h, without --save, -b and --explain",
    '  --budget TIME       how long samples may run, as in --budget "1 min"',
    "  -o NAME             variable that gets the Tuning",
)
_HELP = frozenset({"-h", "--help"})


def run_subcommand(magics: Any, line: str) -> None:
    """Run ``%mr`` with this line; without words it shows the help."""
    try:
        name, *words = shlex.split(line) or ["help"]
    except ValueError as error:
        raise OptionError(f"%mr: cannot read the line: {str(error).lower()}", hint="close the quote") from None
    if name in _HELP:
        name = "help"
    if name not in SUBCOMMANDS:
        close = get_close_matches(name, SUBCOMMANDS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"commands are {', '.join(SUBCOMMANDS)}"
        raise OptionError(f"%mr: there is no command {name!r}", hint=hint)
    run, text, n_words = SUBCOMMANDS[name]
    if _HELP & set(words):
        forms = {"cluster": cluster_help(), "tune": _TUNE_FORMS}.get(name, ())
        publish_text("\n".join([f"%mr {name}: {text}", *forms]))
        return
    if len(words) > n_words:
        raise OptionError(f"%mr {name}: {words[n_words]!r} is one word too many", hint="%mr help shows all commands")
    run(magics, words)


def subcommand_help() -> str:
    """The help of ``%mr``, examples first."""
    lines = ["Look at jobs and the cluster.", "", "Examples", "--------", *_EXAMPLES, "", "Commands", "--------"]
    return "\n".join([*lines, *(f"{name:13}{text}" for name, (_, text, _) in SUBCOMMANDS.items()), "", *cluster_help()])


def _show(title: str, facts: list[tuple[str, str]], notes: tuple[str, ...] = ()) -> None:
    publish(plan_html(title, facts, notes), plan_text(title, facts, notes))


def _jobs(magics: Any, _: list[str]) -> None:
    facts = []
    for job in magics.jobs.notes():
        said = f"{job.name}: {job.state}, {format_duration(job.seconds)}"
        facts.append((job.job_id, said if job.n_rows is None else f"{said}, {counted(job.n_rows, 'row')}"))
    _show("jobs of this session", facts, () if facts else ("none yet",))


def _cancel(magics: Any, words: list[str]) -> None:
    # A second time forces what the first has not stopped yet: that job, not one that still runs beside it.
    known = [*magics.jobs.running(), *magics.jobs.stopped()]
    chosen = [h for h in known if words[0] in {h.job_id, h.name}] if words else known[-1:]
    if not chosen:
        what = f"no running job is called {words[0]!r}" if words else "no job is running"
        raise OptionError(f"%mr cancel: {what}", hint="%mr jobs lists them")
    facts = [(handle.job_id, f"{handle.name}, forced" if handle.is_stopped else handle.name) for handle in chosen]
    for handle in chosen:
        handle.cancel()
    _show("cancelled", facts)


def _explain(magics: Any, _: list[str]) -> None:
    if magics.last is None:
        raise OptionError("%mr explain: no cell has run a job yet", hint="%%mapreduce --explain plans a cell")
    magics.explain(magics.last)


def _tune(magics: Any, words: list[str]) -> None:
    from mrkernel.magics.tuning import run_tune

    run_tune(magics, words)


def _traceback(magics: Any, _: list[str]) -> None:
    # A background job's error has not been raised yet; a cell's is where Python keeps the last one.
    failures = [getattr(getattr(sys, "last_value", None), "failure", None)]
    failures += [job.failure for job in reversed(magics.jobs.notes())]
    found = next((failure for failure in failures if failure is not None and failure.traceback), None)
    if found is None:
        raise OptionError("%mr traceback: no job has failed in a function of yours", hint="%mr jobs lists the jobs")
    publish_text(whole_traceback(magics.shell, found))


def _formats(_: Any, __: list[str]) -> None:
    from mrkernel.io import formats

    _show("formats", [(found.name, ", ".join(filter(None, found.suffixes))) for found in formats()])


def _version(_: Any, __: list[str]) -> None:
    names = ("mrkernel", "dask", "distributed", "pyarrow", "polars", "ipykernel", "IPython")
    _show("versions", [(name, version) for name in names if (version := _installed(name))])


def _installed(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _help(_: Any, __: list[str]) -> None:
    publish_text(subcommand_help())


SUBCOMMANDS: dict[str, tuple[Callable[[Any, list[str]], None], str, int]] = {
    "jobs": (_jobs, "jobs that this session has started", 0),
    "cancel": (_cancel, "cancel the newest running job, or the one named by its id or name; again, to force", 1),
    "cluster": (cluster_command, "workers, their memory, what they run; start, stop, scale, connect, dashboard", 3),
    "explain": (_explain, "the plan of the last cell", 0),
    "walkthrough": (walkthrough_command, "the last cell's first records, followed through map and reduce", 1),
    "tune": (_tune, "measure samples of the last cell's job, or of -i INPUT --mapper NAME, and advise", 99),
    "traceback": (_traceback, "every frame of the last failure, those of libraries and of mrkernel too", 0),
    "formats": (_formats, "formats that can be read and written", 0),
    "version": (_version, "versions of mrkernel and what it stands on", 0),
    "help": (_help, "this help", 0),
}
