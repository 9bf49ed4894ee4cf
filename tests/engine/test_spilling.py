"""Partitions larger than a task may hold: the same answers from ranges of keys on disk, in bounded memory."""

from __future__ import annotations

import itertools
import os
import random
from functools import partial
from http import HTTPStatus

import numpy as np
import pyarrow as pa
import pytest

import mrkernel as mr
from mrkernel.batches import decode_column, make_table
from mrkernel.engine.tasks import collecting, parts
from mrkernel.engine.tasks.parts import PartWriter
from mrkernel.engine.tasks.spilling import SpilledColumn, key_ranges
from mrkernel.grouping import encode_keys, sort_token
from mrkernel.result import Result

# A task goes on from disk with more than an eighth of it.
LITTLE = 40_000
HEAVY = 12_000


def table(keys, values):
    return make_table([encode_keys(keys), (pa.array(values), pa.field("value", pa.array(values).type))])


def pieces_of(tables):
    return [partial(lambda found: found, found) for found in tables]


def rows_of(found):
    return [row for one in found.each() for row in zip(*(decode_column(one.column(n), one.schema.field(n))
                                                         for n in range(2)), strict=True)]  # fmt: skip


def ranges_of(tables, room, folder):
    n_bytes = sum(one.nbytes for one in tables)
    return [(rows_of(found), found) for found in key_ranges(pieces_of(tables), n_bytes, room=room, folder=folder)]


NUMBERS = itertools.count()
KEYS = {
    "text": lambda draw: f"key {draw.randrange(3000)}",
    "numbers": lambda draw: draw.choice([draw.randrange(3000), draw.random(), True, 0.0, float("nan")]),
    "mixed": lambda draw: draw.choice([None, draw.randrange(3000), f"k{draw.randrange(99)}", (draw.randrange(50), "a"),
                                       b"bytes"]),
    "one heavy": lambda draw: "heavy" if draw.random() < 0.9 else f"key {draw.randrange(3000)}",
    "in order of the input": lambda draw: next(NUMBERS),
}  # fmt: skip


@pytest.mark.parametrize("name", KEYS)
def test_ranges_hold_every_row_once_in_the_order_of_keys(name, tmp_path):
    draw = random.Random(5)
    keys = [KEYS[name](draw) for _ in range(9000)]
    tables = [table(keys[start : start + 1000], list(range(start, start + 1000))) for start in range(0, 9000, 1000)]
    found = ranges_of(tables, LITTLE // 2, tmp_path)
    assert len(found) > 2
    rows = [row for rows, _ in found for row in rows]
    assert sorted(value for _, value in rows) == list(range(9000))
    seen: set = set()
    last = None
    for rows, one in found:
        tokens = [str(sort_token(key)) for key, _ in rows]
        # All rows of a key are in one range, in their old order.
        assert not seen & set(tokens)
        seen |= set(tokens)
        smallest, largest = (choose((sort_token(key) for key, _ in rows)) for choose in (min, max))
        assert last is None or last < smallest
        last = largest
        values: dict = {}
        for token, (_, value) in zip(tokens, rows, strict=True):
            values.setdefault(token, []).append(value)
        assert all(own == sorted(own) for own in values.values())
        assert one.n_rows == len(rows)
        assert one.n_bytes <= LITTLE // 2 or (one.has_one_key and smallest == largest)
    assert name != "one heavy" or any(one.has_one_key for _, one in found)


def test_a_range_of_one_key_shows_the_widest_of_equal_keys(tmp_path):
    tables = [table([1] * 1000, list(range(1000))), table([1.0] * 1000, list(range(1000)))]
    ((_, one),) = ranges_of(tables, 100, tmp_path)
    assert [type(key) for key in decode_column(*one.key())] == [float]


def test_the_file_has_no_name_and_goes_with_its_ranges(tmp_path):
    open_before = len(os.listdir("/proc/self/fd"))
    found = ranges_of([table(["a"] * 1000, list(range(1000)))], 100, tmp_path)
    assert not os.listdir(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == open_before + 1
    del found
    assert len(os.listdir("/proc/self/fd")) == open_before


@pytest.mark.parametrize("values", [
    list(range(120_000)), [None, 1.5] * 60_000, ["text", "é", None, ""] * 30_000, [[1], []] * 60_000,
], ids=["integers", "missing numbers", "text", "lists"])  # fmt: skip
def test_a_spilled_column_gives_what_an_array_gives(values, tmp_path):
    tables = [table(["a"] * 30_000, values[start : start + 30_000]) for start in range(0, 120_000, 30_000)]
    ((_, one),) = ranges_of(tables, 100, tmp_path)
    column, array = one.values(), pa.array(values)
    assert isinstance(column, SpilledColumn)
    assert (len(column), column.type) == (len(array), array.type)
    for start, length in [(0, 10), (29_990, 20), (119_990, 100), (25_000, 70_000), (5, 0)]:
        assert column.slice(start, length).to_pylist() == array.slice(start, length).to_pylist()


def words_and_one_heavy_key():
    draw = random.Random(3)
    pairs = [("heavy" if n % 4 else f"word {draw.randrange(800)}", n) for n in range(HEAVY)]
    expected: dict = {}
    for key, value in pairs:
        expected.setdefault(key, []).append(value)
    return pairs, expected


def described(key, values):
    in_one = list(values)
    again = sum(values)
    assert len(values) == len(in_one)
    return {"n": len(in_one), "first": in_one[0], "last": in_one[-1], "sum": again}


def as_array(key, values: pa.Array):
    return {"n": len(values), "first": values[0].as_py(), "last": values[-1].as_py(),
            "sum": int(np.sum(values.to_numpy()))}  # fmt: skip


@pytest.mark.parametrize("reducer", [described, as_array])
@pytest.mark.parametrize("options", [{}, {"reducers": 1}, {"reducers": 5}, {"on_error": "skip"}], ids=str)
def test_values_of_a_heavy_key_are_streamed_to_a_reducer_function(inline, reducer, options):
    pairs, expected = words_and_one_heavy_key()
    result = inline(mr.Job(None, reducer), pairs, chunk_size=2000, memory_limit=LITTLE, **options)
    wanted = {key: {"n": len(values), "first": values[0], "last": values[-1], "sum": sum(values)}
              for key, values in expected.items()}  # fmt: skip
    assert dict(result) == wanted
    if options.get("reducers") != 5:
        assert list(result.keys()) == sorted(wanted)
    assert "to stay within the memory" in str(result.report.progress.log)
    assert result.report.skew.keys[0].key == "'heavy'"
    assert result.report.skew.keys[0].n_pairs == len(expected["heavy"])


AGGREGATES = {"sum": (sum, sum), "list": (list, list), "mean": (mr.agg.mean, lambda values: sum(values) / len(values)),
              "none": (None, None)}  # fmt: skip


@pytest.mark.parametrize("name", AGGREGATES)
def test_aggregates_and_sorting_work_from_disk_too(inline, name):
    pairs, expected = words_and_one_heavy_key()
    reducer, plain = AGGREGATES[name]
    sort = "key" if reducer is None else None
    result = inline(mr.Job(None, reducer, sort=sort), pairs, chunk_size=2000, memory_limit=LITTLE, combine=False)
    if reducer is None:
        assert list(result) == sorted(pairs, key=lambda pair: pair[0])
    else:
        assert dict(result) == {key: plain(values) for key, values in expected.items()}


def test_sorted_values_come_in_order_from_disk(inline):
    pairs, expected = words_and_one_heavy_key()
    job = mr.Job(None, lambda key, values: list(values)[:3], sort_values=lambda value: -value)
    result = inline(job, pairs, chunk_size=2000, memory_limit=LITTLE)
    assert dict(result) == {key: values[::-1][:3] for key, values in expected.items()}


def test_a_bad_key_is_set_aside_alone_from_disk(inline):
    pairs, expected = words_and_one_heavy_key()

    def picky(key, values):
        if key in {"heavy", "word 7"}:
            raise ValueError(f"not {key}")
        return sum(values)

    result = inline(mr.Job(None, picky), pairs, chunk_size=2000, memory_limit=LITTLE, on_error="collect")
    assert dict(result) == {key: sum(values) for key, values in expected.items() if key not in {"heavy", "word 7"}}
    assert sorted(result.errors.to_pandas()["key"]) == ["'heavy'", "'word 7'"]


@pytest.mark.parametrize("reducer", [lambda key, values: len(values), None])
def test_a_map_task_holds_few_large_values(inline, reducer, monkeypatch):
    held, encode = [], collecting.encode_pairs if reducer else parts.encode_column

    def watched(*columns):
        held.append(len(columns[0]))
        return encode(*columns)

    monkeypatch.setattr(*((collecting, "encode_pairs") if reducer else (parts, "encode_column")), watched)
    result = inline(mr.Job(lambda n: (n % 3, bytes(1 << 20)), reducer), range(100), chunk_size=100)
    assert len(result) == (3 if reducer else 100)
    assert sum(held) == 100
    assert max(held) <= 32


@pytest.mark.parametrize("values", [[b"\x80\x04N.", 1], ["text", (1, 2)]], ids=["bytes", "text"])
def test_parts_whose_columns_only_differ_in_meaning_are_told_apart(inline, values):
    # Pickled values travel as bytes: beside a part of real bytes they must not be taken for such.
    def reducer(key, found):
        return values[0] if key < 50 else values[key % 2]

    result: Result = inline(mr.Job(lambda n: (n, n), reducer, partitioner=lambda key, n: int(key >= 50)), range(100),
                            reducers=2)  # fmt: skip
    mapped = inline(mr.Job(lambda n: (n, values[0] if n < 50 else values[n % 2])), range(100), chunk_size=50)
    for found in (result, mapped):
        assert dict(found) == {n: values[0] if n < 50 else values[n % 2] for n in range(100)}


class Plain:
    """A key that has no order of its own, and shows nothing but its address."""

    def __init__(self, number):
        self.number = number

    def __eq__(self, other):
        return isinstance(other, Plain) and other.number == self.number

    def __hash__(self):
        return hash(self.number)


ODD_KEYS = {
    "without an order": lambda n: Plain(n % 200),
    "members that equal numbers": lambda n: list(HTTPStatus)[n % 40] if n % 3 else list(HTTPStatus)[n % 40].value,
    "complex that equal numbers": lambda n: complex(n % 40) if n % 3 else n % 40,
}


@pytest.mark.parametrize("name", ODD_KEYS)
@pytest.mark.parametrize("options", [{}, {"sort": "key"}], ids=["spilled", "sorted"])
def test_equal_keys_of_odd_kinds_meet_in_one_range(inline, name, options):
    pairs = [(ODD_KEYS[name](n), n) for n in range(4000)]
    expected: dict = {}
    for key, value in pairs:
        expected.setdefault(key, []).append(value)
    job = mr.Job(None, lambda key, values: sum(values), **options)
    limits = {"reducers": 4} if options else {"memory_limit": LITTLE}
    assert dict(inline(job, pairs, chunk_size=500, **limits)) == {key: sum(own) for key, own in expected.items()}


def test_dictionaries_inside_of_values_are_spilled_as_well(inline):
    def mapper(batch: pa.RecordBatch):
        words = pa.array(["a", "b"] * (batch.num_rows // 2)).dictionary_encode()
        return pa.table({"k": batch.column(0), "v": pa.StructArray.from_arrays([words], ["x"])})

    table = pa.table({"n": [n % 10 for n in range(4000)]})
    found = inline(mr.Job(mapper, lambda key, values: len(list(values))), table, memory_limit=LITTLE)
    assert dict(found) == dict.fromkeys(range(10), 400)


def test_what_an_attempt_that_fails_has_written_goes(tmp_path):
    def fail():
        with PartWriter(str(tmp_path), 0, "inline") as parts:
            parts.add(table(["a"], [1]))
            parts.add(table(["a"], ["x"]))
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fail()
    assert not os.listdir(tmp_path)
