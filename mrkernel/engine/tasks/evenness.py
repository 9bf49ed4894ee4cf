"""How even the partitions of a reduce task are: their seconds, their rows, and the largest groups in them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from mrkernel.batches import Column, as_arrow, decode_column
from mrkernel.engine.tasks.attempt import Call
from mrkernel.engine.tasks.key_sketch import KeySketch, key_text
from mrkernel.events import KeyShares, SlowPartition

__all__ = ["Evenness"]

_LARGEST = 10


class Evenness:
    """Measures one attempt, partition by partition."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._sketch = KeySketch()
        self._slowest: SlowPartition | None = None
        self._number: int | None = None
        self._began = 0.0
        self._key: Any = None
        self._has_key = False
        self._key_count = 0
        self._seconds, self._n = 0.0, 0

    def begin(self, number: int | None) -> None:
        """A partition begins."""
        self._number, self._began, self._has_key = number, time.perf_counter(), False

    def see(self, groups: Column, counts: np.ndarray) -> None:
        """Keys of the partition, and how many values each has, where all of them are needed."""
        if not len(counts):
            return
        places = np.argpartition(counts, -_LARGEST)[-_LARGEST:] if len(counts) > _LARGEST else np.arange(len(counts))
        keys = decode_column(groups[0].take(as_arrow(places)), groups[1])
        self._sketch.add_counts(keys, counts[places], int(counts.sum()))
        heaviest = int(counts[places].argmax())
        if not self._has_key or counts[places][heaviest] > self._key_count:
            self._key, self._has_key, self._key_count = keys[heaviest], True, int(counts[places][heaviest])

    def end(self, n_rows: int) -> None:
        """The partition ends."""
        seconds = time.perf_counter() - self._began
        self._seconds += seconds
        self._n += 1
        if self._slowest is None or seconds > self._slowest.seconds:
            self._slowest = SlowPartition(stage=self._call.stage, task=self._call.task, partition=self._number,
                                          seconds=seconds, n_rows=n_rows,
                                          key=key_text(self._key) if self._has_key else "")  # fmt: skip

    def report(self, n_rows: int) -> KeyShares:
        """What was found."""
        partition_s = self._seconds / max(1, self._n)
        return replace(self._sketch.report(n_rows), partition_s=partition_s, slowest=self._slowest)
