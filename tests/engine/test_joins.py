"""Joins: equal to pandas in every kind and way of running, whatever the keys; types stay; errors say what to do."""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import mrkernel as mr
from mrkernel.batches import python_rows
from mrkernel.engine.tasks.joiner import Joiner
from mrkernel.errors import KeyTypeError, OptionError, SourceReadError
from mrkernel.joins import HOWS

SENDABLE = ["inner", "left", "right", "semi", "anti"]
WAYS = [(how, broadcast) for how in HOWS for broadcast in ([True, False] if how in SENDABLE else [None])]
ORDERS = pa.table({"order": [1, 2, 3, 4], "who": ["Ann", "Bo", "Ann", None]})
ITEMS = pa.table({"order": [1, 1, 3, 9], "item": ["pen", "ink", "pen", "cup"], "who": ["x", "y", "z", "w"]})


def join(left: Any, right: Any, **options: Any) -> mr.Result:
    return mr.join(left, right, **{"executor": "inline", "progress": False, **options})


def rows(result: mr.Result) -> Counter[tuple[Any, ...]]:
    return Counter(python_rows(result.to_arrow()))


def by_pandas(left: pa.Table, right: pa.Table, on: list[str], how: str) -> Counter[tuple[Any, ...]]:
    """The same rows by pandas, whose object columns leave values as they are."""
    frames = [pd.DataFrame(table.to_pydict(), dtype=object) for table in (left, right)]
    if how in {"semi", "anti"}:
        known = set(frames[1][on].itertuples(index=False, name=None))
        is_known = [key in known for key in frames[0][on].itertuples(index=False, name=None)]
        frame = frames[0][pd.Series(is_known, dtype=bool) == (how == "semi")]
    else:
        frame = frames[0].merge(frames[1], on=on, how=how)
    frame = frame.astype(object).where(frame.notna(), None)
    return Counter(frame.itertuples(index=False, name=None))


def tables(key: st.SearchStrategy[Any], kind: pa.DataType, n_keys: int = 1) -> st.SearchStrategy[pa.Table]:
    """Tables with key columns, a column of their own and one whose name both have."""
    row = st.tuples(*[key] * n_keys, st.integers(0, 9), st.sampled_from(["ä", "b", None]))

    def table(found: list[tuple[Any, ...]]) -> pa.Table:
        names = [f"k{n}" for n in range(n_keys)] + ["own", "both"]
        kinds = [kind] * n_keys + [pa.int64(), pa.string()]
        columns = list(zip(*found, strict=True)) or [()] * len(names)
        return pa.table({name: pa.array(column, of) for name, column, of in zip(names, columns, kinds, strict=True)})

    return st.lists(row, max_size=12).map(table)


SMALL = st.none() | st.integers(0, 4)
WIDE = st.none() | st.sampled_from([0, 1, 2**62, -(2**62), 2**53, 2**53 + 1])
EXACT = st.none() | st.sampled_from([0, 1, 2**62, -(2**62), 2**53])
FLOATS = st.none() | st.sampled_from([0.0, -0.0, 1.0, 1.5, 2.0**53, -(2.0**62), 1e300])
TEXT = st.none() | st.sampled_from(["", "a", "ä", "日本", "a" * 40, "🎉"])
DAYS = st.none() | st.dates(dt.date(2024, 1, 1), dt.date(2024, 1, 5))
KINDS = {
    "int": (tables(SMALL, pa.int32()), tables(SMALL, pa.int64())),
    "wide int": (tables(WIDE, pa.int64()), tables(WIDE, pa.int64())),
    "int and float": (tables(EXACT, pa.int64()), tables(FLOATS, pa.float64())),
    "text": (tables(TEXT, pa.string()), tables(TEXT, pa.large_string())),
    "dictionary": (tables(TEXT, pa.dictionary(pa.int32(), pa.string())), tables(TEXT, pa.string())),
    "date": (tables(DAYS, pa.date32()), tables(DAYS, pa.date32())),
    "decimal and int": (tables(SMALL, pa.decimal128(9, 2)), tables(SMALL, pa.int64())),
    "two columns": (tables(SMALL, pa.int8(), 2), tables(SMALL, pa.int64(), 2)),
}


@pytest.mark.parametrize("kind", KINDS)
# Eleven jobs for each example: to look for the smallest that fails would take minutes.
@settings(max_examples=3, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(data=st.data())
def test_is_what_pandas_gives(kind: str, data: st.DataObject) -> None:
    left, right = (data.draw(side) for side in KINDS[kind])
    on = [name for name in left.schema.names if name.startswith("k")]
    for how, broadcast in WAYS:
        options = {"chunk_size": 64, "reducers": 3} if not broadcast else {"chunk_size": 64}
        result = join(left, right, on=on, how=how, broadcast=broadcast, **options)
        assert rows(result) == by_pandas(left, right, on, how), (how, broadcast)


@pytest.mark.cluster
@pytest.mark.parametrize(("how", "broadcast"), [("left", True), ("outer", None)])
def test_is_the_same_on_a_cluster(cluster: mr.Cluster, how: str, broadcast: bool | None) -> None:
    left = pa.table({"k": [n % 7_000 for n in range(30_000)], "v": range(30_000)})
    right = pa.table({"k": [n % 9_000 + 3_000 for n in range(10_000)], "w": [str(n) for n in range(10_000)]})
    result = mr.join(left, right, on="k", how=how, broadcast=broadcast, chunk_size="64 KiB")
    assert rows(result) == by_pandas(left, right, ["k"], how)
    assert result.report.stages[0].name == ("map right" if broadcast else "map")


@pytest.mark.parametrize("broadcast", [True, False])
def test_types_go_through_as_they_are(broadcast: bool) -> None:
    left = pa.table({"k": pa.array([1, 2], pa.int16()), "list": [[1], None], "at": [dt.datetime(2024, 1, 1), None]})
    right = pa.table({"k": pa.array([2, 3], pa.int16()), "n": pa.array([7, 8], pa.uint8()), "d": [Decimal("1.5")] * 2,
                      "struct": [{"a": 1}, {"a": 2}]})  # fmt: skip
    result = join(left, right, on="k", how="left", broadcast=broadcast)
    kinds = {"k": pa.int16(), "list": pa.list_(pa.int64()), "at": pa.timestamp("us"), "n": pa.uint8(),
             "d": pa.decimal128(2, 1), "struct": pa.struct([("a", pa.int64())])}  # fmt: skip
    assert dict(zip(result.schema.names, result.schema.types, strict=True)) == kinds
    assert sorted(zip(*[result.to_arrow()[name].to_pylist() for name in ("k", "n")], strict=True)) == [
        (1, None),
        (2, 7),
    ]


def test_an_empty_side_gives_its_columns() -> None:
    for how, n_rows in (("inner", 0), ("left", 4), ("right", 0), ("outer", 4), ("semi", 0), ("anti", 4)):
        result = join(ORDERS, ITEMS.slice(0, 0), on="order", how=how)
        assert result.num_rows == n_rows
        expected = ORDERS.schema.names if how in {"semi", "anti"} else ["order", "who_x", "item", "who_y"]
        assert result.schema.names == expected


def test_columns_stand_as_in_pandas() -> None:
    for options in ({"on": "order"}, {"left_on": "order", "right_on": "order"}, {"left_on": "who", "right_on": "item"},
                    {"left_on": ["order", "who"], "right_on": ["order", "item"]},
                    {"on": "order", "suffixes": ("", "_of_item")}):  # fmt: skip
        result = join(ORDERS, ITEMS, how="outer", **options)
        assert result.schema.names == list(ORDERS.to_pandas().merge(ITEMS.to_pandas(), how="outer", **options).columns)


def test_keys_of_two_names_stay_two_columns() -> None:
    result = join(ORDERS, ITEMS.select(["order", "item"]).rename_columns(["id", "item"]), left_on="order",
                  right_on="id", how="outer")  # fmt: skip
    assert (4, None, None, None) in rows(result)
    assert (None, None, 9, "cup") in rows(result)


def test_nan_equals_nan_and_not_null() -> None:
    left = pa.table({"k": [float("nan"), None, -0.0], "v": [1, 2, 3]})
    right = pa.table({"k": [float("nan"), None, 0.0], "w": [10, 20, 30]})
    for broadcast in (True, False):
        result = join(left, right, on="k", broadcast=broadcast).to_arrow()
        assert sorted(zip(result["v"].to_pylist(), result["w"].to_pylist(), strict=True)) == [(1, 10), (2, 20), (3, 30)]


def test_a_whole_number_equals_a_float_only_exactly() -> None:
    left = pa.table({"k": [2**53, 2**53 + 1]})
    for broadcast in (True, False):
        assert rows(join(left, pa.table({"k": [2.0**53]}), on="k", broadcast=broadcast)) == {(2**53,): 1}
    # The key of both sides is a float then, as in pandas.
    assert join(left, pa.table({"k": [0.5]}), on="k", how="outer").schema.field("k").type == pa.float64()


def test_python_keys_follow_pythons_equality() -> None:
    """A result may have keys of several types, which travel as Python objects."""
    keys = [1, "1", (1, "a"), None, 2.5]
    mixed = mr.run(mr.Job(lambda n: (keys[n], n)), range(5), executor="inline", progress=False)
    other = pa.table({"key": [1.0, 2.5, 7.0], "seen": [True, True, False]})
    for broadcast in (True, False):
        result = join(mixed, other, on="key", how="left", broadcast=broadcast)
        found = dict(zip(*[result.to_pandas()[c] for c in ("value", "seen")], strict=True))
        assert {value for value, seen in found.items() if seen is True} == {0, 4}
        assert set(result.to_pandas()["key"].map(type)) == {int, str, tuple, type(None), float}


def test_times_of_two_units_meet_also_where_the_finer_one_ends() -> None:
    end, noon = dt.datetime(9999, 12, 31), dt.datetime(2024, 3, 1, 12)
    left = pa.table({"at": pa.array([end, noon, None], pa.timestamp("us")), "n": [1, 2, 3]})
    right = pa.table({"at": pa.array([noon, None], pa.timestamp("ns")), "m": [10, 20]})
    for broadcast in (True, False):
        assert rows(join(left, right, on="at", broadcast=broadcast)) == Counter([(noon, 2, 10), (None, 3, 20)])


@pytest.mark.parametrize(("value", "left", "right", "found"), [
    (dt.datetime(2024, 3, 1), pa.timestamp("us"), pa.timestamp("ms"), pa.timestamp("us")),
    (dt.datetime(2024, 3, 1, tzinfo=dt.UTC), pa.timestamp("s", "UTC"), pa.timestamp("s", "Asia/Kolkata"),
     pa.timestamp("s", "UTC")),
    (Decimal("1.5"), pa.decimal128(9, 2), pa.decimal128(12, 2), pa.decimal128(12, 2)),
    (dt.date(2024, 3, 1), pa.date32(), pa.date64(), pa.date64()),
    (dt.timedelta(1), pa.duration("s"), pa.duration("ms"), pa.duration("ms")),
], ids=["units", "zones", "decimals", "dates", "durations"])  # fmt: skip
def test_the_key_of_an_outer_join_has_a_type_that_both_fit(
    value: Any, left: pa.DataType, right: pa.DataType, found: pa.DataType
) -> None:
    sides = [pa.table({"k": pa.array([value, None], kind)}) for kind in (left, right)]
    result = join(*sides, on="k", how="outer").to_arrow()
    assert (result.schema.field("k").type, len(result)) == (found, 2)


def test_keys_of_fixed_length_may_be_missing() -> None:
    left = pa.table({"k": pa.array([b"ab", None], pa.binary(2)), "n": [1, 2]})
    assert rows(join(left, left, on="k", broadcast=False, reducers=4)) == Counter([(b"ab", 1, 1), (None, 2, 2)])


def test_wide_rows_come_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made, pairs = [], Joiner._pairs
    monkeypatch.setattr("mrkernel.engine.tasks.joiner._OUT_BYTES", 1 << 20)
    monkeypatch.setattr(Joiner, "_pairs", lambda *given: made.append(len(given[2])) or pairs(*given))
    wide = pa.table({"k": [1, 2], "text": ["x" * 10_000, "y" * 10_000]})
    narrow = pa.table({"k": [1, 2] * 500})
    assert len(join(narrow, wide, on="k", broadcast=True)) == 1000
    assert max(made) <= 110


def test_records_that_do_not_fit_the_type_of_the_first_ones_are_told() -> None:
    records = [{"k": n} for n in range(3000)] + [{"k": 5.5}]
    with pytest.raises(SourceReadError, match="do not fit the type of the first ones"):
        join(records, pa.table({"k": [5]}), on="k")


def test_types_that_cannot_become_each_other_are_told() -> None:
    lists = pa.array([[1]])
    maps = pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64()))
    parts = [pa.record_batch({"k": [1], "x": column}) for column in (lists, maps)]
    source = mr.custom(lambda: [0, 1], lambda n: iter([parts[n]]))
    with pytest.raises(SourceReadError, match=r"column 'x' of .* is list<.*> in its first rows, and later map<"):
        join(source, pa.table({"k": [1]}), on="k")


def test_the_side_of_unknown_size_is_sent_where_the_other_is_large() -> None:
    few = mr.custom(lambda: [0], lambda split: iter([{"k": n} for n in range(3)]))
    many = pa.table({"k": np.arange(3_000_000)})
    small = join(many, few, on="k", broadcast=True, memory_limit="100 MB")
    assert len(small) == 3


def test_result_is_the_source_of_the_next_job(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("order,item\n1,pen\n1,ink\n3,pen\n")
    joined = join(ORDERS, str(tmp_path / "items.csv"), on="order", save=str(tmp_path / "joined.parquet"))
    counts = mr.run(mr.Job(lambda row: (row["who"], 1), sum), joined, executor="inline", progress=False)
    assert dict(counts) == {"Ann": 3}
    again = join(joined, tmp_path / "joined.parquet", on=["order", "who", "item"], how="anti")
    assert again.num_rows == 0


def test_a_table_joined_with_itself() -> None:
    assert join(ORDERS, ORDERS, on="order", how="inner", broadcast=False).num_rows == 4


def test_a_key_that_is_heavy_on_both_sides_comes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    from mrkernel.engine.tasks import joiner

    monkeypatch.setattr(joiner, "_OUT_ROWS", 1_000)
    sizes: list[int] = []
    gather = joiner.Joiner._pairs
    monkeypatch.setattr(joiner.Joiner, "_pairs", lambda *given: sizes.append(len(given[2])) or gather(*given))
    left = pa.table({"k": [1] * 150 + [2], "v": range(151)})
    right = pa.table({"k": [1] * 120 + [3], "w": range(121)})
    result = join(left, right, on="k", how="outer")
    assert rows(result) == by_pandas(left, right, ["k"], "outer")
    assert max(sizes) == 1_000


# -- broadcast or shuffle --------------------------------------------------------------------------------------


def test_a_small_side_is_sent_whole() -> None:
    result = join(ORDERS, ITEMS, on="order", how="left")
    assert result.report.notes[0].startswith("no shuffle: the right side, 4 rows and ")
    assert [stage.name for stage in result.report.stages] == ["map right", "map left"]
    assert dict(result.planned)["sides"].startswith("the right side, ")


def test_how_small_is_small_depends_on_the_key() -> None:
    for on, most in (("order", "536.9 MB"), ("who", "67.1 MB"), (["order", "who"], "67.1 MB")):
        result = join(ORDERS, ITEMS, on=on, how="left", memory_limit="4 GiB")
        assert f"if it takes under {most} there" in dict(result.planned)["sides"]


def test_a_side_is_measured_before_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a file's size promises may be much more in memory."""
    from mrkernel.joins import plan

    monkeypatch.setattr(plan, "_SMALL_BYTES", 900)
    result = join(ORDERS, ITEMS, on="order", how="left")
    assert result.report.notes[0].startswith("both sides shuffled: the right side, 4 rows and ")
    assert [stage.name for stage in result.report.stages] == ["map right", "map left", "reduce"]
    assert rows(result) == rows(join(ORDERS, ITEMS, on="order", how="left", broadcast=False))
    big = pa.table({"order": range(1000)})
    assert join(ORDERS, big, on="order").report.stages[0].name == "map left"
    assert [stage.name for stage in join(ORDERS, big, on="order", how="left").report.stages] == ["map", "reduce"]


def test_what_is_too_large_to_be_sent_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from mrkernel.joins import plan

    monkeypatch.setattr(plan, "_MOST_SHARE", 1 << 40)
    with pytest.raises(
        OptionError,
        match=r"the right side, 4 rows .* would take .*, more than 0 bytes: half .*\nHint: leave broadcast out",
    ):
        join(ORDERS, ITEMS, on="order", how="left", broadcast=True)


def test_the_side_that_is_sent_is_indexed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from mrkernel.engine.tasks import joining

    made = []
    build = joining.Indexed.__init__
    monkeypatch.setattr(joining.Indexed, "__init__", lambda *given, **named: made.append(1) or build(*given, **named))
    result = join(pa.table({"order": list(range(5)) * 40}), ITEMS, on="order", chunk_size=64, broadcast=True)
    assert result.report.stages[1].total > 3
    assert len(made) == 1
    assert joining._sent._held is not None
    mr.run(mr.Job(lambda n: (n, n)), [1], executor="inline", progress=False)
    assert joining._sent._held is None


def test_keys_of_types_that_only_python_compares() -> None:
    left = pa.table({"k": pa.array([b"a" * 16, b"b" * 16, None], pa.uuid()), "v": [1, 2, 3]})
    right = pa.table({"k": pa.array([b"b" * 16, None], pa.uuid()), "w": [1, 2]})
    big = pa.table({"k": pa.array([2**63 + 1, 5], pa.uint64())})
    for broadcast in (True, False):
        assert join(left, right, on="k", how="semi", broadcast=broadcast).to_arrow().sort_by("v")["v"].to_pylist() == [
            2,
            3,
        ]
        assert join(big, pa.table({"k": [5.0]}), on="k", broadcast=broadcast).num_rows == 1
        assert join(big, big, on="k", broadcast=broadcast).num_rows == 2


# -- faults ----------------------------------------------------------------------------------------------------


class _Deadly(mr.Source):
    """Rows 0 to 9 in two splits; the process that reads the second first dies once."""

    name = "deadly"

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def splits(self, chunk_bytes: int) -> list[mr.Split]:
        return [mr.Split(index=n, source="deadly", start=5 * n, stop=5 * n + 5, unit="rows") for n in range(2)]

    def schema(self) -> pa.Schema:
        return pa.schema([("k", pa.int64())])

    def read(self, split: mr.Split) -> Any:
        if split.index and not os.path.exists(self.mark):
            Path(self.mark).touch()
            os._exit(1)
        yield pa.record_batch({"k": list(range(split.start, split.stop))})


@pytest.mark.cluster
@pytest.mark.parametrize("broadcast", [True, False])
def test_a_worker_that_dies_costs_an_attempt(cluster: mr.Cluster, tmp_path: Path, broadcast: bool) -> None:
    right = pa.table({"k": [1, 7, 7], "w": [1, 2, 3]})
    result = mr.join(_Deadly(str(tmp_path / "mark")), right, on="k", how="left", broadcast=broadcast)
    assert result.num_rows == 11
    assert (tmp_path / "mark").exists()


@pytest.mark.parametrize("broadcast", [True, False])
def test_files_that_are_lost_are_written_again(broadcast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from mrkernel.engine.tasks import joining

    lost: list[str] = []
    read = joining.read_all

    def losing(runs: Any, fetch: Any = None) -> Any:
        if not lost:
            lost.append(runs[0].path)
            os.unlink(runs[0].path)
        return read(runs, fetch)

    monkeypatch.setattr(joining, "read_all", losing)
    result = join(ORDERS, ITEMS, on="order", how="left", broadcast=broadcast)
    assert lost
    assert rows(result) == by_pandas(ORDERS, ITEMS, ["order"], "left")


def test_lines_that_do_not_parse_are_set_aside(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("order,item\n1,pen\n2\n3,pen\n")
    result = join(ORDERS, str(tmp_path / "items.csv"), on="order", on_error="collect")
    assert result.num_rows == 2
    assert len(result.errors) == 1


# -- errors ----------------------------------------------------------------------------------------------------

TEXT_KEYS = pa.table({"order": ["1"], "n": [1]})


@pytest.mark.parametrize(
    ("right", "options", "message"),
    [
        (ITEMS, {"on": "ordr"}, "the left side has no column 'ordr'\nHint: did you mean 'order'"),
        (ITEMS, {"left_on": "who", "right_on": "x"}, "right side has no column 'x'\nHint: its columns are order"),
        (ITEMS, {"on": "order", "how": "lef"}, "how = 'lef' is no kind of join\nHint: did you mean 'left'"),
        (ITEMS, {"on": "order", "how": "cross"}, "Hint: it is one of inner, left, right, outer, semi, anti"),
        (ITEMS, {}, "the join names no key columns\nHint: say which column"),
        (ITEMS, {"left_on": "order"}, "left_on and right_on go together"),
        (ITEMS, {"on": "order", "left_on": "order"}, "on excludes left_on and right_on"),
        (ITEMS, {"left_on": ["order", "who"], "right_on": "order"}, "left_on names 2 columns, right_on 1"),
        (ITEMS, {"on": ["order", "order"]}, "the key column 'order' is named twice"),
        (ITEMS, {"on": 3}, "3 names no key columns"),
        (ITEMS, {"on": "order", "suffixes": ("", "")}, "the join would have two columns 'who', with suffixes="),
        (ITEMS, {"on": "order", "suffixes": "_x"}, "suffixes = '_x' cannot be used"),
        (ITEMS, {"on": "order", "how": "outer", "broadcast": True}, "an outer join cannot be broadcast"),
        (ITEMS, {"on": "order", "broadcast": "yes"}, "broadcast = 'yes' cannot be used"),
        ([], {"on": "order"}, "the right side, list, has no rows, and so no columns to join on"),
        ([1, 2], {"on": "order"}, "the right side has no column 'order'\nHint: its columns are value"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit(right: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match="^[^$]*" + message.replace("(", r"\(")):
        join(ORDERS, right, **options)


def test_keys_that_can_never_be_equal() -> None:
    with pytest.raises(
        KeyTypeError, match=r"'order' is a number \(int64\) on the left side and text \(string\) on the right"
    ):
        join(ORDERS, TEXT_KEYS, on="order")
    lists = pa.table({"order": [[1]]})
    with pytest.raises(KeyTypeError, match=r"'order' of the left side is of type list<.*>, which cannot be a key"):
        join(lists, lists, on="order")


class _Changing(_Deadly):
    def schema(self) -> None:
        return None

    def read(self, split: mr.Split) -> Any:
        yield pa.record_batch({"k": ["one"] if split.index else [1]})


def test_a_source_whose_types_change_is_told() -> None:
    with pytest.raises(SourceReadError, match=r"column 'k' of .* is int64 in its first rows, and later string"):
        join(_Changing(""), ITEMS, left_on="k", right_on="order")
