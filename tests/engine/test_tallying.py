"""Batch mappers whose values are all 1: counted in one pass, with the answer of every other way."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import mrkernel as mr
from mrkernel.engine.tasks.combining import n_different
from mrkernel.errors import TaskFailedError
from mrkernel.events import PlanChanged

LINES = ["a b a", "", "naïve 日本 a", "b 😀"] * 500
WORDS = Counter(word for line in LINES for word in line.split(" "))


def words(batch: pa.RecordBatch):
    return pc.list_flatten(pc.split_pattern(batch.column(0), " "))


def with_ones(batch: pa.RecordBatch):
    found = words(batch)
    return pa.table({"word": found, "n": pa.repeat(1, len(found))})


def with_small_ones(batch: pa.RecordBatch):
    found = words(batch).cast(pa.large_string())
    return pa.table({"word": found, "n": pa.repeat(pa.scalar(1, pa.int8()), len(found))})


def with_bytes(batch: pa.RecordBatch):
    found = words(batch).cast(pa.binary())
    return pa.table({"word": found, "n": pa.repeat(1, len(found))})


@pytest.mark.parametrize("reducer", [sum, len, mr.agg.count], ids=str)
@pytest.mark.parametrize("mapper", [with_ones, with_small_ones])
def test_ones_are_counted(run, mapper, reducer):
    result = run(mr.Job(mapper, reducer), LINES)
    assert dict(result) == WORDS
    assert result.to_arrow().schema.field("value").type == pa.int64()
    assert [key for key, _ in result] == sorted(WORDS)


def test_keys_may_be_bytes(run):
    assert dict(run(mr.Job(with_bytes, sum), LINES)) == {word.encode(): n for word, n in WORDS.items()}


def test_keys_may_be_integers_and_none(run):
    def digits(batch: pa.RecordBatch):
        number = pc.if_else(pc.equal(batch.column(0), 3), None, batch.column(0))
        return pa.table({"digit": number, "n": pa.repeat(1, len(number))})

    assert dict(run(mr.Job(digits, sum), [1, 2, 3, 3, 2, 2])) == {None: 2, 1: 1, 2: 3}


def test_the_key_may_be_the_second_column(run):
    def turned(batch: pa.RecordBatch):
        return with_ones(batch).select(["n", "word"])

    assert dict(run(mr.Job(turned, sum, key="word"), LINES)) == WORDS


def test_tables_of_other_values_and_types_come_between(run):
    def mixed(batch: pa.RecordBatch):
        ones = with_ones(batch)
        yield ones
        yield ones.set_column(1, "n", pc.add(ones.column("n"), 1))
        yield ones.set_column(0, "word", pc.utf8_length(ones.column("word")))
        yield ones.set_column(0, "word", ones.column("word").cast(pa.binary()))
        yield ones

    expected: Counter = Counter()
    for word, n in WORDS.items():
        expected[word] += 4 * n
        expected[len(word)] += n
        expected[word.encode()] += n
    assert dict(run(mr.Job(mixed, sum), LINES)) == expected


@pytest.mark.parametrize("each", [1, 2])
@pytest.mark.parametrize("combine", [None, True, False])
def test_mostly_different_keys_give_the_same_answer(run, combine, each):
    rng = np.random.default_rng(3)
    numbers = rng.integers(0, 400_000, 600_000)

    def as_text(batch: pa.RecordBatch):
        keys = batch.column(0).cast(pa.string())
        return pa.table({"key": keys, "n": pa.repeat(each, len(keys))})

    events: list = []
    table = pa.table({"number": numbers})
    result = run(mr.Job(as_text, sum), table, combine=combine, chunk_size="64 MiB", listeners=[events.append])
    keys, counts = np.unique(numbers, return_counts=True)
    found = result.to_arrow()
    assert dict(zip(found["key"].to_pylist(), found["value"].to_pylist(), strict=True)) == dict(
        zip(keys.astype(str).tolist(), (each * counts).tolist(), strict=True)
    )
    is_off = any("switched off" in event.reason for event in events if isinstance(event, PlanChanged))
    assert is_off == (combine is None)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_binary(), pa.int32()])
def test_number_of_different_keys_is_estimated(kind):
    numbers = np.random.default_rng(5).integers(0, 100_000, 300_000)
    tables = [pa.table({"key": pa.array(part).cast(pa.string()).cast(kind)}) for part in np.split(numbers, 3)]
    assert n_different(tables) == pytest.approx(len(np.unique(numbers)), rel=0.1)


def test_number_of_different_keys_is_not_guessed_for_other_types():
    assert n_different([pa.table({"key": [1.5, 2.5]})]) is None
    assert n_different([pa.table({"key": ["1"]}), pa.table({"key": [1]})]) is None


def test_values_that_are_no_numbers_are_still_refused(inline):
    def texts(batch: pa.RecordBatch):
        found = words(batch)
        return pa.table({"word": found, "n": found})

    with pytest.raises(TaskFailedError, match="sum"):
        inline(mr.Job(texts, sum), LINES)
