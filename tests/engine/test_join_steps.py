"""A job that reads joined rows: the answer of two jobs, joined where it is mapped if one side is small."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mrkernel as mr
from mrkernel.errors import JobSpecError, OptionError, TaskFailedError
from mrkernel.events import StageFinished, TaskRetried
from mrkernel.joins import Join
from mrkernel.session import explain, join_job

from .test_joins import ITEMS, ORDERS, WAYS, _Deadly, by_pandas, rows

N = 5_000
LINES = pa.table({"order": np.arange(N) % 700, "n": np.arange(N) % 13, "note": [f"é{n % 5}" for n in range(N)]})
WHO = pa.table({"order": range(600), "who": [f"w{n % 17}" for n in range(600)]})


def by_row(row: dict[str, Any]) -> Any:
    yield row["who"], row["n"] or 0


def by_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    return pa.record_batch([batch.column("who"), batch.column("n").fill_null(0)], names=["who", "n"])


def wanted(how: str) -> dict[Any, int]:
    frame = LINES.to_pandas().merge(WHO.to_pandas(), on="order", how=how)
    sums = frame.assign(n=frame["n"].fillna(0)).groupby("who", dropna=False)["n"].sum()
    return {None if pd.isna(who) else who: int(n) for who, n in sums.items()}


@pytest.mark.parametrize("mapper", [by_row, by_batch])
@pytest.mark.parametrize(("how", "broadcast"), [way for way in WAYS if way[0] not in {"semi", "anti"}])
def test_answer_is_that_of_two_jobs(how: str, broadcast: bool | None, mapper: Any) -> None:
    then = mr.Job(mapper, sum, name="sums")
    result = mr.join(LINES, WHO, on="order", how=how, broadcast=broadcast, then=then, executor="inline",
                     chunk_size="16 KiB")  # fmt: skip
    assert dict(result) == wanted(how)


@pytest.mark.cluster
@pytest.mark.parametrize(("broadcast", "stages"), [
    (True, ["map right", "map 2", "reduce 2"]), (False, ["map", "reduce", "map 2", "reduce 2"])])  # fmt: skip
def test_rows_are_joined_where_they_are_mapped(cluster: mr.Cluster, broadcast: bool, stages: list[str]) -> None:
    result = mr.join(LINES, WHO, on="order", then=mr.Job(by_batch, sum), broadcast=broadcast, chunk_size="16 KiB")
    assert dict(result) == wanted("inner")
    assert [stage.name for stage in result.report.progress.stages] == stages
    told = "the next step's map tasks join its rows, which are never written" in result.report.notes
    assert told == broadcast


def test_more_steps_follow_and_the_last_one_gives_its_name() -> None:
    then = mr.Job(by_row, sum, name="sums").then(mr.Job(lambda who, n: (n % 2, who), len, name="parity"))
    options: dict[str, Any] = {"on": "order", "then": then, "executor": "inline"}
    result = mr.join(LINES, WHO, **options)
    even = sum(n % 2 == 0 for n in wanted("inner").values())
    assert dict(result) == {0: even, 1: len(wanted("inner")) - even}
    assert (result.name, mr.join(LINES, WHO, name="mine", **options).name) == ("parity", "mine")


def test_a_mapper_alone_and_a_sort_may_follow() -> None:
    options: dict[str, Any] = {"on": "order", "executor": "inline"}
    mapped = mr.join(ORDERS, ITEMS, then=mr.Job(lambda row: (row["item"], row["who_x"])), **options)
    assert sorted(mapped) == [("ink", "Ann"), ("pen", "Ann"), ("pen", "Ann")]
    ordered = mr.join(LINES, WHO, then=mr.Job(by_row, sum, sort="key"), **options)
    assert list(ordered) == sorted(wanted("inner").items())


@pytest.mark.parametrize("empty", ["left", "right", "both"])
@pytest.mark.parametrize("broadcast", [True, False])
def test_an_empty_side_gives_an_empty_answer(empty: str, broadcast: bool) -> None:
    left, right = LINES.slice(0, 0 if empty != "right" else N), WHO.slice(0, 0 if empty != "left" else N)
    options: dict[str, Any] = {"on": "order", "broadcast": broadcast, "executor": "inline"}
    assert dict(mr.join(left, right, then=mr.Job(by_row, sum), **options)) == {}


def test_explain_tells_of_both() -> None:
    job, source = join_job(Join.of(on="order"), LINES, WHO, then=mr.Job(by_row, sum), name=None, settings={})
    said = str(explain(job, source))
    assert re.search(r"join +inner, on order\n", said)
    assert re.search(r"map 2 +a task for each chunk of the joined rows: by_row, records\n", said)
    assert re.search(r"reduce 2 +sum\n", said)


@pytest.mark.parametrize("broadcast", [True, False])
def test_values_that_arrow_has_no_type_for_come_as_they_are(broadcast: bool) -> None:
    sets = mr.run(mr.Job(lambda n: (n % 3, ("ä", n % 4)), set), range(40), executor="inline")
    names = [{"key": n, "n": "abc"[n]} for n in range(3)]
    then = mr.Job(lambda row: (row["n"], sorted(row["value"])), list)
    found = mr.join(sets, names, on="key", then=then, broadcast=broadcast, executor="inline")
    assert dict(found) == {name: [[("ä", n) for n in range(4)]] for name in "abc"}


def test_the_side_that_was_sent_is_given_back_before_the_reduce_stage() -> None:
    from mrkernel.engine.tasks import joining

    def reducer(who: str, numbers: Any) -> bool:
        return joining._sent._held is None

    result = mr.join(LINES, WHO, on="order", broadcast=True, then=mr.Job(by_row, reducer), executor="inline")
    assert set(dict(result).values()) == {True}


def test_records_are_those_that_are_read() -> None:
    result = mr.join(LINES, WHO.slice(0, 1), on="order", broadcast=True, then=mr.Job(by_row, len), executor="inline")
    assert {stage.name: stage.records for stage in result.report.progress.stages}["map 2"] == N


# -- columns -----------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(way=st.sampled_from(WAYS), data=st.data())
def test_chosen_columns_are_those_of_the_whole_join(way: tuple[str, bool | None], data: st.DataObject) -> None:
    how, broadcast = way
    options: dict[str, Any] = {"on": "order", "how": how, "broadcast": broadcast, "executor": "inline"}
    whole = mr.join(ORDERS, ITEMS, **options).to_arrow()
    names = data.draw(st.lists(st.sampled_from(whole.column_names), min_size=1, unique=True))
    result = mr.join(ORDERS, ITEMS, columns=names, **options)
    assert result.to_arrow().schema == whole.select(names).schema
    key = [(name, "ascending") for name in names]
    assert result.to_arrow().sort_by(key).equals(whole.select(names).sort_by(key))


def test_columns_of_keys_with_two_names_can_be_left_out() -> None:
    items = ITEMS.rename_columns(["of", "item", "buyer"])
    result = mr.join(ORDERS, items, left_on="order", right_on="of", columns=["buyer", "who"], executor="inline")
    assert sorted(result.to_arrow().to_pylist(), key=str) == [
        {"buyer": "x", "who": "Ann"}, {"buyer": "y", "who": "Ann"}, {"buyer": "z", "who": "Ann"}]  # fmt: skip


# -- errors and faults -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"then": mr.Job(None, sum)}, JobSpecError, "the job after a join has no mapper.*\n.*def mapper.row.:"),
        ({"then": mr.Job(lambda key, value: (key, value))}, JobSpecError, "the job after a join takes 2 arguments"),
        ({"then": sum}, JobSpecError, r"then\(\) takes a Job, not builtin"),
        ({"then": mr.Job(join=Join.of(on="k"))}, JobSpecError, "a join cannot follow a join in one job"),
        ({"columns": ["itm"]}, OptionError, "the join's result has no column 'itm'\nHint: did you mean 'item'"),
        ({"columns": ["who"]}, OptionError, "the join's result has no column 'who'"),
        ({"columns": []}, OptionError, r"\[\] names no columns"),
        ({"columns": ["item", "item"]}, OptionError, "the column 'item' is named twice"),
    ],
)  # fmt: skip
def test_what_cannot_follow_is_said_before_anything_runs(options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        mr.join(ORDERS, ITEMS, on="order", executor="inline", **options)


def test_a_record_that_fails_is_the_joined_row(run: Any) -> None:
    def mapper(row: dict[str, Any]) -> Any:
        yield row["who"], 100 // (row["n"] - 12 * (row["order"] == 77))

    inline = {"executor": "inline" if "inline" in str(run.keywords) else "cluster"}
    lines = LINES.filter(pa.array((np.arange(N) % 13) > 0))
    options: dict[str, Any] = {"on": "order", "then": mr.Job(mapper, len), **inline}
    bad = [row for row in lines.to_pylist() if row["order"] == 77 and row["n"] == 12]
    assert bad
    with pytest.raises(
        TaskFailedError, match=r"mapper failed at joined row \d+ of this split of Table: ZeroDivisionError"
    ):
        mr.join(lines, WHO, **options)
    result = mr.join(lines, WHO, on_error="collect", **options)
    assert len(result.errors) == len(bad)
    assert "'order': 77" in str(result.errors.to_arrow()["record"][0])
    assert sum(dict(result).values()) == lines.num_rows - len(bad) - sum(n >= 600 for n in lines["order"].to_pylist())


def test_bad_rows_of_batches_are_named_by_their_own_numbers(tmp_path: Path) -> None:
    n_rows = 300_000
    (tmp_path / "lines.csv").write_text("k,n\n" + "".join(f"{n % 7},{n}\n" for n in range(n_rows)))

    def mapper(batch: pa.RecordBatch) -> pa.RecordBatch:
        if any(n in (100, 290_000) for n in batch.column("n").to_pylist()):
            raise ValueError("bad")
        return pa.record_batch([batch.column("k"), batch.column("n")], names=["k", "n"])

    right = pa.table({"k": range(7)})
    result = mr.join(str(tmp_path / "lines.csv"), right, on="k", broadcast=True, on_error="collect",
                     then=mr.Job(mapper, len), executor="inline", chunk_size="1 GiB")  # fmt: skip
    where = result.errors.to_arrow()
    assert where["location"].to_pylist() == ["joined row 101 of this split", "joined row 290001 of this split"]
    assert sum(dict(result).values()) == n_rows - 2


def test_lines_that_do_not_parse_are_set_aside(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("order,item\n1,pen\n2\n3,pen\n")
    then = mr.Job(lambda row: (row["item"], 1), sum)
    result = mr.join(str(tmp_path / "items.csv"), ORDERS, on="order", on_error="collect", then=then, executor="inline")
    assert dict(result) == {"pen": 2}
    assert len(result.errors) == 1


@pytest.mark.cluster
def test_a_worker_that_dies_while_it_joins_and_maps_costs_an_attempt(cluster: mr.Cluster, tmp_path: Path) -> None:
    right = pa.table({"k": [1, 7, 7], "w": [1, 2, 3]})
    then = mr.Job(lambda row: (row["k"], row["w"]), sum)
    source = _Deadly(str(tmp_path / "mark"))
    assert dict(mr.join(source, right, on="k", broadcast=True, then=then)) == {1: 1, 7: 5}
    assert (tmp_path / "mark").exists()


def test_files_of_the_small_side_that_are_lost_are_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from mrkernel.engine.tasks import joining

    lost: list[str] = []
    retried: list[tuple[str, int]] = []
    read = joining.read_all

    def losing(runs: Any, fetch: Any = None) -> Any:
        if not lost:
            lost.append(runs[0].path)
            os.unlink(runs[0].path)
        return read(runs, fetch)

    def listen(event: Any) -> None:
        if isinstance(event, TaskRetried):
            retried.append((event.stage, event.task))

    monkeypatch.setattr(joining, "read_all", losing)
    then = mr.Job(lambda row: ((row["order"], row["who_x"], row["item"], row["who_y"]), 1), sum)
    result = mr.join(ORDERS, ITEMS, on="order", how="left", broadcast=True, then=then, executor="inline",
                     listeners=[listen])  # fmt: skip
    assert lost
    assert retried == [("map right", 0), ("map 2", 0)]
    assert dict(result) == by_pandas(ORDERS, ITEMS, ["order"], "left")
    assert sum(rows(result).values()) == 5


def test_a_host_that_is_lost_costs_what_it_held(monkeypatch: pytest.MonkeyPatch) -> None:
    from mrkernel.engine.tasks import joining

    folders: set[str] = set()
    lost: list[Path] = []
    write = joining.write_run

    def watched(*arguments: Any, folder: str, **options: Any) -> Any:
        folders.add(folder)
        return write(*arguments, folder=folder, **options)

    def lose(event: Any) -> None:
        if isinstance(event, StageFinished) and event.stage == "map 2" and not lost:
            lost.extend({path for folder in folders for path in Path(folder).rglob("*") if path.is_file()})
            for path in lost:
                path.unlink()
            # As in a worker that was not there before.
            joining._sent.leave(None)

    monkeypatch.setattr(joining, "write_run", watched)
    then = mr.Job(lambda row: (row["who"], row["note"] * 2_000), lambda who, notes: sum(map(len, notes)))
    options: dict[str, Any] = {"on": "order", "broadcast": True, "then": then, "executor": "inline", "reducers": 3,
                               "chunk_size": "16 KiB"}  # fmt: skip
    answer = dict(mr.join(LINES, WHO, listeners=[lose], **options))
    assert len(lost) > 1
    assert answer == dict(mr.join(LINES, WHO, **options))
