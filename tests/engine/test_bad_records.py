"""Records that are set aside: each alone, exactly once, under every executor and split size."""

from __future__ import annotations

import threading
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest

import mrkernel as mr
from mrkernel.agg import Reduction
from mrkernel.errors import BadRecordsError, OptionError, TaskFailedError
from tests.engine.marks import die_once


def parse(line):
    mr.counter("lines")
    yield "all", 1
    yield int(line.split(",")[1]) % 3, 1


@pytest.fixture
def numbers(tmp_path):
    """200 lines, of which those with the numbers 7, 100 and 199 are no numbers."""
    path = tmp_path / "numbers.txt"
    path.write_text("".join(f"n,{'bad' if n in {7, 100, 199} else n}\n" for n in range(200)))
    return path


PARSED = {0: 67, 1: 64, 2: 66, "all": 197}


# -- records -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk_size", [1, 97, 10_000])
def test_bad_records_give_nothing_and_all_others_everything(run, numbers, chunk_size):
    result = run(mr.Job(parse, sum), numbers, on_error="collect", chunk_size=chunk_size)
    assert dict(result) == PARSED
    assert result.counters == {"lines": 197}
    rows = list(result.errors)
    assert [(row["location"], row["record"], row["offset"]) for row in rows] == [
        ("line 8", "n,bad", 28), ("line 101", "n,bad", 492), ("line 200", "n,bad", numbers.read_bytes().rindex(b"n,")),
    ]  # fmt: skip
    assert {(row["stage"], row["function"], row["count"]) for row in rows} == {("map", "mapper", 3)}
    assert rows[0]["exception"] == "ValueError: invalid literal for int() with base 10: 'bad'"
    assert rows[0]["traceback"].endswith('yield int(line.split(",")[1]) % 3, 1')
    assert rows[0]["source"] == str(numbers)


def test_one_bad_record_in_many_costs_one_record(run, tmp_path):
    path = tmp_path / "many.txt"
    path.write_text("".join(f"n,{'oops' if n == 150_003 else n}\n" for n in range(200_000)))
    result = run(mr.Job(parse, sum), path, on_error="collect", chunk_size="300 kB")
    assert (result["all"], len(result.errors), result.errors.total) == (199_999, 1, 1)
    (row,) = result.errors
    assert (row["record"], row["location"], row["count"]) == ("n,oops", "line 150004", 1)
    assert result.errors.summary() == "1 of 200,000 records was set aside"


def test_skipped_records_are_counted_with_one_example_of_a_kind(run, numbers):
    result = run(mr.Job(parse, sum), numbers, on_error="skip", chunk_size=97)
    assert dict(result) == PARSED
    assert (result.errors.total, len(result.errors), next(iter(result.errors))["count"]) == (3, 1, 3)
    assert "3 of 200 records were set aside: .errors" in repr(result)
    assert "3 of 200 records were set aside" in result._repr_html_()
    assert result.report.notes[-1] == "map: 3 of 200 records were set aside"


def test_record_that_raises_in_mid_generator_counts_nothing(inline):
    def mapper(word):
        for letter in word:
            mr.counter("letters")
            yield letter, 1
            if letter == "x":
                raise ValueError(word)

    result = inline(mr.Job(mapper, sum), ["ab", "axb", "b"], on_error="skip")
    assert dict(result) == {"a": 1, "b": 2}
    assert result.counters == {"letters": 3}


def test_mapper_is_called_once_for_each_record_and_keeps_its_state(inline):
    class Distinct(mr.Mapper):
        def setup(self):
            self.seen = set()

        def map(self, word):
            if word not in self.seen:
                self.seen.add(word)
                yield word, 1 // (word != "bad")

    result = inline(mr.Job(Distinct, sum), ["a", "bad", "a", "b"], on_error="collect")
    assert dict(result) == {"a": 1, "b": 1}
    assert [row["record"] for row in result.errors] == ["bad"]


@pytest.mark.parametrize(("pair", "exception"), [
    ("no pair", "ValueTypeError: the mapper gave 'no pair', of type str, where a (key, value) pair belongs"),
    ((1, 2, 3), "ValueTypeError: the mapper gave (1, 2, 3), a tuple of 3, where a (key, value) pair belongs"),
    (([], 1), "KeyTypeError: the key [] is a list, which cannot be hashed: unhashable type: 'list'"),
    (("k", "text"), "ValueTypeError: sum"),
])  # fmt: skip
def test_pair_that_cannot_be_used_sets_its_record_aside(inline, pair, exception):
    def mapper(number):
        mr.counter("called")
        yield "k", 1
        if number == 700:
            yield pair

    result = inline(mr.Job(mapper, sum), range(1000), on_error="collect")
    assert dict(result) == {"k": 999}
    assert result.counters == {"called": 999}
    (row,) = result.errors
    assert (row["record"], row["location"]) == ("700", "record 701")
    assert row["exception"].startswith(exception)


def test_value_that_cannot_be_stored_sets_its_record_aside(inline):
    def mapper(number):
        return number, number if number != 3 else threading.Lock()

    result = inline(mr.Job(mapper, None), range(5), on_error="collect")
    assert result.keys() == [0, 1, 2, 4]
    assert "cannot pickle" in next(iter(result.errors))["exception"]


def test_pairs_of_an_earlier_step_are_set_aside_too(inline):
    job = mr.Job(lambda n: (n % 4, n), sum).then(mr.Job(lambda key, total: (total // (key != 2), 1), sum))
    result = inline(job, range(8), on_error="collect")
    assert dict(result) == {4: 1, 6: 1, 10: 1}
    assert [(row["stage"], row["record"]) for row in result.errors] == [("map 2", "(2, 8)")]


def test_raise_stays_the_default_and_stops_at_the_first(run, numbers):
    with pytest.raises(TaskFailedError, match="mapper failed at line 8 of") as caught:
        run(mr.Job(parse, sum), numbers)
    assert not isinstance(caught.value, BadRecordsError)


def test_setup_that_raises_fails_the_job_as_ever(inline):
    with pytest.raises(TaskFailedError, match="setup failed"):
        inline(mr.Job(parse, sum, setup=lambda: 1 // 0), ["a,1"], on_error="skip")


# -- the limit -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk_size", [97, 10_000])
def test_limit_says_how_many_of_how_many_and_shows_the_first(run, numbers, chunk_size):
    said = r"^3 of \d+ records so far were bad, and error_limit allows 2; the first: mapper failed at line 8 of "
    with pytest.raises(BadRecordsError, match=said) as caught:
        run(mr.Job(parse, sum), numbers, on_error="collect", error_limit=2, chunk_size=chunk_size)
    assert caught.value.failure.record == "n,bad"
    assert 'say error_limit="5%"' in caught.value.hint


def test_limit_as_a_share_is_judged_when_all_records_were_seen(run, numbers):
    with pytest.raises(BadRecordsError, match=r"^3 of 200 records were bad, and error_limit allows 1.4 %; the first"):
        run(mr.Job(parse, sum), numbers, on_error="skip", error_limit="1.4%", chunk_size=97)
    assert run(mr.Job(parse, sum), numbers, on_error="skip", error_limit="1.5%")["all"] == 197


def test_limit_stops_a_task_and_none_stops_nothing(inline):
    seen = []

    def mapper(number):
        seen.append(number)
        raise ValueError(number)

    with pytest.raises(BadRecordsError, match=r"^1,001 of 1,001 records so far were bad, and error_limit allows 1,000"):
        inline(mr.Job(mapper, sum), range(5000), on_error="skip")
    assert len(seen) < 2000
    result = inline(mr.Job(mapper, sum), range(5000), on_error="collect", error_limit="none")
    assert (result.errors.total, len(result.errors), len(result)) == (5000, 1000, 0)
    assert [row["record"] for row in result.errors] == [str(n) for n in range(1000)]


@pytest.mark.parametrize(("option", "value", "said"), [
    ("on_error", "ignore", "it must be raise, skip or collect"),
    ("error_limit", "many", "it must be a number of records"),
    ("error_limit", "200%", "it must be a number of records"),
    ("error_limit", -1, "it must be a number of records"),
    ("error_limit", 1.5, "it must be a number of records"),
])  # fmt: skip
def test_settings_that_cannot_be_used_are_refused(inline, option, value, said):
    with pytest.raises(OptionError, match=said):
        inline(mr.Job(parse, sum), ["a,1"], **{option: value})


# -- batches -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk_size", [97, 10_000])
def test_batch_mapper_loses_the_bad_rows_alone(run, numbers, chunk_size):
    def mapper(batch: pd.DataFrame):
        mr.counter("rows", len(batch))
        number = batch["line"].str.split(",").str[1].astype(int)
        return pd.DataFrame({"rest": number % 3, "one": 1})

    result = run(mr.Job(mapper, sum), numbers, on_error="collect", chunk_size=chunk_size)
    assert dict(result) == {0: 67, 1: 64, 2: 66}
    assert result.counters == {"rows": 197}
    rows = [(row["location"], row["record"], row["offset"]) for row in result.errors]
    assert rows[:2] == [("line 8", "n,bad", 28), ("line 101", "n,bad", 492)]
    assert rows[2] == ("line 200", "n,bad", numbers.read_bytes().rindex(b"n,"))


def test_batch_mapper_whose_values_cannot_be_summed_is_refused_by_rows(inline):
    def mapper(batch: pa.RecordBatch):
        return pa.table({"key": ["k"] * batch.num_rows, "value": ["text"] * batch.num_rows})

    result = inline(mr.Job(mapper, sum), pa.table({"n": [1, 2]}), on_error="collect")
    assert (len(result), [row["record"] for row in result.errors]) == (0, ["{'n': 1}", "{'n': 2}"])


# -- combiners and reducers ----------------------------------------------------------------------------------------


def by_rest(number):
    return number % 5, number


def refuse_three(key, values):
    if key == 3:
        raise KeyError(key)
    return sum(values)


@pytest.mark.parametrize("options", [{}, {"reducers": 3}, {"chunk_size": 50}])
def test_key_whose_reducer_raises_goes_alone(run, options):
    result = run(mr.Job(by_rest, refuse_three), range(100), on_error="collect", **options)
    assert dict(result) == {0: 950, 1: 970, 2: 990, 4: 1030}
    (row,) = result.errors
    assert (row["stage"], row["function"], row["key"], row["location"]) == ("reduce", "reducer", "3", "key 3")
    assert row["exception"] == "KeyError: 3"
    assert result.errors.summary() == "1 of 5 keys was set aside"


@pytest.mark.parametrize(("pair", "said"), [
    (lambda: "no pair", "the reducer gave 'no pair'"), (lambda: ([], 1), "the key [] is a list"),
    (lambda: (1, threading.Lock()), "cannot pickle"),
])  # fmt: skip
def test_reducer_that_gives_what_cannot_be_used_gives_none_of_its_pairs(inline, pair, said):
    def reducer(key, values):
        yield key, 1
        if key == 2:
            yield pair()

    result = inline(mr.Job(by_rest, reducer), range(20), on_error="skip")
    assert result.keys() == [0, 1, 3, 4]
    assert said in next(iter(result.errors))["exception"]


@pytest.mark.parametrize("options", [{}, {"chunk_size": 1}, {"combine": False}, {"reducers": 2}])
@pytest.mark.parametrize(("reducer", "other", "expected"), [
    (sum, Decimal(1), 4095), (mr.agg.mean, Decimal(1), 45.0), (max, (1, "x"), 90),
])  # fmt: skip
def test_key_whose_values_do_not_fit_together_goes_alone(run, reducer, other, expected, options):
    def mapper(number):
        mixed = other if number % 2 else (1, number) if reducer is max else float(number)
        return ("mixed", mixed) if number > 90 else ("whole", number)

    result = run(mr.Job(mapper, reducer), range(100), on_error="collect", **options)
    assert dict(result) == {"whole": expected}
    assert [(row["key"], row["stage"]) for row in result.errors] == [("'mixed'", "reduce")]


def test_sort_key_that_raises_sets_its_key_aside(inline):
    def first(key, values):
        return next(iter(values))

    job = mr.Job(by_rest, first, sort_values=lambda value: -value // (value != 7))
    result = inline(job, range(20), on_error="collect")
    assert dict(result) == {0: 15, 1: 16, 3: 18, 4: 19}
    assert [row["key"] for row in result.errors] == ["2"]


def test_a_few_bad_keys_among_many_cost_a_few_keys(inline, monkeypatch):
    n_rows, finish, bad = [], Reduction.finish, {17, 3_000, 14_999}

    def counting(self, tables):
        n_rows.append(sum(table.num_rows for table in tables))
        return finish(self, tables)

    monkeypatch.setattr(Reduction, "finish", counting)
    job = mr.Job(lambda n: (n % 15_000, Decimal(1) if n in bad else 0.5), sum)
    result = inline(job, range(30_000), on_error="collect", combine=False)
    assert [row["key"] for row in result.errors] == ["17", "3000", "14999"]
    assert (len(result), result[16], result[18]) == (14_997, 1.0, 1.0)
    # All that there are twice: at once, and in pieces.
    assert sum(n_rows) <= 2 * 30_000 + len(bad) * 4 * 1024
    assert len(n_rows) < 100


def test_good_keys_are_what_they_are_without_the_bad_ones(inline):
    def mapper(n):
        yield n % 2000, (0.5 if n % 2000 > 1500 else 1)

    def spoilt(n):
        yield n % 2000, (Decimal(1) if n == 7 else 0.5 if n % 2000 in {7, *range(1501, 2000)} else 1)

    result = inline(mr.Job(spoilt, sum), range(4000), on_error="skip", combine=False)
    whole = inline(mr.Job(mapper, sum), range(4000), combine=False)
    assert (result.errors.total, len(result)) == (1, 1999)
    assert list(map(repr, result)) == [repr(pair) for pair in whole if pair[0] != 7]


@pytest.mark.parametrize("chunk_size", [50, 10_000])
def test_combiner_that_raises_leaves_the_answer_as_it_is(inline, chunk_size):
    def total(key, values):
        return sum(values)

    result = inline(mr.Job(by_rest, total, combiner=refuse_three), range(100), on_error="skip", chunk_size=chunk_size)
    assert dict(result) == {0: 950, 1: 970, 2: 990, 3: 1010, 4: 1030}
    assert not result.errors
    assert "the combiner raised KeyError: what it was given went on uncombined" in result.report.notes


# -- attempts ------------------------------------------------------------------------------------------------------


@pytest.mark.cluster
def test_records_of_a_lost_attempt_are_set_aside_once(cluster, numbers, tmp_path):
    def mapper(line):
        if line == "n,150":
            die_once(tmp_path / "dead")
        return parse(line)

    result = mr.run(mr.Job(mapper, sum), numbers, on_error="collect", chunk_size=400)
    assert (tmp_path / "dead").exists()
    assert dict(result) == PARSED
    assert (result.errors.total, [row["location"] for row in result.errors]) == (3, ["line 8", "line 101", "line 200"])


# -- the table -----------------------------------------------------------------------------------------------------


def test_errors_are_written_as_a_table(inline, numbers, tmp_path):
    errors = inline(mr.Job(parse, sum), numbers, on_error="collect").errors
    (path,) = errors.write(tmp_path / "errors.parquet")
    assert mr.run(mr.Job(lambda row: (row["location"], row["count"]), None), path, executor="inline").keys() == [
        "line 8", "line 101", "line 200",
    ]  # fmt: skip
    assert list(errors.to_pandas().columns) == errors.to_arrow().schema.names
    assert "line 101" in repr(errors)
    assert "&lt;" not in errors._repr_html_()


def test_errors_of_a_job_without_any_say_so(inline):
    errors = inline(mr.Job(parse, sum), ["a,1"]).errors
    assert (bool(errors), len(errors), repr(errors)) == (False, 0, "no record was set aside")


def test_records_are_escaped_and_cut(inline):
    record = "<img src=x onerror=alert(1)>" + "x" * 10_000
    errors = inline(mr.Job(int, sum), [record], on_error="collect").errors
    assert "<img" not in errors._repr_html_()
    assert len(next(iter(errors))["record"]) == 4000


def test_columns_keep_their_names_and_types_where_every_key_is_bad(inline):
    pairs = [("a", 1), ("a", "x"), ("b", "y"), ("b", 2)]
    job = mr.Job(None, {"largest": max, "n": len})
    result = inline(job, pairs, on_error="skip")
    assert len(result) == 0
    assert result.to_arrow().schema.names == ["key", "largest", "n"]
