"""What is measured, one function for each promise."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.benchmarks import data
from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.process import ROOT, EngineError, EngineProcess

__all__ = ["Series", "WrongAnswerError", "import_seconds", "memory", "split_seconds", "ten_lines", "word_count"]

Say = Callable[[str], None]
_SETTLE_S = 1.0
TEN_LINES = ["the wheels on the bus go round and round", "round and round", "round and round",
             "the wheels on the bus go round and round", "all through the town"] * 2  # fmt: skip


class WrongAnswerError(AssertionError):
    """An engine counted something else than plain Python did."""


@dataclass(slots=True)
class Series:
    """The runs of one engine."""

    name: str
    version: str
    ready_s: float
    walls_s: list[float] = field(default_factory=list)
    cpus_s: list[float] = field(default_factory=list)

    @property
    def wall_s(self) -> float:
        """Median wall seconds."""
        return median(self.walls_s)

    @property
    def cpu_s(self) -> float:
        """Median CPU seconds of all processes."""
        return median(self.cpus_s)


def word_count(
    pythons: dict[str, Path], *, size_bytes: int, repeat: int, cores: int, say: Say
) -> tuple[list[Series], dict[str, str]]:
    """Count a text's words with every engine in turn, ``repeat`` times after a warm-up; the runs, and who failed why.

    Only a peer may fail: an error of mrkernel, or a wrong answer of anyone, ends the benchmark.
    """
    text, sample = data.text_file(size_bytes), data.text_file(max(size_bytes // 10, 1000))
    right = data.expected(text)
    failed: dict[str, str] = {}
    series: dict[str, Series] = {}
    with ExitStack() as stack:
        engines: dict[str, EngineProcess] = {}
        for name, python in pythons.items():
            say(f"{CONTENDERS[name].title}: start and warm up")
            try:
                engine = stack.enter_context(EngineProcess(name, python, cores=cores))
                engine.run(str(sample if CONTENDERS[name].is_slow else text))
            except EngineError as error:
                if name.startswith("mrkernel"):
                    raise
                failed[name] = str(error)
                continue
            engines[name] = engine
            series[name] = Series(name, engine.version, engine.ready_s)
        for turn in range(1, repeat + 1):
            for name, engine in engines.items():
                with _alone(engines, name):
                    wall_s, cpu_s = engine.run(str(text))
                series[name].walls_s.append(wall_s)
                series[name].cpus_s.append(cpu_s)
                say(f"turn {turn} of {repeat}: {CONTENDERS[name].title} {wall_s:.2f} s, CPU {cpu_s:.2f} s")
                if (counted := engine.digest()) != right:
                    raise WrongAnswerError(f"{name} counted {counted}, plain Python {right}")
    return list(series.values()), failed


@contextmanager
def _alone(engines: Mapping[str, EngineProcess], name: str) -> Iterator[None]:
    """Stop the other engines: their schedulers and virtual machines take a tenth of two cores while they wait.

    Not for minutes, after which they would miss workers of their own.
    """
    with ExitStack() as stack:
        for other, engine in engines.items():
            if other != name and not CONTENDERS[name].is_slow:
                stack.enter_context(engine.paused())
        yield
    # What they have to do after a pause is not the next one's time.
    time.sleep(_SETTLE_S)


def ten_lines(engine: EngineProcess, *, runs: int, say: Say) -> float:
    """Median seconds of a job on ten lines, on a warm cluster."""
    say("a job on ten lines")
    walls = [engine.run(TEN_LINES)[0] for _ in range(runs + 3)]
    if engine.digest()["total"] != sum(len(line.split()) for line in TEN_LINES):
        raise WrongAnswerError(f"mrkernel counted {engine.digest()} in ten lines")
    return median(walls[3:])


def split_seconds(engine: EngineProcess, *, splits: int, repeat: int, cores: int, say: Say) -> tuple[float, float]:
    """Wall and CPU seconds of one split beyond its work: many small ones against one for each worker, same text."""
    text = data.text_file(10_000 * splits)
    size = text.stat().st_size
    many, few = [], []
    say(f"{splits} splits against {cores}")
    engine.run(str(text))
    for _ in range(repeat):
        few.append(engine.run(str(text), chunk_size=-(-size // cores)))
        many.append(engine.run(str(text), chunk_size=-(-size // splits)))
        if engine.digest() != data.expected(text):
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


def memory(*, size_bytes: int, cores: int, say: Say) -> tuple[float, float, float]:
    """Most bytes one worker held while a large text was counted, resident and private, and the seconds it took."""
    say(f"the memory of counting {size_bytes / 1e9:.1f} GB")
    text = data.text_file(size_bytes)
    with EngineProcess("mrkernel", Path(sys.executable), cores=cores) as engine:
        engine.run(TEN_LINES)
        with engine.watched_memory() as most:
            wall_s, _ = engine.run(str(text))
        if engine.digest() != data.expected(text):
            raise WrongAnswerError(f"mrkernel counted {engine.digest()} in {text}")
    return most.resident_bytes, most.private_bytes, wall_s
