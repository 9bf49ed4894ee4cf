"""Values and labels that break plots elsewhere: every one is drawn, or refused in a sentence."""

from __future__ import annotations

import datetime as dt
import warnings
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow as pa
import pytest

from mrkernel.plots import KINDS, alt_text, describe_plot, figure_png, figure_svg, plot_table

WORST = [
    "$\\frac{", "\\$", "a\x00b\n\tc", "<script>alert(1)</script>", "日本語のとても長いラベルですここまで続きます",
    "x" * 500, "👩\u200d👧", "שלום", "\u202eevil", "", None,
]  # fmt: skip
NUMBERS = {
    "one": [3],
    "zeros": [0, 0, 0],
    "negative": [-5, -1, -3],
    "mixed": [-1e9, 0.0, 1e-9, 7.0],
    "nan": [float("nan"), None],
    "infinite": [float("inf"), float("-inf"), 1.0],
    "huge": [1.7e308, -1.7e308, 1e300],
    "tiny": [5e-324, 1e-320, 0.0],
    "wide": [2**63 - 1, -(2**63), 1],
    "equal": [7.5] * 5,
    "durations": [dt.timedelta(0), dt.timedelta(microseconds=1), dt.timedelta(days=999_999)],
    "empty": pa.array([], pa.int64()),
}
ELEMENTS = "svg metadata RDF Work type defs style g path use text tspan clipPath rect title image"


def drawn(axes):
    axes.figure.set_layout_engine("none")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        axes.figure.draw_without_rendering()
    return axes


def label_texts(axes):
    return [tick.get_text() for tick in axes.get_yticklabels()]


@pytest.mark.parametrize(("kind", "log"), [*((kind, True) for kind in KINDS), ("bar", False), ("heat", False)])
@pytest.mark.parametrize("values", NUMBERS.values(), ids=NUMBERS)
def test_every_number_is_drawn_in_every_kind(values, kind, log):
    n = len(values)
    keys = pa.array([{"0": row % 2, "1": row} for row in range(n)], pa.struct({"0": pa.int64(), "1": pa.int64()}))
    table = pa.table({"key": keys, "value": values, "other": values})
    axes = drawn(plot_table(table, kind=kind, log=log))
    assert describe_plot(axes).startswith("plot of ")
    assert alt_text(axes).endswith(".")


@pytest.mark.parametrize("values", NUMBERS.values(), ids=NUMBERS)
def test_every_number_is_drawn_as_a_key(values):
    counts = pa.array(range(len(values)), pa.int64())
    assert len(drawn(plot_table(pa.table({"key": values, "value": counts}), kind="line")).lines) == (len(values) > 0)


def test_hostile_labels_are_text_in_every_picture():
    axes = plot_table(pa.table({"<b>$x": WORST, "$v$ <i>": range(len(WORST))}), title="<img src=x onerror=alert(1)> $")
    assert figure_png(axes).startswith(b"\x89PNG")
    root = ET.fromstring(figure_svg(axes))  # noqa: S314  # our own text
    texts = {"".join(one.itertext()) for one in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"$\\frac{", "\\$", "a·b··c", "<script>alert(1)</script>", "שלום", "·evil", "None", "$v$ <i>"} <= texts
    assert {one.tag.rpartition("}")[2] for one in root.iter()} <= set(ELEMENTS.split())
    assert "“<img src=x onerror=alert(1)> $”" in alt_text(axes)


def test_a_lone_surrogate_is_a_dot():
    axes = plot_table(pa.table({"key": [1], "value": [2]}), kind="bar", words=lambda keys: ["a\ud800"])
    assert label_texts(axes) == ["a·"]
    assert figure_svg(axes).encode()


def test_labels_are_cut_by_the_room_that_they_take():
    axes = plot_table(pa.table({"key": ["x" * 40, "日" * 40], "value": [2, 1]}))
    assert label_texts(axes) == ["日" * 15 + "…", "x" * 31 + "…"]


def test_a_logarithmic_scale_shows_zeros_and_negatives_and_says_how():
    table = pa.table({"key": ["a", "b", "c"], "value": [10_000, 20, 0]})
    axes = plot_table(table, log=True)
    assert axes.get_xscale() == "symlog"
    assert axes.get_title(loc="right") == "logarithmic scale, linear below 10"
    below = plot_table(pa.table({"key": ["a", "b"], "value": [100, -2]}), log=True)
    assert below.get_title(loc="right") == "logarithmic scale, linear between -1 and 1"
    assert plot_table(table.slice(0, 2), log=True).get_xscale() == "log"
    nothing = plot_table(pa.table({"key": ["a"], "value": [0]}), log=True)
    assert nothing.get_title(loc="right") == "no logarithmic scale, as there is no value but zero"


def test_a_logarithmic_heat_map_says_what_it_cannot_show():
    keys = pa.array([{"0": f"r{n % 2}", "1": f"c{n // 2}"} for n in range(6)])
    axes = plot_table(pa.table({"key": keys, "value": [0, 1, 10, 100, -5, 3]}), log=True)
    assert axes.get_title(loc="right") == "2 cells of zero or less not on the logarithmic scale"


def test_numbers_near_the_end_of_floats_are_counted_in_powers_of_ten():
    axes = plot_table(pa.table({"key": ["a", "b"], "value": [1.7e308, -1.7e308]}))
    assert axes.get_xlabel() == "value (× 1e308)"
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([-1.7, 1.7])


def test_no_rows_and_no_values_are_said():
    empty = plot_table(pa.table({"key": pa.array([], pa.string()), "value": pa.array([], pa.int64())}))
    assert [text.get_text() for text in empty.texts] == ["no rows"]
    assert describe_plot(empty) == "plot of value by key"
    nothing = plot_table(pa.table({"key": ["a", "b"], "value": [float("nan"), None]}))
    assert nothing.get_title(loc="right") == "2 empty or infinite values left out"


def test_a_title_and_what_was_left_out_do_not_meet():
    table = pa.table({"key": ["a"] * 30, "v": [*range(29), None], "w": range(30), "x": range(30)})
    axes = plot_table(table, total_rows=10**9, title="How many of them there are in all")
    figure = axes.figure
    figure.draw_without_rendering()
    left, right = axes._left_title.get_window_extent(), axes._right_title.get_window_extent()
    lines = axes.get_title(loc="left").count("\n") + 1
    assert left.y1 - left.height / lines >= right.y1 - 2 or left.x1 <= right.x0
    assert right.x0 >= 0


@pytest.mark.parametrize("n", [4, 20])
def test_long_names_on_both_sides_leave_room_for_the_cells(n):
    names = [f"{row:02d}" + "W" * 60 for row in range(n)]
    keys = pa.array([{"0": a, "1": b} for a in names for b in names])
    axes = plot_table(pa.table({"key": keys, "W" * 60: range(n * n)}), title="W" * 60)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        axes.figure.draw_without_rendering()
    box = axes.get_position()
    assert box.width > 0.3
    assert box.height > 0.2


def test_a_users_own_matplotlib_settings_do_not_break_a_plot():
    import matplotlib as mpl

    with mpl.rc_context({"text.usetex": True, "axes.grid": True, "figure.facecolor": "red", "savefig.bbox": "tight"}):
        axes = plot_table(pa.table({"key": ["a_b", "c%"], "value": [1, 2]}))
        assert figure_png(axes).startswith(b"\x89PNG")
    assert axes.figure.get_size_inches().tolist() == pytest.approx([7.0, 1.6])


def test_many_rows_are_looked_through_a_chunk_at_a_time():
    chunks = [np.arange(start, start + 1000) for start in range(0, 50_000, 1000)]
    table = pa.table({"key": pa.chunked_array([chunk.astype(str) for chunk in chunks]), "n": pa.chunked_array(chunks)})
    assert [bar.get_width() for bar in plot_table(table, top=2).patches] == [49_998, 49_999]


@pytest.mark.parametrize("values", [[1e17] * 10, [-1e17, -1e17 + 16], [1.0, np.nextafter(1.0, 2)], [2**62] * 3])
def test_numbers_that_floats_hardly_tell_apart_are_one_bar(values):
    axes = drawn(plot_table(pa.table({"v": values})))
    assert [bar.get_height() for bar in axes.patches] == [len(values)]
