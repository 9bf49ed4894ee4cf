"""Ranges of keys for a globally sorted result, from the samples that map tasks take of their sorted runs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pyarrow as pa

from mrkernel.batches import decode_column
from mrkernel.engine.shuffle import Run
from mrkernel.grouping import sort_token

__all__ = ["key_ranges"]


def key_ranges(runs: Sequence[Run], n_ranges: int) -> list[tuple[pa.Table | None, pa.Table | None]]:
    """At most ``n_ranges`` half-open ranges (above the first key, up to the second) of about equal numbers of rows.

    The ends are one-row tables, None where open. Equal keys are never parted, so a heavy key makes fewer ranges.
    """
    points: list[tuple[Any, float, pa.Table]] = []
    for run in runs:
        if run.sample is None or run.sample.num_rows == 0:
            continue
        weight = run.n_rows / run.sample.num_rows
        keys = decode_column(run.sample.column(0), run.sample.schema.field(0))
        points += [(sort_token(key), weight, run.sample.slice(row, 1)) for row, key in enumerate(keys)]
    points.sort(key=lambda point: point[0])
    total = sum(weight for _, weight, _ in points)
    ends: list[pa.Table] = []
    held, last = 0.0, None
    for token, weight, key in points:
        held += weight
        if len(ends) < n_ranges - 1 and held >= total * (len(ends) + 1) / n_ranges and token != last:
            ends.append(key)
            last = token
    bounds: list[pa.Table | None] = [None, *ends, None]
    return list(pairwise(bounds))
