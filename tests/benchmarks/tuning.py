"""Is the tuner's advice right? Inputs on which the default is wrong, and one on which it is right, each measured.

``python -m tests.benchmarks.tuning`` tunes each, runs the whole input by default and as advised in turns, and prints
what was promised and what was found.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import mrkernel as mr

__all__ = ["CASES", "Case", "Found", "judge", "main"]

_WORDS = "the quick brown fox jumps over the lazy dog and runs away from all the other animals".split()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One job on one input.

    Attributes
    ----------
    write
        Makes the input in a folder, ``scale`` times as large as the smallest that makes sense; returns the source.
    least_gain
        By how much the advice has to beat the default; 1 where the default is right and is to be left.
    """

    name: str
    job: Callable[[], mr.Job]
    write: Callable[[Path, float], Any]
    least_gain: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What came of a case: seconds of whole runs by default and as advised, medians of turns."""

    case: Case
    tuning: mr.Tuning
    default_s: float
    advised_s: float

    @property
    def gain(self) -> float:
        """How many times as fast the advice is."""
        return self.default_s / self.advised_s

    @property
    def is_right(self) -> bool:
        """Whether the advice is what the case asks for."""
        if self.case.least_gain == 1:
            return self.tuning.advice == "leave it"
        return self.tuning.advice != "leave it" and self.gain >= self.case.least_gain

    @property
    def is_in_band(self) -> bool:
        """Whether the default took as long as its prediction's band says."""
        predicted = self.tuning.default
        return predicted.low_s <= self.default_s <= predicted.high_s

    def __str__(self) -> str:
        verdict = "right" if self.is_right else "WRONG"
        band = "in" if self.is_in_band else "OUTSIDE"
        return (
            f"{self.case.name}: {self.tuning.advice}; default {self.default_s:.2f} s, {band} the band of "
            f"{self.tuning.default}; advised {self.advised_s:.2f} s, {self.gain:.2f} × as fast: {verdict}"
        )


def _count(line: str) -> Iterator[tuple[str, int]]:
    for word in line.split():
        yield word, 1


def _patiently(line: str) -> Iterator[tuple[str, int]]:
    time.sleep(0.05)
    yield line[:1], 1


def _by_shelf(row: dict[str, Any]) -> Iterator[tuple[int, str]]:
    yield row["shelf"], row["text"]


def _vocabulary(shelf: int, texts: Any) -> int:
    found: set[str] = set()
    for text in texts:
        for word in text.split():
            found.add(word.strip(".,").lower())
    return len(found)


def _phrases(line: str) -> Iterator[tuple[int, int]]:
    words = line.split()
    for length in range(1, 30):
        yield length, len({tuple(words[start : start + length]) for start in range(len(words) - length)})


def _tiny_files(folder: Path, scale: float) -> str:
    # Small files are packed into few tasks, which is right for what takes as long to open as to read.
    for n in range(int(20 * scale)):
        (folder / f"{n:05}.txt").write_text(" ".join(random.Random(n).choices(_WORDS, k=2_500)) + "\n")
    return str(folder / "*.txt")


def _slow_records(folder: Path, scale: float) -> str:
    (folder / "slow.txt").write_text("".join(f"{n % 10} record\n" for n in range(int(60 * scale))))
    return str(folder / "slow.txt")


def _huge_rows(folder: Path, scale: float) -> str:
    drawn = random.Random(1)
    with open(folder / "books.jsonl", "w") as file:
        for n in range(int(60 * scale)):
            text = " ".join(f"{word}{drawn.randrange(300)}" for word in drawn.choices(_WORDS, k=25_000))
            file.write(json.dumps({"shelf": n % 16, "text": text}) + "\n")
    return str(folder / "books.jsonl")


def _lines(words: list[str], length: int) -> Iterator[str]:
    return (" ".join(words[start : start + length]) + "\n" for start in range(0, len(words), length))


def _text(folder: Path, scale: float) -> str:
    drawn = random.Random(2)
    with open(folder / "text.txt", "w") as file:
        for _ in range(int(60 * scale)):
            file.writelines(_lines([f"{word}{drawn.randrange(40)}" for word in drawn.choices(_WORDS, k=12_000)], 12))
    return str(folder / "text.txt")


CASES = (
    Case(name="tiny files", job=lambda: mr.Job(_phrases, max, name="phrases"), write=_tiny_files, least_gain=1.2),
    Case(
        name="huge rows",
        job=lambda: mr.Job(_by_shelf, _vocabulary, name="vocabulary"),
        write=_huge_rows,
        least_gain=1.15,
    ),
    Case(
        name="50 ms a record", job=lambda: mr.Job(_patiently, sum, name="patient"), write=_slow_records, least_gain=1.5
    ),
    Case(name="ordinary text", job=lambda: mr.Job(_count, sum, name="words"), write=_text, least_gain=1),
)


def judge(case: Case, folder: Path, *, scale: float = 3.0, budget: float = 20.0, turns: int = 3) -> Found:
    """Tune a case, then run the whole input by default and as advised in turns."""
    source, job = case.write(folder, scale), case.job()
    tuning = mr.tune(job, source, budget=budget, say=lambda done, planned, words: None)
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(turns):
        for kept, options in zip(seconds, ({}, tuning.best.choice.settings), strict=True):
            began = time.perf_counter()
            mr.run(job, source, progress=False, **options)
            kept.append(time.perf_counter() - began)
    return Found(case=case, tuning=tuning, default_s=median(seconds[0]), advised_s=median(seconds[1]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge all cases, or those that are named; the exit code is 1 if an advice is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.tuning", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(case.name for case in CASES)}")
    parser.add_argument("--scale", type=float, default=3.0, help="size of the inputs")
    parser.add_argument("--budget", type=float, default=20.0, help="seconds for each tuning")
    options = parser.parse_args(arguments)
    unknown = sorted({*options.names} - {case.name for case in CASES})
    if unknown:
        parser.error(f"there is no case {', '.join(unknown)}")
    mr.cluster(workers=2)
    wrong = 0
    for case in CASES:
        if not options.names or case.name in options.names:
            with tempfile.TemporaryDirectory() as folder:
                found = judge(case, Path(folder), scale=options.scale, budget=options.budget)
                wrong += not found.is_right
                sys.stdout.write(f"{found}\n{found.tuning}\n\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
