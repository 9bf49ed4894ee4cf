"""What a tuning measured and predicts, by chunk size: time with its band, memory of a worker, scheduling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mrkernel.config import format_bytes
from mrkernel.plots.look import COLOURS, GREY, WIDTH, new_figure, number_words, show_legend, style
from mrkernel.plots.pictures import draws_itself
from mrkernel.plots.wording import Drawn, remember

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["TunedPoint", "TuningCurve", "plot_tuning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedPoint:
    """One chunk size: predicted, or measured and scaled to the whole input."""

    chunk_bytes: int
    seconds: float
    memory_bytes: float
    overhead: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningCurve:
    """Everything that :func:`plot_tuning` draws.

    Attributes
    ----------
    title
        The job's name.
    predicted
        By ascending chunk size, on all workers. ``overhead`` is the share of time in which workers do not work.
    band
        By what predicted seconds are divided and multiplied to get the lower and the upper end of their band.
    measured
        Runs by number of workers.
    default, best
        The points in force and advised; ``best`` is None where the advice is to leave it.
    """

    title: str
    predicted: Sequence[TunedPoint]
    band: float
    measured: dict[int, Sequence[TunedPoint]]
    default: TunedPoint
    best: TunedPoint | None = None


def plot_tuning(curve: TuningCurve) -> Axes:
    """Three axes above each other that share the chunk sizes; returns the upper one, of time."""
    figure = new_figure(WIDTH, 5.4)
    time, memory, idle = figure.subplots(3, 1, sharex=True, height_ratios=(3, 1, 1))
    sizes = [point.chunk_bytes for point in curve.predicted]
    seconds = [point.seconds for point in curve.predicted]
    time.fill_between(sizes, [s / curve.band for s in seconds], [s * curve.band for s in seconds],
                      color=COLOURS[0], alpha=0.18, linewidth=0, label="nine of ten runs")  # fmt: skip
    time.plot(sizes, seconds, color=COLOURS[0], label="predicted for the whole input")
    memory.plot(sizes, [point.memory_bytes / 1e6 for point in curve.predicted], color=COLOURS[0])
    idle.plot(sizes, [100 * point.overhead for point in curve.predicted], color=COLOURS[0])
    for (workers, points), marker in zip(sorted(curve.measured.items(), reverse=True), "osD^v", strict=False):
        where = [point.chunk_bytes for point in points]
        options: dict[str, Any] = {
            "color": GREY,
            "marker": marker,
            "linestyle": "",
            "markersize": 5,
            "fillstyle": "none",
        }
        words = f"measured on {workers} worker{'' if workers == 1 else 's'}, scaled"
        time.plot(where, [point.seconds for point in points], label=words, **options)
        memory.plot(where, [point.memory_bytes / 1e6 for point in points], **options)
        idle.plot(where, [100 * point.overhead for point in points], **options)
    for axes, values in ((time, "seconds"), (memory, "memory_bytes"), (idle, "overhead")):
        _mark(axes, curve, values)
    _finish(time, memory, idle, curve.title)
    remember(time, Drawn(kind="line", facts=_facts(curve)))
    return draws_itself(time)


def _mark(axes: Axes, curve: TuningCurve, name: str) -> None:
    factor = {"seconds": 1.0, "memory_bytes": 1e-6, "overhead": 100.0}[name]
    marks = [(curve.default, "|", "default"), *([(curve.best, "*", "advised")] if curve.best is not None else [])]
    for point, marker, words in marks:
        size, edge = (14, 2) if marker == "|" else (11, 0)
        axes.plot([point.chunk_bytes], [getattr(point, name) * factor], marker=marker, color=COLOURS[1], linestyle="",
                  markersize=size, markeredgewidth=edge, label=words)  # fmt: skip


def _finish(time: Axes, memory: Axes, idle: Axes, title: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    time.set_xscale("log", base=2)
    time.set_yscale("log")
    time.set_ylabel("time (s)")
    # Below the lowest axes it stands for all; here it is for those who are told the plot in words.
    time.set_xlabel("chunk size").set_visible(False)
    memory.set_ylabel("memory (MB)")
    memory.set_ylim(bottom=0)
    idle.set_ylabel("idle (%)")
    idle.set_ylim(0, 100)
    idle.set_xlabel("chunk size")
    idle.xaxis.set_major_locator(LogLocator(base=2, numticks=9))
    idle.xaxis.set_major_formatter(FuncFormatter(lambda size, _: format_bytes(size)))
    time.yaxis.set_major_formatter(FuncFormatter(lambda number, _: number_words(number)))
    time.yaxis.set_minor_formatter(NullFormatter())
    show_legend(time)
    style(time, title=f"tuning of {title}")
    style(memory)
    style(idle)


def _facts(curve: TuningCurve) -> tuple[str, ...]:
    points = [("default", curve.default), *([("advised", curve.best)] if curve.best is not None else [])]
    return "times", *(f"{words} {format_bytes(p.chunk_bytes)}, {p.seconds:.1f} s" for words, p in points)
