"""Rows with a key and a number: sums by many keys, temperatures of stations, one key with many values.

Each file is written from arrays, and the right answer is worked out from the same arrays by NumPy.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.ipc

from tests.benchmarks.answers import Digest
from tests.benchmarks.data import store
from tests.benchmarks.data.store import SEED
from tests.benchmarks.data.text import vocabulary

__all__ = ["keyed_rows", "one_column", "station_rows", "two_columns"]

BLOCK_ROWS = 1_000_000
STATIONS = 413
# Spreads the keys' numbers over 12 digits.
_STRIDE = 99_999
_NO_HEADER = pacsv.WriteOptions(include_header=False, quoting_style="none")


def keyed_rows(rows: int) -> Path:
    """Lines such as ``k000001234567,42``: half as many distinct keys as rows, each twice, in random order."""

    def write(part: Path) -> Digest:
        rng = np.random.default_rng(SEED)
        keys = max(1, rows // 2)
        ids = rng.permutation(np.arange(rows) % keys)
        values = rng.integers(1, 100, rows)
        with part.open("wb") as file:
            for start in range(0, rows, BLOCK_ROWS):
                block = slice(start, start + BLOCK_ROWS)
                digits = pc.utf8_lpad(pa.array(ids[block] * _STRIDE).cast(pa.string()), 12, "0")
                text = pc.binary_join_element_wise("k", digits, "")
                pacsv.write_csv(pa.table({"key": text, "value": values[block]}), file, _NO_HEADER)
        sums = np.bincount(ids, weights=values, minlength=keys).astype(np.int64)
        check = np.sum((np.arange(keys) * _STRIDE + 1) * sums * sums)
        return {"distinct": keys, "total": int(values.sum()), "check": int(check)}

    return store.answered(f"keyed-{SEED}-{rows}.csv", write)


def station_rows(rows: int) -> Path:
    """The one billion row challenge at another size: lines such as ``lower egypt;-3.4`` of 413 stations."""

    def write(part: Path) -> Digest:
        rng = np.random.default_rng(SEED)
        words = vocabulary(4_000)[500:]
        names = [f"{first} {second}" for first, second in rng.choice(words, (STATIONS, 2), replace=False)]
        climate = rng.uniform(-10, 30, STATIONS)
        tenths = np.arange(-999, 1000)
        spelled = pa.array([f"{tenth / 10:.1f}" for tenth in tenths])
        found = _Climate(STATIONS)
        with part.open("wb") as file:
            for start in range(0, rows, BLOCK_ROWS):
                ids = rng.integers(0, STATIONS, min(BLOCK_ROWS, rows - start))
                values = np.rint(rng.normal(climate[ids], 10) * 10).clip(-999, 999).astype(np.int64)
                found.add(ids, values)
                text = pc.binary_join_element_wise(pa.array(names).take(pa.array(ids)),
                                                   spelled.take(pa.array(values + 999)), ";")  # fmt: skip
                file.write(("\n".join(text.to_pylist()) + "\n").encode())
        return found.digest(names)

    return store.answered(f"stations-{SEED}-{rows}.txt", write)


class _Climate:
    """What is known of each station, in tenths of a degree."""

    def __init__(self, stations: int) -> None:
        self.n, self.total = np.zeros(stations, np.int64), np.zeros(stations, np.int64)
        self.low, self.high = np.full(stations, 9999), np.full(stations, -9999)

    def add(self, ids: np.ndarray, values: np.ndarray) -> None:
        stations = len(self.n)
        self.n += np.bincount(ids, minlength=stations)
        self.total += np.bincount(ids, weights=values, minlength=stations).astype(np.int64)
        np.minimum.at(self.low, ids, values)
        np.maximum.at(self.high, ids, values)

    def digest(self, names: list[str]) -> Digest:
        from tests.benchmarks.answers import stations

        seen = np.flatnonzero(self.n)
        mean = self.total[seen] / self.n[seen] / 10
        found = {
            "name": [names[i] for i in seen],
            "low": self.low[seen] / 10,
            "mean": mean,
            "high": self.high[seen] / 10,
        }
        return stations(pa.table(found))


def one_column(rows: int) -> Path:
    """Lines of one whole number each."""

    def write(part: Path) -> Digest:
        values = np.random.default_rng(SEED).integers(0, 10_000_000, rows)
        pacsv.write_csv(pa.table({"n": values}), part, _NO_HEADER)
        return {"rows": 1, "n": rows, "total": int(values.sum())}

    return store.answered(f"numbers-{SEED}-{rows}.txt", write)


def two_columns(size_bytes: int) -> Path:
    """An Arrow file of two columns of 64-bit whole numbers, so many bytes of them."""

    def write(part: Path) -> Digest:
        rows = max(1, size_bytes // 16)
        rng = np.random.default_rng(SEED)
        table = pa.table({"key": rng.permutation(rows), "value": rng.integers(0, 1_000_000, rows)})
        with pa.ipc.new_file(part, table.schema) as file:
            file.write_table(table, max_chunksize=BLOCK_ROWS)
        return {"rows": rows, "key": rows * (rows - 1) // 2, "value": int(pc.sum(table["value"]).as_py())}

    return store.answered(f"columns-{SEED}-{size_bytes}.arrow", write)
