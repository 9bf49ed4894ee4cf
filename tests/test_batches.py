"""Columns of Python values: what goes in comes out, in Arrow's own types where those are enough."""

from __future__ import annotations

import datetime as dt
import sys
import uuid
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrkernel.batches import (
    concat_columns,
    decode_column,
    encode_column,
    kind_of,
    make_table,
    python_rows,
    value_columns,
)
from tests.engine.reference import told

BERLIN = ZoneInfo("Europe/Berlin")
NOON = dt.datetime(2024, 3, 31, 12, 0, 0, 5)


@pytest.mark.parametrize(
    ("values", "arrow_type"),
    [
        ([1, None, -3], pa.int64()), ([True, False, None], pa.bool_()), ([0.5, float("nan"), -0.0], pa.float64()),
        (["a", "", None, "ü"], pa.large_string()), ([b"a", b"\x00"], pa.large_binary()), ([None, None], pa.null()),
        ([], pa.null()),
        ([NOON, None], pa.timestamp("us")), ([NOON.replace(tzinfo=dt.UTC)], pa.timestamp("us", tz="UTC")),
        ([NOON.replace(tzinfo=BERLIN)], pa.timestamp("us", tz="Europe/Berlin")), ([NOON.date()], pa.date32()),
        ([NOON.time()], pa.time64("us")), ([dt.timedelta(days=-1, microseconds=1)], pa.duration("us")),
        ([Decimal("1.50"), Decimal("-2.25")], pa.decimal128(38, 2)), ([[1, 2], [], None], pa.large_list(pa.int64())),
        ([["a"], ["b", "c"]], pa.large_list(pa.large_string())),
    ],
    ids=str,
)  # fmt: skip
def test_values_of_one_kind_are_an_arrow_column_and_come_back(values, arrow_type):
    array, field = encode_column(values, "x")
    assert (array.type, field.name, kind_of(field)) == (arrow_type, "x", "")
    assert told(decode_column(array, field)) == told(values)


@pytest.mark.parametrize(
    "values",
    [
        [1, 2.0], [1, True], [1, "1"], [b"a", "a"], [2**63, 1], [-(2**63) - 1], ["\ud800"], [[1, 2.0]], [[1], [None]],
        [[[1]]],
        [(), (1,)], [(1,), (1, 2)], [(1,), ("a", 2)], [{}], [{"a": 1}, {"b": 1}], [{1: 2}], [{"a": 1}, None],
        [(1,), None],
        [Decimal("1.5"), Decimal("1.50")], [Decimal("NaN")], [Decimal(10) ** 40], [Fraction(1, 3)], [uuid.UUID(int=1)],
        [{1, 2}],
        [frozenset()], [NOON, NOON.replace(tzinfo=dt.UTC)], [NOON.replace(tzinfo=dt.UTC), NOON.replace(tzinfo=BERLIN)],
        [NOON.replace(tzinfo=dt.timezone(dt.timedelta(hours=2)))], [NOON, NOON.date()], [dt.timedelta.max], [1j],
        [range(3)],
        [NOON.time().replace(tzinfo=dt.UTC)], [NOON.time().replace(fold=1)], [NOON.replace(fold=1)],
        [dt.datetime(2024, 3, 31, 2, 30, tzinfo=BERLIN)], [dt.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=BERLIN)],
        [NOON.replace(tzinfo=ZoneInfo("UTC"))], [bytearray(b"a")], [None, (None, None)], [(1, (2, [3]))], [int, str],
    ],
    ids=str,
)  # fmt: skip
def test_values_that_arrow_cannot_type_come_back_as_they_were(values):
    column = encode_column(values)
    found = decode_column(*column)
    assert told(found) == told(values)
    assert list(map(type, found)) == list(map(type, values))


@pytest.mark.parametrize("values", [
    ["a", "", "\0b"], ["ü", "", "日本", "😀"], ["a", None], ["\ud800", "a"], [""],
    [2**63 - 1, -(2**63)], [2**63], [1, None],
], ids=ascii)  # fmt: skip
def test_columns_made_before_pandas_was_imported_are_like_those_made_after(values, monkeypatch):
    known = encode_column(values)
    monkeypatch.delitem(sys.modules, "pandas", raising=False)
    array, field = encode_column(values)
    array.validate(full=True)
    assert (array, field) == known
    assert told(decode_column(array, field)) == told(values)


def test_tuples_of_one_length_are_structs():
    array, field = encode_column([(1, "a"), (2, "b")])
    assert pa.types.is_struct(array.type)
    assert kind_of(field) == "tuple"
    assert decode_column(array, field) == [(1, "a"), (2, "b")]


def test_dicts_of_the_same_keys_are_structs_and_become_columns():
    column = encode_column([{"a": 1, "b": None}, {"a": 2, "b": "x"}], "value")
    assert kind_of(column[1]) == "dict"
    assert decode_column(*column) == [{"a": 1, "b": None}, {"a": 2, "b": "x"}]
    assert [field.name for _, field in value_columns(column)] == ["a", "b"]


def test_numpy_scalars_become_python_values():
    values = [np.int8(1), np.float32(0.5), np.bool_(True), np.str_("a"), np.int64(2**62)]
    assert list(map(type, decode_column(*encode_column(values)))) == [int, float, bool, str, int]


def test_column_of_one_kind_may_be_sliced_and_chunked():
    array, field = encode_column([(n, {"a": n}) for n in range(10)])
    assert decode_column(array.slice(3, 2), field) == [(3, {"a": 3}), (4, {"a": 4})]
    assert decode_column(pa.chunked_array([array.slice(8), array.slice(0, 1)]), field) == [
        (8, {"a": 8}),
        (9, {"a": 9}),
        (0, {"a": 0}),
    ]


values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.decimals(), st.datetimes(),
    st.dates(),
    st.times(), st.timedeltas(), st.uuids(), st.fractions(),
    st.datetimes(timezones=st.sampled_from([dt.UTC, ZoneInfo("UTC"), BERLIN, dt.timezone(dt.timedelta(minutes=90))])),
    st.datetimes(dt.datetime(2024, 3, 31, 1), dt.datetime(2024, 3, 31, 4), timezones=st.just(BERLIN)),
)  # fmt: skip
nested = st.recursive(values, lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) |
                      st.dictionaries(st.text(max_size=2), inner, max_size=3), max_leaves=5)  # fmt: skip
columns = st.lists(nested, max_size=6) | st.one_of(*(st.lists(st.none() | kind, max_size=6) for kind in (
    st.integers(), st.text(), st.floats(), st.decimals(places=2), st.datetimes(), st.tuples(st.text(), st.integers()),
    st.lists(st.integers()), st.fixed_dictionaries({"a": st.integers(), "b": st.none() | st.text()}))))  # fmt: skip


def same(found, expected):
    return told(found) == told(expected)


@settings(max_examples=300, deadline=None)
@given(given=columns)
def test_any_column_comes_back_as_it_was(given):
    assert same(decode_column(*encode_column(given)), given)


@settings(max_examples=200, deadline=None)
@given(pieces=st.lists(columns, min_size=1, max_size=4))
def test_any_columns_join_in_order(pieces):
    found = decode_column(*concat_columns([encode_column(piece) for piece in pieces], "x"))
    assert same(found, [value for piece in pieces for value in piece])


def test_table_gives_back_its_rows():
    table = make_table([encode_column([1, 2], "key"), encode_column(["a", (1,)], "value")])
    assert python_rows(table) == [(1, "a"), (2, (1,))]
