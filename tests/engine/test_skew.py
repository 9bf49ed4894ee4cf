"""Heavy keys are named with their share, whatever way pairs take, and so is the slowest partition."""

from __future__ import annotations

import math
import random
import time

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import mrkernel as mr
from mrkernel.engine.tasks.key_sketch import KeySketch


@pytest.fixture(scope="module")
def lines():
    words = random.Random(7).choices(["the", "and", *(f"w{n}" for n in range(2000))], [600, 200, *[1] * 2000], k=60_000)
    return [" ".join(words[start : start + 10]) for start in range(0, len(words), 10)]


def ones(line):
    for word in line.split():
        yield word, 1


def lengths(line):
    for word in line.split():
        yield word, len(word)


def tuples(line):
    for word in line.split():
        yield (word, None), 0.5


def batches(batch: pa.RecordBatch):
    words = pc.list_flatten(pc.split_pattern(batch.column(0), " "))
    return pa.table({"word": words, "one": pa.repeat(1, len(words))})


def lengths_of_batches(batch: pa.RecordBatch):
    words = pc.list_flatten(pc.split_pattern(batch.column(0), " "))
    return pa.table({"word": words, "length": pc.binary_length(words)})


def count(key, values):
    return len(values)


@pytest.mark.parametrize(("mapper", "reducer", "within"), [
    (ones, sum, 0.01), (ones, len, 0.01), (lengths, sum, 0.15), (tuples, sum, 0.04), (ones, count, 0.01),
    (batches, sum, 0.01), (lengths_of_batches, max, 0.04),
])  # fmt: skip
def test_heavy_keys_are_named_with_their_share(inline, lines, mapper, reducer, within):
    skew = inline(mr.Job(mapper, reducer), lines, chunk_size="100 kB").report.skew
    words = " ".join(lines).split()
    heavy = {key.key: key for key in skew.keys}
    for word in ("the", "and"):
        name = repr((word, None)) if mapper is tuples else repr(word)
        assert heavy[name].share == pytest.approx(words.count(word) / len(words), abs=within)
        assert heavy[name].n_pairs == pytest.approx(heavy[name].share * len(words), rel=0.01)
    if within == 0.01:
        assert list(heavy) == ["'the'", "'and'"]


@pytest.mark.cluster
def test_heavy_keys_are_the_same_on_a_cluster(cluster, lines):
    found = [mr.run(mr.Job(ones, count), lines, executor=where, chunk_size="50 kB").report.skew.keys
             for where in ("inline", "cluster")]  # fmt: skip
    assert found[0] == found[1]


def test_slowest_partition_is_named_with_its_rows_and_its_heaviest_key(inline):
    def slow_seven(key, values):
        if key == 7:
            time.sleep(0.4)
        return len(values)

    job = mr.Job(lambda n: (7 if n % 10 else n, n), slow_seven)
    # What is imported at first use is no partition's fault.
    inline(job, range(1, 3))
    slowest = inline(job, range(1000), reducers=8).report.skew.slowest
    assert slowest.stage == "reduce"
    assert (slowest.partition, slowest.key) == (slowest.task, "7")
    assert slowest.n_rows >= 900
    assert slowest.share >= 0.9
    assert slowest.seconds > 0.4
    assert slowest.seconds > slowest.median_s


def test_skew_reads_as_a_table_and_a_line(inline):
    skew = inline(mr.Job(lambda n: ("<b>" if n % 4 else n, 1), sum), range(1000)).report.skew
    first, second, *_, last = str(skew).splitlines()
    assert (first.split(), second.split()) == (["key", "share", "pairs", "stage"], ["'<b>'", "75.0%", "750", "map"])
    assert last.startswith("slowest: all partitions as one of reduce, task 0: ")
    assert "&lt;b&gt;" in skew._repr_html_()
    assert "<b>" not in skew._repr_html_()


def test_even_keys_are_not_called_heavy(inline):
    skew = inline(mr.Job(lambda n: (n, 1), sum), range(5000)).report.skew
    assert skew.keys == ()
    assert str(skew).startswith("no key has a hundredth of the pairs")


def test_map_only_job_has_no_skew(inline):
    assert not inline(mr.Job(lambda n: (1, n)), range(10)).report.skew


def test_sketch_stays_small_however_many_keys_there_are():
    sketch = KeySketch()
    for block in range(200):
        sketch.add_keys([*range(block * 2000, block * 2000 + 2000), *["heavy"] * 500])
    report = sketch.report(500_000)
    assert len(sketch._counts) <= 4000
    assert report.heavy["'heavy'"] == pytest.approx(100_000, rel=0.05)
    assert len(report.heavy) <= 100


@pytest.mark.parametrize("way", ["keys", "tables", "spots"])
@pytest.mark.parametrize("n_each", [2, 4, 8])
def test_a_key_that_comes_at_regular_places_is_seen(way, n_each):
    keys = [f"k{n}" if n % n_each else "heavy" for n in range(1 << 16)]
    sketch = KeySketch()
    if way == "keys":
        sketch.add_keys(keys)
    for start in range(0, len(keys), 1 << 13):
        if way == "tables":
            sketch.add_column(pa.table({"key": keys[start : start + (1 << 13)]}))
        elif way == "spots":
            sketch.spot([(key, 3) for key in keys[start + 1 : start + 513]], start)
    assert sketch.report(len(keys)).heavy["'heavy'"] == pytest.approx(len(keys) / n_each, rel=0.1)


def test_keys_that_have_no_repr_are_counted_all_the_same(inline):
    result = inline(mr.Job(lambda n: [(10**5000 + n % 2, 1)], sum), range(6))
    assert sorted(dict(result).values()) == [3, 3]


@pytest.mark.parametrize("reducer", [sum, mr.agg.mean, count], ids=["sum", "mean", "function"])
def test_missing_keys_are_one_key(inline, reducer):
    skew = inline(mr.Job(lambda n: [(math.nan if n % 2 else float(n), 1)], reducer), range(20_000)).report.skew
    assert [(key.key, round(key.share, 1)) for key in skew.keys] == [("nan", 0.5)]
