"""Calls stay small: what many of them have in common is sent once."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import mrkernel as mr
from mrkernel.config import settings
from mrkernel.engine.calls import CallMaker
from mrkernel.engine.ranges import thinned
from mrkernel.engine.sharing import Sharing, restored, unpacked
from mrkernel.engine.shuffle import Run, RunReaders, SmallRuns, write_run
from mrkernel.engine.stages import Stage
from mrkernel.engine.tasks import TaskReport
from mrkernel.io import as_source
from mrkernel.planner import make_plan, reduce_tasks
from tests.engine.marks import Log

JOB = mr.Job(lambda n: [(n, 1)], lambda key, values: sum(values))
N_PARTITIONS = 64


class Holding(Sharing):
    """Keeps what is shared."""

    def __init__(self):
        self.contents: dict[str, bytes] = {}
        super().__init__(self.contents.__setitem__, pickle.dumps, "held")


def maker(plan):
    return CallMaker(plan, job=b"job", job_id="j", scratch="scratch")


def mapped(n_splits):
    """A map stage of so many splits, all reported, and its plan."""
    plan = make_plan(JOB, mr.custom(lambda: range(n_splits), lambda n: [n]), settings(reducers=N_PARTITIONS), 2)
    stage = Stage("map", maker(plan).maps(plan.first, "results"))
    for task in range(n_splits):
        run = Run(task=task, path=f"{os.sep}scratch{os.sep}map-{task:05d}-0a1b2c3d.arrow", worker="tcp://10.0.0.1:40001",
                  rows=(1_000 + task,) * N_PARTITIONS, n_bytes=10_000)  # fmt: skip
        stage.finish(TaskReport(stage="map", task=task, attempt=1, runs=(run,)))
    return plan, stage


@pytest.mark.parametrize("n_splits", [64, 1024])
def test_reduce_call_is_small_however_many_splits_there_were(n_splits):
    plan, stage = mapped(n_splits)
    calls = maker(plan).reduces(JOB, plan.first, [stage], "results", 2)
    sharing = Holding()
    light, held = sharing.lightened(calls)
    assert max(len(pickle.dumps(call)) for call in light) < 10_000
    # All calls have the same runs, and what is sent of them has no number for each partition.
    assert len(held) <= 1
    assert sum(map(len, sharing.contents.values())) < 50 * n_splits
    found = {key: unpacked(content) for key, content in sharing.contents.items()}
    assert [restored(call, found) for call in light] == calls


def test_driver_keeps_one_number_for_all_partitions_of_a_run():
    _, stage = mapped(100)
    assert {len(run.rows) for run in stage.runs()} == {1}
    assert stage.rows.tolist() == [sum(1_000 + task for task in range(100))] * N_PARTITIONS


def test_driver_keeps_a_bounded_sample_of_keys():
    sample = pa.table({"key": pa.array(range(256))})
    assert thinned(sample, 0, 100).num_rows == 256
    assert [thinned(sample, task, 10_000).num_rows for task in range(3)] == [13] * 3
    assert [thinned(sample, task, 300_000) is None for task in range(4)] == [False, True, True, False]


def file_source(folder, count):
    for n in range(count):
        (folder / f"a-file-with-a-name-{n:05}.txt").write_bytes(b"x")
    return as_source(sorted(folder.iterdir()))


def list_source(folder, count):
    return as_source([str(n) for n in range(count)]).localized(str(folder))


@pytest.mark.parametrize("make", [file_source, list_source])
def test_map_call_is_small_however_large_the_source(tmp_path, make):
    source = make(tmp_path, 3_000)
    plan = make_plan(JOB, source, settings(chunk_size=1_000), 2)
    # A call names its own files, and no others.
    light, held = Holding().lightened(list(maker(plan).maps(plan.first, "results")))
    assert all(len(pickle.dumps(call)) < 10_000 for call in light)
    assert len(held) == (make is file_source)


@pytest.mark.cluster
def test_what_is_shared_reaches_every_worker(cluster, tmp_path):
    """Functions, files and runs each too large to be in every call."""
    for n in range(300):
        (tmp_path / f"a-file-with-a-rather-long-name-{n:05}.txt").write_text(f"{n % 7}\n")
    large = os.urandom(20_000)
    log = Log()
    job = mr.Job(lambda line: [(line, len(large))], lambda key, values: sum(values) // len(large))
    found = mr.run(job, sorted(tmp_path.iterdir()), chunk_size=2, reducers=5, listeners=[log])
    assert dict(found) == {str(n): len(range(n, 300, 7)) for n in range(7)}
    assert len(log.finished("map")) == 300
    assert log.retried() == []


def test_many_fixed_partitions_share_tasks_and_stay_parts(inline):
    log = Log()
    result = inline(mr.Job(lambda n: (n, 1), sum), range(2_000), reducers=100, listeners=[log])
    assert dict(result) == dict.fromkeys(range(2_000), 1)
    assert result.num_parts == 100
    assert len(log.finished("reduce")) < 50


@pytest.mark.parametrize("total", [0, 1_000])
def test_fixed_partitions_are_a_task_each_unless_they_are_many(total):
    plan = make_plan(JOB, as_source([1]), settings(reducers=100), 2).first
    groups = reduce_tasks(JOB, plan, [total] * 100, 2)
    assert [number for group in groups for number in group] == list(range(100))
    assert (len(groups) < 50) == (total > 0)
    assert len(reduce_tasks(JOB, plan, [total] * 100, 20)) == 100


def test_run_says_itself_what_its_partitions_have(tmp_path: Path):
    small, runs = SmallRuns(), []
    for task, n_rows in enumerate([3, 300, 70_000, 3]):
        table = pa.table({"key": pa.array(range(n_rows)), "value": pa.array([task] * n_rows)})
        runs.append(write_run(table, np.arange(n_rows) % 5, 5, folder=str(tmp_path), task=task, worker="", small=small))
    small.close()
    assert [run.is_small for run in runs] == [True, True, False, True]
    readers = RunReaders([run.bare() for run in runs])
    for number in (0, 2, 4, 1):
        tables = readers.partition(number)
        # Small neighbours are one table; the third run is large.
        assert len(tables) == (2 if number > 2 else 3)
        expected = [(key, task) for task, n_rows in enumerate([3, 300, 70_000, 3]) for key in range(number, n_rows, 5)]
        found = pa.concat_tables(tables)
        assert list(zip(found["key"].to_pylist(), found["value"].to_pylist(), strict=True)) == expected
