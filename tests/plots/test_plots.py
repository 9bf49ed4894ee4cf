"""Plots from plain tables: what is drawn, what is said to be left out, what is refused."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys

import pyarrow as pa
import pytest

from mrkernel.errors import OptionError
from mrkernel.plots import can_plot, describe_plot, figure_png, figure_svg, plot_table

WORDS = pa.table({"key": ["of", "the", "and", "a"], "value": [34618, 63919, 51696, 8000]})


def labels(axes):
    return [tick.get_text() for tick in axes.get_yticklabels()]


def test_text_keys_are_bars_sorted_with_the_largest_on_top():
    axes = plot_table(WORDS, top=3)
    assert labels(axes) == ["of", "and", "the"]
    assert [bar.get_width() for bar in axes.patches] == [34618, 51696, 63919]


def test_what_is_left_out_is_said_in_the_plot():
    assert plot_table(WORDS, top=3).get_title(loc="right") == "top 3 of 4 keys"
    assert plot_table(WORDS, total_rows=12824).get_title(loc="right") == "first 4 of 12,824 rows"
    assert plot_table(WORDS).get_title(loc="right") == ""


def test_numeric_keys_are_a_line_in_key_order():
    axes = plot_table(pa.table({"year": [2013, 2011, 2012], "flights": [3, 1, 2]}))
    assert axes.lines[0].get_xdata().tolist() == [2011, 2012, 2013]
    assert axes.lines[0].get_ydata().tolist() == [1, 2, 3]


def test_dates_are_a_line():
    days = [dt.date(2013, 1, n) for n in (1, 2, 3)]
    assert len(plot_table(pa.table({"day": days, "n": [1, 2, 3]})).lines) == 1


def test_several_numeric_columns_are_several_lines_with_a_legend():
    axes = plot_table(pa.table({"x": [1, 2, 3], "low": [1, 2, 3], "high": [4.0, 5.0, 6.0]}))
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["low", "high"]


def test_one_numeric_column_is_a_histogram():
    axes = plot_table(pa.table({"value": [1.0, 2.0, 2.0, None, float("inf")]}))
    assert sum(bar.get_height() for bar in axes.patches) == 3
    assert axes.get_title(loc="right") == "2 empty or infinite values left out"


def test_part_of_the_rows_is_said_for_lines_too():
    axes = plot_table(pa.table({"x": [1, 2, 3], "y": [1, 2, 3]}), total_rows=1000)
    assert axes.get_title(loc="right") == "first 3 of 1,000 rows"


@pytest.mark.parametrize("values", [[True, False], ["a", "b"], [[1], [2]]])
def test_values_that_are_no_numbers_are_refused_by_name_and_type(values):
    table = pa.table({"key": ["x", "y"], "value": values})
    assert not can_plot(table)
    with pytest.raises(OptionError, match=r"no column holds numbers; columns are key \(string\), value"):
        plot_table(table)


def test_wrong_options_are_refused():
    with pytest.raises(OptionError, match="no plot of kind 'pie'"):
        plot_table(WORDS, kind="pie")
    with pytest.raises(OptionError, match="cannot plot the top 0 keys"):
        plot_table(WORDS, top=0)


def test_hostile_keys_are_drawn_as_they_are():
    table = pa.table({"key": ["$\\frac{", "a\x00b", "<img src=x>日本", "x" * 90], "value": [4, 3, 2, 1]})
    axes = plot_table(table, title="$x")
    assert figure_png(axes).startswith(b"\x89PNG")
    assert "…" in labels(axes)[0]


def test_empty_nan_and_log_do_not_raise():
    figure_png(plot_table(WORDS.slice(0, 0)))
    figure_png(plot_table(pa.table({"key": ["a", "b"], "value": [float("nan"), 2.0]}), log=True))
    assert not can_plot(WORDS.slice(0, 0))


def test_decimals_and_kind_by_choice():
    table = pa.table({"key": [1, 2, 3], "value": pa.array([1, 2, 3], pa.decimal128(10, 2))})
    assert len(plot_table(table, kind="bar").patches) == 3
    assert len(plot_table(WORDS, kind="hist").patches) > 1


def test_pictures_are_transparent_and_repeatable():
    axes = plot_table(WORDS)
    assert axes.figure.patch.get_alpha() == 0.0
    assert figure_svg(axes) == figure_svg(plot_table(WORDS))


def test_a_plot_is_described_in_words():
    assert describe_plot(plot_table(WORDS, top=2)) == "plot of value by key (top 2 of 4 keys)"


def test_pyplot_is_never_imported():
    code = (
        "import sys, pyarrow as pa; from mrkernel.plots import *; assert 'matplotlib' not in sys.modules;"
        "figure_png(plot_table(pa.table({'key': ['a'], 'value': [1]}))); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_plot_draws_itself_as_the_last_expression_of_a_cell():
    from IPython.core.formatters import DisplayFormatter

    data, metadata = DisplayFormatter().format(plot_table(WORDS))
    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"]["width"] == 672


def test_whole_number_keys_have_whole_number_ticks():
    axes = plot_table(pa.table({"length": list(range(1, 19)), "words": [1] * 18}))
    assert all(tick == int(tick) for tick in axes.get_xticks())


def test_a_plot_is_described_as_value_by_key_whichever_way_its_axes_lie():
    by_year = pa.table({"year": [2011, 2012, 2013], "flights": [3, 4, 5]})
    assert describe_plot(plot_table(by_year, kind="bar")) == "plot of flights by year"
    assert describe_plot(plot_table(by_year, kind="line")) == "plot of flights by year"
    assert describe_plot(plot_table(by_year, kind="hist")) == "plot of rows by flights"
