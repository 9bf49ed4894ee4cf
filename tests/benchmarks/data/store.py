"""Files of data that are made once and kept in ``.bench/data``, each with its right answer beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.answers import Digest

__all__ = ["CACHE", "ROOT", "SEED", "answered", "expected", "made"]

ROOT = Path(__file__).parents[3]
CACHE = ROOT / ".bench" / "data"
SEED = 7


def made(name: str, write: Callable[[Path], object]) -> Path:
    """The file of this name, written by ``write`` if it is not there yet, and only then seen under that name."""
    path = CACHE / name
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"part-{name}")
        write(part)
        part.rename(path)
    return path


def answered(name: str, write: Callable[[Path], Digest]) -> Path:
    """As :func:`made`, for a ``write`` that works out the right answer from the numbers that it writes."""

    def both(part: Path) -> None:
        _answer(CACHE / name).write_text(json.dumps(write(part)), "utf-8")

    return made(name, both)


def expected(path: Path, work_out: Callable[[Path], Digest] | None = None) -> Digest:
    """The right answer for a file; ``work_out`` finds it the first time, where it was not written with the file."""
    cached = _answer(path)
    if work_out and not cached.exists():
        cached.write_text(json.dumps(work_out(path)), "utf-8")
    answer: Digest = json.loads(cached.read_text("utf-8"))
    return answer


def _answer(path: Path) -> Path:
    return path.with_suffix(".answer.json")
