"""Measure the promises; the exit code is 1 if one is broken."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from mrkernel.config import parse_bytes
from tests.benchmarks import measure
from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.peers import environments
from tests.benchmarks.process import EngineProcess
from tests.benchmarks.report import Promise, Report, machine, speed_promises

__all__ = ["main"]

ROOT = Path(__file__).parents[2]
SINGLE = ("ten-lines", "splits", "import", "memory")


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
    report = Report(machine(), {"used": f"{options.cores} cores", "text": f"{options.size / 1e6:g} MB",
                                "turns": options.repeat})  # fmt: skip
    engines = [name for name in options.only if name in CONTENDERS]
    if engines:
        pythons, report.missing = environments(engines, may_install=options.install, say=_say)
        report.series, failed = measure.word_count(pythons, size_bytes=options.size, repeat=options.repeat,
                                                   cores=options.cores, say=_say)  # fmt: skip
        report.missing |= failed
        report.promises += speed_promises(report.series)
    report.promises += _single(options)
    return report


def _single(options: argparse.Namespace) -> list[Promise]:
    """The promises that have no peer."""
    promises = []
    if {"ten-lines", "splits"} & set(options.only):
        with EngineProcess("mrkernel", Path(sys.executable), cores=options.cores) as engine:
            promises += _warm(engine, options)
    if "import" in options.only:
        value = measure.import_seconds(repeat=5, say=_say)
        promises.append(Promise("import mrkernel", "under 0.5 s", f"{value:.2f} s", value < 0.5))
    if "memory" in options.only:
        resident, private, wall_s = measure.memory(size_bytes=options.big_size, cores=options.cores, say=_say)
        found = f"{resident / 1e6:.0f} MB ({private / 1e6:.0f} MB of its own), {wall_s:.0f} s"
        promises.append(Promise(f"a worker counting {options.big_size / 1e9:g} GB of text", "under 400 MB", found,
                                resident < 400e6))  # fmt: skip
    return promises


def _warm(engine: EngineProcess, options: argparse.Namespace) -> list[Promise]:
    """Those that share one warm cluster."""
    promises = []
    if "ten-lines" in options.only:
        value = measure.ten_lines(engine, runs=options.small_runs, say=_say)
        found = f"{value * 1e3:.0f} ms"
        promises.append(Promise("a job on ten lines, warm cluster", "under 150 ms", found, value < 0.15))
    if "splits" in options.only:
        value, cpu_s = measure.split_seconds(
            engine, splits=options.splits, repeat=options.repeat, cores=options.cores, say=_say
        )
        found = f"{value * 1e3:.2f} ms (CPU {cpu_s * 1e3:.2f} ms)"
        promises.append(
            Promise(f"each of {options.splits:,} splits beyond its work", "at most 2 ms", found, value <= 2e-3)
        )
    return promises


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[*CONTENDERS, *SINGLE], metavar="NAME",
                        help=f"engines ({', '.join(CONTENDERS)}) and measurements ({', '.join(SINGLE)})")  # fmt: skip
    parser.add_argument("--repeat", type=int, default=3, help="turns after the warm-up (%(default)s)")
    parser.add_argument("--size", type=parse_bytes, default="100 MB", help="of the text (%(default)s)")
    parser.add_argument("--cores", type=int, default=2, help="processes or threads for each engine (%(default)s)")
    parser.add_argument("--big", action="store_true", help="also the memory of counting --big-size")
    parser.add_argument("--big-size", type=parse_bytes, default="1 GB", help="(%(default)s)")
    parser.add_argument("--splits", type=int, default=1000, help="for the cost of a split (%(default)s)")
    parser.add_argument("--small-runs", type=int, default=20, help="of the job on ten lines (%(default)s)")
    parser.add_argument("--no-install", dest="install", action="store_false", help="leave out engines that are missing")
    parser.add_argument("--no-judge", dest="judge", action="store_false", help="exit with 0 also for a broken promise")
    parser.add_argument("--out", type=Path, default=ROOT / ".bench" / "results", help="folder for the report")
    options = parser.parse_args(arguments)
    if options.only is None:
        options.only = [*CONTENDERS, *(name for name in SINGLE if name != "memory" or options.big)]
    elif options.big:
        options.only.append("memory")
    return options


def _say(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
