"""What is measured, one function for each promise."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.answers import Digest, is_same
from tests.benchmarks.data import text as texts
from tests.benchmarks.process import ROOT, EngineError, EngineProcess
from tests.benchmarks.promises import Series
from tests.benchmarks.workloads import WORKLOADS

__all__ = [
    "Measured",
    "WrongAnswerError",
    "cold_start",
    "import_seconds",
    "in_turns",
    "memory",
    "split_seconds",
    "ten_lines",
]

Say = Callable[[str], None]
_SETTLE_S = 1.0
TEN_LINES = ["the wheels on the bus go round and round", "round and round", "round and round",
             "the wheels on the bus go round and round", "all through the town"] * 2  # fmt: skip


# A notebook's first cell, in an interpreter that has done nothing yet; then a cluster after the first one was closed.
_COLD = f"""
import json, sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.user_ns["lines"] = {TEN_LINES!r}
body = "def mapper(line):\\n    for word in line.split():\\n        yield word, 1\\n\\nreducer = sum"
began = time.perf_counter()
shell.run_line_magic("load_ext", "mrkernel")
shell.run_cell_magic("mapreduce", "-i lines -o counts --workers " + sys.argv[1], body)
first = time.perf_counter() - began
import mrkernel as mr
workers = int(sys.argv[1])
mr.cluster(workers=workers).close()
began = time.perf_counter()
later = mr.cluster(workers=workers)
print(json.dumps([first, time.perf_counter() - began, sum(count for _, count in shell.user_ns["counts"])]))
later.close()
"""


class WrongAnswerError(AssertionError):
    """An engine gave another answer than the one that the data was made with."""


@dataclass(slots=True)
class Measured:
    """The runs of a workload, and which engines failed for which reason; ``wrong`` are those with a wrong answer."""

    series: dict[str, Series] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    wrong: set[str] = field(default_factory=set)


def in_turns(workload: str, pythons: Mapping[str, Path], *, size: int, repeat: int, cores: int, say: Say) -> Measured:
    """Run a workload on each engine in turn, ``repeat`` times after a warm-up.

    An engine that fails or gives a wrong answer leaves the round; the others go on.
    """
    what = WORKLOADS[workload]
    say(f"{what.title}: data")
    make, answer = _function(what.data), _function(what.answer)
    source = make(size)
    with ExitStack() as stack:
        turns = _Turns(workload, str(source), str(make(max(size // 10, 1000))), answer(source), say)
        for name, python in pythons.items():
            turns.attempt(turns.warm_up, name, stack, python, cores)
        for turn in range(1, repeat + 1):
            for name in list(turns.engines):
                turns.attempt(turns.take, name, f"turn {turn} of {repeat}")
    return turns.found


class _Turns:
    """The engines of one workload that still take part, and what was found."""

    def __init__(self, workload: str, source: str, sample: str, right: Digest, say: Say) -> None:
        self.workload, self.what = workload, WORKLOADS[workload]
        self.source, self.sample, self.right, self.say = source, sample, right, say
        self.engines: dict[str, EngineProcess] = {}
        self.found = Measured()

    def attempt(self, work: Callable[..., None], name: str, *arguments: Any) -> None:
        """Do something with an engine; if that fails, go on without it."""
        try:
            work(name, *arguments)
        except (EngineError, WrongAnswerError) as error:
            self.say(f"{self.what.title}: {error}")
            self.found.failed[name] = str(error)
            self.found.series.pop(name, None)
            self.engines.pop(name, None)
            if isinstance(error, WrongAnswerError):
                self.found.wrong.add(name)

    def warm_up(self, name: str, stack: ExitStack, python: Path, cores: int) -> None:
        """Start an engine and run it once, watching its memory: to look at it costs time, so no turn does."""
        contender = self.what.contenders[name]
        self.say(f"{self.what.title}: {contender.title}: start and warm up")
        started = EngineProcess(self.workload, name, python, cores=cores, timeout_s=self.what.timeout_s)
        engine = stack.enter_context(started)
        with self._alone(name), engine.watched_memory() as most:
            engine.run(self.sample if contender.is_slow else self.source)
        self.engines[name] = engine
        self.found.series[name] = Series(
            name, contender.title, contender.kind, engine.version, engine.ready_s,
            most.together_bytes, most.resident_bytes,
        )  # fmt: skip

    def take(self, name: str, turn: str) -> None:
        """Measure an engine once, and compare its answer."""
        engine, series = self.engines[name], self.found.series[name]
        with self._alone(name):
            wall_s, cpu_s = engine.run(self.source)
        series.walls_s.append(wall_s)
        series.cpus_s.append(cpu_s)
        self.say(f"{self.what.title}, {turn}: {series.title} {wall_s:.2f} s, CPU {cpu_s:.2f} s")
        if not is_same(given := engine.digest(), self.right):
            raise WrongAnswerError(f"{name} gave a wrong answer: {given} instead of {self.right}")

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Stop the other engines: their schedulers and virtual machines take a tenth of two cores while they wait.

        Not for minutes, after which they would miss workers of their own.
        """
        with ExitStack() as stack:
            for other, engine in self.engines.items():
                if other != name and not self.what.contenders[name].is_slow:
                    stack.enter_context(engine.paused())
            # Gigabytes that one engine has written would reach the disk in the next one's time.
            os.sync()
            yield
        # What they have to do after a pause is not the next one's time.
        time.sleep(_SETTLE_S)


def _function(name: str) -> Callable[[Any], Any]:
    module, function = name.split(":")
    found: Callable[[Any], Any] = getattr(importlib.import_module(f"tests.benchmarks.data.{module}"), function)
    return found


def ten_lines(engine: EngineProcess, *, executor: str, runs: int, say: Say) -> float:
    """Median seconds of a job on ten lines, warm, on the cluster or inline."""
    say(f"a job on ten lines, {executor}")
    walls = [engine.run(TEN_LINES, executor=executor)[0] for _ in range(runs + 3)]
    if engine.digest()["total"] != sum(len(line.split()) for line in TEN_LINES):
        raise WrongAnswerError(f"mrkernel counted {engine.digest()} in ten lines")
    return median(walls[3:])


def split_seconds(engine: EngineProcess, *, splits: int, repeat: int, cores: int, say: Say) -> tuple[float, float]:
    """Wall and CPU seconds of one split beyond its work: many small ones against one for each worker, same text."""
    text = texts.text_file(10_000 * splits)
    size = text.stat().st_size
    many, few = [], []
    say(f"{splits} splits against {cores}")
    engine.run(str(text))
    for _ in range(repeat):
        few.append(engine.run(str(text), chunk_size=-(-size // cores)))
        many.append(engine.run(str(text), chunk_size=-(-size // splits)))
        if engine.digest() != texts.word_counts(text):
            raise WrongAnswerError(f"mrkernel counted {engine.digest()} over {splits} splits")
    wall_s, cpu_s = (median(run[n] for run in many) - median(run[n] for run in few) for n in (0, 1))
    return wall_s / splits, cpu_s / splits


def import_seconds(*, repeat: int, say: Say) -> float:
    """Median seconds of ``import mrkernel`` in a new interpreter, its files in the page cache."""
    say("import mrkernel")
    code = "import time; t = time.perf_counter(); import mrkernel; print(time.perf_counter() - t)"
    command: Sequence[str] = [sys.executable, "-c", code]
    runs = [subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True) for _ in range(repeat + 1)]
    return median(float(run.stdout) for run in runs[1:])


def cold_start(*, repeat: int, cores: int, say: Say, unread: int = 1) -> tuple[float, float]:
    """Median seconds from ``%load_ext`` to the first cell's result in a new interpreter, and of a later cluster.

    The first ``unread`` runs, for which files may have to be read from the disk, do not count.
    """
    say("the first cell, cold, and a later cluster")
    runs = []
    # An installed package is compiled; a working copy is by the run that does not count, unless that is forbidden.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(unread + repeat):
        done = subprocess.run([sys.executable, "-c", _COLD, str(cores)], cwd=ROOT, capture_output=True, text=True,
                              check=True, env=environment)  # fmt: skip
        first_s, later_s, total = json.loads(done.stdout.splitlines()[-1])
        if total != sum(len(line.split()) for line in TEN_LINES):
            raise WrongAnswerError(f"mrkernel counted {total} words in ten lines")
        runs.append((first_s, later_s))
    return median(run[0] for run in runs[unread:]), median(run[1] for run in runs[unread:])


def memory(*, size_bytes: int, cores: int, say: Say) -> tuple[float, float, float]:
    """Most bytes one worker held while a large text was counted, resident and private, and the seconds it took."""
    say(f"the memory of counting {size_bytes / 1e9:.1f} GB")
    text = texts.text_file(size_bytes)
    with EngineProcess("words", "mrkernel", Path(sys.executable), cores=cores) as engine:
        engine.run(TEN_LINES)
        with engine.watched_memory() as most:
            wall_s, _ = engine.run(str(text))
        if engine.digest() != texts.word_counts(text):
            raise WrongAnswerError(f"mrkernel counted {engine.digest()} in {text}")
    return most.resident_bytes, most.private_bytes, wall_s
