"""Lines: no record is lost or read twice, whatever the cut; messages name the line."""

from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mrkernel import io
from mrkernel.errors import OptionError, SourceChangedError, SourceReadError
from mrkernel.io.streams import is_line_safe, line_blocks
from mrkernel.io.text import TextSource
from mrkernel.testing.sources import read_all

PIECES = st.sampled_from([b"\n", b"\r\n", b"\r", b"a", b"bc ", "é€𝄞".encode(), b"\x00", "\x85".encode(), b"x" * 30])


def reference(data: bytes) -> list[str]:
    """What Python reads with newline="\\n", without the newline."""
    text = data.removeprefix(b"\xef\xbb\xbf").decode().replace("\r\n", "\n")
    return text.split("\n")[:-1] if text.endswith("\n") else text.split("\n") if text else []


@given(pieces=st.lists(PIECES, max_size=40), chunk_bytes=st.integers(1, 60), bom=st.booleans())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_are_those_of_the_reference(tmp_path: Path, pieces: list[bytes], chunk_bytes: int, bom: bool) -> None:
    data = (b"\xef\xbb\xbf" if bom else b"") + b"".join(pieces)
    file = tmp_path / "a.txt"
    file.write_bytes(data)
    source = io.source(file)
    assert read_all(source, chunk_bytes) == reference(data)
    batches = [batch for split in source.splits(chunk_bytes) for batch in source.read(split)]
    assert [line for batch in batches for line in batch["line"].to_pylist()] == reference(data)


@given(pieces=st.lists(PIECES, max_size=40), size=st.integers(1, 9), edges=st.lists(st.integers(0, 200), max_size=6))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_ranges_share_out_all_bytes(tmp_path: Path, pieces: list[bytes], size: int, edges: list[int]) -> None:
    data = b"".join(pieces)
    file = tmp_path / "a.txt"
    file.write_bytes(data)
    marks = sorted({0, len(data), *(edge for edge in edges if edge < len(data))})
    found = []
    for start, stop in pairwise(marks):
        with file.open("rb", buffering=0) as stream:
            found += list(line_blocks(stream, start, stop, size))
    assert b"".join(block for _, block in found) == data
    assert all(data[at : at + len(block)] == block for at, block in found)


def test_a_line_longer_than_many_splits_belongs_to_the_first(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("short\n" + "x" * 3_000_000 + "\nlast\n")
    source = io.source(tmp_path / "a.txt")
    assert [len(line) for line in read_all(source, 100_000)] == [5, 3_000_000, 4]
    assert len(source.splits(100_000)) == 31


def test_many_small_files_share_splits_and_keep_their_names(tmp_path: Path) -> None:
    for n in range(300):
        (tmp_path / f"{n:03d}.txt").write_text(f"in {n}\n\n")
    source = io.source(tmp_path)
    splits = source.splits(1 << 20)
    assert len(splits) < 10
    assert splits[0].unit == "files"
    blocks = [(split, block) for split in splits for block in source.read_records(split)]
    assert [source.source_of(split, block)[-7:] for split, block in blocks] == [f"{n:03d}.txt" for n in range(300)]
    assert [source.locate(split, block, 1).location for split, block in blocks] == ["line 2"] * 300


def test_a_record_is_located_by_line_and_offset(tmp_path: Path) -> None:
    lines = [f"line {n}" for n in range(1, 2000)]
    (tmp_path / "a.txt").write_bytes("\r\n".join(lines).encode())
    source = io.source(tmp_path / "a.txt")
    data = (tmp_path / "a.txt").read_bytes()
    split = source.splits(5000)[2]
    block = next(source.read_records(split))
    origin = source.locate(split, block, 17)
    assert origin.location == block.records[17]
    assert origin.offset is not None
    assert data[origin.offset :].startswith(block.records[17].encode())


@pytest.mark.parametrize("chunk_bytes", [1, 1000])
def test_bytes_that_are_not_utf8_are_named(tmp_path: Path, chunk_bytes: int) -> None:
    (tmp_path / "a.txt").write_bytes(b"good\nbad \xff byte\n")
    source = io.source(tmp_path / "a.txt")
    match = r"cannot read .*a\.txt: line 2, byte 9, is not utf-8 .*\nHint: say encoding="
    with pytest.raises(SourceReadError, match=match):
        read_all(source, chunk_bytes)
    with pytest.raises(SourceReadError, match=match):
        [list(source.read(split)) for split in source.splits(chunk_bytes)]
    assert read_all(io.source(tmp_path / "a.txt", errors="replace"), chunk_bytes) == ["good", "bad \ufffd byte"]


def test_a_truncated_gzip_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"line\n" * 1000)[:-9])
    with pytest.raises(
        SourceReadError, match=r"cannot read .*a\.txt\.gz: Truncated.*\nHint: the compressed file is damaged"
    ):
        read_all(io.source(tmp_path / "a.txt.gz"), 1 << 20)


def test_what_is_no_gzip_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(b"plain text")
    with pytest.raises(SourceReadError, match=r"cannot read .*a\.txt\.gz: .*incorrect header"):
        read_all(io.source(tmp_path / "a.txt.gz"), 1 << 20)


def test_what_cannot_be_split_says_why(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"line\n" * 100))
    (tmp_path / "b.txt").write_text("line\n" * 100, "utf-16")
    assert [split.note for split in io.source(tmp_path / "a.txt.gz").splits(1)] == ["gzip cannot be split"]
    assert [split.note for split in io.source(tmp_path / "b.txt", encoding="utf-16").splits(1)] == [
        "utf-16 cannot be split"
    ]


def test_a_file_that_changes_after_planning_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("one\ntwo\n")
    source = io.source(file)
    splits = source.splits(100)
    file.write_text("one\ntwo\nthree\n")
    with pytest.raises(
        SourceChangedError, match=r"a\.txt changed after the job was planned \(was 8 bytes.*is 14 bytes"
    ):
        list(source.read_records(splits[0]))
    assert read_all(source, 100) == ["one", "two", "three"]


def test_a_file_that_is_removed_after_planning_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n")
    source = io.source(tmp_path / "a.txt")
    splits = source.splits(100)
    (tmp_path / "a.txt").unlink()
    with pytest.raises(SourceChangedError, match=r"a\.txt was removed after the job was planned"):
        list(source.read(splits[0]))


@pytest.mark.parametrize(
    ("encoding", "is_safe"),
    [
        ("utf-8", True),
        ("latin-1", True),
        ("cp1252", True),
        ("koi8-r", True),
        ("utf-16", False),
        ("shift_jis", False),
        ("cp037", False),
        ("utf-7", False),
    ],
)
def test_encoding_is_split_only_where_a_newline_is_one_byte(encoding: str, is_safe: bool) -> None:
    assert is_line_safe(encoding) is is_safe


def test_unknown_options_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    file = str(tmp_path / "a.txt")
    with pytest.raises(OptionError, match=r"no encoding 'utf-9'\nHint: for example"):
        TextSource(file, encoding="utf-9")
    with pytest.raises(OptionError, match="errors='ignore' is not known"):
        TextSource(file, errors="ignore")
    with pytest.raises(OptionError, match="compression='rar' is not known"):
        TextSource(file, compression="rar")
