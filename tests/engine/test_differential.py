"""Random jobs against twenty lines of plain Python: same keys, same values, same types, however the work is cut."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import mrkernel as mr
from tests.engine.reference import exact_mean, exact_sum, exact_variance, in_order, map_reduce, told

NAN, INF = float("nan"), float("inf")
ZONES = (
    dt.UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata"), dt.timezone(dt.timedelta(hours=2)), ZoneInfo("UTC"),
)  # fmt: skip
NOON = dt.datetime(2024, 3, 31, 12, 0, 0, 250_000)

_SCALARS = [
    None, False, True, 0, 1, -1, 2, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 2**63, 10**30, 0.0, -0.0, 1.0, 2.0, 0.5, NAN,
    INF, -INF, float(2**53), 1e30, 5e-324, "", "1", "a", "A", "é", "\x00", "\ud800", b"", b"1", b"a",
    Decimal(1), Decimal("0.5"), Decimal("1.50"), Fraction(1, 2), Fraction(3, 2), Fraction(2), 1.5,
    NOON, *(NOON.replace(tzinfo=zone) for zone in ZONES), NOON.replace(tzinfo=dt.UTC).astimezone(ZONES[1]),
    dt.date(2024, 3, 31), dt.date(1582, 10, 15), dt.datetime(2024, 3, 31), dt.timedelta(seconds=1), dt.timedelta(0),
    uuid.UUID(int=1), uuid.UUID(int=2),
]  # fmt: skip
scalars = st.sampled_from(_SCALARS)
tuples = st.tuples(scalars) | st.tuples(scalars, scalars) | st.tuples(scalars, st.tuples(scalars)) | st.just(())
few_numbers = st.sampled_from([0, 1, 2, True, 1.0, -0.0, 0.0, NAN, 0.5, 2**70])
keys = st.one_of(scalars, tuples, few_numbers, st.sampled_from([frozenset(), frozenset({1, "a"}), frozenset({1})]))

floats = st.floats(width=64)
integers = st.integers(-(2**70), 2**70) | st.integers(-9, 9)
numbers = st.one_of(st.none(), st.booleans(), integers, floats, st.sampled_from([1e300, -1e300, 1e-300, 0.1, -0.0]))
anything = st.one_of(
    keys, numbers, st.lists(st.integers(-3, 3), max_size=3), st.binary(max_size=3), st.text(max_size=3),
    st.fixed_dictionaries({"a": st.integers(-9, 9), "b": st.none() | floats}),
)  # fmt: skip

cuts = st.fixed_dictionaries(
    {
        "n_splits": st.sampled_from([1, 2, 7, 64]),
        "reducers": st.sampled_from([None, 1, 3, 8]),
        "combine": st.sampled_from([None, True, False]),
        # With a few bytes every partition goes through a file, with one each key alone.
        "memory_limit": st.sampled_from([None, None, 4000, 1]),
    }
)
each_pair_list = st.lists(st.tuples(keys, anything), max_size=30)
each_number_list = st.lists(st.tuples(st.sampled_from(["a", "b", 1, True, 1.0, None]), numbers), max_size=40)

PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
inline_examples = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
cluster_examples = settings(inline_examples, max_examples=5)


def in_splits(records, n_splits):
    """The records as a source of exactly so many splits, some of them empty where there are few records."""
    edges = [len(records) * n // n_splits for n in range(n_splits + 1)]
    return mr.custom(lambda: list(pairwise(edges)), lambda edge: records[edge[0] : edge[1]])


def same(pair):
    return pair


def least(values, *, sign=1):
    """The first of the smallest values; NaN only where there is nothing else."""
    present = [value for value in values if value is not None]
    numbers = [value for value in present if value == value]
    best = None
    for value in numbers:
        if best is None or sign * value < sign * best:
            best = value
    return best if numbers else present[0] if present else None


def check(reducer, expected_of, pairs, cut, executor="inline"):
    limit = cut["memory_limit"] if executor == "inline" else None
    result = mr.run(mr.Job(same, reducer), in_splits(pairs, cut["n_splits"]), executor=executor,
                    reducers=cut["reducers"], combine=cut["combine"], memory_limit=limit)  # fmt: skip
    expected = map_reduce(pairs, lambda key, values: expected_of(values))
    found = list(result)
    if cut["reducers"] not in (None, 1):
        found.sort(key=lambda pair: in_order(pair[0]))
    assert [told(pair) for pair in found] == [told(pair) for pair in expected]


def without_none(values):
    return [value for value in values if value is not None]


AGGREGATES = {
    "sum": (sum, exact_sum),
    "mean": (mr.agg.mean, exact_mean),
    "var": (mr.agg.var, exact_variance),
    "min": (min, least),
    "max": (max, lambda values: least(values, sign=-1)),
    "named": (
        {"n": mr.agg.count, "sum": mr.agg.sum, "low": mr.agg.min},
        lambda values: {"n": len(values), "sum": exact_sum(values), "low": least(values)},
    ),
}


@pytest.mark.parametrize("name", AGGREGATES)
@inline_examples
@given(pairs=each_number_list, cut=cuts)
def test_numbers_are_aggregated_as_in_plain_python(name, pairs, cut):
    check(*AGGREGATES[name], pairs, cut)


@inline_examples
@given(pairs=st.lists(st.tuples(keys, st.sampled_from([1, 1, 2, True, 2**62])), max_size=40), cut=cuts)
def test_counts_keep_the_widest_of_equal_keys(pairs, cut):
    check(sum, sum, pairs, cut)
    check(len, len, pairs, cut)


ANY_VALUES = {
    "len": (len, len),
    "list": (list, list),
    "first": (mr.agg.first, lambda values: values[0]),
    "function": (lambda key, values: list(values), list),
    "function that looks at its key": (lambda key, values: (key, len(values)), None),
}


@pytest.mark.parametrize("name", ANY_VALUES)
@inline_examples
@given(pairs=each_pair_list, cut=cuts)
def test_values_of_every_kind_come_out_as_they_went_in(name, pairs, cut):
    reducer, expected = ANY_VALUES[name]
    if expected is None:
        result = mr.run(
            mr.Job(same, reducer), in_splits(pairs, cut["n_splits"]), executor="inline", reducers=cut["reducers"],
            memory_limit=cut["memory_limit"],
        )  # fmt: skip
        wanted = map_reduce(pairs, lambda key, values: (key, len(values)))
        assert sorted(map(told, result)) == sorted(map(told, wanted))
    else:
        check(reducer, expected, pairs, cut)


@inline_examples
@given(pairs=st.lists(st.tuples(st.sampled_from(["a", 1, True, None]), keys), max_size=30), cut=cuts)
def test_set_and_distinct_use_the_equality_of_keys(pairs, cut):
    def different(values):
        return [
            key for key, _ in map_reduce([(value, None) for value in without_none(values)], lambda key, values: None)
        ]

    check(mr.agg.distinct, lambda values: len(different(values)), pairs, cut)


@inline_examples
@given(
    pairs=st.lists(st.tuples(st.sampled_from("ab"), st.one_of(st.integers(-9, 9), st.none())), max_size=30), cut=cuts
)
def test_set_top_and_quantile_leave_none_out(pairs, cut):
    check(set, lambda values: set(without_none(values)), pairs, cut)
    check(mr.agg.top(3), lambda values: sorted(without_none(values), reverse=True)[:3], pairs, cut)
    check(
        mr.agg.quantile(1),
        lambda values: float(max(without_none(values))) if without_none(values) else None,
        pairs,
        cut,
    )


@inline_examples
@given(pairs=each_pair_list, n_splits=st.sampled_from([1, 2, 7]))
def test_map_only_job_gives_back_every_pair_in_order(pairs, n_splits):
    found = mr.run(mr.Job(same), in_splits(pairs, n_splits), executor="inline")
    zero_is_positive = map_reduce([(n, pair) for n, pair in enumerate(pairs)], lambda key, values: values[0])
    assert [told(value) for _, value in found] == [told(value) for _, (_, value) in zero_is_positive]
    assert len(found) == len(pairs)


@inline_examples
@given(pairs=each_pair_list, cut=cuts)
def test_sort_key_orders_the_whole_result(pairs, cut):
    found = mr.run(
        mr.Job(same, sort="key"), in_splits(pairs, cut["n_splits"]), executor="inline", reducers=cut["reducers"],
        memory_limit=cut["memory_limit"],
    )  # fmt: skip
    expected = [value for _, values in map_reduce(pairs, lambda key, values: values) for value in values]
    assert [told(value) for _, value in found] == [told(value) for value in expected]


@inline_examples
@given(pairs=st.lists(st.tuples(st.sampled_from("ab"), keys), max_size=30), cut=cuts)
def test_sort_values_orders_the_values_of_each_key(pairs, cut):
    job = mr.Job(same, lambda key, values: [in_order(value) for value in values], sort_values=True)
    result = mr.run(job, in_splits(pairs, cut["n_splits"]), executor="inline", reducers=cut["reducers"],
                    memory_limit=cut["memory_limit"])  # fmt: skip
    for _, tokens in result:
        assert told(tokens) == told(sorted(tokens))


@pytest.mark.cluster
@pytest.mark.parametrize("name", ["sum", "named"])
@cluster_examples
@given(pairs=each_number_list, cut=cuts)
def test_workers_aggregate_as_plain_python_does(cluster, name, pairs, cut):
    check(*AGGREGATES[name], pairs, {**cut, "n_splits": min(cut["n_splits"], 7)}, executor="cluster")


@pytest.mark.cluster
@cluster_examples
@given(pairs=each_pair_list, cut=cuts)
def test_workers_give_back_values_of_every_kind(cluster, pairs, cut):
    check(list, list, pairs, {**cut, "n_splits": min(cut["n_splits"], 7)}, executor="cluster")
