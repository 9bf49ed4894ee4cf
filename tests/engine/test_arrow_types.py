"""Keys and values of every Arrow type that a batch mapper may return: the reference's answer, or one clear error."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

import mrkernel as mr
from mrkernel.errors import TaskFailedError
from tests.engine.reference import map_reduce, told


def array(kind, b, a):
    """Four rows, the first and last of them equal."""
    return pa.array([b, None, a, b], kind)


def days(kind):
    return array(kind, dt.datetime(2020, 1, 2, tzinfo=dt.UTC if kind.tz else None), dt.datetime(1960, 1, 1))


def extension(kind, values):
    return pa.ExtensionArray.from_storage(kind, pa.array(values, kind.storage_type))


NUMBERS = [array(kind, 3, 1) for kind in (
    pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(),
    pa.float32(), pa.float64(),
)]  # fmt: skip
DECIMALS = [array(kind, Decimal("1.50"), Decimal("0.25")) for kind in (
    pa.decimal32(5, 2), pa.decimal64(5, 2), pa.decimal128(5, 2), pa.decimal256(5, 2),
)]  # fmt: skip
TEXTS = [array(kind, "b", "a") for kind in (pa.string(), pa.large_string(), pa.string_view())]
BYTES = [array(kind, b"b", b"a") for kind in (pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(1))]
TIMES = [
    *(array(kind, dt.date(2020, 1, 2), dt.date(1960, 1, 1)) for kind in (pa.date32(), pa.date64())),
    *(array(kind, dt.time(2, 3), dt.time(1)) for kind in (
        pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"))),
    *(array(pa.duration(unit), dt.timedelta(seconds=5), dt.timedelta(seconds=-1)) for unit in ("s", "ms", "us", "ns")),
    *(days(pa.timestamp(unit)) for unit in ("s", "ms", "us", "ns")),
    days(pa.timestamp("us", "Europe/Paris")),
]  # fmt: skip
ENCODED = [
    array(pa.dictionary(pa.int8(), pa.string()), "b", "a"),
    array(pa.decimal32(5, 2), Decimal("1.50"), Decimal("0.25")).cast(pa.decimal128(5, 2)).dictionary_encode(),
    pa.RunEndEncodedArray.from_arrays(pa.array([1, 2, 3, 4], pa.int32()), array(pa.string(), "b", "a")),
]  # fmt: skip
RARE = [
    pa.nulls(4),
    array(pa.bool_(), True, False),
    array(pa.float16(), np.float16(1.5), np.float16(0.25)),
    extension(pa.uuid(), [b"b" * 16, None, b"a" * 16, b"b" * 16]),
    extension(pa.json_(), ["1", None, "2", "1"]),
    extension(pa.bool8(), [1, None, 0, 1]),
    extension(pa.opaque(pa.int32(), "type", "vendor"), [2, None, 1, 2]),
    pa.UnionArray.from_sparse(pa.array([0, 1, 0, 0], pa.int8()), [pa.array([3, 0, 1, 3]), pa.array(["a"] * 4)]),
]  # fmt: skip
KEYS = [*NUMBERS, *DECIMALS, *TEXTS, *BYTES, *TIMES, *ENCODED, *RARE]
LISTS = [array(kind, [1, 2], [1, 1]) for kind in (
    pa.list_(pa.int64()), pa.large_list(pa.int64()), pa.list_view(pa.int64()), pa.large_list_view(pa.int64()),
    pa.list_(pa.int64(), 2),
)]  # fmt: skip
STRUCT = array(pa.struct([("x", pa.int64()), ("y", pa.string())]), {"x": 1, "y": "b"}, {"x": 1, "y": "a"})
MAP = array(pa.map_(pa.string(), pa.int64()), [("b", 1)], [("a", 1)])
INTERVAL = array(pa.month_day_nano_interval(), pa.MonthDayNano([1, 2, 3]), pa.MonthDayNano([0, 2, 3]))


def of_type(one):
    return str(one.type)


def mapped(table):
    def mapper(batch: pa.RecordBatch):
        return table

    return mapper


@pytest.mark.parametrize("keys", KEYS, ids=of_type)
@pytest.mark.parametrize("reducer", [mr.agg.sum, lambda key, values: sum(values)], ids=["aggregate", "function"])
def test_key_of_any_scalar_type_groups_as_its_python_value(inline, keys, reducer):
    job = mr.Job(mapped(pa.table({"k": keys, "v": [1, 2, 3, 4]})), reducer)
    expected = map_reduce(zip(keys.to_pylist(), [1, 2, 3, 4], strict=True), lambda key, values: sum(values))
    assert told(list(inline(job, [0]))) == told(expected)
    assert Counter(map(told, inline(job, [0], reducers=3))) == Counter(map(told, expected))


@pytest.mark.parametrize("keys", KEYS, ids=of_type)
def test_key_of_several_columns_takes_any_scalar_type(inline, keys):
    job = mr.Job(mapped(pa.table({"k": keys, "l": ["x"] * 4, "v": [1, 2, 3, 4]})), mr.agg.collect, key=("k", "l"))
    pairs = zip(((key, "x") for key in keys.to_pylist()), [1, 2, 3, 4], strict=True)
    assert told(list(inline(job, [0]))) == told(map_reduce(pairs, lambda key, values: values))


@pytest.mark.parametrize("values", [*KEYS, *LISTS, STRUCT, MAP], ids=of_type)
def test_value_of_any_type_arrives_as_its_python_value(inline, values):
    job = mr.Job(mapped(pa.table({"k": [1, 1, 2, 1], "v": values})), mr.agg.collect)
    rows = values.to_pylist()
    assert told(list(inline(job, [0]))) == told([(1, [rows[0], rows[1], rows[3]]), (2, [rows[2]])])


@pytest.mark.parametrize(("keys", "message"), [
    *((one, r"'k' is of type .*list.*, and a list cannot be a key\nHint: make it text, or") for one in LISTS),
    (MAP, r"'k' is of type map.*, and a map cannot be a key\nHint: make it text"),
    (STRUCT, r"'k' is of type struct.*, and a dict cannot be a key\nHint: make its fields .* key=\('x', 'y'\)"),
    (INTERVAL, r"'k' is of type month_day_nano_interval, and an interval cannot be a key\nHint: make it a duration"),
    (pa.array([1, 2, 3, 4], pa.time64("ns")), r"'k' is of type time64\[ns\] and holds parts of .*\nHint: round"),
], ids=str)  # fmt: skip
def test_key_column_without_python_keys_is_refused(inline, keys, message):
    with pytest.raises(TaskFailedError, match=f"KeyTypeError: the key column {message}"):
        inline(mr.Job(mapped(pa.table({"k": keys, "v": [1, 2, 3, 4]})), mr.agg.sum), [0])


def test_intervals_are_refused_as_values(inline):
    with pytest.raises(TaskFailedError, match=r"the column 'v' is of type .*interval cannot be a value\nHint: make it"):
        inline(mr.Job(mapped(pa.table({"k": [1, 2, 3, 4], "v": INTERVAL})), mr.agg.collect), [0])


def test_equal_keys_of_several_arrow_types_meet(inline):
    tables = iter(
        [pa.table({"k": array(kind, 1, 2), "v": [1] * 4}) for kind in (pa.int8(), pa.decimal32(5, 2), pa.float16())]
    )

    def mapper(batch: pa.RecordBatch):
        yield from tables

    assert list(inline(mr.Job(mapper, mr.agg.sum), [0])) == [(None, 3), (1, 6), (2, 3)]


def test_uuids_stay_uuids(inline):
    (key, _), *_ = inline(mr.Job(mapped(pa.table({"k": RARE[3][2:3], "v": [1]})), mr.agg.sum), [0])
    assert key == uuid.UUID(bytes=b"a" * 16)
