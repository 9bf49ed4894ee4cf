"""Row groups that Polars reads: the same rows as Arrow's, and only where both read alike."""

from __future__ import annotations

import datetime as dt
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl  # noqa: F401  # read where it is there already
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mrkernel import io
from mrkernel.errors import SourceReadError
from mrkernel.io import quick_parquet
from mrkernel.io.quick_parquet import QuickGroups
from mrkernel.testing.sources import read_all

N = 40_000
VALUES = {
    "bool": (pa.bool_(), [True, False]),
    "int8": (pa.int8(), [-128, 127]),
    "uint64": (pa.uint64(), [0, 2**64 - 1]),
    "int64": (pa.int64(), [-(2**63), 2**63 - 1]),
    "float32": (pa.float32(), [1.5, float("inf")]),
    "float64": (pa.float64(), [-0.0, 1e300]),
    "string": (pa.string(), ["", "héé \U0001f600", "x" * 300]),
    "large_string": (pa.large_string(), ["a", "b\0"]),
    "binary": (pa.binary(), [b"", b"\xff\0"]),
    "date32": (pa.date32(), [dt.date(1, 1, 1), dt.date(9999, 12, 31)]),
    "decimal": (pa.decimal128(15, 2), [Decimal("-9999999999999.99"), Decimal("0.01")]),
    "wide decimal": (pa.decimal128(38, 0), [Decimal(-(10**38) + 1), Decimal(10**38 - 1)]),
    "ms": (pa.timestamp("ms"), [dt.datetime(1970, 1, 1), dt.datetime(2262, 1, 1)]),
    "us": (pa.timestamp("us", "Europe/Berlin"), [dt.datetime(2026, 7, 1, tzinfo=dt.UTC)]),
    "ns": (pa.timestamp("ns"), [1, 2**62]),
}


def table(n: int = N) -> pa.Table:
    """Each type with missing values, in an order that runs and dictionaries do not follow."""
    places = np.random.default_rng(7).integers(0, 4, n)
    return pa.table({name: pa.array([*values, None, None, None][:4], kind).take(pa.array(places))
                     for name, (kind, values) in VALUES.items()})  # fmt: skip


def decimals(numbers: Any) -> pa.Array:
    """What Polars is taken for."""
    return pa.array(numbers).cast(pa.decimal128(20, 0))


def group(path: Path, number: int = 0, columns: list[str] | None = None, n_rows: int = N) -> pa.Table | None:
    with pq.ParquetFile(path) as file:
        batches = list(QuickGroups(str(path), file, columns or file.schema_arrow.names).batches(number, n_rows))
    return pa.Table.from_batches(batches) if batches else None


@pytest.mark.parametrize(
    "options",
    [{}, {"compression": "none", "use_dictionary": False}, {"compression": "zstd", "data_page_version": "2.0"},
     {"compression": "gzip", "store_decimal_as_integer": True}, {"compression": "brotli", "data_page_size": 1000},
     {"compression": "lz4", "data_page_size": 4096}],
)  # fmt: skip
def test_rows_are_those_that_arrow_reads(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "a [1] *.parquet"
    pq.write_table(table(), path, **options)
    found = group(path)
    assert found is not None
    assert found.equals(pq.read_table(path).replace_schema_metadata())


def test_each_row_group_has_its_own_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": range(3 * N), "b": decimals(range(3 * N))}), path, row_group_size=N)
    for number in range(3):
        found = group(path, number, ["b"])
        assert found is not None
        assert found.equals(pa.table({"b": decimals(range(number * N, (number + 1) * N))}))


def test_rows_without_decimals_are_left_to_arrow(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(table(), path)
    plain = [name for name in VALUES if "decimal" not in name]
    assert group(path, columns=plain) is None
    assert group(path, columns=[*plain, "decimal"]) is not None


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1]] * N),
        pa.array([dt.time(1)] * N),
        pa.array([{"a": 1}] * N),
        pa.array(["a"] * N).dictionary_encode(),
        pa.array([Decimal(1)] * N, pa.decimal256(50, 0)),
        pa.nulls(N),
    ],
)
def test_other_types_are_left_to_arrow(tmp_path: Path, column: pa.Array) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": column, "b": decimals(range(N))}), path)
    assert group(path) is None
    assert group(path, columns=["b"]) is not None
    source = io.source(path)
    assert sum(batch.num_rows for split in source.splits(1 << 20) for batch in source.read(split)) == N


def test_times_of_96_bits_are_left_to_arrow(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(table().select(["ns", "decimal"]), path, use_deprecated_int96_timestamps=True)
    assert group(path) is None
    assert group(path, columns=["decimal"]) is not None


def test_few_rows_wide_rows_and_many_chunks_are_left_to_arrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": decimals(range(1000))}), path)
    assert group(path) is None
    pq.write_table(pa.table({"a": decimals(range(N)), "b": range(N)}), path)
    assert group(path) is not None
    assert group(path, n_rows=1000) is None
    monkeypatch.setattr(quick_parquet, "_MOST_CHUNKS", 1)
    assert group(path) is None


def test_a_small_file_does_not_have_polars_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": decimals(range(N))}), path)
    monkeypatch.delitem(sys.modules, "polars")
    assert group(path) is None
    assert "polars" not in sys.modules


@pytest.mark.parametrize("zone", ["+05:30", "Etc/Unknown", "GMT+2"])
def test_zones_that_polars_does_not_know_are_left_to_arrow(
    tmp_path: Path, zone: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.parquet"
    times = pa.array([0] * N, pa.timestamp("us", zone))
    pq.write_table(pa.table({"a": times, "b": decimals(range(N))}), path)
    assert group(path, columns=["b"]) is None
    assert [batch.num_rows for split in io.source(path).splits(1 << 30) for batch in io.source(path).read(split)] == [N]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["*", "^a$"])
def test_names_that_polars_takes_for_several_are_left_to_arrow(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({name: decimals(range(N)), "a": range(N)}), path)
    source = io.source(path, columns=[name])
    assert sum(batch.num_rows for split in source.splits(1 << 30) for batch in source.read(split)) == N


def test_arrow_goes_on_where_polars_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": decimals(range(6 * N))}), path)
    read = QuickGroups._read
    monkeypatch.setattr(QuickGroups, "_read", lambda self, first, n: read(self, first, n) if first < 2 * N else None)
    source = io.source(path)
    rows = [value for split in source.splits(1 << 30) for batch in source.read(split) for value in batch[0].to_pylist()]
    assert rows == list(range(6 * N))


def test_a_column_whose_name_has_a_dot_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a.b": range(N), "c": range(N), "d": [{"e": 1}] * N}), path)
    dotted, nested = (io.source(path, columns=[name]).size_bytes() or 0 for name in ("a.b", "d"))
    assert dotted > 1000
    assert nested > 0


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_checksums_are_looked_at(tmp_path: Path, version: str) -> None:
    path = tmp_path / "a.parquet"
    rows = pa.table({"a": decimals(np.random.default_rng(7).integers(0, 2**60, N))})
    pq.write_table(rows, path, write_page_checksum=True, compression="none", data_page_version=version)
    assert group(path) is None
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(SourceReadError, match=r"a\.parquet: .*CRC"):
        read_all(io.source(path), 1 << 20)


def test_arrow_tells_what_is_wrong_with_a_page(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    rows = pa.table({"a": [f"value {n}" for n in range(N)], "b": decimals(range(N))})
    pq.write_table(rows, path, compression="zstd")
    assert group(path) is not None
    data = bytearray(path.read_bytes())
    data[1000:3000] = bytes(2000)
    path.write_bytes(data)
    assert group(path) is None
    with pytest.raises(SourceReadError, match=r"cannot read .*a\.parquet"):
        read_all(io.source(path), 1 << 20)


def test_chunks_are_of_the_columns_that_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    noise = np.random.default_rng(7).integers(0, 2**60, 10 * N)
    pq.write_table(pa.table({"a": np.arange(10 * N) % 7, "b": noise}), path, row_group_size=N)
    assert (io.source(path, columns=["a"]).size_bytes() or 0) < path.stat().st_size / 10
