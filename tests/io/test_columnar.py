"""Parquet and Arrow IPC: columns, schemas compared, damage found, nothing unpickled."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mrkernel import io
from mrkernel.batches import encode_column, make_table
from mrkernel.errors import OptionError, SchemaMismatchError, SourceReadError
from mrkernel.io.filesource import even_ranges
from mrkernel.testing.sources import read_all

TABLE = pa.table({"a": list(range(100)), "b": [f"x{n}" for n in range(100)], "c": [{"d": n} for n in range(100)]})


def write_ipc(table: pa.Table, file: Path, rows: int = 10) -> Path:
    with pa.ipc.new_file(str(file), table.schema) as writer:
        writer.write_table(table, max_chunksize=rows)
    return file


def write_parquet(table: pa.Table, file: Path) -> Path:
    pq.write_table(table, file, row_group_size=10)
    return file


WRITERS = pytest.mark.parametrize(("write", "name"), [(write_parquet, "a.parquet"), (write_ipc, "a.arrow")])


@WRITERS
def test_only_chosen_columns_are_read(tmp_path: Path, write: Any, name: str) -> None:
    source = io.source(write(TABLE, tmp_path / name), columns=["c", "a"])
    assert source.schema().names == ["c", "a"]
    assert read_all(source, 1)[3] == {"c": {"d": 3}, "a": 3}
    with pytest.raises(OptionError, match=r"has no column 'aa'\nHint: did you mean 'a'\?"):
        io.source(tmp_path / name, columns=["aa"]).splits(1)
    with pytest.raises(OptionError, match="has no column 'aa'"):
        io.source(tmp_path / name, columns=["aa"], union_by_name=True).splits(1)
    with pytest.raises(OptionError, match="columns='a' is not a list"):
        io.source(tmp_path / name, columns="a")


@WRITERS
def test_splits_follow_the_chunk_size_down_to_a_group(tmp_path: Path, write: Any, name: str) -> None:
    source = io.source(write(TABLE, tmp_path / name))
    assert len(source.splits(1)) == 10
    assert len(source.splits(1 << 20)) == 1


@WRITERS
def test_row_is_located_in_its_file(tmp_path: Path, write: Any, name: str) -> None:
    source = io.source(write(TABLE, tmp_path / name))
    split = source.splits(1)[4]
    block = next(source.read_records(split))
    assert source.locate(split, block, 2).location == "row 43"


@WRITERS
def test_files_of_other_columns_are_refused_before_anything_runs(tmp_path: Path, write: Any, name: str) -> None:
    write(pa.table({"a": [1], "b": ["x"]}), tmp_path / f"1-{name}")
    write(pa.table({"a": ["z"], "c": [2]}), tmp_path / f"2-{name}")
    found = r"'b' is only in the first; 'a' is int64 in the first, string in the second; 'c' is only in the second"
    with pytest.raises(SchemaMismatchError, match=rf"1-a\..* and .*2-a\..* have different columns: {found}\nHint: "):
        io.source(tmp_path).splits(1)
    with pytest.raises(SchemaMismatchError, match=r"cannot be read as one"):
        io.source(tmp_path, union_by_name=True).splits(1)


@WRITERS
def test_union_by_name_fills_with_null_and_widens(tmp_path: Path, write: Any, name: str) -> None:
    write(pa.table({"a": pa.array([1], pa.int32()), "b": ["x"]}), tmp_path / f"1-{name}")
    write(pa.table({"a": pa.array([2], pa.int64())}), tmp_path / f"2-{name}")
    assert read_all(io.source(tmp_path, union_by_name=True), 1) == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]


@WRITERS
@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99])
def test_truncated_file_is_named(tmp_path: Path, write: Any, name: str, keep: float) -> None:
    file = write(TABLE, tmp_path / name)
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * keep)] or b"xyz")
    with pytest.raises(SourceReadError, match=rf"cannot read .*{name}: "):
        read_all(io.source(file), 1 << 20)


def test_flipped_byte_in_a_page_with_checksum_is_found(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    pq.write_table(
        pa.table({"a": list(range(10_000))}), file, write_page_checksum=True, compression="none", use_dictionary=False
    )
    data = bytearray(file.read_bytes())
    data[5000] ^= 1
    file.write_bytes(data)
    with pytest.raises(SourceReadError, match=r"cannot read .*a\.parquet: .*CRC"):
        read_all(io.source(file), 1 << 20)


def test_made_up_offsets_are_refused_before_use(tmp_path: Path) -> None:
    file = write_ipc(pa.table({"a": ["first", "second"]}), tmp_path / "a.arrow")
    offsets = b"".join(n.to_bytes(4, "little") for n in (0, 5, 11))
    data = file.read_bytes()
    assert offsets in data
    file.write_bytes(data.replace(offsets, b"".join(n.to_bytes(4, "little") for n in (0, 1 << 30, 11))))
    with pytest.raises(
        SourceReadError, match=r"cannot read .*a\.arrow: record batch 0 is damaged: .*\nHint: write the file again"
    ):
        read_all(io.source(file), 1 << 20)


def test_old_feather_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.feather").write_bytes(b"FEA1" + b"\0" * 100)
    with pytest.raises(SourceReadError, match=r"it is Feather version 1\nHint: write it again"):
        io.source(tmp_path / "a.feather").splits(1)


def test_empty_ipc_file_has_no_records(tmp_path: Path) -> None:
    (tmp_path / "a.arrow").touch()
    assert read_all(io.source(tmp_path / "a.arrow"), 1) == []
    assert read_all(io.source(tmp_path / "a.arrow", columns=["a"]), 1) == []


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a file was unpickled",))


@WRITERS
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_pickled_objects_in_a_file_stay_bytes(tmp_path: Path, write: Any, name: str, depth: int) -> None:
    field = pa.field("a", pa.large_binary(), metadata={b"mrkernel:kind": b"object"})
    array: pa.Array = pa.array([pickle.dumps(Bomb())], pa.large_binary())
    for _ in range(depth):
        array, field = pa.StructArray.from_arrays([array], fields=[field]), pa.field(
            "a", pa.struct([field]), metadata={b"mrkernel:kind": b"dict"})  # fmt: skip
    file = write(pa.Table.from_arrays([array], schema=pa.schema([field])), tmp_path / name)
    value = read_all(io.source(file), 1)[0]["a"]
    for _ in range(depth):
        value = value["a"]
    assert isinstance(value, bytes)


@WRITERS
def test_tuples_survive_a_file(tmp_path: Path, write: Any, name: str) -> None:
    table = make_table([encode_column([(1, "a"), (2, "b")], "pair"), encode_column([1, 2], "n")])
    source = io.source(write(table, tmp_path / name))
    assert read_all(source, 1) == [{"pair": (1, "a"), "n": 1}, {"pair": (2, "b"), "n": 2}]


@pytest.mark.parametrize(("sizes", "target", "lengths"), [
    ([7] * 10, 10, [1] * 10), ([9] * 10, 10, [1] * 10), ([10] * 10, 30, [3, 2, 3, 2]), ([1, 1, 1, 100], 30, [3, 1]),
    ([], 10, []), ([0, 0], 10, [2]), ([5] * 3, 100, [3]),
])  # fmt: skip
def test_ranges_are_alike(sizes: list[int], target: int, lengths: list[int]) -> None:
    assert [stop - start for start, stop in even_ranges(sizes, target)] == lengths
