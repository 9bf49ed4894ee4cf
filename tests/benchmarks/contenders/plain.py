"""Python alone: one process, and a pool of processes as people write it by hand."""

from __future__ import annotations

import multiprocessing
import os
import platform
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from tests.benchmarks.contenders import Engine, from_dict

__all__ = ["index_pool", "stations_pool", "sums_pool", "words_counter", "words_loop", "words_pool"]

Piece = tuple[str, int, int]
VERSION = f"Python {platform.python_version()}"


def words_counter(cores: int) -> Engine:
    """``collections.Counter`` over the lines of the file; it uses one core however many there are."""
    del cores

    def run(path: str) -> Counter[str]:
        counts: Counter[str] = Counter()
        with open(path, encoding="utf-8") as file:
            for line in file:
                counts.update(line.split())
        return counts

    return Engine(run=run, table=from_dict, version=VERSION)


def words_loop(cores: int) -> Engine:
    """The loop that any engine has to run at least, and nothing around it."""
    del cores

    def run(path: str) -> dict[str, int]:
        counts: dict[str, int] = {}
        with open(path, encoding="utf-8") as file:
            for line in file:
                for word in line.split():
                    counts[word] = counts.get(word, 0) + 1
        return counts

    return Engine(run=run, table=from_dict, version=VERSION)


def words_pool(cores: int) -> Engine:
    """Word count: a plain dict for each piece, merged as they arrive."""
    return _pool(cores, _words, _add)


def sums_pool(cores: int) -> Engine:
    """Sum by key in the same way."""
    return _pool(cores, _sums, _add)


def stations_pool(cores: int) -> Engine:
    """Lowest, sum, count and highest for each station."""

    def table(found: dict[str, list[float]]) -> pa.Table:
        lows, totals, counts, highs = zip(*found.values(), strict=True)
        means = [total / n for total, n in zip(totals, counts, strict=True)]
        return pa.table({"station": list(found), "low": lows, "mean": means, "high": highs})

    return _pool(cores, _stations, _merge_stations, table)


def index_pool(cores: int) -> Engine:
    """A dict of lists for each piece; the lists of a word are joined as they arrive."""
    return _pool(cores, _index, _extend)


def _pool(
    cores: int,
    work: Callable[[Piece], dict[str, Any]],
    merge: Callable[[dict[str, Any], dict[str, Any]], None],
    table: Callable[[dict[str, Any]], pa.Table] = from_dict,
) -> Engine:
    # Forked before anything has been read: nothing is copied.
    workers = multiprocessing.get_context("fork").Pool(cores)

    def run(path: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for part in workers.imap_unordered(work, _pieces(path, 16)):
            merge(found, part)
        return found

    return Engine(run=run, table=table, version=VERSION, stop=workers.terminate)


def _pieces(path: str, count: int) -> list[Piece]:
    size, cuts = os.path.getsize(path), [0]
    with open(path, "rb") as file:
        for i in range(1, count):
            file.seek(size * i // count)
            file.readline()
            cuts.append(file.tell())
    return [(path, start, stop) for start, stop in zip(cuts, [*cuts[1:], size], strict=True) if start < stop]


def _lines(piece: Piece) -> Iterator[str]:
    path, start, stop = piece
    with open(path, "rb") as file:
        file.seek(start)
        text = file.read(stop - start).decode()
    return iter(text.rstrip("\n").split("\n"))


def _words(piece: Piece) -> dict[str, int]:
    counts: dict[str, int] = {}
    for line in _lines(piece):
        for word in line.split():
            counts[word] = counts.get(word, 0) + 1
    return counts


def _sums(piece: Piece) -> dict[str, int]:
    sums: dict[str, int] = {}
    for line in _lines(piece):
        key, value = line.split(",")
        sums[key] = sums.get(key, 0) + int(value)
    return sums


def _stations(piece: Piece) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for line in _lines(piece):
        station, text = line.split(";")
        value = float(text)
        known = found.get(station)
        if known is None:
            found[station] = [value, value, 1, value]
            continue
        if value < known[0]:  # noqa: PLR1730  # a call of min() for each record takes twice the time
            known[0] = value
        known[1] += value
        known[2] += 1
        if value > known[3]:  # noqa: PLR1730  # as above
            known[3] = value
    return found


def _index(piece: Piece) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for line in _lines(piece):
        digits, text = line.split("\t")
        number = int(digits)
        for word in set(text.split()):
            found.setdefault(word, []).append(number)
    return found


def _add(found: dict[str, int], part: dict[str, int]) -> None:
    for key, value in part.items():
        found[key] = found.get(key, 0) + value


def _extend(found: dict[str, list[int]], part: dict[str, list[int]]) -> None:
    for key, values in part.items():
        found.setdefault(key, []).extend(values)


def _merge_stations(found: dict[str, list[float]], part: dict[str, list[float]]) -> None:
    for station, (low, total, n, high) in part.items():
        known = found.setdefault(station, [low, 0.0, 0, high])
        found[station] = [min(low, known[0]), total + known[1], n + known[2], max(high, known[3])]
