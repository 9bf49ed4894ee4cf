"""Which plot suits which columns, and what each kind draws."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from matplotlib.dates import num2date

from mrkernel.errors import OptionError
from mrkernel.plots import (
    KINDS,
    TunedPoint,
    TuningCurve,
    alt_text,
    describe_plot,
    figure_png,
    figure_svg,
    plot_table,
    plot_tuning,
)

GRID = [(airport, month) for airport in ("JFK", "LGA", "EWR") for month in (1, 2, 3)]


def pairs(keys, values):
    return pa.table({"key": pa.array([{"0": a, "1": b} for a, b in keys]), "value": values})


def said(axes):
    return axes.get_title(loc="right")


def kind_of(axes):
    return alt_text(axes).split(":")[0].split(" “")[0]


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        (pa.table({"key": ["a", "b", "c"], "value": [1, 2, 3]}), "Bar chart"),
        (pa.table({"key": [True, False], "value": [1, 2]}), "Bar chart"),
        (pa.table({"key": [1, 2], "value": [1, 2]}), "Bar chart"),
        (pa.table({"key": [1, 2, 3], "value": [1, 2, 3]}), "Line chart"),
        (pa.table({"key": [1, 2, 2], "value": [1, 2, 3]}), "Scatter plot"),
        (pa.table({"key": ["2013-01", "2013-02", "2013-03"], "value": [1, 2, 3]}), "Line chart"),
        (pa.table({"key": ["2013-01", "2013-02", "2013-13"], "value": [1, 2, 3]}), "Bar chart"),
        (pa.table({"key": ["a", "b", "c"], "x": [1, 2, 3], "y": [1, 2, 3]}), "Scatter plot"),
        (pa.table({"key": ["a", "b", "c"], "x": [1, 2, 3], "y": [1, 2, 3], "z": [1, 2, 3]}), "Bar chart"),
        (pa.table({"value": [1, 2, 3]}), "Histogram"),
        (pairs(GRID, range(9)), "Heat map"),
        (pairs([(n, n + 1) for n in range(20)], range(20)), "Bar chart"),
    ],
)
def test_the_kind_follows_the_columns(table, kind):
    assert kind_of(plot_table(table)) == kind


def test_every_kind_can_be_asked_for_where_the_columns_allow_it():
    table = pairs(GRID, range(9)).append_column("delay", pa.array([float(n) for n in range(9)]))
    drawn = [kind_of(plot_table(table, kind=kind)) for kind in KINDS]
    assert drawn == ["Bar chart", "Line chart", "Histogram", "Scatter plot", "Heat map"]


def test_a_kind_that_does_not_suit_is_refused():
    words = pa.table({"key": ["a", "b"], "value": [1, 2]})
    with pytest.raises(OptionError, match=r"cannot draw a heat map: the key key \(string\) is no pair"):
        plot_table(words, kind="heat")
    with pytest.raises(OptionError, match="cannot draw a scatter plot: only one column holds numbers"):
        plot_table(words, kind="scatter")


def test_bars_come_from_all_chunks_and_say_what_has_no_value():
    column = pa.chunked_array([[1.0, 9.0], [None, float("nan")], [float("inf"), 5.0]])
    axes = plot_table(pa.table({"key": list("abcdef"), "value": column}), top=2)
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["f", "b"]
    assert said(axes) == "top 2 of 6 keys; 3 empty or infinite values left out"


def test_columns_that_are_not_drawn_are_named():
    table = pa.table({"key": [1, 2, 3], **{f"s{n}": [1, 2, 3] for n in range(6)}})
    assert said(plot_table(table)) == "not drawn: s4, s5"


def test_a_line_has_gaps_where_values_are_missing():
    axes = plot_table(pa.table({"x": [1, 2, 3, 4, None], "y": [1.0, None, 3.0, float("inf"), 5.0]}))
    assert np.isnan(axes.lines[0].get_ydata()).tolist() == [False, True, False, True]
    assert said(axes) == "1 row with no key on this axis left out; 2 empty or infinite values left out"


def test_a_long_line_keeps_its_extremes():
    y = np.zeros(100_000)
    y[4321], y[77_777] = 5, -3
    axes = plot_table(pa.table({"x": np.arange(100_000), "y": y}))
    assert (axes.lines[0].get_ydata().max(), axes.lines[0].get_ydata().min()) == (5, -3)
    assert len(axes.lines[0].get_xdata()) <= 4000
    assert said(axes) == "100,000 points drawn by the extremes of 2,000 stretches"


def test_many_points_are_a_sample_that_says_so():
    axes = plot_table(pa.table({"x": np.arange(50_000) // 2, "y": np.arange(50_000)}))
    assert len(axes.collections[0].get_offsets()) == 20_000
    assert said(axes) == "a sample of 20,000 of 50,000 points"


def test_few_points_carry_their_keys():
    axes = plot_table(pa.table({"carrier": ["AA", "日本", "$x$"], "n": [1, 2, 3], "delay": [3.0, 1.0, 2.0]}))
    assert [text.get_text() for text in axes.texts] == ["AA", "日本", r"\$x\$"]
    assert describe_plot(axes) == "plot of delay by n"


def test_times_are_shown_in_their_zone():
    zone = pa.timestamp("us", "Europe/Berlin")
    times = [dt.datetime(2013, 3, 30, 23, tzinfo=dt.UTC) + dt.timedelta(hours=n) for n in range(4)]
    axes = plot_table(pa.table({"at": pa.array(times, zone), "n": [1, 2, 3, 4]}))
    assert axes.get_xlabel() == "at (Europe/Berlin)"
    assert num2date(axes.lines[0].get_xdata()[0]) == times[0]
    figure_png(axes)
    assert axes.xaxis.get_major_formatter().format_data_short(axes.lines[0].get_xdata()[0]) == "2013-03-31 00:00:00"


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_every_precision_stand_at_the_same_place(unit):
    days = pa.array([dt.datetime(2013, 1, n) for n in (1, 2, 3)]).cast(pa.timestamp(unit))
    axes = plot_table(pa.table({"day": days, "n": [1, 2, 3]}))
    assert axes.lines[0].get_xdata().tolist() == [15706.0, 15707.0, 15708.0]


def test_times_beyond_the_calendar_are_left_out():
    times = pa.array([0, 86_400, 2 * 86_400, 10**15, -(10**15)], pa.timestamp("s"))
    axes = plot_table(pa.table({"at": times, "n": [1, 2, 3, 4, 5]}))
    assert said(axes) == "2 rows with no key on this axis left out"
    figure_png(axes)


def test_times_of_day_and_dates_are_ordered_keys():
    clock = plot_table(pa.table({"time": [dt.time(hour, 30) for hour in (1, 2, 3)], "n": [1, 2, 3]}))
    assert clock.lines[0].get_xdata().tolist() == [5400, 9000, 12600]
    assert clock.xaxis.get_major_formatter()(5400.0, 0) == "01:30"
    days = pa.array([0, 86_400_000, 2 * 86_400_000], pa.date64())
    assert plot_table(pa.table({"day": days, "n": [1, 2, 3]})).lines[0].get_xdata().tolist() == [0, 1, 2]


def test_durations_are_counted_in_the_unit_that_suits_the_largest():
    waits = [dt.timedelta(minutes=n) for n in (3, 50, 210)]
    axes = plot_table(pa.table({"key": ["a", "b", "c"], "wait": waits}))
    assert axes.get_xlabel() == "wait (h)"
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([0.05, 50 / 60, 3.5])


def test_decimals_booleans_among_keys_and_unsigned_numbers_are_drawn():
    prices = pa.table({"late": [True, False], "price": [Decimal("1.5"), Decimal("-2.25")]})
    assert [bar.get_width() for bar in plot_table(prices).patches] == [-2.25, 1.5]
    huge = plot_table(pa.table({"key": ["a", "b"], "n": pa.array([2**64 - 1, 1], pa.uint64())}))
    assert huge.patches[1].get_width() == 2.0**64


def test_whole_numbers_have_a_bar_each_in_a_histogram():
    axes = plot_table(pa.table({"n": [1, 1, 2, 5]}))
    assert [bar.get_height() for bar in axes.patches] == [2, 1, 0, 0, 1]
    assert axes.patches[0].get_x() == 0.5


def test_a_heat_map_has_a_cell_for_each_pair():
    axes = plot_table(pairs(GRID[:8], range(8)))
    grid = axes.images[0].get_array()
    assert grid.shape == (3, 3)
    assert grid.mask.sum() == 1
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["EWR", "LGA", "JFK"]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "2", "3"]
    assert said(axes) == "1 pair without a value left blank"
    assert describe_plot(axes) == "plot of value by key[0] and key[1] (1 pair without a value left blank)"


def test_a_heat_map_says_what_it_left_out_and_summed():
    keys = [(f"a{row}", f"b{column}") for row in range(6) for column in range(5)]
    axes = plot_table(pairs([*keys, keys[0]], [1] * 31), top=4)
    assert said(axes) == "top 4 of 6 key[0]; top 4 of 5 key[1]; rows of the same pair summed"
    assert axes.images[0].get_array().max() == 2


def test_two_columns_of_names_before_a_number_are_pairs():
    rows = [(a, b) for a in "xyz" for b in "pq"]
    table = pa.table({"from": [a for a, _ in rows], "to": [b for _, b in rows], "n": range(6)})
    assert describe_plot(plot_table(table)) == "plot of n by from and to"


def test_a_small_heat_map_has_its_numbers_in_words():
    axes = plot_table(pairs(GRID, [1234 * n for n in range(9)]))
    assert {"0", "1.23k", "9.87k"} <= {text.get_text() for text in axes.texts}


def test_a_tuning_names_its_job_as_it_is():
    points = [TunedPoint(chunk_bytes=n, seconds=1.0, memory_bytes=1e6, overhead=0.1) for n in (1000, 2000)]
    curve = TuningCurve(title="a$b", predicted=points, band=1.2, measured={}, default=points[0])
    axes = plot_tuning(curve)
    assert "tuning of a$b" in figure_svg(axes)
    assert "“tuning of a$b”" in alt_text(axes)
