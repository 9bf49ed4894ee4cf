"""Python alone: one process, and a pool of processes as people write it by hand."""

from __future__ import annotations

import multiprocessing
import os
import platform
from collections import Counter

from tests.benchmarks.contenders import Engine

__all__ = ["counter", "pool"]

Piece = tuple[str, int, int]


def counter(cores: int) -> Engine:
    """``collections.Counter`` over the lines of the file; it uses one core however many there are."""
    del cores

    def run(path: str) -> Counter[str]:
        counts: Counter[str] = Counter()
        with open(path, encoding="utf-8") as file:
            for line in file:
                counts.update(line.split())
        return counts

    return Engine(run=run, pairs=dict.items, version=f"Python {platform.python_version()}")


def pool(cores: int) -> Engine:
    """A plain dict for each of 16 pieces, merged as they arrive."""
    # Forked before anything has been read: nothing is copied.
    workers = multiprocessing.get_context("fork").Pool(cores)

    def run(path: str) -> dict[str, int]:
        counts: dict[str, int] = {}
        for part in workers.imap_unordered(_count, _pieces(path, 16)):
            for word, n in part.items():
                counts[word] = counts.get(word, 0) + n
        return counts

    return Engine(run=run, pairs=dict.items, version=f"Python {platform.python_version()}", stop=workers.terminate)


def _pieces(path: str, count: int) -> list[Piece]:
    size, cuts = os.path.getsize(path), [0]
    with open(path, "rb") as file:
        for i in range(1, count):
            file.seek(size * i // count)
            file.readline()
            cuts.append(file.tell())
    return [(path, start, stop) for start, stop in zip(cuts, [*cuts[1:], size], strict=True) if start < stop]


def _count(piece: Piece) -> dict[str, int]:
    path, start, stop = piece
    counts: dict[str, int] = {}
    with open(path, "rb") as file:
        file.seek(start)
        for line in file.read(stop - start).decode().split("\n"):
            for word in line.split():
                counts[word] = counts.get(word, 0) + 1
    return counts
