"""Aggregates: the quick columns and the Python accumulators give one answer, exactly, in any order and cut."""

from __future__ import annotations

import math
import statistics
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrkernel import agg
from mrkernel.agg import as_reduction
from mrkernel.batches import encode_column, make_table, python_rows
from mrkernel.errors import ValueTypeError
from mrkernel.grouping import encode_keys
from tests.engine.reference import exact_mean, exact_sum, exact_variance, told

NAN, INF = float("nan"), float("inf")
EACH = [agg.sum, agg.count, agg.mean, agg.var, agg.std, agg.min, agg.max, agg.first, agg.collect, agg.set, agg.distinct,
        agg.top(2), agg.quantile(0.25)]  # fmt: skip


def table(pairs):
    return make_table([encode_keys([key for key, _ in pairs]), encode_column([value for _, value in pairs], "value")])


def result(aggregate, pairs, cuts=()):
    """The reduction of pairs in pieces, each combined by itself."""
    reduction = as_reduction(aggregate)
    edges = [0, *sorted(cut % (len(pairs) + 1) for cut in cuts), len(pairs)]
    pieces = [pairs[start:stop] for start, stop in pairwise(edges) if stop > start]
    return python_rows(reduction.finish([reduction.combine([table(piece)]) for piece in pieces]))


numbers = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.integers(), st.floats())
floats = st.floats() | st.sampled_from([1e308, -1e308, 5e-324, 0.1, 1e16, -1e16])
pairs = st.lists(st.tuples(st.sampled_from("ab"), numbers), min_size=1, max_size=20)
cuts = st.lists(st.integers(0, 100), max_size=4)


@pytest.mark.parametrize("aggregate", EACH, ids=lambda one: one.label)
@settings(max_examples=40, deadline=None)
@given(pairs=pairs, cuts=cuts)
def test_columns_and_accumulators_agree_however_the_pairs_are_cut(aggregate, pairs, cuts):
    groups = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    expected = [(key, aggregate.reduce(groups[key])) for key in sorted(groups)]
    assert told(result(aggregate, pairs, cuts)) == told(expected)


@pytest.mark.parametrize(
    ("aggregate", "exact"),
    [(agg.sum, exact_sum), (agg.mean, exact_mean), (agg.var, exact_variance)],
    ids=lambda one: getattr(one, "label", ""),
)
@settings(max_examples=150, deadline=None)
@given(values=st.lists(floats, min_size=1, max_size=30), cuts=cuts)
def test_floats_are_rounded_once(aggregate, exact, values, cuts):
    assert told(result(aggregate, [("a", value) for value in values], cuts)) == told([("a", exact(values))])


@settings(max_examples=100, deadline=None)
@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=2, max_size=30))
def test_sum_variance_and_median_are_those_of_the_standard_library(values):
    pairs = [("a", value) for value in values]
    assert result(agg.sum, pairs) == [("a", math.fsum(values))]
    assert result(agg.var, pairs)[0][1] == float(statistics.variance(map(Fraction, values)))
    assert result(agg.quantile(0.5), pairs)[0][1] == pytest.approx(statistics.median(values), rel=1e-12)


@pytest.mark.parametrize("q", [0, 0.1, 0.25, 0.5, 0.99, 1])
def test_quantile_is_numpys(q):
    values = np.random.default_rng(3).normal(size=101).tolist()
    assert result(agg.quantile(q), [("a", value) for value in values])[0][1] == pytest.approx(
        np.quantile(values, q), rel=1e-12
    )


@pytest.mark.parametrize(
    ("aggregate", "values", "expected"),
    [
        (agg.sum, [None, None], None), (agg.mean, [None], None), (agg.min, [None], None), (agg.max, [None], None),
        (agg.var, [1], None), (agg.var(ddof=0), [1], 0.0), (agg.var, [None, 1, 3], 2.0),
        (agg.std, [1, 3], math.sqrt(2)),
        (agg.count, [None, 1], 2), (agg.distinct, [None, 1, 1.0, True, NAN, NAN], 2), (agg.set, [None, 1, 1], {1}),
        (agg.first, [None, 1], None), (agg.collect, [None, 1], [None, 1]), (agg.top(2), [None, 1, 3, 2], [3, 2]),
        (agg.quantile(0.5), [None], None), (agg.quantile(0.5), [1, NAN], NAN), (agg.mean, [2**70], float(2**70)),
        (agg.sum, [INF, 1.0], INF), (agg.sum, [INF, -INF], NAN), (agg.sum, [True, True], 2),
        (agg.mean, [True, False], 0.5),
        (agg.sum, [1, 2.5], 3.5), (agg.sum, [2**53, 1.0], float(2**53)), (agg.min, [NAN, 2.0], 2.0),
        (agg.min, [NAN], NAN),
        (agg.max, ["a", "b"], "b"), (agg.min, [(2, "a"), (1, "b")], (1, "b")), (agg.max, [b"a", None], b"a"),
        (agg.max, [None, 0.0, -0.0], 0.0), (agg.max, [None, -0.0, 0.0], -0.0), (agg.min, [1, True, 1.0], 1),
        (agg.sum, [Fraction(1, 3), Fraction(1, 6)], Fraction(1, 2)), (agg.sum, [Decimal("0.1")] * 3, Decimal("0.3")),
        (agg.mean, [Decimal(1), Decimal(2)], Decimal("1.5")), (agg.sum, [1j, 1], 1 + 1j),
        (agg.top(2), ["b", "a", "c"], ["c", "b"]),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("cuts", [[], [1]])
def test_rare_values(aggregate, values, expected, cuts):
    assert told(result(aggregate, [("a", value) for value in values], cuts)) == told([("a", expected)])
    assert told(aggregate.reduce(values)) == told(expected)


@pytest.mark.parametrize(
    "aggregate", [agg.sum, agg.mean, agg.var, agg.std, agg.quantile(0.5)], ids=lambda one: one.label
)
@pytest.mark.parametrize("value", ["x", b"x", [1], (1,)], ids=repr)
def test_value_that_is_no_number_is_refused(aggregate, value):
    with pytest.raises(ValueTypeError, match=f"{aggregate.label} cannot .*{type(value).__name__}"):
        result(aggregate, [("a", value), ("a", value)])


@pytest.mark.parametrize("cuts", [[], [1], [2]])
@pytest.mark.parametrize("values", [
    (Decimal("1.5"), 2.5, 1), (2.5, Decimal("1.5"), 1), (1, Decimal("1.5"), 2.5),
])  # fmt: skip
@pytest.mark.parametrize("aggregate", [agg.sum, agg.mean], ids=lambda one: one.label)
def test_decimals_and_floats_of_one_key_are_refused_by_its_name(aggregate, values, cuts):
    pairs = [("a", 1), *(("b", value) for value in values)]
    with pytest.raises(
        ValueTypeError, match=r"^key 'b': a Decimal and a float cannot be added .*\nHint: .*float\(value"
    ):
        result(aggregate, pairs, cuts)


@pytest.mark.parametrize("cuts", [[], [1], [2]])
@pytest.mark.parametrize("values", [({"x": 1, "y": 2}, 2, None), (None, 2, {"x": 1, "y": 2})], ids=str)
@pytest.mark.parametrize("aggregate", [agg.sum, agg.max, agg.var, agg.quantile(0.5)], ids=lambda one: one.label)
def test_dicts_and_plain_values_of_one_key_are_refused_by_its_name(aggregate, values, cuts):
    message = (
        rf"^key 'a': {aggregate.label} found dicts \(with 'x', 'y'\) and values that are no dicts\nHint: yield dicts"
    )
    with pytest.raises(ValueTypeError, match=message):
        result(aggregate, [("a", value) for value in values], cuts)


@pytest.mark.parametrize("cuts", [[], [1], [2]])
@pytest.mark.parametrize("aggregate", [agg.sum, agg.min, agg.mean, agg.quantile(0.5)], ids=lambda one: one.label)
def test_none_beside_dicts_is_no_value(aggregate, cuts):
    assert result(aggregate, [("a", None), ("a", {"x": 1, "y": 2}), ("a", None)], cuts) == [("a", 1, 2)]


decimals = st.decimals(allow_nan=False, allow_infinity=False, places=None) | st.sampled_from(
    [Decimal("1E+40"), Decimal("-1E+40"), Decimal("1E-40"), Decimal(10**28 + 1), Decimal("0.1")]
)


@given(values=st.lists(decimals | st.integers(), min_size=1, max_size=8), cuts=cuts, seed=st.randoms())
def test_sums_of_decimals_are_exact_in_any_order_and_cut(values, cuts, seed):
    shuffled = seed.sample(values, len(values))
    (found,), (other,) = (result(agg.sum, [("a", value) for value in each], cuts) for each in (values, shuffled))
    assert told(found) == told(other)
    assert Fraction(found[1]) == sum(map(Fraction, values))


def test_sums_of_decimals_have_a_bound():
    with pytest.raises(ValueTypeError, match=r"key 'a': a sum of Decimals has more than 1,000,000 digits\nHint: round"):
        result(agg.sum, [("a", Decimal("1E+2000000")), ("a", Decimal(1))])


def test_fractions_and_floats_are_rounded_once():
    values = [1e16, Fraction(1, 3), 1.0, -1e16]
    assert result(agg.sum, [("a", value) for value in values]) == [("a", 4 / 3)]
    assert result(agg.mean, [("a", value) for value in values], [2]) == [("a", 1 / 3)]


def test_sums_of_many_floats_carry_between_limbs():
    values = np.random.default_rng(5).normal(size=100_000) * 1e10
    found = result(agg.sum, [("a", value) for value in values.tolist()], range(0, 100_000, 9_999))
    assert found == [("a", math.fsum(values))]


def test_aggregates_by_name_look_at_one_value():
    found = result({"n": agg.count, "low": agg.min}, [("a", 2), ("a", 1)], [1])
    assert found == [("a", 2, 1)]


def test_builtins_stand_for_aggregates():
    for builtin, aggregate in (
        (sum, agg.sum),
        (min, agg.min),
        (max, agg.max),
        (len, agg.count),
        (list, agg.collect),
        (set, agg.set),
    ):
        assert as_reduction(builtin) == as_reduction(aggregate)


def test_functions_are_no_aggregates():
    assert as_reduction(lambda key, values: 1) is None
    assert as_reduction([1]) is None


def test_quantile_and_top_have_defaults():
    assert as_reduction(agg.quantile) == as_reduction(agg.quantile(0.5))
    assert as_reduction(agg.top) == as_reduction(agg.top(10))


NARROW = [pa.int8(), pa.int64(), pa.uint64(), pa.float32(), pa.string(), pa.large_string(), pa.binary(), pa.bool_(),
          pa.date32()]  # fmt: skip


@pytest.mark.parametrize("kind", NARROW, ids=str)
@pytest.mark.parametrize("has_missing", [False, True])
def test_collected_columns_hold_what_collected_values_do(kind, has_missing):
    numbers = [n % 7 for n in range(50)]
    is_text = pa.types.is_large_string(kind) or pa.types.is_string(kind) or pa.types.is_binary(kind)
    values = pa.array(numbers, pa.int32()).cast(pa.string() if is_text else kind).cast(kind)
    if has_missing:
        values = pc.if_else(pa.array([n % 9 > 0 for n in range(50)]), values, None)
    pairs = pa.table({"key": [n % 3 for n in range(50)], "value": values})
    expected = [(key, values.to_pylist()[key::3]) for key in range(3)]
    assert told(python_rows(as_reduction(list).finish([pairs]))) == told(expected)


@pytest.mark.parametrize("kind", [np.int8, np.int64, np.uint64, np.float32, np.float64])
@pytest.mark.parametrize("aggregate", [agg.min, agg.max], ids=lambda one: one.label)
def test_extremes_of_columns_are_the_first_of_equal_values(kind, aggregate):
    drawn = np.random.default_rng(4).integers(0, 9, 300).astype(kind)
    if np.issubdtype(kind, np.floating):
        drawn[::5], drawn[1::5], drawn[2::5] = NAN, 0.0, -0.0
        drawn[::3] = NAN
    for codes in (np.arange(300) % 7, np.arange(300) % 3):
        groups = codes.max() + 1
        (found,) = aggregate.from_values((pa.array(drawn), pa.field("", pa.array(drawn).type)), codes, groups).values()
        expected = [aggregate.reduce(drawn[codes == group].tolist()) for group in range(groups)]
        assert told(found.to_pylist()) == told(expected)
