"""Records of a key and 80 bytes.

To sort: the key is 10 letters, and the 80 bytes begin with the record's number. To shuffle: the key is a whole number.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from tests.benchmarks.answers import Digest
from tests.benchmarks.data import store
from tests.benchmarks.data.store import SEED

__all__ = ["KEY_BYTES", "keyed_records", "sort_records"]

KEY_BYTES, PAYLOAD_BYTES, NUMBER_BYTES = 10, 80, 12
BLOCK_ROWS = 250_000
# A record batch of so many rows, with their keys, has 4.6 MB: engines that read whole batches can choose how many.
BATCH_ROWS = 50_000
# Sums of as many of them as fit on a disk fit 64 bits.
KEYS = 1 << 32


def sort_records(rows: int) -> Path:
    """An Arrow file of ``key`` and ``payload``, and beside it a Parquet file for engines that read no Arrow files."""

    def write(part: Path) -> Digest:
        rng = np.random.default_rng(SEED)
        keys = rng.integers(ord("!"), ord("~") + 1, (rows, KEY_BYTES), np.uint8)
        filler = rng.integers(ord("a"), ord("z") + 1, PAYLOAD_BYTES - NUMBER_BYTES, np.uint8).tobytes().decode()
        schema = pa.schema({"key": pa.string(), "payload": pa.string()})
        parquet = (store.CACHE / _name(rows)).with_suffix(".parquet")
        with pa.ipc.new_file(part, schema) as file, pq.ParquetWriter(parquet, schema, compression="none") as copy:
            for start in range(0, rows, BLOCK_ROWS):
                stop = min(start + BLOCK_ROWS, rows)
                payload = pa.array([f"{number:0{NUMBER_BYTES}}{filler}" for number in range(start, stop)])
                batch = pa.record_batch([_texts(keys[start:stop]), payload], schema=schema)
                file.write_batch(batch)
                copy.write_batch(batch)
        order = np.argsort(keys.view(f"S{KEY_BYTES}").ravel(), kind="stable")
        return {"rows": rows, "check": int(np.sum(np.arange(rows) * order))}

    return store.answered(_name(rows), write)


def keyed_records(rows: int) -> Path:
    """An Arrow file of ``key``, 64 bits, and ``payload``, 80 letters that no compression makes much smaller."""

    def write(part: Path) -> Digest:
        rng = np.random.default_rng(SEED)
        schema = pa.schema({"key": pa.int64(), "payload": pa.string()})
        total = 0
        with pa.ipc.new_file(part, schema) as file:
            for start in range(0, rows, BATCH_ROWS):
                n = min(BATCH_ROWS, rows - start)
                keys = rng.integers(0, KEYS, n)
                letters = rng.integers(ord("!"), ord("~") + 1, (n, PAYLOAD_BYTES), np.uint8)
                file.write_batch(pa.record_batch([pa.array(keys), _texts(letters)], schema=schema))
                total += int(keys.sum())
        return {"rows": 1, "n": rows, "keys": total, "payload_bytes": rows * PAYLOAD_BYTES}

    return store.answered(f"shuffle-{SEED}-{rows}.arrow", write)


def _name(rows: int) -> str:
    return f"records-{SEED}-{rows}.arrow"


def _texts(letters: np.ndarray) -> pa.Array:
    """Rows of letters as a column of text."""
    rows, width = letters.shape
    offsets = np.arange(rows + 1, dtype=np.int32) * width
    data = np.ascontiguousarray(letters)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(data))
