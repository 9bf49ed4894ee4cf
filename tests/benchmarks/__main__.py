"""Measure the promises; the exit code is 1 if one is broken."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from mrkernel.config import parse_bytes
from tests.benchmarks import measure
from tests.benchmarks.peers import environments
from tests.benchmarks.process import EngineProcess
from tests.benchmarks.promises import Verdict
from tests.benchmarks.report import Found, Report, machine, verdicts
from tests.benchmarks.workloads import WORKLOADS

__all__ = ["main"]

ROOT = Path(__file__).parents[2]
ENGINES = tuple(dict.fromkeys(name for workload in WORKLOADS.values() for name in workload.contenders))
SINGLE = ("ten-lines", "splits", "import", "cold", "memory")


def main(arguments: list[str] | None = None) -> int:
    """Run what the arguments ask for, print and write the report."""
    options = _options(arguments)
    usable = os.sched_getaffinity(0)
    # The same few cores for everyone, also where the machine has more.
    os.sched_setaffinity(0, sorted(usable)[: options.cores])
    try:
        report = _measure(options)
    finally:
        os.sched_setaffinity(0, usable)
    path = report.write(options.out)
    _say(f"written to {path}\n\n{report.markdown()}")
    return 0 if report.is_kept or not options.judge else 1


def _measure(options: argparse.Namespace) -> Report:
    report = Report(machine(), {"used": f"{options.cores} cores", "turns": options.repeat})
    for workload in options.workloads:
        found = _compared(workload, options)
        report.found.append(found)
        report.verdicts += verdicts(found)
        # Hours of other workloads are not lost with what comes after them.
        report.write(options.out)
    report.verdicts += _single(options)
    return report


def _compared(workload: str, options: argparse.Namespace) -> Found:
    about = WORKLOADS[workload]
    contenders = {name: one for name, one in about.contenders.items() if name in options.engines}
    pythons, missing = environments(contenders, may_install=options.install, say=_say)
    size = round((about.size if options.full or about.small is None else about.small) * options.scale)
    measured = measure.in_turns(workload, pythons, size=size, repeat=options.repeat, cores=options.cores, say=_say)
    return Found(workload=workload, size=size, measured=measured, missing=missing)


def _single(options: argparse.Namespace) -> list[Verdict]:
    """The promises that have no peer."""
    found = []
    if {"ten-lines", "splits"} & set(options.single):
        with EngineProcess("words", "mrkernel", Path(sys.executable), cores=options.cores) as engine:
            found += _warm(engine, options)
    if "import" in options.single:
        value = measure.import_seconds(repeat=5, say=_say)
        found.append(_verdict("import mrkernel", "under 0.5 s", f"{value:.2f} s", is_kept=value < 0.5))
    if "cold" in options.single:
        first_s, later_s = measure.cold_start(repeat=options.repeat, cores=options.cores, say=_say)
        text = "%load_ext and a first cell of ten lines, cold"
        found.append(_verdict(text, "at most 1.5 s", f"{first_s:.2f} s", is_kept=first_s <= 1.5))
        found.append(_verdict("a later cluster starts", "at most 0.2 s", f"{later_s:.2f} s", is_kept=later_s <= 0.2))
    if "memory" in options.single:
        resident, private, wall_s = measure.memory(size_bytes=options.big_size, cores=options.cores, say=_say)
        measured = f"{resident / 1e6:.0f} MB ({private / 1e6:.0f} MB of its own), {wall_s:.0f} s"
        text = f"a worker counting {options.big_size / 1e9:g} GB of text"
        found.append(_verdict(text, "under 400 MB", measured, is_kept=resident < 400e6))
    return found


def _warm(engine: EngineProcess, options: argparse.Namespace) -> list[Verdict]:
    """Those that share one warm cluster."""
    found = []
    if "ten-lines" in options.single:
        for executor, most_s in (("cluster", 0.02), ("inline", 0.005)):
            value = measure.ten_lines(engine, executor=executor, runs=options.small_runs, say=_say)
            found.append(_verdict(f"a job on ten lines, warm, {executor}", f"at most {most_s * 1e3:g} ms",
                                  f"{value * 1e3:.1f} ms", is_kept=value <= most_s))  # fmt: skip
    if "splits" in options.single:
        value, cpu_s = measure.split_seconds(
            engine, splits=options.splits, repeat=options.repeat, cores=options.cores, say=_say
        )
        measured = f"{value * 1e3:.2f} ms (CPU {cpu_s * 1e3:.2f} ms)"
        text = f"each of {options.splits:,} splits beyond its work"
        found.append(_verdict(text, "at most 2 ms", measured, is_kept=value <= 2e-3))
    return found


def _verdict(text: str, limit: str, measured: str, *, is_kept: bool) -> Verdict:
    return Verdict(text=text, limit=limit, measured=measured, is_kept=is_kept)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[*WORKLOADS, *ENGINES, *SINGLE], metavar="NAME", default=[],
                        help=f"workloads ({', '.join(WORKLOADS)}), engines ({', '.join(ENGINES)}) and measurements "
                             f"({', '.join(SINGLE)})")  # fmt: skip
    parser.add_argument("--full", action="store_true", help="all workloads with the data that is promised, and memory")
    parser.add_argument("--scale", type=float, default=1.0, help="of that much data (%(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="turns after the warm-up (%(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="processes or threads for each engine (%(default)s)")
    parser.add_argument("--big-size", type=parse_bytes, default="1 GB", help="for memory (%(default)s)")
    parser.add_argument("--splits", type=int, default=1000, help="for the cost of a split (%(default)s)")
    parser.add_argument("--small-runs", type=int, default=20, help="of the job on ten lines (%(default)s)")
    parser.add_argument("--no-install", dest="install", action="store_false", help="leave out engines that are missing")
    parser.add_argument("--no-judge", dest="judge", action="store_false", help="exit with 0 also for a broken promise")
    parser.add_argument("--out", type=Path, default=ROOT / ".bench" / "results", help="folder for the report")
    return _chosen(parser.parse_args(arguments))


def _chosen(options: argparse.Namespace) -> argparse.Namespace:
    """Say which workloads, engines and single measurements ``--only`` leaves, all of a kind where it names none."""
    only = set(options.only)
    workloads = [name for name in WORKLOADS if name in only]
    engines = [name for name in ENGINES if name in only]
    options.single = [name for name in SINGLE if name in only or (not only and (name != "memory" or options.full))]
    usual = [name for name, workload in WORKLOADS.items() if options.full or workload.small is not None]
    options.engines = engines or list(ENGINES)
    options.workloads = workloads or (usual if engines or not only else [])
    return options


def _say(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
