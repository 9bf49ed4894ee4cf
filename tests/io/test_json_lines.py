"""JSON Lines: Python's types for records, Arrow's for batches, and line numbers in messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mrkernel import io
from mrkernel.errors import SourceReadError
from mrkernel.testing.sources import read_all


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(content: str) -> Path:
        (tmp_path / "a.jsonl").write_text(content)
        return tmp_path / "a.jsonl"

    return write


def rows(source: io.Source, chunk_bytes: int = 1 << 20) -> list[dict[str, Any]]:
    return [row for split in source.splits(chunk_bytes) for batch in source.read(split) for row in batch.to_pylist()]


def test_records_keep_python_types(write: Any) -> None:
    file = write(f'{{"a":1}}\n{{"a":"x"}}\n{{"a":{2**90}}}\n[1,2]\n  5 \nnull\n')
    assert read_all(io.source(file), 5) == [{"a": 1}, {"a": "x"}, {"a": 2**90}, [1, 2], 5, None]


def test_records_of_mixed_types_make_no_batches(write: Any) -> None:
    with pytest.raises(
        SourceReadError, match=r"a\.jsonl: its first values have no one Arrow type\nHint: use a mapper of single"
    ):
        rows(io.source(write('{"a":1}\n{"a":"x"}\n')))


def test_text_that_looks_like_a_time_stays_text(write: Any) -> None:
    record = {"at": "2024-01-01T00:00:00", "all": ["2024-01-01"], "in": {"at": "2024-01-01 10:00:00"}}
    source = io.source(write(f"{record}\n".replace("'", '"')))
    assert rows(source) == read_all(source, 100) == [record]


def test_later_value_that_fits_no_column_is_named(write: Any) -> None:
    file = write('{"a":1}\n' * 200_000 + '{"a":1.5}\n{"b":1}\n')
    with pytest.raises(
        SourceReadError, match=r"a\.jsonl: line 200001 does not fit the columns of the first lines: .*\nHint: .*types="
    ):
        rows(io.source(file))
    with pytest.raises(SourceReadError, match=r"a\.jsonl: line 200002 does not fit"):
        rows(io.source(file, types={"a": float}))
    assert rows(io.source(file, types={"a": float, "b": int}))[-1] == {"a": None, "b": 1}


@pytest.mark.parametrize(("content", "message"), [
    ('{"a":1}\n\n{"a":\n', r"line 3 is not JSON: .*: '\{\"a\":'\nHint: each line must be"),
    ('{"a":1} {"a":2}\n{"a":3}\n', r"line 1 is not JSON: Extra data"),
    ('{"a":1}\n{"a":\n3}\n', r"line 2 is not JSON"),
    ("[\n1]\n", r"line 1 is not JSON: .*\nHint: one JSON value on each line.*read_files"),
    ('{"a":1}\n' + "[" * 5000, r"line 2 is not JSON: it is nested too deeply"),
])  # fmt: skip
@pytest.mark.parametrize("chunk_bytes", [20, 1 << 20])
def test_broken_line_is_named(write: Any, content: str, message: str, chunk_bytes: int) -> None:
    with pytest.raises(SourceReadError, match=message):
        read_all(io.source(write(content)), chunk_bytes)


@pytest.mark.parametrize("content", ['{"a":1} {"a":2}\n', '{"a":1}\n{"a":\n3}\n'])
def test_batches_are_as_strict_about_lines(write: Any, content: str) -> None:
    with pytest.raises(SourceReadError, match="is not JSON"):
        rows(io.source(write(content)))


def test_chosen_keys_only(write: Any) -> None:
    source = io.source(write('{"a":1,"b":2}\n{"b":3}\n'), columns=["a"])
    assert rows(source) == read_all(source, 5) == [{"a": 1}, {"a": None}]


def test_record_after_empty_lines_is_located(write: Any) -> None:
    source = io.source(write('{"a":1}\n\n\r\n{"a":2}\n'))
    split = source.splits(100)[0]
    block = next(source.read_records(split))
    assert [source.locate(split, block, n).location for n in (0, 1)] == ["line 1", "line 4"]
