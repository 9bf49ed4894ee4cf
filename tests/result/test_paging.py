"""Pages of a result in the order of any column, beside what Python's own sort says."""

from __future__ import annotations

import csv
import datetime as dt
import gc
import io
import math
import os
import tempfile
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import ipc

import mrkernel as mr
from mrkernel.batches import encode_column, make_table
from mrkernel.engine.partfiles import write_batches
from mrkernel.errors import MrkernelError, OptionError
from mrkernel.grouping import sort_token
from mrkernel.result import Paging
from mrkernel.result import paging as paging_module
from mrkernel.result.parts import PartFile
from mrkernel.result.selection import Ranked
from mrkernel.result.sorting import Order, Stretch, sort_stretch
from tests.engine.marks import wait_until

NAN = float("nan")
WORDS = ["b", None, "a", "", "é", "zebra", "a", "b" * 20, "b" * 20 + "a", None, "日本", "a"]
VALUES = {
    "numbers": [3, None, -1, 7, 7, 0, None, 2**62, 3, 1, -(2**62), 3],
    "floats": [0.5, NAN, -1.0, None, math.inf, 0.5, NAN, -math.inf, None, 2.5, 0.0, 1e300],
    "text": WORDS,
    "bools": [True, None, False, True, False, None] * 2,
    "bytes": [None if word is None else word.encode() for word in WORDS],
    "dates": [None if n == 3 else dt.date(2024, 1, 1 + 7 * n % 11) for n in range(12)],
    "times": [dt.datetime(2024, 1, 1 + n % 3, tzinfo=dt.UTC) for n in range(12)],
    "decimals": [Decimal(n % 5).scaleb(-2).quantize(Decimal("0.01")) for n in range(12)],
    "tuples": [(n % 3, "ab"[n % 2]) for n in range(12)],
    "lists": [[n % 3, n] for n in range(12)],
    "nothing": [None] * 12,
}


def is_missing(value):
    return value is None or value != value


def expected(values, *, descending):
    """Row numbers: values in their order, then NaN, then None, equal ones as they were."""
    rows = [row for row, value in enumerate(values) if not is_missing(value)]
    rows.sort(key=values.__getitem__, reverse=descending)
    rows += [row for row, value in enumerate(values) if value is not None and is_missing(value)]
    return rows + [row for row, value in enumerate(values) if value is None]


def decoded(page):
    return ipc.open_stream(page.ipc).read_all()


@pytest.fixture
def tiny_stretches(monkeypatch):
    """Stretches of four rows, so that a few rows are many stretches."""
    monkeypatch.setattr(paging_module, "_PLAIN_ROWS", 4)
    monkeypatch.setattr(paging_module, "_OTHER_ROWS", 3)


@pytest.fixture
def parts(tmp_path):
    """Writes each table as a part."""

    return lambda *tables: written(tmp_path, tables)


def written(folder, tables):
    files = []
    for number, table in enumerate(tables):
        path = os.path.join(folder, f"part-{number}.arrow")
        rows, size = write_batches([table], path)
        files.append(PartFile(path=path, n_rows=rows, n_bytes=size))
    return files


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("kind", VALUES)
def test_pages_of_any_type_are_what_sorted_says(inline, tiny_stretches, kind, descending):
    values = VALUES[kind]
    result = inline(mr.Job(lambda pair: pair), list(enumerate(values)), reducers=1)
    by_row = dict(result)
    held = [by_row[key] for key in result.keys()]  # noqa: SIM118  # in the order of rows
    wanted = expected(held, descending=descending)
    for size in (1, 5, 12):
        pages = [result.paging.numbers(start, size, column="value", descending=descending)
                 for start in range(0, 12, size)]  # fmt: skip
        assert [row for page in pages for row in page] == wanted


@pytest.mark.parametrize("descending", [False, True])
def test_column_whose_type_differs_between_parts_has_one_order(parts, tiny_stretches, descending):
    columns = [[3, 1, None, 2], [2.5, NAN, 0.5], ["b", "a"], [{"x": 2}, (1, 2), [0], {1, 2}]]
    paging = Paging(parts(*[make_table([encode_column(values, "value")]) for values in columns]))
    assert paging.columns() == [("value", "Python objects")]
    values, missing = [6, 1, 3, 4, 0, 8, 7, 10, 11, 9, 12], [5, 2]
    found = paging.numbers(0, 20, column="value", descending=descending)
    assert found == (values[::-1] if descending else values) + missing


def test_column_that_some_parts_lack_is_none_there(parts, tiny_stretches):
    paging = Paging(parts(pa.table({"key": [1, 2]}), pa.table({"key": [3, 4], "more": ["b", "a"]})))
    assert paging.columns() == [("key", "int64"), ("more", "string")]
    assert paging.numbers(0, 9, column="more") == [3, 2, 0, 1]
    assert decoded(paging.page(0, 9, column="more"))["more"].to_pylist() == ["a", "b", None, None]


def test_page_without_a_column_is_the_rows_as_they_are(parts):
    paging = Paging(parts(pa.table({"key": range(70_000)}), pa.table({"key": [7, 8]})))
    page = paging.page(69_998, 10)
    assert (page.start, page.n_rows) == (69_998, 4)
    assert decoded(page)["key"].to_pylist() == [69_998, 69_999, 7, 8]


def test_page_beyond_the_end_is_empty(parts):
    paging = Paging(parts(pa.table({"key": [1, 2]})))
    assert paging.page(5, 10, column="key").n_rows == 0
    assert decoded(paging.page(5, 10)).num_rows == 0


def test_empty_result_has_columns_and_an_empty_page(inline):
    paging = inline(mr.Job(lambda n: None, sum), [1]).paging
    assert [name for name, _ in paging.columns()] == ["key", "value"]
    assert decoded(paging.page(0, 10, column="key")).num_rows == 0


def test_page_keeps_numbers_and_shows_all_else_as_text(inline):
    record = {"int": 1, "float": NAN, "bool": True, "text": "a\nb", "pair": (1, "x"), "object": {1, 2},
              "date": dt.date(2024, 1, 2), "none": None}  # fmt: skip
    page = decoded(inline(mr.Job(lambda n: (n, record)), [5]).paging.page(0, 1))
    assert [str(field.type) for field in page.schema][:4] == ["int64", "int64", "double", "bool"]
    (row,) = page.to_pylist()
    assert math.isnan(row.pop("float"))
    assert row == {"key": 5, "int": 1, "bool": True, "text": "a\\nb", "pair": "(1, 'x')", "object": "{1, 2}",
                   "date": "2024-01-02", "none": None}  # fmt: skip


def test_long_text_is_cut_and_can_be_had_whole(inline):
    paging = inline(mr.Job(lambda n: (n, "ä" * 300_000)), [1]).paging
    page = paging.page(0, 1)
    assert page.cut == [(0, 1, 300_000)]
    assert decoded(page)["value"].to_pylist() == ["ä" * 2_000]
    text, length = paging.text(0, "value")
    assert (len(text), length) == (200_000, 300_000)


def test_values_that_are_shown_shortened_can_be_had_whole(inline):
    values = ["x" * 5_000, list(range(1_000)), list(range(100, 131)), 10**5_000, {"b": 1, "a": {3, 1}}, ""]
    paging = inline(mr.Job(lambda n: (n, values[n])), range(6), reducers=1).paging
    wholes = ["x" * 5_000, repr(values[1]), repr(values[2]), "1" + "0" * 5_000, repr(values[4]), ""]
    assert [paging.text(n, "value", column="key") for n in range(6)] == [(text, len(text)) for text in wholes]
    page = paging.page(0, 6, column="key")
    assert page.cut == [(n, 1, len(wholes[n])) for n in range(4)]
    assert decoded(page)["value"].to_pylist()[4:] == ["{'a': {1, 3}, 'b': 1}", ""]
    words = inline(mr.Job(lambda n: (n, ["", None][n])), range(2), reducers=1).paging
    assert [words.text(n, "value", column="key")[0] for n in range(2)] == ["", "None"]


def test_page_of_many_long_cells_stays_small(parts):
    table = pa.table({f"c{n}": ["x" * 10_000] * 200 for n in range(50)})
    assert len(Paging(parts(table)).page(0, 200).ipc) < 3_000_000


def test_unknown_column_is_named(parts):
    with pytest.raises(OptionError, match="cannot sort by 'c': columns are a, b"):
        Paging(parts(pa.table({"a": [1], "b": [2]}))).page(0, 1, column="c")


def test_csv_is_what_a_reader_gets_back(inline):
    rows = [("a,b", None), ('say "x"', [1, 2]), ("z\nz", b"raw"), ("q", 2.5)]
    text, n_rows = inline(mr.Job(lambda row: row), rows, reducers=1).paging.csv(10, column="key")
    assert n_rows == 4
    assert list(csv.reader(io.StringIO(text))) == [
        ["key", "value"], ["a,b", ""], ["q", "2.5"], ['say "x"', "[1, 2]"], ["z\nz", "b'raw'"],
    ]  # fmt: skip


def test_csv_has_every_value_whole_and_as_a_file_has_it(inline, tmp_path):
    day, time = dt.date(2024, 1, 2), dt.datetime(2024, 1, 2, 3, 4)
    values = [math.factorial(80), 10**5_000, set(range(100)), True, time, (1, day),
              "bad \ud800", [NAN] * 40, 2.5]  # fmt: skip
    paging = inline(mr.Job(lambda n: (n, values[n])), range(9), reducers=1).paging
    copied = [value for _, value in list(csv.reader(io.StringIO(paging.csv(9, column="key")[0])))[1:]]
    assert copied[1:2] + copied[6:8] == ["1" + "0" * 5_000, "bad \\ud800", repr([NAN] * 40)]
    told = [0, 2, 3, 4, 5, 8]
    inline(mr.Job(lambda n: (n, values[n])), told, reducers=1).write(tmp_path / "rows.csv")
    with open(tmp_path / "rows.csv", newline="") as file:
        assert [copied[n] for n in told] == [row["value"] for row in csv.DictReader(file)]


def test_csv_stops_at_its_limits(parts):
    paging = Paging(parts(pa.table({"key": ["x" * 100_000] * 200})))
    text, n_rows = paging.csv(200)
    assert (n_rows, len(text) < 5_000_000) == (40, True)
    assert paging.csv(3)[1] == 3


def test_orders_are_files_that_go_when_the_result_goes(inline, tmp_path):
    result = inline(mr.Job(lambda n: (n, {"a": -n, "b": n % 3, "c": 0})), range(50))
    paging = result.paging
    for column in ("key", "a", "b", "c", "key"):
        for descending in (False, True):
            paging.page(0, 5, column=column, descending=descending)
    folder = os.path.dirname(result.__mrkernel_source__().local_files()[0])
    held = [name for name in os.listdir(folder) if name.endswith(".rows")]
    assert len(held) == 4, "the orders that were used last"
    del result, paging
    gc.collect()
    assert [name for name in os.listdir(folder) if name.endswith((".rows", ".arrow"))] == []


def test_lost_file_says_what_to_do(parts):
    written = parts(pa.table({"a": [1]}))
    os.unlink(written[0].path)
    with pytest.raises(MrkernelError, match=r"its file is gone .*\nHint: run the job again"):
        Paging(written).page(0, 1)


def test_values_whose_text_holds_an_address_sort_without_end(inline, tiny_stretches):
    result = inline(mr.Job(lambda n: (n, {"value": [object(), Ellipsis, 1j][n % 3], "n": n})), range(20), reducers=1)
    assert sorted(result.paging.numbers(0, 20, column="value")) == list(range(20))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.none() | st.integers() | st.floats() | st.text() | st.tuples(st.integers(), st.text()))),
    st.booleans(),
)
def test_any_mixture_in_any_parts_is_in_the_order_of_keys(columns, descending):
    values = [value for column in columns for value in column]
    rows = [row for row, value in enumerate(values) if not is_missing(value)]
    rows.sort(key=lambda row: sort_token(values[row]), reverse=descending)
    nan = [row for row, value in enumerate(values) if value is not None and is_missing(value)]
    wanted = [*rows, *nan, *(row for row, value in enumerate(values) if value is None)]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(paging_module, "_PLAIN_ROWS", 4)
        patch.setattr(paging_module, "_OTHER_ROWS", 4)
        paging = Paging(written(folder, [make_table([encode_column(column, "value")]) for column in columns if column]))
        if values:
            assert paging.numbers(0, len(values), column="value", descending=descending) == wanted


def test_page_in_the_middle_of_a_million_rows_reads_few_of_them(parts, tmp_path):
    values = np.random.default_rng(1).integers(0, 1000, 1_000_000)
    held = tuple(parts(pa.table({"a": values})))
    orders = [
        sort_stretch(Stretch(parts=held, start=start, stop=min(start + 100_000, 1_000_000), column="a", descending=True,
                             folder=str(tmp_path)))
        for start in range(0, 1_000_000, 100_000)
    ]  # fmt: skip
    read = []

    def key(number):
        read.append(number)
        return int(values[number])

    wanted = np.argsort(-values, kind="stable")[500_000:500_050].tolist()
    assert Ranked(orders, key, descending=True).rows(500_000, 500_050) == wanted
    assert len(read) < 10_000


class Recorder:
    """A cluster that counts the calls it is given."""

    is_closed = False

    def __init__(self, cluster):
        self.cluster, self.client, self.calls = cluster, self, 0

    def processing(self):
        return self.cluster.client.processing()

    def map(self, function, stretches, **options):
        self.calls += len(stretches)
        return self.cluster.client.map(function, stretches, **options)


class Hanging:
    """A cluster whose workers hand over the first stretch, and nothing more."""

    is_closed = False

    def __init__(self):
        self.client = self

    def processing(self):
        return {}

    def map(self, function, stretches, **options):
        first, *rest = (Future() for _ in stretches)
        first.set_result(function(stretches[0]))
        return [first, *rest]


def test_worker_that_hangs_leaves_the_rest_of_the_sort_here(parts, tiny_stretches, monkeypatch):
    monkeypatch.setattr(paging_module, "_FEW_ROWS", 10)
    monkeypatch.setattr(paging_module, "_PATIENCE_S", 0.01)
    paging = Paging(parts(pa.table({"key": [n * 7 % 20 for n in range(20)]})), place=Hanging())
    page = paging.page(5, 5, column="key", descending=True)
    assert decoded(page)["key"].to_pylist() == [14, 13, 12, 11, 10]
    assert len(os.listdir(os.path.dirname(paging._files[0]))) == 6, "each stretch was sorted once"


def test_page_does_not_wait_for_the_sort_of_another(parts, monkeypatch):
    paging = Paging(parts(pa.table({"a": [3, 1, 2], "b": [1, 3, 2]})))
    assert paging.numbers(0, 3, column="b") == [0, 2, 1]
    gate, begun = threading.Event(), []

    def slowly(stretch):
        begun.append(stretch.column)
        gate.wait(30)
        return sort_stretch(stretch)

    monkeypatch.setattr(paging_module, "sort_stretch", slowly)
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(paging.numbers, 0, 3, column="a") for _ in range(2)]
        wait_until(lambda: begun)
        try:
            assert decoded(pool.submit(paging.page, 0, 2).result(5))["a"].to_pylist() == [3, 1]
            assert pool.submit(paging.numbers, 0, 1, column="b").result(5) == [0]
        finally:
            gate.set()
        assert [one.result(5) for one in waiting] == [[1, 2, 0]] * 2
    assert begun == ["a"], "two that want one order wait for one sort"


@pytest.mark.cluster
def test_large_result_is_sorted_on_the_workers(cluster, parts, tiny_stretches, monkeypatch):
    monkeypatch.setattr(paging_module, "_FEW_ROWS", 10)
    place = Recorder(cluster)
    paging = Paging(parts(pa.table({"key": [n * 7 % 20 for n in range(20)]})), place=place)
    assert decoded(paging.page(5, 5, column="key", descending=True))["key"].to_pylist() == [14, 13, 12, 11, 10]
    assert place.calls == 5


@pytest.mark.cluster
def test_result_of_a_cluster_that_has_left_is_sorted_here(cluster, monkeypatch):
    monkeypatch.setattr(paging_module, "_FEW_ROWS", 10)
    result = mr.run(mr.Job(lambda n: (n, -n)), range(30), cluster=cluster)
    assert decoded(result.paging.page(0, 2, column="value"))["value"].to_pylist() == [-29, -28]
    monkeypatch.setattr(type(cluster), "is_closed", True)
    assert decoded(result.paging.page(0, 2, column="value", descending=True))["value"].to_pylist() == [0, -1]


def test_order_says_where_values_end(parts, tmp_path):
    written = parts(pa.table({"a": [2.0, None, NAN, 1.0]}))
    order = sort_stretch(Stretch(parts=tuple(written), start=0, stop=4, column="a", descending=False,
                                 folder=str(tmp_path)))  # fmt: skip
    assert order == Order(path=order.path, start=0, n_values=2, n_nan=1, n_none=1)
