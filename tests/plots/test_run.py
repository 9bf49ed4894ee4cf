"""The picture of a run: workers, tasks, partitions, throughput."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

import mrkernel as mr
from mrkernel.errors import OptionError
from mrkernel.plots import alt_text, describe_plot, figure_png, figure_svg, plot_run
from mrkernel.progress import Progress, StageProgress

SPANS = [
    ("tcp://1", "map", 0.0, 1.5, 1, "finished"), ("tcp://1", "write", 1.5, 2.0, 1, "finished"),
    ("tcp://1", "reduce", 2.0, 4.0, 1, "finished"), ("<b>$x", "map", 0.0, 1.0, 1, "lost"),
    ("<b>$x", "map", 1.0, 2.0, 2, "finished"), ("<b>$x", "fetch", 2.0, 2.5, 1, "finished"),
]  # fmt: skip
TASKS = [("map", 0.0, 1.0, 10**6), ("map", 0.0, 1.0, 10**6), ("map", 0.0, 3.0, 6 * 10**6), ("reduce", 3.0, 4.0, 10)]
PROGRESS = Progress(name="count <b>$x$", state="finished", seconds=4.0)


def table(names, rows):
    columns = zip(*rows, strict=True) if rows else ([] for _ in names.split())
    kinds = {"worker": pa.string(), "stage": pa.string(), "bytes_in": pa.int64()}
    return pa.table({name: pa.array(c, kinds.get(name)) for name, c in zip(names.split(), columns, strict=True)})


def run(progress=PROGRESS, spans=SPANS, tasks=TASKS, **skew):
    timeline = table("worker kind start_s stop_s attempt state", spans)
    return plot_run(progress, timeline=timeline, tasks=table("stage start_s stop_s bytes_in", tasks), **skew)


def test_a_run_has_four_panels_that_say_what_they_show():
    plot = run(part_rows=[10, 40, 10])
    titles = [axes.get_title(loc="left") for axes in (plot.timeline, plot.tasks, plot.partitions, plot.throughput)]
    assert titles == ["workers over time", "time of each task", "rows of each partition", "throughput"]
    assert [tick.get_text() for tick in plot.timeline.get_yticklabels()] == ["tcp://1", r"<b>\$x"]
    assert alt_text(plot) == (
        "Run of count <b>$x$: finished in 4.0 s. 2 workers busy 81% of the time with read and map, write, fetch, "
        "reduce, another attempt, failed or stopped. slowest task of map 3.0 s, 3.0 × the median. "
        "largest of 3 partitions 40 rows, 4.0 × the median. "
        "map read up to 4.0 MB a second; reduce read up to 10 bytes a second."
    )
    assert describe_plot(plot) == (
        "plot of timeline, tasks, partitions, throughput of the run (count <b>$x$: finished in 4.0 s)"
    )


def test_each_span_is_drawn_where_and_as_long_as_it_was():
    boxes = [path.get_extents() for work in run().timeline.collections for path in work.get_paths()]
    assert sorted((box.x0, box.x1) for box in boxes if box.y0 < 0) == [(0, 1.5), (1.5, 2), (2, 4)]
    assert sorted((box.x0, box.x1) for box in boxes if box.y0 > 0) == [(0, 1), (1, 2), (2, 2.5)]


def test_kinds_of_work_differ_by_more_than_colour():
    patches = [one for one in run().figure.findobj() if getattr(one, "get_hatch", lambda: None)()]
    assert {one.get_hatch() for one in patches} >= {"///", "...", "xxx", "++"}


def test_a_failure_is_wide_enough_to_be_seen():
    plot = run(spans=[("w", "map", 0.0, 100.0, 1, "finished"), ("w", "map", 50.0, 50.001, 1, "failed")])
    failed = plot.timeline.collections[-1].get_paths()[0].get_extents()
    assert failed.width == pytest.approx(0.25)


def test_throughput_is_what_all_tasks_read_though_a_sample_is_kept():
    stages = (StageProgress(name="map", bytes_in=16 * 10**6),)
    stairs = run(replace(PROGRESS, stages=stages), tasks=TASKS[:3]).throughput.patches[0].get_data()
    assert sum(stairs.values * np.diff(stairs.edges)) == pytest.approx(16)
    assert stairs.values[0] == pytest.approx(8)


def test_heavy_keys_are_bars_of_their_share():
    heavy = [("$the$", 0.5), ("<b>" + "x" * 50, 0.25), *((f"k{n}", 0.01) for n in range(20))]
    plot = run(heavy=heavy, part_rows=[1, 2])
    assert [bar.get_width() for bar in plot.keys.patches][:2] == [50, 25]
    assert [text.get_text() for text in plot.keys.texts][:3] == [r"\$the\$", "<b>" + "x" * 28 + "…", "k0"]
    assert "heavy keys $the$ 50.0%, <b>xxxx" in alt_text(plot)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot.figure.draw_without_rendering()
    assert plot.tasks.get_position().y0 == plot.partitions.get_position().y0 > plot.keys.get_position().y1


def test_a_panel_without_anything_to_say_is_left_out():
    plot = run(tasks=[])
    assert (plot.tasks, plot.partitions, plot.throughput) == (None, None, None)
    only = run(Progress(name="j", state="failed", seconds=1.0), spans=[])
    assert (only.timeline, only.partitions) == (None, None)
    assert describe_plot(only) == "plot of tasks, throughput of the run (j: failed in 1.0 s)"


def test_a_run_that_did_nothing_is_refused():
    with pytest.raises(OptionError, match="cannot plot this run: no task of it was measured"):
        run(spans=[], tasks=[])


def test_many_partitions_and_workers_are_cut_and_said():
    spans = [(f"w{n % 40}", "map", n / 10, n / 10 + 0.1, 1, "finished") for n in range(4000)]
    plot = run(spans=spans, tasks=[("map", n / 10, n / 10 + 1, 100) for n in range(4000)], part_rows=range(256))
    assert plot.timeline.get_title(loc="right") == "8 workers more"
    assert plot.partitions.get_xlabel() == "the 100 largest of 256; line: the median"
    assert len(plot.partitions.patches) == 100
    assert len(figure_svg(plot)) < 400_000
    assert figure_png(plot).startswith(b"\x89PNG")


def test_a_notebook_shows_the_picture_of_a_run():
    job = mr.Job(lambda word: (word, 1), sum, name="letters")
    result = mr.run(job, list("abracadabra") * 50, executor="inline", reducers=3, chunk_size=300)
    data, _ = result.report.plot()._repr_mimebundle_()
    assert set(data) == {"text/html", "image/png", "text/plain"}
    assert "partitions" in data["text/plain"]
    assert sum(result.report.part_rows) == 5
    assert "keys" in data["text/plain"]
    assert result.report.plot().throughput is None or "throughput" in data["text/plain"]
