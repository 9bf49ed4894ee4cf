"""Groups of equal keys, in the order of keys."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrkernel.batches import decode_column, object_column
from mrkernel.errors import KeyTypeError
from mrkernel.grouping import canonical_key, check_keys, encode_keys, group, merge_keys, sort_token
from mrkernel.ordering import sort_order
from tests.engine.reference import map_reduce, told

NAN = float("nan")


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["b", "a", None, "b"], [None, "a", "b"]), ([2, 1, 2], [1, 2]),
        ([0.0, -0.0, NAN, float("nan"), 1.5], [0.0, 1.5, NAN]),
        ([1, True, 1.0], [1.0]), ([True, 1], [1]), ([False, 0, -0.0, 0.0], [0.0]), ([1, "1", b"1"], [1, "1", b"1"]),
        ([(1, "a"), (True, "a"), (1.0, "b")], [(1, "a"), (1.0, "b")]), ([(NAN, 1), (float("nan"), 1)], [(NAN, 1)]),
        ([Decimal("NaN"), Decimal("NaN")], [Decimal("NaN")]),
        ([frozenset({NAN}), frozenset({float("nan")})], [frozenset({NAN})]),
        ([None, None], [None]), ([], []), ([np.float64("nan"), NAN, "x"], [NAN, "x"]),
        ([2**70, float(2**70)], [float(2**70)]),
    ],
    ids=str,
)  # fmt: skip
def test_equal_keys_are_one_group_shown_in_the_widest_type(keys, expected):
    groups = group(encode_keys(keys))
    assert told(decode_column(*groups.keys)) == told(expected)
    assert groups.n_groups == len(expected)


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, -0.0, 1.0, NAN, 2.0**60]),
    st.text("ab", max_size=2),
)
keys = st.lists(st.one_of(scalars, st.tuples(scalars, scalars)), max_size=20)


@settings(max_examples=200, deadline=None)
@given(keys=keys)
def test_codes_number_the_groups_in_key_order(keys):
    groups = group(encode_keys(keys))
    expected = map_reduce([(key, row) for row, key in enumerate(keys)], lambda key, rows: rows)
    assert told(decode_column(*groups.keys)) == told([key for key, _ in expected])
    for code, (_, rows) in enumerate(expected):
        assert np.flatnonzero(groups.codes == code).tolist() == rows


@settings(max_examples=100, deadline=None)
@given(keys=keys)
def test_order_and_starts_cut_rows_into_groups(keys):
    groups = group(encode_keys(keys))
    order, starts = groups.order().tolist(), groups.starts().tolist()
    assert sorted(order) == list(range(len(keys)))
    for code, (start, stop) in enumerate(pairwise(starts)):
        assert order[start:stop] == [row for row, one in enumerate(groups.codes.tolist()) if one == code]


@settings(max_examples=100, deadline=None)
@given(keys=keys)
def test_unordered_groups_are_the_same_groups(keys):
    ordered, unordered = group(encode_keys(keys)), group(encode_keys(keys), ordered=False)
    pairs = set(zip(ordered.codes.tolist(), unordered.codes.tolist(), strict=True))
    assert len(pairs) == ordered.n_groups == unordered.n_groups


def test_many_groups_keep_the_order_of_rows():
    rng = np.random.default_rng(1)
    values = rng.integers(0, 100_000, 300_000)
    groups = group((pa.array(values), pa.field("key", pa.int64())))
    assert (values[groups.order()] == np.sort(values)).all()
    assert (groups.order() == np.argsort(values, kind="stable")).all()


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(1).integers(-40_000, 40_000, 60_000),
        np.random.default_rng(1).integers(2**63 - 70_000, 2**63 - 1, 60_000, endpoint=True),
        np.append(np.random.default_rng(1).integers(0, 70_000, 60_000), [2**63 - 1, -(2**63)]),
        np.random.default_rng(1).integers(0, 300, 60_000),
    ],
    ids=["dense", "at the end", "with two far away", "few"],
)
def test_many_integers_are_grouped_like_any(values, ordered):
    groups = group((pa.array(values), pa.field("key", pa.int64())), ordered=ordered)
    keys = groups.keys[0].to_numpy()
    assert (keys[groups.codes] == values).all()
    assert sorted(keys.tolist()) == np.unique(values).tolist()
    assert not ordered or (keys == np.unique(values)).all()


@pytest.mark.parametrize("array", [
    pa.array([3, None, 1]), pa.array([0.5, NAN, None, -1.0]), pa.array(["b", None, "a"]),
    pa.array([Decimal("1.5"), None, Decimal("-2.0")]),
    pa.array([True, None, False]), pa.nulls(3),
], ids=lambda array: str(array.type))  # fmt: skip
def test_sort_order_puts_none_first_and_nan_last(array):
    rows = array.take(pa.array(sort_order(array))).to_pylist()
    assert told(rows) == told(sorted(array.to_pylist(), key=sort_token))


@pytest.mark.parametrize("prefix", ["", "wörter/", "\0"])
def test_sort_order_of_much_text_is_stable_and_by_code_point(prefix):
    rng = np.random.default_rng(2)
    letters = np.array(list("\0aZé日😀"))
    texts = [prefix + "".join(letters[rng.integers(0, 6, length)]) for length in rng.integers(0, 11, 20_000)]
    array = pa.array(["left out", *texts], pa.large_string()).slice(1)
    order = sort_order(array).tolist()
    assert order == sorted(range(len(texts)), key=lambda row: texts[row])


@settings(max_examples=100, deadline=None)
@given(keys=keys)
def test_sort_tokens_of_any_mixture_compare(keys):
    ordered = sorted(keys, key=sort_token)
    assert [sort_token(key) for key in ordered] == sorted(map(sort_token, keys))


def test_merging_keys_goes_item_by_item():
    assert told(merge_keys((1, (True, "a")), (1.0, (1, "a")))) == told((1.0, (1, "a")))
    assert told(merge_keys(1.0, 1)) == "1.0"


@pytest.mark.parametrize("key", ["a", 5, None, True, b"x", (1, "a"), frozenset({1})], ids=repr)
def test_ordinary_keys_are_canonical_already(key):
    assert told(canonical_key(key)) == told(key)


@pytest.mark.parametrize(
    ("key", "kind"),
    [([1], "list"), ({"a": 1}, "dict"), ({1}, "set"), (("a", [1]), "tuple"), (bytearray(b"a"), "bytearray")],
)
def test_key_that_cannot_be_hashed_is_refused(key, kind):
    with pytest.raises(
        KeyTypeError, match=f"the key .* is a {kind}, which cannot be hashed: unhashable type(.|\n)*Hint: use a tuple"
    ):
        check_keys(["fine", key])


def test_long_key_is_shortened_in_the_message():
    with pytest.raises(KeyTypeError) as caught:
        check_keys([list(range(10_000))])
    assert len(str(caught.value)) < 250


def test_list_column_cannot_be_grouped():
    with pytest.raises(KeyTypeError, match="cannot be hashed"):
        group((pa.array([[1]]), pa.field("key", pa.list_(pa.int64()))))


def test_object_column_groups_like_its_values():
    groups = group(object_column(["b", 1, "b", True]))
    assert groups.codes.tolist() == [1, 0, 1, 0]
