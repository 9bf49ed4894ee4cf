"""Commands and options; what they do is in :mod:`.running`."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable
from typing import Any

import click

from mrkernel.cli.running import explain_job, report_error, run_job
from mrkernel.errors import OptionError
from mrkernel.render import cluster_text, plan_text

__all__ = ["cluster", "command", "explain", "formats", "main", "run", "status"]


def main(arguments: list[str] | None = None) -> None:
    """Run the command and exit: 0 if all went well, 1 if the job failed, 2 for a wrong call, 130 after Ctrl-C."""
    try:
        code = command.main(args=arguments, prog_name="mrkernel", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt) as error:
        # click turns an interrupt, ours too, into its own Abort.
        found = error.__cause__ if isinstance(error, click.Abort) else error
        code = report_error(found if isinstance(found, KeyboardInterrupt) else KeyboardInterrupt())
    except Exception as error:  # noqa: BLE001  # whatever it is, a terminal gets one message and a code
        code = report_error(error)
    sys.exit(code if isinstance(code, int) else 0)


def _version() -> str:
    try:
        return importlib.metadata.version("mrkernel")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version=_version(), prog_name="mrkernel", message="%(prog)s %(version)s")
def command() -> None:
    """MapReduce jobs from a terminal.

    \b
    mrkernel run jobs.py:job "books/*.txt" -o counts.parquet
    mrkernel run --mapper jobs.py:words --reducer sum books/a.txt books/b.txt
    """  # noqa: D301  # click's mark for lines that stay is the character \b itself


_JOB_OPTIONS: list[Callable[[Any], Any]] = [
    click.argument("words", nargs=-1, metavar="[JOB] SOURCE..."),
    click.option("--mapper", metavar="MODULE:NAME", help="A mapper function, in place of JOB."),
    click.option("--reducer", metavar="NAME", help="An aggregate (sum, mean, …), or MODULE:NAME of a function."),
    click.option("--combiner", metavar="NAME", help="As --reducer, run inside map tasks."),
    click.option("-f", "--format", "source_format", metavar="FORMAT", help="Input format, if its name does not tell."),
    click.option("--format-option", "format_options", multiple=True, metavar="K=V", help="An option of the format."),
    click.option("--sort", type=click.Choice(["key"]), help="Sort the whole result by key."),
    click.option("--chunk-size", metavar="SIZE", help='Bytes for each map task: "16 MiB".'),
    click.option("--reducers", metavar="N", help="Number of result partitions, or auto."),
    click.option("--workers", metavar="N", help="Worker processes of the embedded cluster."),
    click.option("--combine", type=click.Choice(["on", "off", "auto"]), help="Combine pairs inside map tasks."),
    click.option("--attempts", metavar="N", help="How often a task may be tried."),
    click.option(
        "--on-error",
        type=click.Choice(["raise", "skip", "collect"]),
        help="A record that fails: end the job, set it aside, or keep it for --errors as well.",
    ),
    click.option(
        "--error-limit",
        metavar="N",
        help='How many records may be set aside: 1000, "1%" of them, or none for any number.',
    ),
    click.option("--name", metavar="NAME", help="What the job is called in displays."),
    click.option("--cluster", "address", metavar="ADDRESS", help="A running dask cluster to use."),
]


def _with_job_options(function: Any) -> Any:
    for option in reversed(_JOB_OPTIONS):
        function = option(function)
    return function


@command.command()
@_with_job_options
@click.option("-o", "--output", metavar="TARGET", help="Where to write; without it the first rows are shown.")
@click.option("--output-format", metavar="FORMAT", help="Output format, if TARGET does not tell.")
@click.option("--overwrite", is_flag=True, help="Replace TARGET, once the new output is whole.")
@click.option("--append", is_flag=True, help="Add to TARGET.")
@click.option("--plot", metavar="FILE", help="Draw the result into a .png or .svg file.")
@click.option("--plot-kind", metavar="KIND", help="bar, line, hist, scatter or heat; else what suits the data.")
@click.option("--errors", metavar="TARGET", help="With --on-error: where to write the records that were set aside.")
@click.option("--profile", is_flag=True, default=None, help="Show what the time went to, your functions by line.")
@click.option("--limit", metavar="N", help="Rows to show.")
@click.option("--no-progress", is_flag=True, help="Show the result only, not how far the job is.")
def run(**given: Any) -> int:
    """Run a job over sources and show or write its result.

    JOB is module:name or file.py:name, a Job or a mapper function.
    """
    return run_job(given)


@command.command()
@_with_job_options
def explain(**given: Any) -> int:
    """Show what a run would do, and run nothing."""
    return explain_job(given)


@command.command()
def formats() -> None:
    """List the formats that can be read and written."""
    from mrkernel.io import formats as known

    click.echo(plan_text("formats", [(found.name, ", ".join(filter(None, found.suffixes))) for found in known()]))


@command.group()
def cluster() -> None:
    """Look at a running dask cluster; the embedded one lives and ends with its own command or notebook."""


@cluster.command()
@click.argument("address")
def status(address: str) -> None:
    """Show the workers of the cluster at ADDRESS, as tcp://host:8786."""
    from mrkernel.cluster import connect, picture

    if not address:
        raise OptionError("no address is given", hint="write it as tcp://host:8786")
    with connect(address) as found:
        drawn = picture(found)
    click.echo(cluster_text(drawn))
