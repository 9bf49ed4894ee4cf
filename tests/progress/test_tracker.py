"""ProgressTracker folds events into numbers."""

from __future__ import annotations

import pytest

from mrkernel.events import (
    Failure,
    JobFinished,
    JobStarted,
    Phase,
    PlanChanged,
    StageFinished,
    StageStarted,
    TaskFailed,
    TaskFinished,
    TaskProgressed,
    TaskRetried,
    TaskStarted,
    WorkerSample,
    WorkersSampled,
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


# -- who does what ---------------------------------------------------------------------------------------------------

A, B = "tls://127.0.0.1:4001", "tls://127.0.0.1:4002"


def sampled(*names, at=100.0, memory=100):
    addresses = {"worker-1": A, "worker-2": B}
    samples = [WorkerSample(worker=addresses[name], name=name, memory=memory, memory_limit=1000) for name in names]
    return WorkersSampled(job_id="j", at=at, workers=tuple(samples))


def ran(task, worker, start, phases, attempt=1, **more):
    return TaskFinished(job_id="j", stage="map", task=task, attempt=attempt, worker=worker, seconds=phases[-1].stop_s,
                        records_in=10, records_out=5, bytes_in=100, bytes_out=50, started_at=start, phases=phases,
                        at=start + phases[-1].stop_s, **more)  # fmt: skip


PHASES = (Phase("map", 0.0, 0.1), Phase("write", 0.1, 0.15))


def lanes(progress):
    return {lane.worker: lane.cells for lane in progress.lanes}


def test_each_worker_has_a_lane_of_what_it_did_when(tracker, clock):
    clock.now = 100.25
    for event in (sampled("worker-1", "worker-2"), ran(0, A, 100.0, PHASES), ran(1, B, 100.1, PHASES)):
        tracker(event)
    progress = tracker.snapshot()
    assert progress.bucket_s == 0.05
    assert lanes(progress) == {"worker-1": "mmw..", "worker-2": "..mmw"}


def test_a_running_task_is_in_its_lane_before_it_reports(tracker, clock):
    clock.now = 100.2
    tracker(sampled("worker-1"))
    tracker(TaskStarted(job_id="j", stage="map", task=0, attempt=1, worker=A, at=100.1))
    assert lanes(tracker.snapshot()) == {"worker-1": "..mm"}


def test_an_attempt_that_lost_its_worker_and_the_next_one_are_marked_in_their_lanes(tracker, clock):
    clock.now = 100.3
    for event in (
        sampled("worker-1", "worker-2"),
        TaskStarted(job_id="j", stage="map", task=0, attempt=1, worker=A, at=100.0),
        TaskRetried(job_id="j", stage="map", task=0, attempt=2, reason="worker lost", at=100.1),
        TaskStarted(job_id="j", stage="map", task=0, attempt=2, worker=B, at=100.1),
    ):
        tracker(event)
    assert lanes(tracker.snapshot()) == {"worker-1": "xx....", "worker-2": "..tttt"}
    tracker(ran(0, B, 100.1, PHASES, attempt=2))
    progress = tracker.snapshot()
    assert lanes(progress) == {"worker-1": "xx....", "worker-2": "..ttt."}
    assert [line.text for line in progress.log] == [
        "worker-1 was lost while it ran map task 0",
        "map task 0 runs again (attempt 2): worker lost",
    ]
    assert (progress.stages[0].failed, progress.stages[0].retried, progress.workers[0].state) == (1, 1, "lost")


def test_a_map_task_whose_file_is_lost_did_not_fail_and_gives_its_space_back(tracker):
    tracker(sampled("worker-1"))
    tracker(ran(0, A, 100.0, PHASES, scratch_bytes=70))
    assert tracker.snapshot().workers[0].scratch_bytes == 70
    tracker(TaskRetried(job_id="j", stage="map", task=0, attempt=2, reason="shuffle file lost"))
    progress = tracker.snapshot()
    assert (progress.stages[0].failed, progress.stages[0].retried, progress.workers[0].scratch_bytes) == (0, 1, 0)


def test_at_most_32_lanes_are_shown_and_the_others_counted(tracker, clock):
    clock.now = 101.0
    for number in range(40):
        tracker(ran(number, f"tcp://10.0.0.{number}:4001", 100.0, PHASES))
    progress = tracker.snapshot()
    assert (len(progress.lanes), progress.lanes_left_out) == (32, 8)


def test_a_cancelled_job_says_how_far_it_was(tracker, clock):
    clock.now = 100.2
    tracker(sampled("worker-1"))
    tracker(ran(0, A, 100.0, PHASES))
    tracker(TaskStarted(job_id="j", stage="map", task=1, attempt=1, worker=A, at=100.15))
    tracker(JobFinished(job_id="j", state="cancelled", seconds=0.2, at=100.2))
    progress = tracker.snapshot()
    assert progress.log[-1].text == "cancelled in the map stage, with 1 of 4 tasks done"
    assert lanes(progress) == {"worker-1": "mmwm"}
    assert [span.state for span in tracker.history.spans()] == ["finished", "finished", "cancelled"]


def test_a_stage_adds_up_its_phases_and_knows_its_slowest_task(tracker):
    for task, seconds in enumerate((1.0, 1.0, 5.0)):
        phases = (Phase("map", 0.0, seconds),)
        tracker(ran(task, A, 100.0, phases, phase_seconds={"map": 0.75 * seconds, "read": 0.25 * seconds}))
    stage = tracker.snapshot().stages[0]
    assert stage.phases == {"map": 5.25, "read": 1.75}
    assert (stage.slowest_s, stage.typical_s) == (5.0, 1.0)


def test_a_step_that_runs_again_begins_at_nothing(tracker):
    tracker(finished(0))
    tracker(StageStarted(job_id="j", stage="map", n_tasks=4, at=103.0))
    stage = tracker.snapshot().stages[0]
    assert (stage.done, stage.records) == (0, 0)


def test_what_the_user_wrote_stands_in_the_log_as_it_is(tracker):
    failure = Failure(stage="map", task=2, function="mapper", error_type="ValueError", error_text="<img src=x>")
    tracker(TaskFailed(job_id="j", stage="map", task=2, failure=failure))
    assert tracker.snapshot().log[-1].text == "map task 2 failed: ValueError: <img src=x>"


def test_a_snapshot_of_ten_thousand_tasks_looks_at_few_of_them(tracker, clock):
    clock.now = 200.0
    for task in range(10_000):
        tracker(ran(task, (A, B)[task % 2], 100.0 + task / 100, PHASES))
    progress = tracker.snapshot()
    assert (progress.stages[0].done, progress.stages[0].records) == (10_000, 100_000)
    assert all(len(lane.cells) <= 240 for lane in progress.lanes)
    assert len(tracker.history.spans()) <= 20_000


def test_a_worker_keeps_one_name_though_its_first_task_ended_before_anyone_knew_it(tracker, clock):
    clock.now = 101.0
    for event in (
        ran(0, A, 100.0, PHASES),
        TaskStarted(job_id="j", stage="map", task=1, attempt=1, worker=A, at=100.2),
        TaskRetried(job_id="j", stage="map", task=1, attempt=2, reason="failed", at=100.3),
        sampled("worker-1", at=100.5),
        ran(2, A, 100.6, PHASES),
    ):
        tracker(event)
    assert {span.worker for span in tracker.history.spans()} == {"worker-1"}
    assert {task.worker for task in tracker.history.tasks()} == {"worker-1"}
    assert list(lanes(tracker.snapshot())) == ["worker-1"]


def test_a_task_that_had_not_begun_did_not_fail(tracker):
    tracker(TaskRetried(job_id="j", stage="map", task=0, attempt=2, reason="worker lost"))
    assert (tracker.snapshot().stages[0].failed, tracker.snapshot().stages[0].retried) == (0, 1)
