"""Writing: what each format holds, folders by value, targets that are not ours, URLs."""

from __future__ import annotations

import datetime as dt
import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mrkernel import io
from mrkernel.batches import encode_column, make_table
from mrkernel.errors import FormatError, OptionError, SinkError, TargetExistsError, ValueTypeError
from mrkernel.io.sinks import FileSink, partition_value
from mrkernel.io.write_columnar import ParquetWriter
from mrkernel.testing.sinks import failing_at, write_parts
from mrkernel.testing.sources import read_all

TABLE = pa.table({"key": ["a", "b", None], "value": [1, 2, 3]})


def write(target: Path | str, *tables: pa.Table, **options: Any) -> list[str]:
    sink = io.open_sink(target, **options)
    try:
        sink.check()
        return sink.commit(write_parts(sink, tables))
    finally:
        sink.abort()


def column(*values: Any) -> pa.Table:
    return make_table([encode_column(list(values), "a")])


def test_folder_holds_numbered_parts_and_success(tmp_path: Path) -> None:
    paths = write(tmp_path / "out", TABLE.slice(0, 0), TABLE.slice(0, 1), TABLE.slice(1), format="jsonl")
    assert [os.path.basename(path) for path in paths] == ["part-00000.jsonl", "part-00001.jsonl"]
    assert sorted(os.listdir(tmp_path / "out")) == ["_SUCCESS", "part-00000.jsonl", "part-00001.jsonl"]


def test_suffix_decides_between_file_and_folder(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", TABLE)
    write(tmp_path / "b.csv", TABLE, single_file=False)
    write(tmp_path / "c", TABLE, format="csv", single_file=True)
    assert [(tmp_path / name).is_dir() for name in ("a.csv", "b.csv", "c")] == [False, True, False]


def test_parents_are_made(tmp_path: Path) -> None:
    write(tmp_path / "x/y/out.parquet", TABLE)
    assert pq.read_table(tmp_path / "x/y/out.parquet").equals(TABLE)


def test_csv_tells_null_from_empty_text_and_writes_json_for_lists(tmp_path: Path) -> None:
    table = make_table([encode_column(["", None, 'x,y"z'], "s"), encode_column([(1, "a"), (2, "b"), (3, "c")], "t"),
                        encode_column([dt.datetime(2024, 1, 2, 3), None, dt.datetime(2025, 1, 1)], "at"),
                        encode_column([Decimal("1.10"), Decimal(2), None], "d")])  # fmt: skip
    write(tmp_path / "a.csv", table)
    assert (tmp_path / "a.csv").read_text().splitlines() == [
        "s,t,at,d",
        '"","[1, ""a""]","2024-01-02T03:00:00","1.10"',
        ',"[2, ""b""]",,"2"',
        '"x,y""z","[3, ""c""]","2025-01-01T00:00:00",',
    ]


@pytest.mark.parametrize(("value", "text"), [
    (dt.date(2024, 1, 2), '"2024-01-02"'), (dt.datetime(2024, 1, 2, tzinfo=dt.UTC), '"2024-01-02T00:00:00+00:00"'),
    (Decimal("1.50"), '"1.50"'), (2**90, str(2**90)), ((1, "x"), '[1, "x"]'), ({"b": None}, '{"b": null}'),
    ({3, 1}, "[1, 3]"), (dt.timedelta(seconds=1.5), "1.5"), ("é\n", '"é\\n"'), (True, "true"),
])  # fmt: skip
def test_json_spells_python_values(tmp_path: Path, value: Any, text: str) -> None:
    write(tmp_path / "a.jsonl", column(value))
    assert (tmp_path / "a.jsonl").read_text() == f'{{"a": {text}}}\n'


@pytest.mark.parametrize(("name", "value", "message"), [
    ("a.jsonl", b"x", r"column 'a' holds b'x', which JSON cannot: .*\nHint: write parquet instead"),
    ("a.jsonl", float("nan"), "column 'a' holds nan, which JSON cannot"),
    ("a.jsonl", {(1, 2): 3}, r"column 'a' holds \{\(1, 2\): 3\}, which JSON cannot"),
    ("a.csv", b"x", "column 'a' holds bytes, which text cannot"),
    ("a.csv", (1, b"x"), r"column 'a' holds \(1, b'x'\), which text cannot: bytes cannot be written there\nHint:"),
    ("a.txt", "x\ty", r"column 'a' holds 'x\\ty', which a line of text cannot\nHint: write csv or jsonl"),
    ("a.json", 1, r"one JSON object has keys and values, and the result has 1 column: a\nHint: write format=.jsonl"),
    ("a.parquet", 2**70, r"column 'a' holds Python objects or values of several types.*\nHint: make the values one"),
    ("a.arrow", {1}, "column 'a' holds Python objects"),
    ("a.parquet", ({1}, 2), "column 'a' holds Python objects"),
])  # fmt: skip
def test_what_a_format_cannot_hold_is_refused(tmp_path: Path, name: str, value: Any, message: str) -> None:
    with pytest.raises(ValueTypeError, match=message):
        write(tmp_path / name, column(value))
    assert os.listdir(tmp_path) == []


def test_json_object_has_text_keys(tmp_path: Path) -> None:
    write(
        tmp_path / "a.json",
        make_table([encode_column(["a", 1, (1, 2), None], "key"), encode_column([1, 2, 3, [4]], "value")]),
    )
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 1, "1": 2, "[1, 2]": 3, "null": [4]}
    with pytest.raises(
        ValueTypeError, match=r"two keys of the result have one JSON text, '1'\nHint: write format=\"jsonl\""
    ):
        write(tmp_path / "b.json", make_table([encode_column([1, "1"], "key"), encode_column([1, 2], "value")]))


def test_partitions_are_folders_with_safe_names(tmp_path: Path) -> None:
    keys = ["../../x", "/etc/x", "nul\0", "a b", "", None, "é"]
    write(tmp_path / "out", pa.table({"key": keys, "n": list(range(7))}), format="csv", partition_by="key")
    assert {(row["key"], row["n"]) for row in read_all(io.source(tmp_path / "out"), 100)} == set(
        zip(keys, range(7), strict=True)
    )
    names = sorted(name for name in os.listdir(tmp_path / "out") if name != "_SUCCESS")
    assert names == [
        "key=",
        "key=%2Fetc%2Fx",
        "key=%C3%A9",
        "key=..%2F..%2Fx",
        "key=__HIVE_DEFAULT_PARTITION__",
        "key=a b",
        "key=nul%00",
    ]
    assert sorted(os.listdir(tmp_path)) == ["out"]
    assert read_all(io.source(tmp_path / "out" / "key=a b"), 100) == [{"n": 3}]


@pytest.mark.parametrize(
    ("value", "message"),
    [("x" * 300, "too long for a folder's name"), (b"x", "bytes, which cannot name"), ("\ud800", ".*is no valid text")],
)
def test_value_that_cannot_name_a_folder_is_refused(value: Any, message: str) -> None:
    with pytest.raises(ValueTypeError, match=rf"partition_by: column 'k' holds .*{message}"):
        partition_value(value, "k")


def test_columns_of_folders_can_be_chosen(tmp_path: Path) -> None:
    write(tmp_path / "out", pa.table({"k": [7, None], "n": [1, 2], "m": [3, 4]}), partition_by="k")
    assert {(row["n"], row["k"]) for row in read_all(io.source(tmp_path / "out", columns=["n", "k"]), 1)} == {
        (1, 7),
        (2, None),
    }
    assert sorted(row["m"] for row in read_all(io.source(tmp_path / "out", columns=["m"]), 1)) == [3, 4]
    assert {row["k"] for row in read_all(io.source(tmp_path / "out", columns=["k"]), 1)} == {7, None}
    assert "k" not in read_all(io.source(tmp_path / "out" / "k=7"), 1)[0]


def test_more_partitions_than_open_files(tmp_path: Path) -> None:
    table = pa.table({"k": [n % 150 for n in range(900)], "n": list(range(900))})
    sink = io.open_sink(tmp_path / "out", format="csv", partition_by=["k"])
    sink.commit([sink.write_part(0, table.schema, table.to_batches(max_chunksize=200))])
    found = [row["n"] for n in range(150) for row in read_all(io.source(tmp_path / f"out/k={n}"), 1000)]
    assert sorted(found) == list(range(900))


def test_unknown_partition_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"the result has no column 'kye'\nHint: did you mean 'key'\?"):
        write(tmp_path / "out", TABLE, partition_by="kye")


def test_append_adds_parts_under_new_numbers(tmp_path: Path) -> None:
    write(tmp_path / "out", TABLE)
    paths = write(tmp_path / "out", TABLE, TABLE, append=True)
    assert [os.path.basename(path) for path in paths] == ["part-00001.parquet", "part-00002.parquet"]
    assert len(read_all(io.source(tmp_path / "out"), 1000)) == 9
    with pytest.raises(
        SinkError, match=r"cannot append to .*out: it holds part-00000\.parquet, which is of another format"
    ):
        write(tmp_path / "out", TABLE, append=True, format="csv")


def test_append_that_fails_takes_its_parts_back(tmp_path: Path) -> None:
    for step in range(1, 20):
        target = tmp_path / str(step)
        write(target, TABLE)
        sink = io.open_sink(target, append=True)
        parts = write_parts(sink, [TABLE, TABLE])
        with failing_at(step) as calls:
            try:
                sink.commit(parts)
            except SinkError as error:
                assert "injected fault" in str(error)  # noqa: PT017  # the last commits succeed
        sink.abort()
        assert len(read_all(io.source(target), 1000)) == (3 if len(calls) >= step else 9)
        if len(calls) < step:
            return
    pytest.fail("the commit never came to an end")


def test_folder_with_foreign_files_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(
        SinkError, match=r"cannot overwrite .*: it holds thesis\.tex, which no job has written\nHint: choose another"
    ):
        write(tmp_path, TABLE, overwrite=True)
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_existing_targets_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file.csv").touch()
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(
        TargetExistsError, match=r"cannot write .*file\.csv: it exists already\nHint: say overwrite=True"
    ):
        io.open_sink(tmp_path / "file.csv").check()
    with pytest.raises(TargetExistsError, match=r"folder\.csv: it is a folder\nHint: choose another name"):
        io.open_sink(tmp_path / "folder.csv", single_file=True).check()
    with pytest.raises(TargetExistsError, match="it is a file"):
        io.open_sink(tmp_path / "file.csv", append=True).check()
    with pytest.raises(SinkError, match=r"file\.csv is not a folder"):
        io.open_sink(tmp_path / "file.csv" / "out").check()
    io.open_sink(tmp_path / "folder.csv", format="csv").check()


@pytest.mark.parametrize(("target", "options", "error", "message"), [
    ("a.xyz", {}, FormatError, r"cannot tell the format of a\.xyz"),
    ("a", {"format": "files"}, FormatError, "the format 'files' can be read, not written"),
    ("a.csv", {"delimitr": ";"}, OptionError, r"'csv' has no option 'delimitr'\nHint: did you mean 'delimiter'"),
    ("a.csv", {"compression": "rar"}, OptionError, "compression='rar' is not known"),
    ("a.parquet", {"compression": "rar"}, OptionError, "compression='rar' is not known"),
    ("a.csv", {"delimiter": '"'}, OptionError, "is not one ASCII character"),
    ("a", {"overwrite": True, "append": True}, OptionError, "overwrite and append=True exclude each other"),
    ("a.csv", {"partition_by": "k"}, OptionError, "partition_by and a single file exclude each other"),
    ("a.csv", {"single_file": True, "append": True}, OptionError, "append needs a folder"),
    ("a", {"format": "json", "single_file": False}, OptionError, "one JSON object is a single file"),
    (5, {}, OptionError, "a target is a str or Path, not int"),
])  # fmt: skip
def test_options_that_do_not_fit_are_named(
    target: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        io.open_sink(target, **options)


def test_sink_stays_itself(tmp_path: Path) -> None:
    sink = FileSink(str(tmp_path / "a.parquet"), ParquetWriter())
    assert io.open_sink(sink) is sink


def test_write_that_fails_names_the_target_and_free_space(tmp_path: Path) -> None:
    sink = io.open_sink(tmp_path / "out.csv")
    with failing_at(1), pytest.raises(SinkError, match=r"cannot write .*out\.csv: .*injected fault.*bytes are free in"):
        write_parts(sink, [TABLE])
    sink.abort()
    assert os.listdir(tmp_path) == []


@pytest.fixture
def bucket() -> Any:
    system = fsspec.filesystem("memory")
    system.rm("/bucket", recursive=True) if system.exists("/bucket") else None
    yield system
    assert [name for name in system.find("/") if ".mr-" in name] == []
    system.rm("/bucket", recursive=True)


def test_url_folder_is_written_and_replaced(bucket: Any) -> None:
    write("memory://bucket/out", TABLE, TABLE, format="csv")
    assert len(read_all(io.source("memory://bucket/out"), 1000)) == 6
    with pytest.raises(TargetExistsError, match=r"cannot write memory://bucket/out: it exists already"):
        write("memory://bucket/out", TABLE, format="csv")
    write("memory://bucket/out", TABLE, format="csv", overwrite=True)
    assert len(read_all(io.source("memory://bucket/out"), 1000)) == 3
    write("memory://bucket/out", TABLE, format="csv", append=True)
    assert len(read_all(io.source("memory://bucket/out"), 1000)) == 6
    assert bucket.exists("/bucket/out/_SUCCESS")


def test_url_file_is_written_at_commit_only(bucket: Any) -> None:
    bucket.pipe("/bucket/other.txt", b"x")
    sink = io.open_sink("memory://bucket/out.jsonl.gz")
    parts = write_parts(sink, [TABLE, TABLE])
    assert not bucket.exists("/bucket/out.jsonl.gz")
    assert sink.commit(parts) == ["memory://bucket/out.jsonl.gz"]
    assert len(read_all(io.source("memory://bucket/out.jsonl.gz"), 1000)) == 6


def test_url_abort_leaves_nothing(bucket: Any) -> None:
    bucket.pipe("/bucket/other.txt", b"x")
    sink = io.open_sink("memory://bucket/out")
    write_parts(sink, [TABLE])
    sink.abort()
    assert bucket.find("/bucket") == ["/bucket/other.txt"]


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
@pytest.mark.parametrize("first", [True, False])
def test_columns_that_may_be_null_or_not_are_one(tmp_path: Path, suffix: str, first: bool) -> None:
    schemas = [pa.schema([pa.field("n", pa.int64(), nullable=nullable)]) for nullable in (first, not first)]
    batches = [pa.record_batch([pa.array([n])], schema=schema) for n, schema in enumerate(schemas)]
    sink = io.open_sink(tmp_path / f"a{suffix}")
    sink.commit([sink.write_whole(schemas[0], iter(batches))])
    assert read_all(io.source(tmp_path / f"a{suffix}"), 1 << 20) == [{"n": 0}, {"n": 1}]
