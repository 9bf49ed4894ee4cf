"""A tuning as plain data: what its table, its plot and its widget show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mrkernel.config import format_bytes
from mrkernel.tuning.choice import Choice, exact_size
from mrkernel.tuning.measured import Measured

if TYPE_CHECKING:
    from mrkernel.tuning.tuning import Tuning

__all__ = ["choice_at", "run_state", "summary"]


def summary(tuning: Tuning) -> dict[str, Any]:
    """Everything a display needs, as JSON has it; small enough for one message.

    ``points`` has one list of numbers for each chunk size: ``[seconds, memory, tasks, reduces, overhead]`` for every
    number of workers, of partitions and way to combine, in that order, the last one varying first.
    """
    forecasts = tuning.forecasts
    planned = forecasts.forecast(Choice()).chunk_bytes
    sizes = _sizes(tuning)
    chosen = tuning.chosen
    return {
        "v": 1,
        "name": tuning.name,
        "source": tuning.source,
        "size": forecasts.size,
        "advice": tuning.advice,
        "reason": tuning.reason,
        "notes": list(tuning.notes),
        "error": round(tuning.error, 3),
        "chunkSizes": [size or planned for size in sizes],
        "labels": [exact_size(size) if size else f"default ({format_bytes(planned)})" for size in sizes],
        "options": [f'--chunk-size "{exact_size(size)}"' if size else "" for size in sizes],
        "workers": forecasts.workers,
        "reducers": [count or 0 for count in forecasts.reducers],
        "combine": [{None: "auto", True: "on", False: "off"}[value] for value in forecasts.combine],
        "points": [[_numbers(tuning, Choice(chunk_size=size, workers=w, reducers=r, combine=c))
                    for w in forecasts.workers for r in forecasts.reducers for c in forecasts.combine]
                   for size in sizes],
        "default": [sizes.index(None), len(forecasts.workers) - 1, 0, 0],
        "best": [_index(sizes, chosen.chunk_size), _index(forecasts.workers, chosen.workers or forecasts.most_workers),
                 _index(forecasts.reducers, chosen.reducers), _index(forecasts.combine, chosen.combine)],
        "runs": [run_state(run) for run in tuning.points],
        "memoryLimit": tuning.rig.memory_limit,
    }  # fmt: skip


def choice_at(tuning: Tuning, at: Sequence[int]) -> Choice:
    """The point at these positions on the summary's axes: chunk size, workers, partitions, combining."""
    forecasts = tuning.forecasts
    workers = forecasts.workers[at[1]]
    return Choice(
        chunk_size=_sizes(tuning)[at[0]], workers=None if workers == forecasts.most_workers else workers,
        reducers=forecasts.reducers[at[2]], combine=forecasts.combine[at[3]],
    )  # fmt: skip


def _sizes(tuning: Tuning) -> list[int | None]:
    """Chunk sizes in order; None, mrkernel's own choice, is where that one lies."""
    planned = tuning.forecasts.forecast(Choice()).chunk_bytes
    return sorted([*tuning.forecasts.chunk_sizes, None], key=lambda size: size or planned)


def _index(values: list[Any], value: Any) -> int:
    return values.index(value) if value in values else 0


def _numbers(tuning: Tuning, choice: Choice) -> list[float]:
    estimate = tuning.forecasts.forecast(choice).estimate
    return [float(f"{estimate.seconds:.4g}"), estimate.memory_bytes // 1000 * 1000, estimate.n_tasks,
            estimate.n_reduces, float(f"{estimate.overhead_s:.3g}")]  # fmt: skip


def run_state(run: Measured) -> dict[str, Any]:
    """One run, as JSON has it."""
    choice = run.choice
    return {
        "chunk": choice.chunk_size,
        "workers": choice.workers,
        "reducers": choice.reducers or 0,
        "combine": {None: "auto", True: "on", False: "off"}[choice.combine],
        "seconds": float(f"{run.seconds:.4g}"),
        "share": float(f"{run.share:.4g}"),
        "tasks": len(run.maps.tasks),
        "memory": run.memory_bytes,
        "overhead": round(run.overhead_share, 3),
        "full": run.is_full and run.has_ended,
        # What the whole input would take at this run's pace: where its point lies in a plot of predictions.
        "scaled": float(f"{run.seconds / run.share:.4g}") if run.share > 0 else 0.0,
    }
