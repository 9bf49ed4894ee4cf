"""What a result can be asked for."""

from __future__ import annotations

import datetime as dt
import gc
import os
from decimal import Decimal
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import mrkernel as mr
from mrkernel.errors import MrkernelError, OptionError, TargetExistsError
from mrkernel.result import can_plot_rows

MIXED = [None, 1, 2.5, "x", b"y", (1, "a"), [1, 2], {1, 2}, 2**80, Decimal("1.50"), dt.date(2024, 1, 2), True, {"a": 1}]


@pytest.fixture(scope="module")
def counts():
    job = mr.Job(lambda word: (word, 1), sum, name="letters")
    return mr.run(job, list("abracadabra"), executor="inline", reducers=3)


@pytest.fixture(scope="module")
def mixed():
    return mr.run(mr.Job(lambda record: (len(repr(record)), record)), MIXED, executor="inline", chunk_size=30)


def test_result_is_a_mapping_of_its_rows(counts):
    assert dict(counts) == {"a": 5, "b": 2, "c": 1, "d": 1, "r": 2}
    assert sorted(counts.keys()) == list("abcdr")
    assert counts["a"] == 5
    assert len(counts) == counts.num_rows == 5


def test_key_that_is_not_there_is_a_key_error(counts):
    with pytest.raises(KeyError, match="z"):
        counts["z"]


def test_nan_is_a_key_like_any_other(run):
    nan = float("nan")
    result = run(mr.Job(lambda key: (key, 1), sum), [nan, nan, (1, nan), -0.0, "a"])
    assert repr(dict(result)) == "{0.0: 1, nan: 2, 'a': 1, (1, nan): 1}"
    assert (result[float("nan")], result[1, float("nan")], result[0]) == (2, 1, 1)


def test_iteration_gives_pairs_as_often_as_asked(counts):
    assert list(counts) == list(counts)
    assert all(isinstance(pair, tuple) and len(pair) == 2 for pair in counts)


def test_result_knows_its_size(counts):
    assert counts.num_parts == 3
    assert counts.num_bytes > 0


def test_schema_names_columns_and_types(counts):
    assert counts.schema.names == ["key", "value"]
    assert counts.schema.types == [pa.large_string(), pa.int64()]


def test_head_gives_the_first_rows_as_a_table(counts):
    assert counts.head(2).to_pylist() == counts.to_arrow().slice(0, 2).to_pylist()
    assert (counts.head(0).num_rows, counts.head().num_rows) == (0, 5)


def test_head_of_mixed_parts_gives_the_rows_that_come_first(mixed):
    assert [pair[1] for pair in list(mixed)[:3]] == MIXED[:3]
    assert mixed.head(3).num_rows == 3
    assert mixed.head(100).num_rows == len(MIXED)


def test_to_arrow_gives_all_rows(counts):
    table = counts.to_arrow()
    assert isinstance(table, pa.Table)
    assert dict(zip(*table.to_pydict().values(), strict=True)) == dict(counts)


def test_to_pandas_gives_all_rows(counts):
    frame = counts.to_pandas()
    assert frame.columns.tolist() == ["key", "value"]
    assert frame["value"].dtype == "int64"
    assert dict(frame.itertuples(index=False, name=None)) == dict(counts)


def test_to_polars_gives_all_rows(counts):
    frame = counts.to_polars()
    assert isinstance(frame, pl.DataFrame)
    assert dict(frame.iter_rows()) == dict(counts)


def test_values_of_mixed_kinds_are_objects_in_frames(mixed):
    assert [value for _, value in mixed] == MIXED
    assert mixed.to_pandas()["value"].tolist() == MIXED
    assert mixed.to_polars()["value"].to_list() == MIXED


def test_tuples_are_tuples_in_pandas(inline):
    frame = inline(mr.Job(lambda n: ((n, "a"), (n, n))), [1, 2]).to_pandas()
    assert frame["key"].tolist() == [(1, "a"), (2, "a")]
    assert frame["value"].tolist() == [(1, 1), (2, 2)]


def test_datetimes_keep_zone_and_precision_in_frames(inline):
    moment = dt.datetime(2024, 3, 31, 12, 30, 15, 123_456, tzinfo=dt.UTC)
    result = inline(mr.Job(lambda n: (n, moment)), [1])
    assert result.to_pandas()["value"][0] == pd.Timestamp(moment)
    assert str(result.to_pandas()["value"].dt.tz) == "UTC"
    assert result.to_arrow()["value"].type == pa.timestamp("us", tz="UTC")


def test_parts_of_different_columns_join_with_nulls(inline):
    result = inline(mr.Job(lambda n: (n, {"a": n} if n % 2 else {"b": str(n)})), range(4), chunk_size=1)
    assert result.to_pandas().columns.tolist() == ["key", "b", "a"]
    assert result.to_arrow().to_pylist()[0] == {"key": 0, "b": "0", "a": None}


def test_empty_result_has_columns_and_no_rows(inline):
    result = inline(mr.Job(lambda n: None, sum), [1])
    assert (len(result), dict(result), list(result)) == (0, {}, [])
    assert result.schema.names == result.to_pandas().columns.tolist() == result.to_polars().columns == ["key", "value"]
    assert "0 rows" in repr(result) or "no rows" in repr(result).lower()


def test_repr_shows_rows_and_counters(inline):
    def mapper(word):
        mr.counter("seen")
        yield word, 1

    text = repr(inline(mr.Job(mapper, sum), ["a", "b", "a"]))
    assert "seen" in text
    assert "key" in text
    assert "value" in text


def test_repr_html_escapes_values(inline):
    html = inline(mr.Job(lambda text: (text, 1)), ["<img src=x onerror=alert(1)>"])._repr_html_()
    assert "<img" not in html
    assert "&lt;img" in html


def test_preview_says_how_much_there_is(counts):
    preview = counts.preview(2)
    assert (preview.columns, preview.n_rows, len(preview.rows)) == (("key", "value"), 5, 2)


def test_limit_setting_bounds_the_rows_shown(inline):
    assert len(inline(mr.Job(lambda n: (n, 1)), range(50), limit=3).preview().rows) == 3


def test_files_go_with_the_result(inline):
    result = inline(mr.Job(lambda n: (n, 1)), range(5))
    paths = [part.path for part in result.__mrkernel_source__().parts]
    assert all(map(os.path.exists, paths))
    del result
    gc.collect()
    assert not any(map(os.path.exists, paths))


def test_source_made_of_a_result_keeps_its_files(inline):
    source = inline(mr.Job(lambda n: (n, 1)), range(5)).__mrkernel_source__()
    gc.collect()
    assert dict(inline(mr.Job(None, sum), source)) == dict.fromkeys(range(5), 1)


def test_result_whose_file_is_gone_says_so(inline):
    result = inline(mr.Job(lambda n: (n, 1), name="lost"), range(5))
    for part in result.__mrkernel_source__().parts:
        os.unlink(part.path)
    with pytest.raises(
        MrkernelError, match=r"cannot read the result of lost: its file is gone(.|\n)*Hint: run the job again"
    ):
        result.to_arrow()


@pytest.mark.parametrize("name", ["counts.parquet", "counts.csv", "counts.jsonl", "counts.arrow"])
def test_write_and_read_again(counts, inline, tmp_path, name):
    paths = counts.write(tmp_path / name)
    assert paths
    rows = inline(mr.Job(lambda row: (row["key"], row["value"])), str(tmp_path / name))
    assert dict(rows) == dict(counts)


def test_write_of_one_json_object(counts, tmp_path):
    import json

    counts.write(tmp_path / "counts.json")
    assert json.loads((tmp_path / "counts.json").read_text()) == dict(counts)


def test_write_refuses_a_target_that_exists(counts, tmp_path):
    counts.write(tmp_path / "counts.csv")
    with pytest.raises(TargetExistsError, match=r"counts\.csv"):
        counts.write(tmp_path / "counts.csv")
    counts.write(tmp_path / "counts.csv", overwrite=True)


def test_overwrite_and_append_exclude_each_other(counts, tmp_path):
    with pytest.raises(OptionError, match="overwrite and append exclude each other"):
        counts.write(tmp_path / "counts.csv", overwrite=True, append=True)


def test_plot_draws_the_top_keys(counts):
    axes = counts.plot(top=2, title="Letters")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "a"]
    assert axes.get_title(loc="right") == "top 2 of 5 keys"


def plotted(mapper, records, reducer=None, **options):
    return mr.run(mr.Job(mapper, reducer), records, executor="inline").plot(**options)


def test_plot_of_pairs_is_a_heat_map_and_of_longer_tuples_are_bars():
    heat = plotted(lambda n: ((n % 2, "ab"[n // 2 % 2]), 1), range(40), sum)
    assert heat.images[0].get_array().tolist() == [[10, 10], [10, 10]]
    bars = plotted(lambda n: ((n, None, "x"), n), range(3))
    assert [label.get_text() for label in bars.get_yticklabels()] == ["0, None, x", "1, None, x", "2, None, x"]


def test_plot_takes_numbers_that_no_arrow_type_holds():
    axes = plotted(lambda n: (str(n), 2**70 if n else Decimal("0.5")), range(2))
    assert [bar.get_width() for bar in axes.patches] == [0.5, 2.0**70]
    axes = plotted(lambda n: (n and "x", n), [0, 1.5, True])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0", "x", "x"]


def test_whether_there_is_something_to_plot_is_known_before(counts):
    assert can_plot_rows(counts)
    huge = mr.run(mr.Job(lambda n: (n, 2**70)), range(2), executor="inline")
    assert can_plot_rows(huge)
    words = mr.run(mr.Job(lambda word: (word, word)), ["a"], executor="inline")
    assert not can_plot_rows(words)


def test_plot_of_too_many_rows_says_that_it_has_the_first(monkeypatch):
    monkeypatch.setattr("mrkernel.result.plotting._ORDERED_ROWS", 3)
    assert plotted(lambda n: (n, n), range(5)).get_title(loc="right") == "first 3 of 5 rows"
    monkeypatch.setattr("mrkernel.result.plotting._NAMED_ROWS", 4)
    assert plotted(lambda n: (str(n), n), range(5)).get_title(loc="right") == "first 4 of 5 rows"


def test_plot_keeps_the_zone_of_keys():
    at = dt.datetime(2013, 1, 1, tzinfo=ZoneInfo("America/New_York"))
    axes = plotted(lambda n: (at + dt.timedelta(days=n), n), range(4))
    assert axes.get_xlabel() == "key (America/New_York)"


def test_plot_of_words_is_refused(counts):
    with pytest.raises(OptionError, match=r"no column holds numbers; columns are key \(large_string\), value"):
        plotted(lambda word: (word, word), ["a"])
    with pytest.raises(OptionError, match="there is no plot of kind 'pie'"):
        counts.plot(kind="pie")


def test_report_has_numbers_of_each_stage(counts):
    names = [(stage.name, stage.total, stage.state) for stage in counts.report.stages]
    assert names == [("map", 1, "finished"), ("reduce", 3, "finished")]
    assert "map" in repr(counts.report)
    assert "map" in counts.report._repr_html_()
