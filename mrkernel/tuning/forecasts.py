"""Predictions for points of a grid, and for any other point."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from mrkernel.tuning.advice import Forecast, reducer_counts
from mrkernel.tuning.choice import Choice, round_size
from mrkernel.tuning.layout import Layouts
from mrkernel.tuning.model import CostModel

__all__ = ["Forecasts"]

_MOST_SIZES = 18
_MOST_TASKS = 8192
_LARGEST = 256 << 20


class Forecasts:
    """What a cost model says of points.

    Attributes
    ----------
    chunk_sizes
        Of the grid, ascending; without the planner's own.
    workers, reducers, combine
        The other axes; None is mrkernel's own choice.
    most_workers
        The workers that a run has if nothing else is said.

    Parameters
    ----------
    workers
        Numbers of workers that were measured.
    given
        The settings in force.
    fixed
        Names of settings that stay as they are.
    """

    def __init__(
        self,
        model: CostModel,
        layouts: Layouts,
        workers: list[int],
        given: Choice,
        *,
        most_workers: int,
        fixed: frozenset[str] = frozenset(),
    ) -> None:
        self._model, self._layouts = model, layouts
        self._given, self._fixed = given, fixed
        self._known: dict[Choice, Forecast] = {}
        self.most_workers = most_workers
        self.size = layouts.size
        self.chunk_sizes = self._sizes()
        self.workers = sorted({*workers, most_workers})
        step = model.job.steps[0]
        has_reducers = (step.reducer is not None or step.sort is not None) and step.partitioner is None
        has_reducers = has_reducers and "reducers" not in fixed
        self.reducers: list[int | None] = [None, *(reducer_counts(self.most_workers) if has_reducers else ())]
        combine = sorted(key for key in model.outputs if key is not None and "combine" not in fixed)
        self.combine: list[bool | None] = [None, *combine]

    def forecast(self, choice: Choice) -> Forecast:
        """What is predicted for a point; None in it is what the session, or mrkernel, chooses."""
        full = Choice(
            chunk_size=choice.chunk_size or self._given.chunk_size,
            workers=choice.workers or self.most_workers,
            reducers=choice.reducers or self._given.reducers,
            combine=choice.combine if choice.combine is not None else self._given.combine,
        )
        if full not in self._known:
            chunk_bytes = self._layouts.chunk_bytes(full.chunk_size, int(full.workers or 1))
            layout = self._layouts.at(chunk_bytes)
            estimate = self._model.estimate(full, layout)
            # Samples are cut from splits that are known; a run lists its files first.
            estimate = replace(estimate, outside_s=estimate.outside_s + self._layouts.planning_s)
            self._known[full] = Forecast(choice=full, estimate=estimate, chunk_bytes=chunk_bytes)
        return replace(self._known[full], choice=choice)

    @property
    def n_points(self) -> int:
        """How many points :meth:`grid` has besides the default."""
        return (1 + len(self.chunk_sizes)) * len(self.reducers) * len(self.combine) - 1

    def grid(self) -> Iterator[Forecast]:
        """All points on all workers."""
        for size, reducers, combine in product([None, *self.chunk_sizes], self.reducers, self.combine):
            yield self.forecast(Choice(chunk_size=size, reducers=reducers, combine=combine))

    def _sizes(self) -> list[int]:
        if "chunk_size" in self._fixed:
            return []
        size = self._layouts.span(self.most_workers)
        planned = self._layouts.chunk_bytes(self._given.chunk_size, self.most_workers)
        record = 1 / self._model.records_per_byte if self._model.records_per_byte else 1.0
        smallest = max(1.0, size / _MOST_TASKS, record)
        largest = max(smallest, min(_LARGEST, max(size, planned)))
        ratio = max(2.0, (largest / smallest) ** (1 / (_MOST_SIZES - 1)))
        sizes, one = set(), float(smallest)
        while one < largest * 1.01:
            sizes.add(round_size(one))
            one *= ratio
        return sorted({*sizes, round_size(largest)})
