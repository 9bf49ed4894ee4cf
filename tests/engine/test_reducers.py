"""What a reducer and a combiner may be, take and give."""

from __future__ import annotations

import math
from collections import Counter
from decimal import Decimal
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import mrkernel as mr
from mrkernel.errors import TaskFailedError

PAIRS = [("b", 3), ("a", 1), ("b", 1), ("a", 1), ("b", 2)]


# -- functions ---------------------------------------------------------------------------------------------------


def test_returned_value_keeps_the_key(run):
    assert list(run(mr.Job(None, lambda key, values: max(values) - min(values)), PAIRS)) == [("a", 0), ("b", 2)]


def test_yielded_pairs_choose_their_own_keys(run):
    def reducer(key, values):
        for value in values:
            yield value, key

    assert list(run(mr.Job(None, reducer), PAIRS)) == [(1, "a"), (1, "a"), (1, "b"), (2, "b"), (3, "b")]


def test_returned_none_leaves_the_key_out(run):
    def reducer(key, values):
        return sum(values) if len(values) > 2 else None

    assert dict(run(mr.Job(None, reducer), PAIRS)) == {"b": 6}


def test_reducer_that_leaves_every_key_out_gives_an_empty_result(run):
    assert dict(run(mr.Job(None, lambda key, values: None), PAIRS)) == {}


def test_reducer_that_yields_nothing_leaves_the_key_out(run):
    def reducer(key, values):
        if key == "a":
            yield key, 0

    assert dict(run(mr.Job(None, reducer), PAIRS)) == {"a": 0}


@pytest.mark.parametrize("returned", [(1, 2), [1, 2], "text", {1, 2}, False, 0, ("a", "b", "c")], ids=repr)
def test_returned_value_of_any_kind_is_the_value(inline, returned):
    found = list(inline(mr.Job(None, lambda key, values: returned), [("a", 1)]))
    assert found == [("a", returned)]
    assert type(found[0][1]) is type(returned)


class Scaled:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, key, values):
        return sum(values) * self.factor

    def method(self, key, values):
        yield key, sum(values) * self.factor


def scaled(factor, key, values):
    return sum(values) * factor


class Longest(mr.Reducer):
    def reduce(self, key, values):
        return max(values)


class Each(mr.Reducer):
    def reduce(self, key, values):
        for value in sorted(values):
            yield key, value


@pytest.mark.parametrize(
    "reducer", [Scaled(2), Scaled(2).method, partial(scaled, 2)], ids=["object", "method", "partial"]
)
def test_reducer_may_be_any_callable(run, reducer):
    assert dict(run(mr.Job(None, reducer), PAIRS)) == {"a": 4, "b": 12}


def test_reducer_class(run):
    assert dict(run(mr.Job(None, Longest), PAIRS)) == {"a": 1, "b": 3}
    assert list(run(mr.Job(None, Each), PAIRS)) == [("a", 1), ("a", 1), ("b", 1), ("b", 2), ("b", 3)]


def test_reducer_class_without_reduce_says_so(inline):
    class Nothing(mr.Reducer):
        pass

    with pytest.raises(TaskFailedError, match=r"Nothing does not define reduce\(self, key, values\)"):
        inline(mr.Job(None, Nothing), PAIRS)


# -- values ------------------------------------------------------------------------------------------------------


def test_values_have_a_length_and_can_be_iterated_again(run):
    def reducer(key, values):
        return [len(values), list(values), sum(values), [*values] == list(values)]

    assert dict(run(mr.Job(None, reducer), PAIRS)) == {"a": [2, [1, 1], 2, True], "b": [3, [3, 1, 2], 6, True]}


def test_values_keep_input_order_over_splits(run):
    pairs = [(n % 3, n) for n in range(300)]
    found = dict(run(mr.Job(None, lambda key, values: list(values)), pairs, chunk_size=200, reducers=2))
    assert found == {key: list(range(key, 300, 3)) for key in range(3)}


def test_values_are_an_arrow_array_without_a_copy(run):
    def reducer(key, values):
        assert isinstance(values.array, pa.Array)
        return str(values.array.type), values.array.to_pylist()

    assert dict(run(mr.Job(None, reducer), PAIRS)) == {"a": ("int64", [1, 1]), "b": ("int64", [3, 1, 2])}


def test_one_key_may_have_more_values_than_are_decoded_at_once(inline):
    def reducer(key, values):
        return len(values), sum(values), sum(1 for _ in values)

    assert dict(inline(mr.Job(lambda n: (0, n), reducer), range(150_000))) == {
        0: (150_000, sum(range(150_000)), 150_000)
    }


def by_array(key, values: pa.Array):
    return type(values).__name__, values.to_pylist()


def by_numpy(key, values: np.ndarray):
    return type(values).__name__, values.tolist()


def by_series(key, values: pd.Series):
    return type(values).__name__, values.tolist()


def by_polars(key, values: pl.Series):
    return type(values).__name__, values.to_list()


class ByNumpy(mr.Reducer):
    def reduce(self, key, values: np.ndarray):
        return type(values).__name__, values.tolist()


@pytest.mark.parametrize(
    ("reducer", "kind"),
    [
        (by_array, "Int64Array"),
        (by_numpy, "ndarray"),
        (by_series, "Series"),
        (by_polars, "Series"),
        (ByNumpy, "ndarray"),
    ],
)
def test_values_arrive_as_their_annotation_asks(run, reducer, kind):
    assert dict(run(mr.Job(None, reducer), PAIRS)) == {"a": (kind, [1, 1]), "b": (kind, [3, 1, 2])}


@pytest.mark.parametrize("reducer", [by_numpy, by_series])
def test_values_of_mixed_types_arrive_as_objects(inline, reducer):
    mixed = [1, "x", None, (1, 2), 2**70]
    assert dict(inline(mr.Job(None, reducer), [("a", value) for value in mixed]))["a"][1] == mixed


def test_dicts_of_one_form_arrive_as_structs(inline):
    def by_fields(key: str, values: pa.Array) -> list[int]:
        return values.field("n").to_pylist()

    assert dict(inline(mr.Job(None, by_fields), [("a", {"n": 1}), ("a", {"n": 2})])) == {"a": [1, 2]}


@pytest.mark.parametrize("mixed", [[1, "x"], [{"n": 1}, {"n": "x"}], [{"n": {"m": 1}}, {"n": {"m": 2**70}}]])
def test_values_of_mixed_types_have_no_arrow_form(inline, mixed):
    told = "the values of a key, or their fields, are of several types, such as .*1.*; they have no arrow form"
    with pytest.raises(TaskFailedError, match=told):
        inline(mr.Job(None, by_array), [("a", value) for value in mixed])


# -- aggregates --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reducer", "expected"),
    [
        (sum, {"a": 2, "b": 6}),
        (min, {"a": 1, "b": 1}),
        (max, {"a": 1, "b": 3}),
        (len, {"a": 2, "b": 3}),
        (list, {"a": [1, 1], "b": [3, 1, 2]}),
        (set, {"a": {1}, "b": {1, 2, 3}}),
        (mr.agg.sum, {"a": 2, "b": 6}),
        (mr.agg.count, {"a": 2, "b": 3}),
        (mr.agg.mean, {"a": 1.0, "b": 2.0}),
        (mr.agg.var, {"a": 0.0, "b": 1.0}),
        (mr.agg.std, {"a": 0.0, "b": 1.0}),
        (mr.agg.var(ddof=0), {"a": 0.0, "b": 2 / 3}),
        (mr.agg.quantile(0.5), {"a": 1.0, "b": 2.0}),
        (mr.agg.top(2), {"a": [1, 1], "b": [3, 2]}),
        (mr.agg.distinct, {"a": 1, "b": 3}),
        (mr.agg.first, {"a": 1, "b": 3}),
        (mr.agg.collect, {"a": [1, 1], "b": [3, 1, 2]}),
        (mr.agg.set, {"a": {1}, "b": {1, 2, 3}}),
    ],
    ids=lambda value: getattr(value, "label", getattr(value, "__name__", "")),
)
def test_aggregate(run, reducer, expected):
    assert dict(run(mr.Job(None, reducer), PAIRS, chunk_size=20)) == expected


def test_aggregates_by_name_are_columns(run):
    job = mr.Job(None, {"n": len, "low": min, "all": list, "mean": mr.agg.mean})
    result = run(job, PAIRS, chunk_size=20)
    assert result.schema.names == ["key", "n", "low", "all", "mean"]
    assert dict(result)["b"] == {"n": 3, "low": 1, "all": [3, 1, 2], "mean": 2.0}


def test_aggregates_by_name_take_the_field_of_their_name(run):
    pairs = [("a", {"x": 1, "y": 5.0}), ("a", {"x": 3, "y": 1.0})]
    assert dict(run(mr.Job(None, {"x": sum, "y": min}), pairs, chunk_size=1)) == {"a": {"x": 4, "y": 1.0}}


def test_aggregate_of_a_missing_field_says_which_there_are(inline):
    with pytest.raises(TaskFailedError, match="the reducer aggregates the field 'z', the values have x, y"):
        inline(mr.Job(None, {"z": sum}), [("a", {"x": 1, "y": 5.0})])


@pytest.mark.parametrize("combine", [True, False])
def test_dict_values_are_aggregated_field_by_field(run, combine):
    pairs = [
        ("a", {"x": 1, "y": 0.5}),
        ("b", {"x": 5, "y": 1.0}),
        ("a", {"x": 2**62, "y": 0.25}),
        ("a", {"x": 2**62, "y": None}),
    ]
    assert dict(run(mr.Job(None, sum), pairs, chunk_size=1, combine=combine)) == {
        "a": {"x": 2**63 + 1, "y": 0.75}, "b": {"x": 5, "y": 1.0},
    }  # fmt: skip


def test_dict_values_of_different_fields_are_summed_like_counters(run):
    pairs = [("a", {"x": 1}), ("a", {"y": 2}), ("a", {"x": 3, "z": 4})]
    assert dict(run(mr.Job(None, sum), pairs, chunk_size=1)) == {"a": {"x": 4, "y": 2, "z": 4}}


def test_dict_values_become_columns(run):
    result = run(mr.Job(None, lambda key, values: {"n": len(values), "low": min(values)}), PAIRS)
    assert result.schema.names == ["key", "n", "low"]
    assert result.to_pandas().to_dict("list") == {"key": ["a", "b"], "n": [2, 3], "low": [1, 1]}


def test_sums_of_floats_are_exact_however_they_are_cut(run):
    values = [1e16, 1.0, -1e16, 0.1, 1e-300, -0.1, 1e308, 1e308, -1e308, -1e308] * 3
    for chunk_size in (10, 10_000):
        found = dict(run(mr.Job(lambda value: ("all", value), sum), values, chunk_size=chunk_size))["all"]
        assert found == math.fsum(value for value in values if abs(value) < 1e300)


def test_sums_beyond_64_bits_stay_ints(run):
    assert dict(run(mr.Job(lambda n: ("all", n), sum), [2**63 - 1] * 5, chunk_size=1)) == {"all": 5 * (2**63 - 1)}
    assert dict(run(mr.Job(lambda n: ("all", n), sum), [2**63 - 1] * 5)) == {"all": 5 * (2**63 - 1)}


def test_sum_of_numpy_integers_does_not_overflow(inline):
    assert dict(inline(mr.Job(lambda n: ("all", np.int64(n)), sum), [2**62] * 4)) == {"all": 2**64}


def test_sum_of_decimals_stays_decimal(run):
    found = dict(run(mr.Job(lambda n: ("all", Decimal(n)), sum), ["0.10", "0.2", "1"], chunk_size=1))
    assert repr(found) == "{'all': Decimal('1.30')}"


def test_sum_of_text_says_what_it_cannot_add(run):
    with pytest.raises(TaskFailedError, match="sum cannot add the value 'x' of type str"):
        run(mr.Job(lambda line: (line, "x"), sum), ["a"])


def test_min_of_values_that_cannot_be_compared_says_which(inline):
    with pytest.raises(TaskFailedError, match=r"min cannot compare (int 1 with str 'x'|str 'x' with int 1)"):
        inline(mr.Job(None, min), [("a", 1), ("a", "x")])


# -- combiners ---------------------------------------------------------------------------------------------------


def test_combiner_function_runs_inside_map_tasks(run):
    def combiner(key, values):
        mr.counter("combined")
        return sum(values)

    result = run(mr.Job(None, lambda key, values: sum(values), combiner=combiner), PAIRS * 10, combine=True)
    assert dict(result) == {"a": 20, "b": 60}
    assert result.counters["combined"] == 2
    assert [stage.records_out for stage in result.report.stages] == [50, 2]


def test_combiner_function_may_yield_pairs(run):
    def combiner(key, values):
        yield key, sum(values)

    assert dict(run(mr.Job(None, sum, combiner=combiner), PAIRS, chunk_size=20)) == {"a": 2, "b": 6}


def test_combiner_may_be_another_aggregate_than_the_reducer(run):
    assert dict(run(mr.Job(None, lambda key, values: sum(values), combiner=sum), PAIRS, chunk_size=20)) == {
        "a": 2,
        "b": 6,
    }


def test_combiner_class(run):
    class Total(mr.Reducer):
        def reduce(self, key, values):
            return sum(values)

    assert dict(run(mr.Job(None, Total, combiner=Total), PAIRS, chunk_size=20)) == {"a": 2, "b": 6}


def test_combine_off_never_calls_the_combiner(run):
    def combiner(key, values):
        raise AssertionError("not to be called")

    assert dict(run(mr.Job(None, sum, combiner=combiner), PAIRS, combine=False)) == {"a": 2, "b": 6}


def test_reducer_function_is_never_taken_for_a_combiner(run):
    assert dict(run(mr.Job(None, lambda key, values: len(values)), PAIRS, chunk_size=20, combine=True)) == {
        "a": 2,
        "b": 3,
    }


def test_combining_is_switched_off_where_it_saves_nothing_and_says_so(inline):
    result = inline(mr.Job(lambda n: (n, 1), sum), range(200_000))
    assert len(result) == 200_000
    assert any(note.startswith("combining was switched off") for note in result.report.notes)


def test_many_small_outputs_are_merged_in_a_tree(run):
    records = [f"w{n % 7}" for n in range(80)]
    result = run(mr.Job(lambda word: (word, 1), sum), records, chunk_size=1)
    assert dict(result) == Counter(records)
    assert any(note.startswith("merging 80 small outputs in a tree") for note in result.report.notes)
