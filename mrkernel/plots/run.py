"""A run as a picture: what each worker did when, how even the work was, how fast it went."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mrkernel.config import counted, format_bytes, format_duration
from mrkernel.errors import OptionError
from mrkernel.plots.drawing import RunPlot
from mrkernel.plots.look import COLOURS, GREY, WIDTH, label, new_figure, plain_numbers, show_legend, style, unescaped
from mrkernel.progress import Progress

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_run"]

# The widget's colours for the same work, and a pattern where colours alone would be too near to each other.
_WORK = {
    "map": ("read and map", "#0072b2", ""), "write": ("write", "#56b4e9", "///"), "fetch": ("fetch", "#e69f00", "..."),
    "reduce": ("reduce", "#009e73", ""), "merge": ("merge, commit", "#595fb5", "\\\\\\"),
    "again": ("another attempt", "#cc79a7", "++"), "failed": ("failed or stopped", "#d55e00", "xxx"),
}  # fmt: skip
_SAME = {"commit": "merge", "read": "map"}
_MAX_WORKERS = 32
_MAX_KEYS = 6
_MAX_PARTS = 100
_COLUMNS = 4
_BUCKETS = 200
# What is shorter is too thin to be seen, and a failure must be.
_THINNEST = 1 / 400
# An SVG of more shapes than this is larger than a picture of them.
_RASTERIZED = 600


def plot_run(
    progress: Progress,
    *,
    timeline: pa.Table,
    tasks: pa.Table,
    part_rows: Sequence[int] = (),
    heavy: Sequence[tuple[str, float]] = (),
) -> RunPlot:
    """Draw how a run went: workers over time, skew of tasks, partitions and keys, throughput.

    Parameters
    ----------
    timeline
        Rows with ``worker``, ``kind``, ``start_s``, ``stop_s``, ``attempt`` and ``state``.
    tasks
        Rows with ``stage``, ``start_s``, ``stop_s`` and ``bytes_in``, for finished tasks.
    part_rows
        Rows of each partition of the result that had some.
    heavy
        Keys with a large share of all pairs, and that share, the heaviest first.

    Raises
    ------
    OptionError
        If the run has done nothing that could be drawn.
    """
    stages = [stage for stage in pc.unique(tasks["stage"]).to_pylist() if stage]
    several = [stage for stage in stages if pc.sum(pc.equal(tasks["stage"], stage)).as_py() > 1]
    parts = sorted(part_rows, reverse=True) if len(part_rows) > 1 else []
    reads = bool(pc.sum(tasks["bytes_in"]).as_py())
    wanted = {"timeline": timeline.num_rows, "tasks": several, "partitions": parts, "keys": heavy, "throughput": reads}
    if not any(wanted.values()):
        raise OptionError(
            "cannot plot this run: no task of it was measured", hint="str(result.report) tells its numbers"
        )
    workers = pc.unique(timeline["worker"]).to_pylist()
    figure, axes = _panels([name for name, found in wanted.items() if found], len(workers))
    said = []
    if "timeline" in axes:
        said.append(_timeline(axes["timeline"], axes["key"], timeline, workers, progress.seconds))
    if "tasks" in axes:
        said.append(_tasks(axes["tasks"], tasks, several))
    if "partitions" in axes:
        said.append(_partitions(axes["partitions"], parts))
    if "keys" in axes:
        said.append(_keys(axes["keys"], heavy))
    if "throughput" in axes:
        said.append(_throughput(axes["throughput"], progress, tasks, stages))
    headline = f"{progress.name or 'job'}: {progress.state} in {_time(progress.seconds)}"
    return RunPlot(
        figure=figure, **{panel: axes.get(panel) for panel in wanted},
        description=f"plot of {', '.join(panel for panel in wanted if panel in axes)} of the run ({headline})",
        alt=f"Run of {headline}. {'. '.join(said)}.",
    )  # fmt: skip


def _time(seconds: float) -> str:
    return format_duration(seconds) if seconds >= 0.1 else f"{1000 * seconds:.3g} ms"


def _panels(names: list[str], n_workers: int) -> tuple[Figure, dict[str, Axes]]:
    """Panels over the whole width, but tasks and partitions side by side."""
    skew = [name for name in ("tasks", "partitions") if name in names]
    rows, heights = [], []
    if "timeline" in names:
        rows += [["timeline"] * 2, ["key"] * 2]
        heights += [0.9 + 0.22 * min(n_workers, _MAX_WORKERS), 0.5]
    if skew:
        rows.append([skew[0], skew[-1]])
        heights.append(1.9)
    if "keys" in names:
        rows.append(["keys"] * 2)
        heights.append(1.9)
    if "throughput" in names:
        rows.append(["throughput"] * 2)
        heights.append(1.9)
    figure = new_figure(WIDTH, sum(heights) + 0.2)
    axes: dict[str, Axes] = figure.subplot_mosaic(rows, height_ratios=heights)  # type: ignore[arg-type]  # lists do
    return figure, axes


def _timeline(axes: Axes, key: Axes, timeline: pa.Table, workers: list[str], seconds: float) -> str:
    from matplotlib.collections import PolyCollection

    shown = workers[:_MAX_WORKERS]
    rows = {worker: row for row, worker in enumerate(shown)}
    boxes: dict[str, list[list[tuple[float, float]]]] = {}
    busy = 0.0
    end = max([seconds, *timeline["stop_s"].to_pylist()])
    for span in timeline.to_pylist():
        row, work, start = rows.get(span["worker"]), _work(span), span["start_s"]
        if row is not None:
            busy += span["stop_s"] - start
            stop = max(span["stop_s"], start + end * _THINNEST) if work in {"failed", "again"} else span["stop_s"]
            corners = [(start, row - 0.4), (start, row + 0.4), (stop, row + 0.4), (stop, row - 0.4)]
            boxes.setdefault(work, []).append(corners)
    kinds = [kind for kind in _WORK if kind in boxes]
    is_crowded = sum(map(len, boxes.values())) > _RASTERIZED
    for kind in kinds:
        axes.add_collection(PolyCollection(boxes[kind], rasterized=is_crowded, **_painted(kind)))
    axes.set_yticks(range(len(shown)), [label(worker) for worker in shown])
    axes.set(ylim=(len(shown) - 0.5, -0.5), xlim=(0, end), xlabel="seconds")
    more = len(workers) - len(shown)
    style(axes, title="workers over time", said=f"{counted(more, 'worker')} more" if more else "")
    _legend(key, kinds)
    names = ", ".join(_WORK[kind][0] for kind in kinds)
    return f"{counted(len(workers), 'worker')} busy {min(1, busy / len(shown) / end):.0%} of the time with {names}"


def _work(span: dict[str, Any]) -> str:
    if span["state"] != "finished":
        return "failed"
    if span["attempt"] > 1:
        return "again"
    kind = _SAME.get(span["kind"], span["kind"])
    return kind if kind in _WORK else "merge"


def _painted(kind: str) -> dict[str, Any]:
    _, colour, hatch = _WORK[kind]
    return {"facecolor": colour, "hatch": hatch, "edgecolor": (0, 0, 0, 0.55), "linewidth": 0}


def _legend(key: Axes, kinds: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    key.set_axis_off()
    patches = [Patch(label=_WORK[kind][0], **_painted(kind)) for kind in kinds]
    show_legend(key, handles=patches, loc="center", ncols=_COLUMNS)


def _tasks(axes: Axes, tasks: pa.Table, stages: Sequence[str]) -> str:
    """A dot for each task's time, and a line at the median of its stage."""
    said = []
    spread = np.random.default_rng(0)
    for row, stage in enumerate(stages):
        own = tasks.filter(pc.equal(tasks["stage"], stage))
        times = np.sort(pc.subtract(own["stop_s"], own["start_s"]).to_numpy())
        middle, slowest = float(np.median(times)), float(times[-1])
        axes.scatter(times, row + spread.uniform(-0.22, 0.22, len(times)), s=12, alpha=0.8, color=COLOURS[0],
                     linewidths=0, rasterized=len(times) > _RASTERIZED)  # fmt: skip
        axes.plot([middle, middle], [row - 0.36, row + 0.36], color=COLOURS[1], linewidth=2)
        ratio = f"{slowest / middle:.1f} × the median" if middle > 0 else ""
        axes.annotate(ratio, (1, row - 0.3), xycoords=("axes fraction", "data"), ha="right", va="bottom", color=GREY,
                      fontsize=8.5)  # fmt: skip
        said.append(f"slowest task of {stage} {_time(slowest)}{', ' * bool(ratio)}{ratio}")
    axes.set_yticks(range(len(stages)), [label(stage) for stage in stages])
    axes.set(ylim=(len(stages) - 0.5, -0.7), xlabel="seconds; line: the median")
    axes.set_xlim(left=0)
    style(axes, title="time of each task")
    return "; ".join(said)


def _partitions(axes: Axes, parts: Sequence[int]) -> str:
    shown = parts[:_MAX_PARTS]
    middle = median(parts)
    axes.bar(range(len(shown)), shown, color=COLOURS[0], width=0.8 if len(shown) <= 40 else 1.0)
    axes.axhline(middle, color=COLOURS[1], linewidth=2)
    is_cut = len(shown) < len(parts)
    few = f"the {len(shown)} largest of {len(parts):,}" if is_cut else "largest first"
    axes.set(xticks=[], xlabel=f"{few}; line: the median", ylabel="rows")
    plain_numbers(axes.yaxis)
    style(axes, title="rows of each partition")
    times = f", {parts[0] / middle:.1f} × the median" if middle else ""
    return f"largest of {counted(len(parts), 'partition')} {counted(parts[0], 'row')}{times}"


def _keys(axes: Axes, heavy: Sequence[tuple[str, float]]) -> str:
    shown = list(heavy[:_MAX_KEYS])
    axes.barh(range(len(shown)), [100 * share for _, share in shown], color=COLOURS[0], height=0.7)
    for row, (key, share) in enumerate(shown):
        # Beside the bars, as names to their left would take room from all panels.
        axes.annotate(label(key), (100 * share, row), xytext=(4, 0), textcoords="offset points", va="center",
                      color=GREY, fontsize=9)  # fmt: skip
    axes.set(ylim=(max(len(shown), 3) - 0.5, -0.5), yticks=[], xlabel="% of all pairs")
    axes.set_xlim(0, 200 * shown[0][1])
    style(axes, title="heavy keys")
    return "heavy keys " + ", ".join(f"{unescaped(label(key))} {share:.1%}" for key, share in shown)


def _throughput(axes: Axes, progress: Progress, tasks: pa.Table, stages: Sequence[str]) -> str:
    said = []
    dashes = ("-", "--", "-.", ":")
    end = max([progress.seconds, *tasks["stop_s"].to_pylist()])
    edges = np.linspace(0, end, min(_BUCKETS, max(10, 4 * tasks.num_rows)) + 1)
    read = {stage.name: stage.bytes_in for stage in progress.stages}
    for stage, colour, dash in zip(stages, COLOURS, dashes, strict=False):
        own = tasks.filter(pc.equal(tasks["stage"], stage))
        total = pc.sum(own["bytes_in"]).as_py()
        if total:
            # A long run keeps a sample of its tasks; all of them are in the stage's own number.
            speed = _spread(own, edges) * max(1.0, read.get(stage, 0) / total) / np.diff(edges)
            axes.stairs(speed / 1e6, edges, color=colour, linestyle=dash, linewidth=1.3, label=label(stage))
            axes.stairs(speed / 1e6, edges, color=colour, fill=True, alpha=0.25)
            said.append(f"{stage} read up to {format_bytes(float(speed.max()))} a second")
    axes.set(xlabel="seconds", ylabel="MB/s read", xlim=(0, end))
    axes.set_ylim(bottom=0)
    plain_numbers(axes.yaxis)
    style(axes, title="throughput", said=f"not drawn: {', '.join(stages[4:])}" if len(stages) > len(COLOURS) else "")
    show_legend(axes)
    return "; ".join(said)


def _spread(tasks: pa.Table, edges: Any) -> Any:
    """Bytes between each two edges, where each task reads its bytes evenly over the time that it takes."""
    start, stop = tasks["start_s"].to_numpy(), tasks["stop_s"].to_numpy()
    done = np.zeros(len(edges))
    for begin, size, length in zip(start, tasks["bytes_in"].to_numpy(), np.maximum(stop - start, 1e-9), strict=True):
        done += size * np.clip((edges - begin) / length, 0, 1)
    return np.diff(done)
