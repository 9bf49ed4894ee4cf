"""Lines and rows that a reader cannot parse are set aside alone, where they can be told apart."""

from __future__ import annotations

import json
import os

import pyarrow as pa
import pytest

import mrkernel as mr
from mrkernel.errors import BadRecordsError, SourceReadError


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "rows.csv"
    rows = [f"{n},{n % 3}\n" for n in range(100)]
    rows[0], rows[41], rows[99] = "0,1,2\n", "41,many\n", "99\n"
    path.write_text("id,rest\n" + "".join(rows))
    return path


@pytest.mark.parametrize("chunk_size", [37, 10_000])
def test_csv_rows_that_cannot_be_parsed_are_set_aside_alone(run, csv, chunk_size):
    source = mr.read_csv(csv, types={"rest": int})
    job = mr.Job(lambda row: (row["rest"], row["id"] // (row["id"] != 50)), len)
    result = run(job, source, on_error="collect", chunk_size=chunk_size)
    assert dict(result) == {0: 32, 1: 33, 2: 31}
    rows = list(result.errors)
    assert [(row["location"], row["function"], row["record"]) for row in rows] == [
        ("row 1", "reader", "0,1,2"), ("row 42", "reader", "41,many"), ("row 51", "mapper", "{'id': 50, 'rest': 2}"),
        ("row 100", "reader", "99"),
    ]  # fmt: skip
    said = {row["location"]: row["exception"] for row in rows}
    assert said["row 1"] == "SourceReadError: the row has 3 fields, the schema has 2"
    assert said["row 42"].startswith("SourceReadError: column 'rest': invalid value 'many', and the column is int64")


def test_csv_batches_skip_the_same_rows(inline, csv):
    def mapper(batch: pa.RecordBatch):
        return batch.select(["rest", "id"])

    result = inline(mr.Job(mapper, len), mr.read_csv(csv, types={"rest": int}), on_error="skip", chunk_size=37)
    assert dict(result) == {0: 32, 1: 33, 2: 32}
    assert result.errors.total == 3


def test_csv_that_holds_line_breaks_skips_rows_of_a_wrong_length(inline, tmp_path):
    path = tmp_path / "breaks.csv"
    path.write_text('id,text\n1,"a\nb"\n2,x,y\n3,c\n')
    job = mr.Job(lambda row: (row["id"], row["text"]), None)
    result = inline(job, mr.read_csv(path, newlines_in_values=True), on_error="collect")
    assert dict(result) == {1: "a\nb", 3: "c"}
    assert [(row["record"], row["location"]) for row in result.errors] == [("2,x,y", "row 2")]


@pytest.mark.parametrize("chunk_size", [30, 10_000])
def test_json_lines_that_cannot_be_parsed_are_set_aside_alone(run, tmp_path, chunk_size):
    path = tmp_path / "events.jsonl"
    lines = [json.dumps({"n": n}) for n in range(30)]
    lines[4], lines[20] = "{broken", '{"n": 20} {"n": 21}'
    path.write_text("\n\n".join(lines))
    result = run(mr.Job(lambda row: ("all", row["n"]), sum), path, on_error="collect", chunk_size=chunk_size)
    assert dict(result) == {"all": sum(range(30)) - 24}
    assert [(row["location"], row["record"]) for row in result.errors] == [("line 9", lines[4]), ("line 41", lines[20])]
    assert "the line is not JSON: Expecting property name" in next(iter(result.errors))["exception"]


@pytest.mark.parametrize("chunk_size", [37, 10_000])
def test_of_more_than_are_kept_it_is_the_first_of_the_input(inline, tmp_path, monkeypatch, chunk_size):
    for module in ("ledger", "tasks.setting_aside"):
        monkeypatch.setattr(f"mrkernel.engine.{module}.KEPT", 5)
    path = tmp_path / "events.jsonl"
    path.write_text("".join("{broken\n" if n % 2 else f'{{"n": {n}}}\n' for n in range(100)))
    errors = inline(mr.Job(lambda row: 1 // 0, len), path, on_error="collect", chunk_size=chunk_size).errors
    assert [row["location"] for row in errors] == [f"line {n}" for n in range(1, 6)]


def test_json_batches_set_lines_aside_that_do_not_fit_the_columns(inline, tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"n": 1}\n{"n": 2}\n{"n": "x"}\n{broken\n\n{"n": 4}\n')

    def mapper(batch: pa.RecordBatch):
        return pa.table({"key": ["k"] * batch.num_rows, "n": batch.column("n")})

    result = inline(mr.Job(mapper, sum), mr.read_json(path, types={"n": int}), on_error="collect")
    assert dict(result) == {"k": 7}
    assert [row["location"] for row in result.errors] == ["line 3", "line 4"]


@pytest.mark.parametrize("chunk_size", [6, 10_000])
def test_text_lines_that_are_not_in_the_encoding_are_set_aside(inline, tmp_path, chunk_size):
    path = tmp_path / "latin.txt"
    path.write_bytes("grün\n\n".encode() + b"gr\xfcn\nrot\n")
    result = inline(mr.Job(lambda line: (line, 1), sum), path, on_error="collect", chunk_size=chunk_size)
    assert dict(result) == {"": 1, "grün": 1, "rot": 1}
    (row,) = result.errors
    assert (row["record"], row["location"], row["offset"]) == ("gr\\xfcn", "line 3", 7)
    assert row["exception"].startswith("SourceReadError: byte 9 is not utf-8 (invalid start byte: fc 6e)")


def test_what_cannot_be_told_apart_fails_the_job(inline, tmp_path):
    path = tmp_path / "broken.txt.gz"
    path.write_bytes(b"\x1f\x8b\x08\x00no gzip")
    with pytest.raises(SourceReadError, match=r"cannot read .*broken\.txt\.gz"):
        inline(mr.Job(lambda line: (line, 1), sum), path, on_error="skip")


def test_csv_that_holds_line_breaks_stops_at_the_limit(inline, tmp_path):
    path = tmp_path / "short.csv"
    path.write_text("id,text\n" + "1,a\n" + "2\n" * 20)
    with pytest.raises(BadRecordsError, match=r"4 of 4 records so far were bad, and error_limit allows 3"):
        inline(mr.Job(lambda row: (row["id"], 1), sum), mr.read_csv(path, newlines_in_values=True),
               on_error="collect", error_limit=3)  # fmt: skip


@pytest.mark.parametrize("newlines", [False, True])
def test_csv_without_a_row_that_can_be_read_is_empty(inline, tmp_path, newlines):
    path = tmp_path / "none.csv"
    path.write_text("id,text\n1\n2\n3,c,4\n")
    result = inline(mr.Job(lambda row: (row["id"], 1), sum), mr.read_csv(path, newlines_in_values=newlines),
                    on_error="collect")  # fmt: skip
    assert dict(result) == {}
    assert [row["record"] for row in result.errors] == ["1", "2", "3,c,4"]


def test_csv_of_empty_lines_is_empty(inline, tmp_path):
    path = tmp_path / "none.csv"
    path.write_text("id,text\n\n\n")
    assert dict(inline(mr.Job(lambda row: (row["id"], 1), sum), mr.read_csv(path, newlines_in_values=True))) == {}


@pytest.mark.parametrize("chunk_size", [9, 10_000])
def test_csv_rows_that_are_not_in_the_encoding_keep_their_place(inline, tmp_path, chunk_size):
    path = tmp_path / "cp1252.csv"
    path.write_bytes(b"id,text\r\n1,x\r\n2,\x81\r\n\r\n3,y\r\n4,\xe9\r\n5,w\r\n6\r\n")
    job = mr.Job(lambda row: (row["text"], 1 // (row["id"] != 4)), sum)
    result = inline(job, mr.read_csv(path, encoding="cp1252"), on_error="collect", chunk_size=chunk_size)
    assert dict(result) == {"x": 1, "y": 1, "w": 1}
    found = [(row["location"], row["function"], row["record"]) for row in result.errors]
    assert found == [("row 2", "reader", "2,\\x81"), ("row 4", "mapper", "{'id': 4, 'text': 'é'}"),
                     ("row 6", "reader", "6")]  # fmt: skip
    assert "is not cp1252" in next(iter(result.errors))["exception"]


def test_names_and_texts_that_are_no_unicode_are_written_as_escapes(inline, tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")
    with open(path, "wb") as file:
        file.write(b"1\nbad \xff\n")
    (row,) = inline(mr.Job(lambda line: (line, 1), sum), path, on_error="collect").errors
    assert row["source"].endswith("/caf\\udce9.txt")

    def mapper(record):
        raise ValueError(record)

    (row,) = inline(mr.Job(mapper, sum), ["bad \ud800"], on_error="collect").errors
    assert (row["record"], row["exception"]) == ("bad \\ud800", "ValueError: bad \\ud800")
