"""What a mapper may be, take and give."""

from __future__ import annotations

import enum
from collections import Counter, namedtuple
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import mrkernel as mr
from mrkernel.errors import JobSpecError, TaskFailedError

Pair = namedtuple("Pair", ["word", "n"])  # noqa: PYI024  # the kind without types is what is tested
FRAME = pd.DataFrame({"name": ["b", "a", "b"], "n": [1, 2, 3], "x": [0.5, 1.5, 2.5]})


def twice(record):
    yield record, 1
    yield record, 2


# -- what comes out --------------------------------------------------------------------------------------------


def test_mapper_yields_pairs(run):
    assert list(run(mr.Job(twice), ["b", "a"])) == [("b", 1), ("b", 2), ("a", 1), ("a", 2)]


@pytest.mark.parametrize(
    ("mapper", "expected"),
    [
        (lambda record: (record, 1), [("b", 1), ("a", 1)]),
        (lambda record: [(record, 1), (record, 2)], [("b", 1), ("b", 2), ("a", 1), ("a", 2)]),
        (lambda record: ((record, n) for n in (1, 2)), [("b", 1), ("b", 2), ("a", 1), ("a", 2)]),
        (lambda record: {record: 1}.items(), [("b", 1), ("a", 1)]),
        (lambda record: ((record, 1), (record, 2), (record, 3)), [(c, n) for c in "ba" for n in (1, 2, 3)]),
        (lambda record: (), []),
        (lambda record: [], []),
        (lambda record: None, []),
        (lambda record: (record, 1) if record == "a" else None, [("a", 1)]),
        (lambda record: (record, None), [("b", None), ("a", None)]),
        (lambda record: Pair(record, 1), [("b", 1), ("a", 1)]),
        (lambda record: [Pair(record, 1)], [("b", 1), ("a", 1)]),
    ],
    ids=["2-tuple", "list", "generator", "dict items", "tuple of pairs", "empty tuple", "empty list", "none", "some",
         "value none", "named tuple", "list of named tuples"],
)  # fmt: skip
def test_mapper_returns_pairs_in_many_styles(inline, mapper, expected):
    assert list(inline(mr.Job(mapper), ["b", "a"])) == expected


def test_returned_tuple_of_two_pairs_is_one_pair_of_tuples(inline):
    assert list(inline(mr.Job(lambda record: ((record, 1), (record, 2))), ["a"])) == [(("a", 1), ("a", 2))]


def test_mapper_that_yields_nothing_for_a_record_leaves_no_row(run):
    def evens(n):
        if n % 2 == 0:
            yield n, n

    assert list(run(mr.Job(evens), range(6), chunk_size=1)) == [(0, 0), (2, 2), (4, 4)]


class Adder:
    def __init__(self, n):
        self.n = n

    def __call__(self, record):
        yield record, self.n

    def add(self, record):
        yield record, self.n


def add(n, record):
    yield record, n


@pytest.mark.parametrize("mapper", [Adder(5), Adder(5).add, partial(add, 5)], ids=["object", "method", "partial"])
def test_mapper_may_be_any_callable(run, mapper):
    assert list(run(mr.Job(mapper), ["a"])) == [("a", 5)]


def test_mapper_may_be_a_builtin_of_one_argument(inline):
    assert list(inline(mr.Job(divmod_by_three), [7])) == [(2, 1)]
    assert list(inline(mr.Job(enumerate), [["a", "b"]])) == [(0, "a"), (1, "b")]


def divmod_by_three(n):
    return divmod(n, 3)


# -- what goes in ----------------------------------------------------------------------------------------------


def test_text_record_is_the_line_without_its_newline(run, tmp_path):
    (tmp_path / "a.txt").write_bytes(b" a b \r\n\nlast")
    assert [key for key, _ in run(mr.Job(lambda line: (line, 1)), tmp_path / "a.txt")] == [" a b ", "", "last"]


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow", "csv", "jsonl", "parquet"])
def test_table_record_is_a_dict(inline, tmp_path, kind):
    table = pa.Table.from_pandas(FRAME)
    source = {"pandas": FRAME, "polars": pl.from_arrow(table), "arrow": table}.get(kind, tmp_path / f"table.{kind}")
    if kind == "csv":
        FRAME.to_csv(source, index=False)
    elif kind == "jsonl":
        FRAME.to_json(source, orient="records", lines=True)
    elif kind == "parquet":
        FRAME.to_parquet(source)
    rows = [value for _, value in inline(mr.Job(lambda row: (row["name"], [row])), source)]
    assert rows == [[row] for row in FRAME.to_dict("records")]


@pytest.mark.parametrize(
    "records",
    [[(1, 2), (3, 4)], [{"a": 1}, {"b": [2]}], ["x", b"x", None], [[1], [2]], [{1, 2}], [Pair("a", 1)], [1j]],
    ids=["tuples", "dicts", "mixed", "lists", "sets", "named tuples", "complex"],
)
def test_python_record_arrives_as_it_was_given(run, records):
    found = [value for _, value in run(mr.Job(lambda record: [(0, ("was", record))]), records, chunk_size=1)]
    assert found == [("was", record) for record in records]
    assert [type(record) for _, record in found] == list(map(type, records))


@pytest.mark.parametrize(
    "source", [range(3), iter([0, 1, 2]), (n for n in range(3)), (0, 1, 2), np.arange(3)],
    ids=["range", "iterator", "generator", "tuple", "array"],
)  # fmt: skip
def test_any_iterable_holds_records(inline, source):
    assert [key for key, _ in inline(mr.Job(lambda n: (n, 1)), source)] == [0, 1, 2]


def test_generator_is_read_once_by_worker_processes(run):
    assert sum(key for key, _ in run(mr.Job(lambda n: (n, 1)), (n for n in range(100)), chunk_size=50)) == 4950


@pytest.mark.parametrize(
    "empty",
    [[], (), iter(()), pd.DataFrame({"a": []}), pa.table({"a": pa.array([], pa.int64())})],
    ids=["list", "tuple", "iterator", "frame", "table"],
)
@pytest.mark.parametrize("job", [mr.Job(lambda record: (record, 1)), mr.Job(lambda record: (record, 1), sum),
                                 mr.Job(lambda record: (record, 1), sort="key")],
                         ids=["map", "reduce", "sort"])  # fmt: skip
def test_empty_input_gives_an_empty_result(inline, empty, job):
    result = inline(job, empty)
    assert (len(result), list(result), result.schema.names) == (0, [], ["key", "value"])


@pytest.mark.cluster
def test_empty_input_gives_an_empty_result_on_workers(cluster, tmp_path):
    (tmp_path / "empty.txt").touch()
    for source in ([], tmp_path / "empty.txt"):
        assert dict(mr.run(mr.Job(lambda line: (line, 1), sum).then(mr.Job(lambda key, n: (key, n))), source)) == {}


# -- two parameters: the pairs of a step before ------------------------------------------------------------------


def test_mapper_of_two_parameters_gets_key_and_value_of_a_result(run):
    first = run(mr.Job(lambda word: (word, len(word)), sum), ["bb", "a", "bb"])
    assert list(run(mr.Job(lambda word, n: (n, word)), first)) == [(1, "a"), (4, "bb")]


def test_mapper_of_one_parameter_gets_rows_of_a_result_as_dicts(run):
    first = run(mr.Job(lambda word: (word, len(word)), sum), ["bb", "a"])
    assert list(run(mr.Job(lambda row: (row["value"], row["key"])), first)) == [(1, "a"), (2, "bb")]


def test_mapper_of_two_parameters_gets_dict_values_of_a_result(run):
    first = run(mr.Job(lambda n: (n, {"half": n / 2, "next": n + 1})), [1, 2])
    assert list(run(mr.Job(lambda n, row: (n, row["half"] + row["next"])), first)) == [(1, 2.5), (2, 4.0)]


def test_mapper_of_two_parameters_takes_a_list_of_pairs(run):
    assert list(run(mr.Job(lambda key, value: (value, key)), [("a", 1), ("b", 2)])) == [(1, "a"), (2, "b")]


def test_mapper_with_a_default_takes_one_record(inline):
    assert list(inline(mr.Job(lambda record, factor=3: (record, record * factor)), [2])) == [(2, 6)]


def test_mapper_of_two_parameters_over_lines_is_refused_before_anything_runs(inline, tmp_path):
    (tmp_path / "a.txt").write_text("a\n")
    with pytest.raises(JobSpecError, match=r"the mapper count takes 2 arguments, and .* holds lines"):
        inline(mr.Job(count, sum), tmp_path / "a.txt")


def test_refused_mapper_without_a_name_is_still_refused_in_words(inline, tmp_path):
    (tmp_path / "a.txt").write_text("a\n")
    with pytest.raises(JobSpecError, match=r"the mapper function takes 2 arguments, and .* holds lines"):
        inline(mr.Job(partial(count), sum), tmp_path / "a.txt")


def count(key, value):
    yield key, value


def test_mapper_of_two_parameters_over_single_records_says_so(inline):
    with pytest.raises(TaskFailedError, match="the mapper takes a key and a value, but a record is 'a'"):
        inline(mr.Job(count, sum), ["a"])


def test_no_mapper_hands_on_pairs(run):
    assert dict(run(mr.Job(None, sum), [("a", 1), ("b", 2), ("a", 3)])) == {"a": 4, "b": 2}


def test_no_mapper_over_lines_is_refused_before_anything_runs(inline, tmp_path):
    (tmp_path / "a.txt").write_text("a\n")
    with pytest.raises(JobSpecError, match=r"the job has no mapper, and .* holds lines, not .key, value. pairs"):
        inline(mr.Job(None, sum), tmp_path / "a.txt")


# -- batch mappers -----------------------------------------------------------------------------------------------


def as_record_batch(batch: pa.RecordBatch):
    return batch.select(["name", "n"])


def as_table(table: pa.Table) -> pa.Table:
    return table.select(["name", "n"])


def as_pandas(frame: pd.DataFrame):
    return frame[["name", "n"]]


def as_polars(frame: pl.DataFrame):
    return frame.select("name", "n")


def as_series_of_batches(batch: pa.RecordBatch):
    yield batch.slice(0, 1).select(["name", "n"])
    yield batch.slice(1).select(["name", "n"])


def quoted(batch: "pyarrow.RecordBatch"):  # noqa: F821, UP037  # an annotation that nothing resolves is what is tested
    return batch.select(["name", "n"])


BATCH_MAPPERS = [as_record_batch, as_table, as_pandas, as_polars, as_series_of_batches, quoted]


@pytest.mark.parametrize("mapper", BATCH_MAPPERS)
def test_batch_mapper_by_annotation(run, mapper):
    assert dict(run(mr.Job(mapper, sum), FRAME)) == {"a": 2, "b": 4}


def test_batch_mapper_by_an_annotation_that_is_no_string(inline):
    def mapper(frame):
        return frame[["name", "n"]]

    mapper.__annotations__["frame"] = pd.DataFrame
    assert dict(inline(mr.Job(mapper, sum), FRAME)) == {"a": 2, "b": 4}


def test_batch_mapper_names_its_key_column(run):
    def mapper(frame: pl.DataFrame):
        return frame.select("n", "name")

    assert dict(run(mr.Job(mapper, sum, key="name"), FRAME)) == {"a": 2, "b": 4}


def test_batch_mapper_with_several_key_columns_has_tuples_as_keys(run):
    def mapper(frame: pl.DataFrame):
        return frame.select(pl.col("n") % 2, "name", "x")

    assert dict(run(mr.Job(mapper, sum, key=["name", "n"]), FRAME)) == {("a", 0): 1.5, ("b", 1): 3.0}


def test_batch_mapper_with_several_value_columns_is_aggregated_by_field(run):
    def mapper(batch: pa.RecordBatch):
        return batch

    assert dict(run(mr.Job(mapper, sum), FRAME)) == {"a": {"n": 2, "x": 1.5}, "b": {"n": 4, "x": 3.0}}


def test_batch_mapper_without_a_value_column_can_be_counted(inline):
    def mapper(batch: pa.RecordBatch):
        return batch.select(["name"])

    assert dict(inline(mr.Job(mapper, len), FRAME)) == {"a": 1, "b": 2}


def test_batch_mapper_may_return_none(run):
    def mapper(batch: pa.RecordBatch):
        return None

    assert dict(run(mr.Job(mapper, sum), FRAME)) == {}


def test_batch_mapper_over_lines_gets_a_column_of_lines(run, tmp_path):
    (tmp_path / "a.txt").write_text("a b\nb\n")

    def words(frame: pl.DataFrame):
        return frame.select(pl.col("line").str.split(" ")).explode("line").with_columns(n=1)

    assert dict(run(mr.Job(words, sum), tmp_path / "a.txt")) == {"a": 1, "b": 2}


def test_batch_mapper_and_record_mapper_agree_on_the_partition_of_every_key(inline):
    def by_batch(batch: pa.RecordBatch):
        return batch.select(["n", "x"])

    def parts(mapper):
        return inline(mr.Job(mapper, sum), FRAME, reducers=5).to_pandas()

    assert parts(by_batch).equals(parts(lambda row: (row["n"], row["x"])))


def test_map_only_batch_mapper_gives_its_own_columns(run):
    def mapper(frame: pl.DataFrame):
        return frame.with_columns(y=pl.col("x") * 2)

    result = run(mr.Job(mapper), FRAME)
    assert result.schema.names == ["name", "n", "x", "y"]
    assert result.to_pandas()["y"].tolist() == [1.0, 3.0, 5.0]


def test_batch_mapper_that_returns_no_batch_says_what_it_returned(inline):
    def mapper(frame: pd.DataFrame):
        return frame["n"].sum()

    with pytest.raises(TaskFailedError, match=r"the batch mapper returned (np.int64\(6\)|6), of type int64"):
        inline(mr.Job(mapper, sum), FRAME)


def test_batch_mapper_without_its_key_column_says_which_columns_there_are(inline):
    def mapper(frame: pd.DataFrame):
        return frame[["n", "x"]]

    with pytest.raises(
        TaskFailedError, match="the batch mapper returned the columns n, x; the key column name is not among"
    ):
        inline(mr.Job(mapper, sum, key="name"), FRAME)


# -- pairs, late in a block ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [5, 800])
def test_pair_is_a_tuple_or_a_list_wherever_it_comes(inline, place):
    job = mr.Job(lambda number: [["a", 1]] if number == place else [("a", 1)], sum)
    assert dict(inline(job, range(1000))) == {"a": 1000}


@pytest.mark.parametrize("place", [5, 800])
@pytest.mark.parametrize("reducer", [len, sum])
def test_text_of_two_letters_is_no_pair_wherever_it_comes(inline, reducer, place):
    job = mr.Job(lambda number: ["ab"] if number == place else [("a", 1)], reducer)
    with pytest.raises(TaskFailedError, match=rf"record {place + 1} of range: .*'ab', of type str"):
        inline(job, range(1000))


def test_dict_with_one_field_called_value_stays_a_dict(inline):
    job = mr.Job(lambda number: (number, {"value": number})).then(mr.Job(lambda key, value: (key, value)))
    assert list(inline(job, range(2))) == [(0, {"value": 0}), (1, {"value": 1})]


def test_dict_with_a_field_called_key_is_refused(inline):
    with pytest.raises(TaskFailedError, match="a field named 'key'"):
        inline(mr.Job(lambda number: (number, {"key": 1})), range(2))


class Colour(enum.StrEnum):
    RED = "red"
    BLUE = "blue"


# Text and its subclasses, in pieces of 512 and after; what equals a text is the same key, whatever came first.
MIXED = {
    "known": lambda n: ("a", 1) if n < 3000 else (np.str_("a" if n % 2 else "z"), 1),
    "always": lambda n: ("red", 1) if n % 3 else (Colour.RED, 1),
    "rarely": lambda n: (Colour.BLUE, 1) if n % 700 == 699 else (f"red{n % 5}", 1),
    "not ones": lambda n: ("a", 2) if n % 1000 else (np.str_("a" if n % 3000 else "z"), 3),
    "before ones": lambda n: ("blue", 2) if n < 600 else (Colour.BLUE if n % 2 else "red", 1),
}


@pytest.mark.parametrize("reducer", [sum, len])
@pytest.mark.parametrize("mapper", MIXED.values(), ids=MIXED)
def test_keys_of_a_subclass_of_text_are_counted_with_their_equals(inline, mapper, reducer):
    expected = Counter()
    for key, value in map(mapper, range(6000)):
        expected[str(key)] += value if reducer is sum else 1
    result = inline(mr.Job(lambda n: [mapper(n)], reducer), range(6000), chunk_size=10**6)
    assert {str(key): count for key, count in result} == expected


@pytest.mark.parametrize("reducer", [sum, len])
def test_named_tuples_are_pairs_wherever_they_come(inline, reducer):
    assert dict(inline(mr.Job(lambda n: [Pair("a", 1)], reducer), range(2000))) == {"a": 2000}


def test_numbers_of_numpy_may_overflow_in_the_mapper_and_never_in_its_sums(inline):
    def mapper(n):
        with np.errstate(over="ignore"):
            odds = np.exp(np.float64(900.0 * (n > 600)))
        yield "odds", int(odds > 1) + 1
        yield "small", np.int8(100) if n > 600 else 2

    expected = {"odds": 1000 + 399, "small": 2 * 601 + 100 * 399}
    assert dict(inline(mr.Job(mapper, sum), range(1000))) == expected
