"""Placement: equal keys in one partition, whatever type they travel in and whatever process asks."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import uuid
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrkernel.batches import object_column
from mrkernel.errors import ValueTypeError
from mrkernel.grouping import encode_keys
from mrkernel.partition import hash_keys, partition_ids

NAN = float("nan")
NOON = dt.datetime(2024, 3, 31, 12, tzinfo=dt.UTC)


class Colour(Enum):
    RED = 1
    BLUE = 2


class Level(IntEnum):
    LOW = 1


EQUAL = [
    [0, 0.0, -0.0, False, Decimal(0), Fraction(0), 0j, np.int64(0), np.float64(-0.0)],
    [1, 1.0, True, Decimal("1.00"), Fraction(1), 1 + 0j, np.int8(1), Level.LOW],
    [-3, -3.0, Decimal(-3)], [0.5, Decimal("0.5"), Fraction(1, 2)], [2**53, float(2**53)],
    [2**63, float(2**63), Decimal(2**63)],
    [-(2**63), float(-(2**63))], [10**30, Decimal(10**30)], [1e30, int(1e30), Decimal(int(1e30))],
    [NAN, np.float64("nan")],
    [float("inf"), Decimal("Infinity")], [None], ["a"], [b"a"], [""], [b""],
    [NOON, NOON.astimezone(ZoneInfo("Asia/Kolkata")), NOON.astimezone(dt.timezone(dt.timedelta(hours=3)))],
    [dt.datetime(2024, 10, 27, 2, 30, fold=fold, tzinfo=ZoneInfo("Europe/Berlin")) for fold in (0, 1)],
    [NOON.replace(tzinfo=None)], [NOON.date()], [dt.timedelta(hours=1), dt.timedelta(minutes=60)],
    [(1, "a"), (1.0, "a"), (True, "a")], [(0, None), (-0.0, None)], [(NAN,)], [()], [((1,), 2), ((1.0,), Decimal(2))],
    [frozenset({1, "a"}), frozenset({"a", 1.0})], [uuid.UUID(int=5)], [Colour.RED], [Colour.BLUE], [dt.time(12)],
]  # fmt: skip


def hash_one(key):
    return int(hash_keys(encode_keys([key]))[0])


@pytest.mark.parametrize("keys", EQUAL, ids=lambda keys: repr(keys[0]))
def test_equal_keys_hash_alike_in_every_column_type(keys):
    assert {hash_one(key) for key in keys} == {hash_one(keys[0])}
    assert set(hash_keys(object_column(keys)).tolist()) == {hash_one(keys[0])}
    assert set(hash_keys(encode_keys([*keys, "other"]))[:-1].tolist()) == {hash_one(keys[0])}


def test_different_keys_hash_apart():
    # Text and its bytes share their hash, which costs nothing but their place.
    apart = [keys[0] for keys in EQUAL if not isinstance(keys[0], bytes)]
    assert len(set(map(hash_one, apart))) == len(apart)


numbers = st.one_of(st.integers(), st.floats(), st.booleans(), st.decimals(allow_nan=False), st.fractions())


@settings(max_examples=200, deadline=None)
@given(left=numbers, right=numbers)
def test_equal_numbers_of_any_type_hash_alike(left, right):
    for one, other in ((left, right), (left, Fraction(left) if left == left and abs(left) != float("inf") else left)):
        if one == other:
            assert hash_one(one) == hash_one(other)


@settings(max_examples=100, deadline=None)
@given(keys=st.lists(st.one_of(st.text(), st.none(), st.binary(), st.integers(), st.tuples(st.text(), st.integers()))))
def test_keys_hash_alike_alone_and_in_mixed_columns(keys):
    assert hash_keys(encode_keys(keys)).tolist() == [hash_one(key) for key in keys]


PRINT = """
import sys; sys.path.insert(0, sys.argv[1])
from tests.test_partition import EQUAL, hash_one
print([hash_one(key) for keys in EQUAL for key in keys])
"""


def test_hash_does_not_depend_on_pythons_hash_seed():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    seen = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", PRINT, root], env=environment, capture_output=True, text=True, check=True
        )
        seen.add(done.stdout)
    assert seen == {f"{[hash_one(key) for keys in EQUAL for key in keys]}\n"}


def test_partitions_are_about_equally_full():
    for keys in (
        list(range(20_000)),
        [f"w{n}" for n in range(20_000)],
        [n / 7 for n in range(20_000)],
        [(n, "x") for n in range(20_000)],
    ):
        counts = np.bincount(partition_ids(encode_keys(keys), 16, None), minlength=16)
        assert counts.min() > 1_000
        assert counts.max() < 1_500


@pytest.mark.parametrize(
    ("n_partitions", "kind"), [(1, np.uint8), (256, np.uint8), (257, np.uint16), (70_000, np.uint32)]
)
def test_ids_are_as_small_as_their_number_allows(n_partitions, kind):
    ids = partition_ids(encode_keys(list(range(1000))), n_partitions, None)
    assert ids.dtype == kind
    assert ids.max() < n_partitions


def test_own_partitioner_is_called_once_for_each_key():
    calls = []

    def partitioner(key, partitions):
        calls.append((key, partitions))
        return np.int64(key % partitions)

    assert partition_ids(encode_keys([4, 5, 4, 6]), 2, partitioner).tolist() == [0, 1, 0, 0]
    assert sorted(calls) == [(4, 2), (5, 2), (6, 2)]


def test_own_partitioner_must_stay_in_range():
    with pytest.raises(
        ValueTypeError, match="the partitioner returned 2 for the key 'a'; it must return an int from 0 to 1"
    ):
        partition_ids(encode_keys(["a"]), 2, lambda key, partitions: 2)


@pytest.mark.parametrize("unit", ["s", "ms"])
def test_missing_time_of_32_bits_hashes_as_none(unit):
    column = pa.array([1, None], pa.time32(unit))
    hashes = hash_keys((column, pa.field("key", column.type)))
    assert hashes[1] == hash_keys(encode_keys([None]))[0] != hashes[0]
