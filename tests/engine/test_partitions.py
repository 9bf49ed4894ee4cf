"""Partitions, the order of rows, and chains of steps."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import pyarrow as pa
import pytest
from pyarrow import ipc

import mrkernel as mr
from mrkernel.engine.joining import joined_in_key_order
from mrkernel.engine.partfiles import write_batches
from mrkernel.engine.shuffle import Run
from mrkernel.errors import TaskFailedError

NAN = float("nan")


def parts(result):
    """The keys of each part of a result."""
    found = []
    for part in result.__mrkernel_source__().parts:
        with pa.memory_map(part.path) as file:
            found.append(ipc.open_file(file).read_all()["key"].to_pylist())
    return found


def by_length(key, partitions):
    return len(key) % partitions


def test_partitioner_decides_which_part_a_key_is_in(run):
    words = ["a", "bb", "ccc", "dddd", "ee", "f"]
    result = run(mr.Job(lambda word: (word, 1), sum, partitioner=by_length), words, reducers=3, chunk_size=4)
    assert parts(result) == [["ccc"], ["a", "dddd", "f"], ["bb", "ee"]]


def test_partitioner_works_with_a_reducer_function(run):
    result = run(mr.Job(lambda word: (word, word), lambda key, values: len(values), partitioner=by_length),
                 ["a", "bb", "a"], reducers=2)  # fmt: skip
    assert parts(result) == [["bb"], ["a"]]


def test_partitioner_is_told_the_number_of_partitions(run):
    def partitioner(key, partitions):
        assert partitions == 5
        return key

    assert parts(run(mr.Job(lambda n: (n % 5, 1), sum, partitioner=partitioner), range(10), reducers=5)) == [
        [0],
        [1],
        [2],
        [3],
        [4],
    ]


@pytest.mark.parametrize("returned", [-1, 2, 1.0, None, "0"])
def test_partitioner_that_returns_no_partition_says_what_it_returned(run, returned):
    with pytest.raises(
        TaskFailedError,
        match=f"the partitioner returned {returned!r} for the key 'a'; it must return an int from 0 to 1",
    ):
        run(mr.Job(lambda word: (word, 1), sum, partitioner=lambda key, partitions: returned), ["a"], reducers=2)


def test_rows_are_sorted_by_key_within_each_part(run):
    result = run(mr.Job(lambda n: (n * 7919 % 1000, 1), sum), range(1000), reducers=4, chunk_size=500)
    found = parts(result)
    assert all(part == sorted(part) for part in found)
    assert sorted(key for part in found for key in part) == list(range(1000))
    assert len(found) == 4


def test_reducer_that_yields_other_keys_still_gives_sorted_parts(run):
    def reducer(key, values):
        yield -key, sum(values)

    assert [key for key, _ in run(mr.Job(lambda n: (n, n), reducer), range(5))] == [-4, -3, -2, -1, 0]


@pytest.mark.parametrize("reducers", [1, 3, 8])
def test_number_of_parts_is_that_of_the_partitions_that_have_rows(run, reducers):
    result = run(mr.Job(lambda n: (n, 1), sum), range(200), reducers=reducers)
    assert result.num_parts == reducers
    assert dict(result) == dict.fromkeys(range(200), 1)


MIXED = [
    "b", 2, None, (1, "x"), 1.5, b"y", True, NAN, dt.date(2024, 1, 2), "a", (1, 2), dt.datetime(2024, 1, 1), -0.0,
    Decimal("2.5"), uuid.UUID(int=3), frozenset({1}), (0, None), 2**80, dt.timedelta(1),
]  # fmt: skip
ORDERED = [
    None, 0.0, True, 1.5, 2, Decimal("2.5"), 2**80, NAN, "a", "b", b"y", dt.datetime(2024, 1, 1), dt.date(2024, 1, 2),
    dt.timedelta(1), (0, None), (1, 2), (1, "x"), frozenset({1}), uuid.UUID(int=3),
]  # fmt: skip


@pytest.mark.parametrize("chunk_size", [1, 10_000])
def test_mixed_keys_are_sorted_by_kind_and_then_by_value(run, chunk_size):
    result = run(mr.Job(lambda key: (key, 1), sum), MIXED, chunk_size=chunk_size, reducers=1)
    assert list(map(repr, result.keys())) == list(map(repr, ORDERED))


@pytest.mark.parametrize("reducers", [None, 1, 4])
def test_sort_orders_mixed_keys_over_all_parts(run, reducers):
    result = run(mr.Job(lambda key: (key, 1), sort="key"), MIXED * 3, chunk_size=20, reducers=reducers)
    assert list(map(repr, result.keys())) == [repr(key) for key in ORDERED for _ in range(3)]


@pytest.mark.parametrize(
    "keys",
    [
        [n * 7919 % 5000 for n in range(5000)], [n / 7 % 1 for n in range(3000)],
        [f"{n * 31 % 997:x}" for n in range(3000)],
        [dt.datetime(2024, 1, 1) + dt.timedelta(hours=n * 997 % 5000) for n in range(500)],
        [(n % 7, f"{n % 13}") for n in range(1000)], ["same"] * 500, [Decimal(n % 50) / 4 for n in range(300)],
    ],
    ids=["ints", "floats", "text", "datetimes", "tuples", "one key", "decimals"],
)  # fmt: skip
def test_sort_orders_the_whole_result_by_ranges(run, keys):
    result = run(mr.Job(lambda key: (key, 1), sort="key"), keys, chunk_size=2000, reducers=4)
    assert result.keys() == sorted(keys)
    assert result.num_parts == min(4, len(set(keys)))


def test_sort_with_an_aggregate_orders_the_sums(run):
    result = run(mr.Job(lambda n: (n * 7919 % 100, 1), sum, sort="key"), range(1000), chunk_size=500, reducers=3)
    assert list(result) == [(key, 10) for key in range(100)]


def test_sort_keeps_a_heavy_key_in_one_part(run):
    result = run(mr.Job(lambda key: (key, 1), len, sort="key"), ["m"] * 1000 + ["a", "z"], chunk_size=300, reducers=4)
    assert list(result) == [("a", 1), ("m", 1000), ("z", 1)]


def test_sort_keeps_equal_keys_in_input_order(run):
    found = run(mr.Job(lambda n: (n % 2, n), sort="key"), range(10), chunk_size=10)
    assert [value for _, value in found] == [0, 2, 4, 6, 8, 1, 3, 5, 7, 9]


def test_sort_key_of_reducers_own_keys_orders_each_part(inline):
    def reducer(key, values):
        yield -key, 1

    found = inline(mr.Job(lambda n: (n, 1), reducer, sort="key"), range(10), reducers=2)
    assert sorted(found.keys()) == list(range(-9, 1))


# -- steps ---------------------------------------------------------------------------------------------------------


def test_chain_of_three_steps(run):
    job = (
        mr.Job(lambda line: [(word, 1) for word in line.split()], sum)
        .then(mr.Job(lambda word, n: (n, word), list))
        .then(mr.Job(lambda n, words: (n, len(words))))
    )
    assert dict(run(job, ["a b a", "c b a"], chunk_size=1)) == {1: 1, 2: 1, 3: 1}


def test_chain_over_map_only_steps_keeps_the_order(run):
    job = mr.Job(lambda n: (n, n * 2)).then(mr.Job(lambda n, twice: (twice, n)))
    assert list(run(job, range(10), chunk_size=10)) == [(n * 2, n) for n in range(10)]


def test_chain_without_a_second_mapper_reduces_the_pairs(run):
    job = mr.Job(lambda n: (n % 2, n)).then(mr.Job(None, sum))
    assert dict(run(job, range(10), chunk_size=10, reducers=2)) == {0: 20, 1: 25}


def test_chain_hands_on_dicts_as_values(run):
    job = mr.Job(lambda n: (n, {"a": n, "b": str(n)})).then(mr.Job(lambda key, row: (row["b"], row["a"] + key)))
    assert dict(run(job, [1, 2])) == {"1": 2, "2": 4}


def test_chain_into_a_mapper_of_rows(run):
    job = mr.Job(lambda n: (n % 2, n), sum).then(mr.Job(lambda row: (row["value"], row["key"])))
    assert list(run(job, range(5))) == [(6, 0), (4, 1)]


def test_chain_names_its_stages(run):
    result = run(mr.Job(lambda n: (n, 1), sum).then(mr.Job(lambda n, one: (n, one), sum)), range(3))
    assert [stage.name for stage in result.report.stages] == ["map", "reduce", "map 2", "reduce 2"]


def test_chain_that_fails_in_its_second_step_names_the_record(run):
    job = mr.Job(lambda n: (n, n), name="first").then(mr.Job(lambda n, value: (1 // n, 1)))
    with pytest.raises(TaskFailedError, match="mapper failed at row 1 of the step before: ZeroDivisionError"):
        run(job, [0, 1])


def test_result_feeds_several_jobs(run):
    numbers = run(mr.Job(lambda n: (n, n * n)), range(10), chunk_size=5)
    total = run(mr.Job(lambda n, square: ("sum", square), sum), numbers, chunk_size=1)
    most = run(mr.Job(lambda n, square: ("max", square), max), numbers)
    assert (dict(total), dict(most)) == ({"sum": 285}, {"max": 81})


def test_map_only_job_keeps_input_order_over_splits_and_types(run):
    records = [1, "a", 2.5, None, (1, 2), "b", 3] * 5
    assert [value for _, value in run(mr.Job(lambda record: (0, record)), records, chunk_size=10)] == records


@pytest.mark.parametrize(("size", "n_parts"), [(10, 1), (20 << 20, 2)], ids=["small", "large"])
def test_what_the_driver_puts_in_order_is_small(tmp_path, size, n_parts):
    parts = []
    for number, key in enumerate("ba"):
        path = str(tmp_path / f"part-{number}.arrow")
        rows, n_bytes = write_batches([pa.table({"key": [key], "value": ["x" * size]})], path)
        parts.append(Run(task=number, path=path, worker="", rows=(rows,), n_bytes=n_bytes))
    joined = joined_in_key_order(parts)
    assert [part.n_rows for part in joined] == [2 // n_parts] * n_parts
