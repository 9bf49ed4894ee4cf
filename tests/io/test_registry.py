"""What a user hands over, and the source it becomes."""

from __future__ import annotations

import datetime as dt
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from mrkernel import io
from mrkernel.errors import FormatError, OptionError, SourceReadError
from mrkernel.io.registry import LocationHint, find_format
from mrkernel.testing.sources import read_all


@pytest.fixture
def text(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    return tmp_path / "a.txt"


def test_string_and_path_are_locations(text: Path) -> None:
    assert read_all(io.as_source(str(text)), 100) == read_all(io.as_source(text), 100) == ["one", "two"]


def test_list_of_paths_are_locations_in_order(text: Path) -> None:
    other = text.with_name("0.txt")
    other.write_text("zero")
    assert read_all(io.as_source([text, other]), 100) == ["one", "two", "zero"]
    assert io.files(text, other).name == f"{text} and 1 more"


def test_source_stays_itself(text: Path) -> None:
    source = io.source(text)
    assert io.as_source(source) is source


def test_object_may_give_its_own_source(text: Path) -> None:
    class Earlier:
        def __mrkernel_source__(self) -> io.Source:
            return io.source(text)

    assert read_all(io.as_source(Earlier()), 100) == ["one", "two"]


@pytest.mark.parametrize(
    "records",
    [
        ["a", "b"],
        [(1, "x"), (2, "y")],
        [{"a": 1}, 5, None],
        ("a",),
        range(3),
        {1},
        [{1, 2}],
        [float("inf"), 2**100, b"x"],
    ],
)
def test_records_of_an_iterable_arrive_as_given(records: list[object], tmp_path: Path) -> None:
    source = io.as_source(records)
    assert read_all(source, 10) == list(records)
    assert read_all(source.localized(str(tmp_path)), 10) == list(records)
    assert [type(record) for record in read_all(source, 10)] == [type(record) for record in records]


def test_class_of_a_notebook_cell_survives_localizing(tmp_path: Path) -> None:
    namespace: dict[str, type] = {}
    exec("class Point:\n    x = 7", {"__name__": "__main__"}, namespace)  # noqa: S102  # as a cell does
    source = io.as_source([namespace["Point"]()]).localized(str(tmp_path))
    assert read_all(source, 10)[0].x == 7


def test_generator_is_consumed_once_and_refused_when_used_up() -> None:
    numbers = (n for n in range(3))
    assert read_all(io.as_source(numbers), 10) == [0, 1, 2]
    with pytest.raises(OptionError, match=r"generator is used up already.*\nHint: make a new one"):
        io.as_source(numbers)


def test_generator_is_written_block_by_block(tmp_path: Path) -> None:
    source = io.as_source(str(n) * 50 for n in range(20_000)).localized(str(tmp_path))
    splits = source.splits(100_000)
    assert len(splits) > 10
    blocks = [block for split in splits for block in source.read_records(split)]
    assert max(len(block.records) for block in blocks) < 8193
    assert [record for block in blocks for record in block.records] == [str(n) * 50 for n in range(20_000)]


def test_array_gives_its_items() -> None:
    assert read_all(io.as_source(np.arange(3)), 10) == [0, 1, 2]
    assert read_all(io.as_source(pa.chunked_array([[1, None], [3]])), 10) == [1, None, 3]
    assert read_all(io.as_source(pd.Series(["a", "b"])), 10) == ["a", "b"]


def test_unnamed_index_is_left_out_and_a_named_one_is_a_column() -> None:
    frame = pd.DataFrame({"a": [1.5, float("nan")]}, index=[7, 8])
    rows = read_all(io.as_source(frame), 100)
    assert rows[0] == {"a": 1.5}
    assert rows[1]["a"] != rows[1]["a"]
    assert read_all(io.as_source(frame.rename_axis("id")), 100)[0] == {"id": 7, "a": 1.5}


def test_lazy_frame_is_collected() -> None:
    assert read_all(io.as_source(pl.LazyFrame({"a": [1]})), 10) == [{"a": 1}]


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (5, r"an object of type int cannot be the input of a job\nHint: a path, a frame or an iterable"),
        (b"abc", "an object of type bytes cannot be the input"),
        ({"a": 1}, r"of type dict cannot be the input of a job\nHint: hand over \.items\(\)"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), r"two columns 'a'\nHint: rename one"),
        (
            pd.DataFrame({"a": [1, "x", [2]]}),
            r"column 'a' of the DataFrame has no one Arrow type.*\nHint: hand over record",
        ),
        (pd.DataFrame({"a": [1, 2**70]}), "column 'a' of the DataFrame has no one Arrow type"),
        (pd.DataFrame({"a": ["\ud800"]}, dtype=object), "column 'a' of the DataFrame has no one Arrow type"),
        (
            pd.DataFrame({"a": [dt.date(2026, 1, 1), dt.datetime(2026, 1, 1, 12)]}),
            "column 'a' of the DataFrame has no one Arrow type: dates and datetimes are mixed",
        ),
    ],
)
def test_what_cannot_be_input_is_refused(thing: object, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        io.as_source(thing)


def test_options_are_for_files() -> None:
    with pytest.raises(OptionError, match=r"data of this process takes no options, and format was given"):
        io.as_source([1], format="csv")


def test_strings_that_are_all_files_earn_a_hint(text: Path) -> None:
    with pytest.warns(LocationHint, match=r"holds 1 strings that all name files.*use mr\.files"):
        assert read_all(io.as_source([str(text)]), 10) == [str(text)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        io.as_source([str(text), "no file"])


@pytest.mark.parametrize(("options", "message"), [
    ({"format": "parkuet"}, r"no format 'parkuet'\nHint: did you mean 'parquet'\?"),
    ({"format": "qq"}, r"no format 'qq'\nHint: formats are csv, "),
    ({"format": "json"}, r"the format 'json' can be written, not read\nHint: .*jsonl"),
])  # fmt: skip
def test_unknown_format_names_the_nearest(text: Path, options: dict[str, str], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        io.source(text, **options)


def test_unknown_option_names_the_nearest(text: Path) -> None:
    with pytest.raises(
        OptionError, match=r"the format 'text' has no option 'encodng'\nHint: did you mean 'encoding'\?"
    ):
        io.source(text, encodng="utf-8")
    with pytest.raises(OptionError, match=r"no option 'zz'\nHint: its options are encoding, errors"):
        io.source(text, zz=1)


def test_unknown_suffix_asks_for_the_format(text: Path) -> None:
    other = text.with_name("a.xyz")
    other.write_text("one")
    with pytest.raises(
        FormatError, match=r"cannot tell the format of .*a\.xyz from its suffix '\.xyz'\nHint: say which"
    ):
        io.source(other)
    assert read_all(io.source(other, format="text"), 10) == ["one"]


def test_folder_of_several_formats_is_refused(text: Path) -> None:
    text.with_name("b.csv").write_text("a\n1\n")
    with pytest.raises(
        FormatError, match=r"several formats: .*a\.txt is text, .*b\.csv is csv\nHint: use a glob such as \*\.txt"
    ):
        io.source(text.parent)


def test_no_location_is_refused() -> None:
    with pytest.raises(OptionError, match="no location was given"):
        io.files()
    with pytest.raises(OptionError, match="a location is a str or Path, not int"):
        io.files(5)  # type: ignore[arg-type]  # the point of the test


def test_registered_format_is_found_by_name_and_suffix(text: Path) -> None:
    from mrkernel.io.text import TextSource

    io.register("shout", source=TextSource, suffixes=[".shout"], description="loud text")
    loud = text.with_name("a.shout")
    loud.write_text("HEY")
    assert read_all(io.source(loud), 10) == ["HEY"]
    assert find_format("shout").description == "loud text"
    assert "shout" in [item.name for item in io.formats()]
    with pytest.raises(OptionError, match="the format 'text' is built in"):
        io.register("text", source=TextSource)


def test_batches_of_mixed_records_are_refused() -> None:
    source = io.as_source([1, "a"])
    with pytest.raises(
        Exception, match=r"cannot make batches of list: records 1 to 2 do not fit the type of the first ones"
    ):
        list(source.read(source.splits(100)[0]))


def test_a_time_of_day_is_not_cut_off() -> None:
    source = io.as_source([{"at": dt.date(2026, 1, 1)}, {"at": dt.datetime(2026, 1, 1, 12)}])
    with pytest.raises(SourceReadError, match="dates and datetimes are mixed"):
        list(source.read(source.splits(100)[0]))


def test_missing_days_of_a_frame_are_missing() -> None:
    frame = pd.DataFrame({"at": [dt.date(2026, 1, 1), pd.NaT]}, dtype=object)
    assert read_all(io.as_source(frame), 10) == [{"at": dt.date(2026, 1, 1)}, {"at": None}]


def test_later_records_of_another_type_are_named() -> None:
    source = io.as_source([1] * 5000 + ["a"])
    with pytest.raises(
        Exception, match=r"cannot make batches of list: records \d+ to 5001 do not fit the type of the first"
    ):
        [list(source.read(split)) for split in source.splits(1 << 20)]


def test_custom_source_needs_functions() -> None:
    with pytest.raises(OptionError, match="splits=5 is not a function"):
        io.custom(5, len)  # type: ignore[arg-type]  # the point of the test
    source = io.custom(splits=lambda: [1], read=lambda item: item)
    with pytest.raises(OSError, match=r"cannot read custom: its read function gave int\nHint: return or yield records"):
        read_all(source, 1)


def test_custom_source_may_use_the_chunk_size_and_yield_batches() -> None:
    source = io.custom(splits=lambda size: range(0, 10, size), read=lambda at: pa.record_batch({"a": [at]}))
    assert read_all(source, 5) == [{"a": 0}, {"a": 5}]
