"""From predictions for many points to one that is worth the words, or to "leave it"."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from mrkernel.tuning.choice import Choice
from mrkernel.tuning.model import Estimate

__all__ = ["MINIMUM_GAIN", "Forecast", "best_choice", "is_worth_it", "reducer_counts"]

# Less than this nobody notices, and a noisy machine gives it to either side.
MINIMUM_GAIN = 1.15
_MINIMUM_S = 0.1
# Points this near to the best are as good; the plainest of them is taken.
_AS_GOOD = 1.04
# A worker that comes this near to its limit is paused by dask.
_MEMORY_SHARE = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """One point and what is predicted for it."""

    choice: Choice
    estimate: Estimate
    chunk_bytes: int


def reducer_counts(workers: int) -> list[int]:
    """Numbers of partitions worth a look.

    >>> reducer_counts(2)
    [1, 2, 4, 8, 16]
    """
    return sorted({1, *(workers * factor for factor in (1, 2, 4, 8))})


def best_choice(
    default: Forecast, points: Iterable[Forecast], forecast: Callable[[Choice], Forecast], memory_limit: int | None
) -> Forecast:
    """The best point, as near to the default as it can be without being slower; the default itself if it is best."""
    room = math.inf if not memory_limit else _MEMORY_SHARE * memory_limit
    fitting = [p for p in points if p.estimate.memory_bytes <= max(room, default.estimate.memory_bytes)]
    if not fitting:
        return default
    least = min(point.estimate.seconds for point in fitting)
    near = [point for point in fitting if point.estimate.seconds <= least * _AS_GOOD + 0.002]
    best = min(near, key=lambda point: _distance(point, default))
    for name in ("combine", "reducers", "chunk_size"):
        plainer = forecast(replace(best.choice, **{name: getattr(default.choice, name)}))
        if plainer.estimate.seconds <= least * _AS_GOOD + 0.002 and plainer.estimate.memory_bytes <= room:
            best = plainer
    return best


def is_worth_it(default: Forecast, best: Forecast) -> bool:
    """Whether the best point saves enough."""
    before, after = default.estimate.seconds, best.estimate.seconds
    return best.choice != default.choice and before > MINIMUM_GAIN * after and before - after > _MINIMUM_S


def _distance(point: Forecast, default: Forecast) -> float:
    names: Sequence[str] = ("combine", "reducers", "chunk_size")
    changed: int = sum(getattr(point.choice, name) != getattr(default.choice, name) for name in names)
    return changed * 100 + abs(math.log(point.chunk_bytes / default.chunk_bytes))
