"""Runs a job for the command line: progress on stderr, the result on stdout or in a file, one clear error."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import click

from mrkernel import session
from mrkernel.cellspec import format_option, in_words_of, reworded
from mrkernel.cli.loading import load_job
from mrkernel.cli.picture import Picture
from mrkernel.config import counted, settings
from mrkernel.errors import (
    BadRecordsError,
    FormatError,
    JobInterruptedError,
    JobSpecError,
    MrkernelError,
    OptionError,
    TaskFailedError,
)
from mrkernel.progress import Progress
from mrkernel.render import ProgressLine, counters_text, failure_text, table_text
from mrkernel.result import Profile

__all__ = ["explain_job", "report_error", "run_job"]

_SETTINGS = ("chunk_size", "reducers", "workers", "combine", "attempts", "limit", "on_error", "error_limit",
             "profile")  # fmt: skip
INTERRUPTED = 130


def run_job(given: dict[str, Any]) -> int:
    """Run what the options ask for; returns the exit code."""
    job, source = _job(given), _source(given)
    picture = Picture.of(given["plot"], kind=given["plot_kind"], is_replaced=given["overwrite"])
    options = {**_settings(given), **_save(given), "cluster": _cluster(given)}
    errors = _errors_sink(given, options)
    handle = session.submit(job, source, **options)
    session.Waiting(handle, _Log() if handle.plan.settings.progress else None).block()
    written: list[str] = []
    try:
        _show(handle, given, written)
        _write_beside(handle.result(), errors, picture, written)
    except KeyboardInterrupt:
        raise JobInterruptedError(f"interrupted; {'; '.join(written) or 'nothing was written'}") from None
    return 0


def _show(handle: Any, given: dict[str, Any], written: list[str]) -> None:
    """The rows, or where they were saved."""
    result = handle.result()
    if given["output"]:
        written.append(str(handle.saved))
        click.echo(written[-1], err=True)
    else:
        limit = settings(limit=given["limit"]).limit
        preview = result.preview(limit)
        is_cut = len(preview.rows) < preview.n_rows
        # What was set aside is said on standard error, where it also is when the result goes to a file.
        preview = replace(preview, access="-o FILE writes all of them" if is_cut else "", note="")
        click.echo(table_text(preview, width=max(40, _columns())))


def _write_beside(result: Any, errors: Any, picture: Picture | None, written: list[str]) -> None:
    """What was set aside, the counters and the plot."""
    if result.errors:
        click.echo(result.errors.summary("--on-error collect --errors FILE writes them" if errors is None else ""),
                   err=True)  # fmt: skip
    if errors is not None:
        result.errors.write_to(errors)
        written.append(f"wrote {counted(len(result.errors), 'bad record')} to {errors.name}")
        click.echo(written[-1], err=True)
    if result.counters:
        click.echo(counters_text(result.counters), err=True)
    if profile := Profile(result.report.costs):
        click.echo(repr(profile), err=True)
    if picture is not None:
        click.echo(picture.draw(result), err=True)


class _Log:
    """Progress on standard error; every job ends with its summary, in a terminal and in a log."""

    def __init__(self) -> None:
        self._line = ProgressLine(sys.stderr)
        self._pace = session.Pace()

    def update(self, progress: Progress) -> None:
        if self._pace.is_due():
            self._line.update(progress)

    def finish(self, progress: Progress) -> None:
        self._line.close(progress)


def explain_job(given: dict[str, Any]) -> int:
    """Show the plan; returns the exit code."""
    job, source, chosen, cluster = _job(given), _source(given), _settings(given), _cluster(given)
    with cluster or nullcontext():
        click.echo(str(session.explain(job, source, cluster=cluster, **chosen)))
    return 0


def report_error(error: BaseException) -> int:
    """Say what went wrong on stderr, in one message; returns the exit code."""
    if isinstance(error, KeyboardInterrupt):
        said = str(error) if isinstance(error, MrkernelError) else "interrupted; nothing was written"
        click.echo(f"mrkernel: {said}", err=True)
        return INTERRUPTED
    if isinstance(error, MrkernelError):
        reworded(error, "command")
    if isinstance(error, BadRecordsError):
        click.echo(f"mrkernel: {error}", err=True)
        return 1
    if isinstance(error, TaskFailedError) and error.failure is not None:
        click.echo(failure_text(error.failure), err=True)
        return 1
    if isinstance(error, MrkernelError):
        click.echo(f"mrkernel: {error}", err=True)
        return 2 if isinstance(error, (OptionError, JobSpecError, FormatError)) else 1
    click.echo(f"mrkernel: unexpected {type(error).__name__}: {error}", err=True)
    return 1


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return 100


def _words(given: dict[str, Any]) -> tuple[str, list[str]]:
    words = list(given["words"])
    where = given["mapper"] or (words.pop(0) if words else "")
    if not where:
        raise OptionError("no job is given", hint="name one as file.py:job, or give --mapper file.py:name")
    if not words:
        raise OptionError(f"no source is given for {where}", hint="add a path, a glob or a URL")
    return where, words


def _job(given: dict[str, Any]) -> Any:
    where, _ = _words(given)
    extra = {name: given[name] for name in ("sort", "name") if given[name]}
    job = load_job(where, given["reducer"], given["combiner"])
    return replace(job, **extra) if extra else job


def _source(given: dict[str, Any]) -> Any:
    from mrkernel.io.registry import files

    _, words = _words(given)
    options = dict(format_option(text, "mrkernel") for text in given["format_options"])
    if len(words) == 1 and not given["source_format"] and not options:
        return words[0]
    return files(*words, format=given["source_format"], **options)


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    chosen = {name: given[name] for name in _SETTINGS if given.get(name) is not None}
    if given.get("no_progress"):
        chosen["progress"] = False
    settings(**chosen)
    return chosen


def _cluster(given: dict[str, Any]) -> Any:
    if given["address"] is None:
        return None
    from mrkernel.cluster import connect

    return connect(given["address"])


def _errors_sink(given: dict[str, Any], options: dict[str, Any]) -> Any:
    """Where to write what is set aside, checked before the job runs; None where that was not asked for."""
    if given["errors"] is None:
        return None
    if settings(on_error=options.get("on_error")).on_error == "raise":
        raise OptionError("--errors writes the records that were set aside, and none would be",
                          hint="add --on-error collect")  # fmt: skip
    from mrkernel.io import open_sink

    with in_words_of("command", is_writing=True):
        sink = open_sink(given["errors"], overwrite=given["overwrite"])
        sink.check()
    return sink


def _save(given: dict[str, Any]) -> dict[str, Any]:
    if given["overwrite"] and given["append"]:
        raise OptionError("--overwrite and --append exclude each other", hint="give one of them")
    if not given["output"] and (given["append"] or (given["overwrite"] and not (given["plot"] or given["errors"]))):
        raise OptionError("--overwrite and --append say how to write -o", hint="add -o TARGET")
    if not given["output"] and given["output_format"]:
        raise OptionError("--output-format says how to write -o, and no target is given", hint="add -o TARGET")
    if not given["output"]:
        return {}
    from mrkernel.io import open_sink

    how = {"overwrite": given["overwrite"], "append": given["append"]}
    with in_words_of("command", is_writing=True):
        return {"save": open_sink(given["output"], format=given["output_format"], **how), **how}
