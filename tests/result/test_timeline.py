"""A report keeps who ran what when, as tables."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import mrkernel as mr
from mrkernel.progress import Progress
from mrkernel.result import Report

LINES = [f"to be or not to be {n % 97}" for n in range(2_000)]
JOB = mr.Job(lambda line: [(word, 1) for word in line.split()], lambda word, ones: [(word, sum(ones))], name="count")


@pytest.fixture
def report(run):
    return run(JOB, LINES, chunk_size="8 KiB", reducers=2).report


def test_timeline_has_a_row_for_each_phase(report):
    assert report.timeline.schema.names == [
        "worker", "stage", "kind", "start_s", "stop_s", "task", "attempt", "state", "n_tasks",
    ]  # fmt: skip
    # Opening files that are in the cache may take too short a moment to be a phase of its own.
    assert {"map", "reduce"} <= set(report.timeline["kind"].to_pylist())
    assert set(report.timeline["state"].to_pylist()) == {"finished"}


def test_timeline_lies_within_the_run(report):
    assert pc.min(report.timeline["start_s"]).as_py() >= 0.0
    assert pc.max(report.timeline["stop_s"]).as_py() <= report.seconds + 0.01
    assert pc.all(pc.less_equal(report.timeline["start_s"], report.timeline["stop_s"])).as_py()


def test_tasks_add_up_to_their_stages(report):
    for stage in report.stages:
        tasks = report.tasks.filter(pc.equal(report.tasks["stage"], stage.name))
        assert tasks.num_rows == stage.done
        assert pc.sum(tasks["records_in"]).as_py() == stage.records
        assert pc.sum(tasks["bytes_out"]).as_py() == stage.bytes_out


def test_stages_tell_what_their_time_went_to(report):
    assert [sorted(stage.phases) for stage in report.stages] == [
        ["map", "read", "write"],
        ["commit", "fetch", "reduce"],
    ]
    assert all(0 < stage.typical_s <= stage.slowest_s for stage in report.stages)


def test_workers_are_in_the_report_with_the_most_memory_they_held(report):
    assert all(worker.peak_memory >= worker.memory > 0 for worker in report.progress.workers)


def test_a_report_of_nothing_has_empty_tables():
    report = Report(progress=Progress())
    assert (report.timeline.num_rows, report.tasks.num_rows) == (0, 0)
    assert report.timeline.schema.field("start_s").type == pa.float64()
