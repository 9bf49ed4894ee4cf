"""Ranges of keys for a globally sorted result, from the samples that map tasks take of their sorted runs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from mrkernel.batches import as_arrow, decode_column
from mrkernel.engine.shuffle import Run
from mrkernel.grouping import sort_token

__all__ = ["key_ranges", "thinned"]

# Of 1,000 ranges each has a hundred keys that say where it ends.
_MOST_KEYS = 1 << 17


def thinned(sample: pa.Table, task: int, n_tasks: int) -> pa.Table | None:
    """What the driver keeps of a task's sample, so that those of all tasks are 131,072 keys, or one for each task.

    Beyond that many tasks some have none.

    >>> thinned(pa.table({"key": range(256)}), 3, 50_000)["key"].to_pylist()
    [64, 192]
    """
    count, step = max(1, _MOST_KEYS // n_tasks), -(-n_tasks // _MOST_KEYS)
    if task % step:
        return None
    if sample.num_rows <= count:
        return sample
    places = (np.arange(count) + 0.5) * (sample.num_rows / count)
    return sample.take(as_arrow(places.astype(np.int64)))


def key_ranges(runs: Sequence[Run], n_ranges: int) -> list[tuple[pa.Table | None, pa.Table | None]]:
    """At most ``n_ranges`` half-open ranges (above the first key, up to the second) of about equal numbers of rows.

    The ends are one-row tables, None where open. Equal keys are never parted, so a heavy key makes fewer ranges.
    """
    points: list[tuple[Any, float, pa.Table, int]] = []
    for run in runs:
        if run.sample is None or run.sample.num_rows == 0:
            continue
        weight = run.n_rows / run.sample.num_rows
        keys = decode_column(run.sample.column(0), run.sample.schema.field(0))
        points += [(sort_token(key), weight, run.sample, row) for row, key in enumerate(keys)]
    points.sort(key=lambda point: point[0])
    total = sum(weight for _, weight, _, _ in points)
    ends: list[pa.Table] = []
    held, last = 0.0, None
    for token, weight, sample, row in points:
        held += weight
        if len(ends) < n_ranges - 1 and held >= total * (len(ends) + 1) / n_ranges and token != last:
            ends.append(sample.slice(row, 1))
            last = token
    bounds: list[pa.Table | None] = [None, *ends, None]
    return list(pairwise(bounds))
