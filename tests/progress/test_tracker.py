"""ProgressTracker folds events into numbers."""

from __future__ import annotations

import pytest

from mrkernel.events import (
    Failure,
    JobFinished,
    JobStarted,
    PlanChanged,
    StageFinished,
    StageStarted,
    TaskFailed,
    TaskFinished,
    TaskProgressed,
    TaskRetried,
    TaskStarted,
)
from mrkernel.progress import ProgressTracker, StageProgress


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tracker(clock):
    tracker = ProgressTracker(clock=clock)
    tracker(JobStarted(job_id="j", name="count", stages=("map", "reduce"), at=100.0))
    tracker(StageStarted(job_id="j", stage="map", n_tasks=4, input_bytes=400, at=100.0))
    return tracker


def finished(task, records=10, n_bytes=100, at=101.0, stage="map"):
    return TaskFinished(job_id="j", stage=stage, task=task, attempt=1, worker="w", seconds=1.0, records_in=records,
                        records_out=5, bytes_in=n_bytes, bytes_out=50, at=at)  # fmt: skip


def started(task, attempt=1):
    return TaskStarted(job_id="j", stage="map", task=task, attempt=attempt, worker="w")


def test_stages_are_known_before_they_begin(tracker):
    assert [(s.name, s.state) for s in tracker.snapshot().stages] == [("map", "running"), ("reduce", "waiting")]


def test_finished_and_running_tasks_add_up(tracker, clock):
    clock.now = 102.0
    for event in (
        started(0),
        started(1),
        finished(0),
        TaskProgressed(job_id="j", stage="map", task=1, records=3, input_bytes=30),
    ):
        tracker(event)
    stage = tracker.snapshot().stages[0]
    assert (stage.done, stage.total, stage.running, stage.records, stage.bytes_in) == (1, 4, 1, 13, 130)
    assert (stage.records_per_s, stage.bytes_per_s, stage.fraction) == (6.5, 65.0, 0.325)


def test_a_task_counts_once_when_two_attempts_finish(tracker):
    for event in (started(0), finished(0), finished(0)):
        tracker(event)
    assert (tracker.snapshot().stages[0].done, tracker.snapshot().stages[0].records) == (1, 10)


def test_a_late_report_of_a_done_task_is_ignored(tracker):
    tracker(finished(0))
    tracker(TaskProgressed(job_id="j", stage="map", task=0, records=9, input_bytes=90))
    assert (tracker.snapshot().stages[0].running, tracker.snapshot().stages[0].records) == (0, 10)


def test_a_lost_task_is_no_longer_done(tracker):
    tracker(finished(0))
    tracker(TaskRetried(job_id="j", stage="map", task=0, attempt=1, reason="worker lost"))
    stage = tracker.snapshot().stages[0]
    assert (stage.done, stage.retried, stage.records) == (0, 1, 0)


def test_eta_follows_the_share_done(clock, tracker):
    assert tracker.snapshot().stages[0].eta_s is None
    tracker(finished(0))
    clock.now = 102.0
    assert tracker.snapshot().stages[0].eta_s == pytest.approx(6.0)


def test_eta_is_none_without_progress():
    assert StageProgress(name="map", total=4, seconds=9.0, state="running").eta_s is None


def test_the_end_freezes_times_and_carries_counters(tracker, clock):
    tracker(finished(0))
    tracker(
        StageFinished(
            job_id="j", stage="map", n_tasks=4, seconds=2.5, records_in=40, records_out=20, bytes_in=400, bytes_out=9
        )
    )
    tracker(JobFinished(job_id="j", state="finished", seconds=3.0, counters={"bad": 2}, at=103.0))
    clock.now = 500.0
    progress = tracker.snapshot()
    assert (progress.state, progress.seconds, progress.counters, progress.is_running) == (
        "finished",
        3.0,
        {"bad": 2},
        False,
    )
    assert (progress.stages[0].state, progress.stages[0].seconds, progress.idle_s) == ("finished", 2.5, None)


def test_a_failed_job_keeps_its_failures_and_stops_its_running_stage(tracker):
    failure = Failure(stage="map", task=1, function="mapper", error_type="E", error_text="x")
    for event in (started(1), TaskFailed(job_id="j", stage="map", task=1, failure=failure)):
        tracker(event)
    tracker(JobFinished(job_id="j", state="failed", seconds=1.0, error="x", at=101.0))
    progress = tracker.snapshot()
    assert progress.stages[1].state == "not run"
    assert (progress.failures, progress.stages[0].state, progress.stages[0].running) == ((failure,), "failed", 0)


def test_changes_of_the_plan_are_kept_in_words(tracker):
    tracker(PlanChanged(job_id="j", reason="merging in a tree: 3 kB came out"))
    assert tracker.snapshot().notes == ("merging in a tree: 3 kB came out",)


def test_seconds_since_the_last_task_are_told_while_running(tracker, clock):
    assert tracker.snapshot().idle_s is None
    tracker(finished(0, at=101.0))
    clock.now = 104.0
    assert tracker.snapshot().idle_s == 3.0
