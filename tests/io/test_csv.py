"""CSV: one schema for all splits, and messages that name file, row and column."""

from __future__ import annotations

import csv
import gzip
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mrkernel import io
from mrkernel.errors import OptionError, SchemaMismatchError, SourceReadError
from mrkernel.testing.sources import read_all


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(content: bytes | str, name: str = "a.csv") -> Path:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path / name

    return write


@pytest.mark.parametrize(("content", "options", "rows"), [
    ("a,b\n1,x\n2,\n", {}, [{"a": 1, "b": "x"}, {"a": 2, "b": ""}]),
    ("\ufeff\n\na,b\r\n1,x\r\n\r\n2,y", {}, [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
    ("a;b\n1,5;x\n", {"delimiter": ";", "decimal_point": ","}, [{"a": 1.5, "b": "x"}]),
    ("1,x\n", {"header": False}, [{"c1": 1, "c2": "x"}]),
    ("1,x\n", {"header": False, "column_names": ["p", "q"], "columns": ["q"]}, [{"q": "x"}]),
    ("a,b\n1,x\n", {"column_names": ["p", "q"]}, [{"p": 1, "q": "x"}]),
    ("a,b\n007,x\n", {"types": {"a": str}}, [{"a": "007", "b": "x"}]),
    ("a,b\n1,x\n-,y\n", {"null_values": ["-"]}, [{"a": 1, "b": "x"}, {"a": None, "b": "y"}]),
    ('a,b\n1,"x,""y"""\n', {}, [{"a": 1, "b": 'x,"y"'}]),
    ('a,b\n1,5" pipe\n2,y\n', {}, [{"a": 1, "b": '5" pipe'}, {"a": 2, "b": "y"}]),
    ("a\n1\n\n2\n", {}, [{"a": 1}, {"a": 2}]),
    ("", {}, []),
    ("a,b\n", {}, []),
    ("a,b", {}, []),
])  # fmt: skip
@pytest.mark.parametrize("chunk_bytes", [1, 4, 1 << 20])
def test_rows_are_read_whatever_the_split(write: Any, content: str, options: dict[str, Any], rows: list[Any],
                                          chunk_bytes: int) -> None:  # fmt: skip
    assert read_all(io.source(write(content), **options), chunk_bytes) == rows


def test_types_are_inferred_once_and_travel_with_the_source(write: Any) -> None:
    source = io.source(write("a,b,c,d\n1,1.5,true,2024-01-31\n2,2,false,2024-02-01\n"))
    assert source.schema() == pa.schema([("a", pa.int64()), ("b", pa.float64()), ("c", pa.bool_()), ("d", pa.date32())])


@pytest.mark.parametrize("chunk_bytes", [1000, 1 << 20])
def test_later_value_that_does_not_fit_is_named(write: Any, chunk_bytes: int) -> None:
    file = write("a,b\n" + "1,x\n" * 300_000 + "\n" + "q,x\n" + "1,x\n" * 10)
    source = io.source(file)
    last = source.splits(chunk_bytes)[-1]
    found = r"row 300001, column 'a': invalid value 'q', and the column is int64"
    with pytest.raises(SourceReadError, match=rf"a\.csv: {found}\nHint: say types=\{{'a': str\}}"):
        list(source.read(last))


@pytest.mark.parametrize("chunk_bytes", [3, 1 << 20])
@pytest.mark.parametrize("newlines", [False, True])
def test_row_of_another_length_is_named(write: Any, chunk_bytes: int, newlines: bool) -> None:
    file = write("a,b\n1,x\n2,y\n3,z,extra\n")
    with pytest.raises(
        SourceReadError, match=r"cannot read .*a\.csv: row 3 has 3 fields, the schema has 2\nHint: quote the"
    ):
        read_all(io.source(file, newlines_in_values=newlines, types={"a": int, "b": str}), chunk_bytes)


def test_short_row_in_the_second_file_of_a_split_is_named(write: Any, tmp_path: Path) -> None:
    write("a,b\n1,x\n", "1.csv")
    write("a,b\n1,x\n2\n", "2.csv")
    with pytest.raises(SourceReadError, match=r"2\.csv: row 2 has 1 field, the schema has 2"):
        read_all(io.source(tmp_path), 1 << 20)


@pytest.mark.parametrize("chunk_bytes", [5, 1 << 20])
@pytest.mark.parametrize("content", ['a,b\n1,"x\ny"\n2,z\n', 'a\n"x\ny"\n', 'a,b\n1,x\n2,"open\n'])
def test_line_break_in_quotes_is_never_read_wrongly(write: Any, content: str, chunk_bytes: int) -> None:
    with pytest.raises(SourceReadError, match=r"(?s)cannot read .*line break.*Hint: say newlines_in_values=True"):
        read_all(io.source(write(content)), chunk_bytes)


@pytest.mark.parametrize("content", [
    '"c"\n"",\n\nx1"\n"a"\n', '"c"\n""\n",\n\nx1"\n"a"\n', 'c\nx"\n"a\nb"\n', 'c,d\n5",x\n6,"a\nb,c,d"\n',
    'c\n"a""\nb"\n""\n', 'c,d\nx"y,"a\n\nb"\n1,2\n', '"c"\n"a"\n"b"\n', 'c\r\n"a\r\n\r\nb"\r\n', 'c\n"a\nb',
    'c,d\n1,"a,\n,b"\n2,"\n"\n',
])  # fmt: skip
@pytest.mark.parametrize("block_bytes", [1, 4, 7, 16, 1 << 20])
def test_line_breaks_in_quotes_are_right_or_refused_for_every_cut(
    write: Any, content: str, block_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(content)
    right = [tuple(row) for row in csv.reader(StringIO(content, newline="")) if row][1:]
    types = dict.fromkeys("cd" if "d" in content else "c", str)
    monkeypatch.setattr("mrkernel.io.delimited._BLOCK_BYTES", block_bytes)
    for chunk_bytes in range(1, 201):
        try:
            rows = read_all(io.source(file, types=types), chunk_bytes)
        except SourceReadError as error:
            assert "newlines_in_values=True" in str(error.hint)  # noqa: PT017  # either outcome is right
        else:
            assert [tuple(row.values()) for row in rows] == right


@pytest.mark.parametrize("newlines", [False, True])
def test_header_may_hold_a_line_break(write: Any, newlines: bool) -> None:
    source = io.source(write('\n"a\nb",c\n1,x\n'), newlines_in_values=newlines)
    assert read_all(source, 1) == [{"a\nb": 1, "c": "x"}]


def test_first_row_without_header_may_hold_a_line_break(write: Any) -> None:
    source = io.source(write('1,"x\ny",2\n'), newlines_in_values=True, header=False)
    assert read_all(source, 1) == [{"c1": 1, "c2": "x\ny", "c3": 2}]


def test_line_breaks_in_quotes_are_read_when_said(write: Any) -> None:
    source = io.source(write('a,b\n1,"x\ny"\n2,z\n'), newlines_in_values=True)
    assert read_all(source, 1) == [{"a": 1, "b": "x\ny"}, {"a": 2, "b": "z"}]
    assert source.splits(1)[0].note == "quoted line breaks cannot be told from rows"


def test_invalid_utf8_is_an_error_not_binary(write: Any) -> None:
    file = write(b"a,b\n1,x\n2,caf\xe9\n")
    with pytest.raises(SourceReadError, match=r"a\.csv: line 3, byte 13, is not utf-8"):
        read_all(io.source(file), 1 << 20)
    with pytest.raises(SourceReadError, match=r"a\.csv: line 3, byte 13, is not utf-8"):
        read_all(io.source(file, types={"b": str}), 1 << 20)
    assert read_all(io.source(file, encoding="latin-1"), 3)[1]["b"] == "café"
    assert read_all(io.source(file, errors="replace"), 3)[1]["b"] == "caf\ufffd"


def test_other_encodings_and_compression(write: Any) -> None:
    rows = [{"a": 1, "b": "ä"}]
    assert read_all(io.source(write("a,b\n1,ä\n".encode("utf-16")), encoding="utf-16"), 1) == rows
    assert read_all(io.source(write(gzip.compress("a,b\n1,ä\n".encode()), "a.csv.gz")), 1) == rows


def test_files_with_other_headers_are_refused_before_anything_runs(write: Any, tmp_path: Path) -> None:
    write("a,b\n1,x\n", "1.csv")
    write("a,c\n2,y\n", "2.csv")
    found = r"1\.csv and .*2\.csv have different columns: 'b' is only in the first; 'c' is only in the second"
    with pytest.raises(SchemaMismatchError, match=rf"{found}\nHint: say union_by_name=True"):
        io.source(tmp_path).splits(100)
    assert read_all(io.source(tmp_path, union_by_name=True), 1) == [
        {"a": 1, "b": "x", "c": None}, {"a": 2, "b": None, "c": "y"}]  # fmt: skip
    assert read_all(io.source(tmp_path, columns=["a"]), 1) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(("options", "error", "message"), [
    ({"columns": ["aa"]}, OptionError, r"has no column 'aa'\nHint: did you mean 'a'\?"),
    ({"columns": "a"}, OptionError, r"columns='a' is not a list\nHint: say columns=\['a'\]"),
    ({"types": {"zz": int}}, OptionError, r"has no column 'zz'\nHint: its columns are a, b"),
    ({"types": {"a": "integer"}}, OptionError, r"'integer' for column 'a' is no type\nHint: use a Python type"),
    ({"delimiter": ";;"}, OptionError, "delimiter=';;' is not one ASCII character"),
    ({"column_names": ["x"]}, SourceReadError, "its first line has 2 fields, and 1 column name for it"),
])  # fmt: skip
def test_options_that_do_not_fit_are_named(
    write: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        io.source(write("a,b\n1,x\n"), **options).splits(100)


def test_header_with_one_name_twice_is_refused(write: Any) -> None:
    with pytest.raises(SourceReadError, match=r"the header names 'a' twice\nHint: say column_names="):
        io.source(write("a,a\n1,2\n")).splits(100)


def test_row_is_located_in_its_file(write: Any) -> None:
    source = io.source(write("a,b\n" + "".join(f"{n},x\n" for n in range(1, 2000))))
    split = source.splits(2000)[3]
    block = next(source.read_records(split))
    assert source.locate(split, block, 5).location == f"row {block.records[5]['a']}"
