"""A tuning in words, tables and a plot, for people without sliders."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mrkernel.config import counted, format_bytes, format_duration
from mrkernel.plots import TunedPoint, TuningCurve
from mrkernel.render import NumberTable
from mrkernel.tuning.advice import Forecast
from mrkernel.tuning.choice import Choice, exact_size
from mrkernel.tuning.measured import Measured
from mrkernel.tuning.prediction import Prediction

if TYPE_CHECKING:
    from mrkernel.tuning.tuning import Tuning

__all__ = ["curve", "words"]


def words(tuning: Tuning) -> tuple[str, str, Sequence[str], Sequence[NumberTable]]:
    """Title, advice, reasons, and tables of predictions and of runs."""
    predictions = [("default", tuning.default)]
    if tuning.chosen.settings:
        predictions.append((tuning.advice, tuning.best))
    cost = tuning.model.cost(tuning.forecasts.most_workers)
    lines = [
        tuning.reason,
        *tuning.notes,
        f"nine in ten runs are expected within {tuning.error:.0%} of their prediction"
        if tuning.errors else "too few runs to tell how far off the model is",
        f"a task costs {_short(cost.fixed_s + cost.overhead_s)} by itself, and {_speed(tuning)} on each worker",
    ]  # fmt: skip
    return (
        f"tuning of {tuning.name} on {tuning.source}:",
        tuning.advice,
        lines,
        [_predicted(predictions), _measured(tuning.points)],
    )


def curve(tuning: Tuning) -> TuningCurve:
    """Predictions along chunk sizes, the rest as advised, and the runs beside them."""
    forecasts, chosen = tuning.forecasts, tuning.chosen
    measured: dict[int, list[TunedPoint]] = {}
    for run in tuning.points:
        if run.is_full and run.has_ended and run.share > 0 and run.choice.combine is None:
            point = TunedPoint(chunk_bytes=run.choice.chunk_size or 1, seconds=run.seconds / run.share,
                               memory_bytes=run.memory_bytes, overhead=run.overhead_share)  # fmt: skip
            measured.setdefault(run.choice.workers or 1, []).append(point)
    return TuningCurve(
        title=tuning.name,
        predicted=[
            _point(forecasts.forecast(replace(chosen, chunk_size=size)), tuning) for size in forecasts.chunk_sizes
        ],
        band=math.exp(tuning.error),
        measured=dict(measured),
        default=_point(forecasts.forecast(Choice()), tuning),
        best=_point(forecasts.forecast(chosen), tuning) if chosen.settings else None,
    )


def _point(found: Forecast, tuning: Tuning) -> TunedPoint:
    estimate = found.estimate
    stages = estimate.map_s + estimate.reduce_s
    return TunedPoint(chunk_bytes=found.chunk_bytes, seconds=estimate.seconds, memory_bytes=estimate.memory_bytes,
                      overhead=min(1.0, estimate.overhead_s / stages) if stages > 0 else 0.0)  # fmt: skip


def _predicted(rows: list[tuple[str, Prediction]]) -> NumberTable:
    return NumberTable(
        title="predicted for the whole input",
        columns=("", "time", "from", "to", "memory/worker", "tasks", "scheduling"),
        rows=tuple(
            (name, format_duration(p.seconds), format_duration(p.low_s), format_duration(p.high_s),
             format_bytes(p.memory_bytes), f"{p.n_tasks:,} + {p.n_reduces:,}", format_duration(p.overhead_s))
            for name, p in rows
        ),
    )  # fmt: skip


def _measured(points: Sequence[Measured]) -> NumberTable:
    full = [run for run in points if run.is_full and run.has_ended] or list(points)
    return NumberTable(
        title=f"measured in {counted(len(full), 'run')}",
        columns=("chunk size", "workers", "reducers", "combine", "tasks", "of the input", "time", "memory/worker",
                 "not working"),
        rows=tuple(_row(run) for run in full),
    )  # fmt: skip


def _row(run: Measured) -> tuple[str, ...]:
    choice = run.choice
    combine = {None: "auto", True: "on", False: "off"}[choice.combine]
    return (
        _size(choice.chunk_size or 0), str(choice.workers), str(choice.reducers or "auto"), combine,
        f"{len(run.maps.tasks):,}", f"{run.share:.1%}", _short(run.seconds), format_bytes(run.memory_bytes),
        f"{run.overhead_share:.0%}",
    )  # fmt: skip


def _size(number: int) -> str:
    """A chunk size: as an option takes it where that reads well, else rounded."""
    exact = exact_size(number)
    return exact if not exact.endswith(" B") or number < 1024 else format_bytes(number)


def _speed(tuning: Tuning) -> str:
    cost = tuning.model.cost(tuning.forecasts.most_workers)
    per_byte = cost.per_byte_s + cost.per_record_s * tuning.model.records_per_byte
    return f"reads {format_bytes(1 / per_byte)}/s" if per_byte > 0 else "nothing for what it reads"


def _short(seconds: float) -> str:
    return (
        f"{seconds * 1000:.1f} ms"
        if seconds < 0.1
        else f"{seconds:.2f} s"
        if seconds < 10
        else format_duration(seconds)
    )
