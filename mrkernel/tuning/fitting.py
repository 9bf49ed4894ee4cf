"""Small fits: non-negative least squares, a power law, and the time that tasks take on some workers."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

__all__ = ["makespan", "non_negative", "power_law"]

# Beyond so many tasks the last ones no longer matter, and the sum says the same.
_SIMULATED = 4096


def non_negative(columns: Sequence[Any], target: Any, weights: Any = None) -> list[float]:
    """Coefficients of at least 0 that fit ``target`` best, by weighted least squares.

    With at most four columns every choice of those that take part is tried (Lawson and Hanson, 1974, describe the
    problem; their algorithm is for many columns).

    >>> [round(c, 6) for c in non_negative([[1, 1, 1], [1, 2, 3]], [3, 5, 7])]
    [1.0, 2.0]
    """
    matrix = np.column_stack([np.asarray(column, float) for column in columns])
    scale = np.abs(matrix).max(axis=0, initial=0.0)
    scale[scale == 0] = 1.0
    weight = np.ones(len(matrix)) if weights is None else np.asarray(weights, float)
    scaled, wanted = matrix / scale * weight[:, None], np.asarray(target, float) * weight
    best, least = np.zeros(matrix.shape[1]), float(wanted @ wanted)
    exact = least * 1e-12
    for count in range(1, matrix.shape[1] + 1):
        for chosen in combinations(range(matrix.shape[1]), count):
            part = scaled[:, chosen]
            found = np.linalg.lstsq(part, wanted, rcond=None)[0]
            error = wanted - part @ found
            # A further column has to earn its place: two that say the same would share one cost at random.
            if (found >= 0).all() and (left := float(error @ error)) + exact < least * 0.999:
                best, least = np.zeros(matrix.shape[1]), left
                best[list(chosen)] = found
    return [float(value) for value in best / scale]


def power_law(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """(k, b) of y = k·x^b with b from 0 to 1: how output grows with input where equal keys are combined.

    >>> k, b = power_law([1, 4, 16], [3, 6, 12])
    >>> round(k, 6), round(b, 6)
    (3.0, 0.5)
    """
    pairs = [(a, b) for a, b in zip(x, y, strict=True) if a > 0 and b > 0]
    if not pairs:
        return 0.0, 1.0
    logs = np.log(np.array(pairs, float))
    spread = logs[:, 0] - logs[:, 0].mean()
    # Chunks of nearly one size say nothing about growth.
    slope = float(spread @ logs[:, 1] / (spread @ spread)) if np.ptp(logs[:, 0]) > 0.3 else 1.0
    slope = min(1.0, max(0.0, slope))
    return float(np.exp((logs[:, 1] - slope * logs[:, 0]).mean())), slope


def makespan(seconds: Any, workers: int) -> float:
    """When the last of these tasks ends, if each worker takes the next one as soon as it is free.

    >>> makespan([3, 1, 1, 1], 2)
    3.0
    """
    times = np.asarray(seconds, float)
    if not len(times):
        return 0.0
    if workers <= 1:
        return float(times.sum())
    if len(times) > _SIMULATED:
        return float(times.sum() / workers + times[-workers:].mean() / 2)
    free = [0.0] * workers
    for one in times.tolist():
        heapq.heappush(free, heapq.heappop(free) + one)
    return max(free)
