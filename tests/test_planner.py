"""From job and settings to a plan: splits, partitions, tasks, and their reasons in words."""

from __future__ import annotations

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mrkernel as mr
from mrkernel.config import Settings
from mrkernel.io import as_source
from mrkernel.joins import Join, Sides
from mrkernel.planner import StepPlan, make_plan, reduce_tasks

SUM = mr.Job(lambda n: (n, 1), sum, name="sums")
OWN = mr.Job(lambda n: (n, 1), lambda key, values: len(values), name="own")


def plan(job, source, **settings):
    return make_plan(job, as_source(source), Settings(**settings), 4)


@pytest.mark.parametrize("chunk_size", [1, 10, 1_000, 10**9])
def test_chunk_size_cuts_the_input(tmp_path, chunk_size):
    (tmp_path / "a.txt").write_text("x" * 99 + "\n")
    splits = plan(SUM, str(tmp_path / "a.txt"), chunk_size=chunk_size).first.splits
    assert len(splits) == max(1, -(-100 // chunk_size))


def test_number_of_partitions_is_that_of_reducers():
    first = plan(SUM, [1, 2], reducers=5).first
    assert (first.n_partitions, first.has_fixed_partitions) == (5, True)


def test_partitioner_without_a_number_gets_as_many_partitions_as_workers():
    assert plan(mr.Job(lambda n: (n, 1), sum, partitioner=lambda key, n: 0), [1]).first.n_partitions == 4


def test_a_cluster_whose_workers_are_all_being_replaced_is_planned_for_as_one():
    job = mr.Job(lambda n: (n, 1), sum, partitioner=lambda key, n: 0)
    found = make_plan(job, as_source([1]), Settings(), 0)
    assert (found.n_workers, found.first.n_partitions) == (1, 1)


def test_map_only_job_has_no_partitions():
    assert plan(mr.Job(lambda n: (n, 1)), [1]).first.n_partitions == 0


def test_small_input_has_partitions_too_since_a_mapper_may_make_much_of_it():
    assert plan(SUM, [1, 2]).first.n_partitions == 64
    assert make_plan(SUM, as_source([1, 2]), Settings(), 1).first.n_partitions == 1


def test_plan_explains_itself():
    text = str(plan(SUM, range(10)))
    assert text.startswith("plan of sums")
    for word in ("input", "chunk size", "map", "combine", "shuffle", "reduce", "workers"):
        assert word in text


def test_plan_says_why_there_is_no_combining():
    assert "none: the reducer needs all values of a key" in str(plan(OWN, [1]))
    assert "sum inside map tasks" in str(plan(SUM, [1]))
    assert "off" in str(plan(SUM, [1], combine=False))


def test_plan_says_why_a_file_is_one_split(tmp_path):
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"line\n" * 1000))
    found = plan(SUM, str(tmp_path / "a.txt.gz"), chunk_size=1)
    assert len(found.first.splits) == 1
    assert any("gz" in note and "cannot be split" in note for note in found.notes())
    assert "cannot be split" in str(found)


def test_plan_of_a_chain_names_each_step():
    text = str(plan(SUM.then(OWN), [1]))
    assert "map 1" in text
    assert "map 2" in text


def test_plan_escapes_names_in_html():
    assert "<b>" not in plan(mr.Job(lambda n: (n, 1), sum, name="<b>bold"), [1])._repr_html_()


def step_plan(n_partitions, *, fixed=False):
    return StepPlan(
        step=0, source=as_source([]), splits=(), chunk_bytes=1, n_partitions=n_partitions, has_fixed_partitions=fixed
    )


def test_each_fixed_partition_is_a_task():
    assert reduce_tasks(SUM, step_plan(3, fixed=True), [0, 5, 0], 2) == [(0,), (1,), (2,)]


def test_few_rows_are_one_task():
    assert reduce_tasks(SUM, step_plan(64), [10] * 64, 2) == [()]
    assert reduce_tasks(OWN, step_plan(64), [100] * 64, 2) == [()]


def test_few_rows_are_spread_where_they_are_large():
    assert len(reduce_tasks(OWN, step_plan(64), [10] * 64, 2, n_bytes=100 << 20)) >= 4
    assert len(reduce_tasks(SUM, step_plan(64), [10] * 64, 2, n_bytes=8 << 30)) >= 32


def test_rows_of_a_function_are_spread_earlier_than_those_of_an_aggregate():
    rows = [1_000] * 64
    assert reduce_tasks(SUM, step_plan(64), rows, 2) == [()]
    assert len(reduce_tasks(OWN, step_plan(64), rows, 2)) >= 4


def test_tasks_hold_all_partitions_with_rows_once_and_about_equally_many_rows():
    rows = [n * 37 % 101 * 10_000 for n in range(256)]
    tasks = reduce_tasks(SUM, step_plan(256), rows, 4)
    assert [number for task in tasks for number in task] == [number for number in range(256) if rows[number]]
    sizes = [sum(rows[number] for number in task) for task in tasks]
    assert max(sizes) < 2 * sum(sizes) / len(sizes)


def test_each_side_of_a_join_is_cut_for_all_workers(tmp_path):
    for name, n_rows in (("large", 1_200_000), ("small", 300_000)):
        noise = np.random.default_rng(7).integers(0, 2**60, n_rows)
        pq.write_table(pa.table({"k": np.arange(n_rows), name: noise}), tmp_path / f"{name}.parquet",
                       row_group_size=n_rows // 10, compression="none")  # fmt: skip
    sides = Sides(as_source(tmp_path / "large.parquet"), as_source(tmp_path / "small.parquet"))
    plan = make_plan(mr.Job(join=Join.of(on="k")), sides, Settings(), 2).first
    groups = {side: [piece.stop - piece.start for split in plan.splits if split.payload[0] == side
                     for piece in split.payload[1].payload] for side in ("left", "right")}  # fmt: skip
    assert groups == {"left": [1] * 10, "right": [1] * 10}
    given = make_plan(mr.Job(join=Join.of(on="k")), sides, Settings(chunk_size=1 << 30), 2).first
    assert len(given.splits) == 2
