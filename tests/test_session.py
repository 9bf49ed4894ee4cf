"""run, submit and the handle: what holds for every job whatever it computes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import mrkernel as mr
from mrkernel.errors import (
    JobCancelledError,
    JobSpecError,
    OptionError,
    SourceNotFoundError,
    TargetExistsError,
    TaskFailedError,
)
from mrkernel.events import JobFinished, JobStarted, StageFinished, StageStarted, TaskFinished, TaskStarted
from tests.engine.marks import wait_until

WORDS = mr.Job(lambda line: [(word, 1) for word in line.split()], sum, name="words")


def _awaited(coroutine: Coroutine[Any, Any, mr.Result]) -> mr.Result:
    """Run a coroutine in a thread of its own: a browser that another test drives may have a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def test_cluster_stays_callable_after_its_module_was_imported(inline):
    inline(WORDS, ["a"])
    import mrkernel.cluster  # noqa: F401  # what a first job does as well

    assert callable(mr.cluster)


def test_run_needs_a_job():
    with pytest.raises(JobSpecError, match="a job is needed, not a function"):
        mr.run(lambda line: line, ["a"])


def test_run_refuses_an_executor_that_does_not_exist():
    with pytest.raises(OptionError, match="executor = 'threads' cannot be used"):
        mr.run(WORDS, ["a"], executor="threads")


def test_run_refuses_a_setting_that_does_not_exist(inline):
    with pytest.raises(OptionError, match=r"there is no setting 'chunksize'(.|\n)*did you mean 'chunk_size'"):
        inline(WORDS, ["a"], chunksize=10)


def test_run_finds_a_missing_path_before_anything_runs(inline, tmp_path):
    events = []
    with pytest.raises(SourceNotFoundError, match=r"missing\.txt"):
        inline(WORDS, tmp_path / "missing.txt", listeners=[events.append])
    assert events == []


def test_run_takes_a_string_as_a_location_and_a_list_of_strings_as_records(run, tmp_path):
    (tmp_path / "a.txt").write_text("to be\nor not\n")
    assert dict(run(WORDS, str(tmp_path / "a.txt"))) == dict(run(WORDS, ["to be", "or not"]))


def test_save_writes_the_result(run, tmp_path):
    run(WORDS, ["to be or not to be"], save=tmp_path / "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert lines[0].replace(" ", "") == '{"key":"be","value":2}'
    assert len(lines) == 4


def test_save_refuses_a_target_that_exists_before_anything_runs(inline, tmp_path):
    (tmp_path / "out.csv").write_text("precious")
    events = []
    with pytest.raises(TargetExistsError, match=r"out\.csv"):
        inline(WORDS, ["a"], save=tmp_path / "out.csv", listeners=[events.append])
    assert (tmp_path / "out.csv").read_text() == "precious"
    assert events == []


def test_save_leaves_nothing_when_the_job_fails(run, tmp_path):
    with pytest.raises(TaskFailedError, match="ZeroDivisionError"):
        run(mr.Job(lambda n: (1 // n, 1), sum), [0], save=tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []


def test_listeners_hear_each_stage_and_task_in_order(run):
    events = []
    run(WORDS, ["a b", "b c"], chunk_size=1, listeners=[events.append])
    kinds = [
        type(event) for event in events if isinstance(event, (JobStarted, StageStarted, StageFinished, JobFinished))
    ]
    assert kinds == [JobStarted, StageStarted, StageFinished, StageStarted, StageFinished, JobFinished]
    started = [(event.stage, event.task, event.attempt) for event in events if isinstance(event, TaskStarted)]
    finished = [(event.stage, event.task, event.attempt) for event in events if isinstance(event, TaskFinished)]
    assert sorted(started) == sorted(finished) == [("map", 0, 1), ("map", 1, 1), ("reduce", 0, 1)]
    assert len({event.job_id for event in events}) == 1


def test_stage_events_count_records(run):
    events = []
    run(WORDS, ["a b", "b c"], chunk_size=1, listeners=[events.append])
    stages = {event.stage: event for event in events if isinstance(event, StageFinished)}
    assert (stages["map"].n_tasks, stages["map"].records_in, stages["map"].records_out) == (2, 2, 4)
    assert stages["reduce"].records_out == 3


def test_a_listener_that_raises_does_not_take_the_job_with_it(run):
    def broken(event):
        raise RuntimeError("display")

    assert dict(run(WORDS, ["a a"], listeners=[broken])) == {"a": 2}


def test_report_holds_the_numbers_of_each_stage(run):
    report = run(WORDS, ["a b", "b c"]).report
    assert [(stage.name, stage.state, stage.records_out) for stage in report.stages] == [
        ("map", "finished", 4), ("reduce", "finished", 3)
    ]  # fmt: skip
    assert report.seconds > 0


def test_submit_returns_a_handle_that_ends_finished(executor):
    handle = mr.submit(WORDS, ["a b a"], executor=executor)
    assert dict(handle.result(timeout="60 s")) == {"a": 2, "b": 1}
    assert (handle.state, handle.done(), handle.wait(0), handle.name) == ("finished", True, True, "words")
    assert [stage.state for stage in handle.progress().stages] == ["finished", "finished"]
    assert repr(handle) == "<JobHandle words finished>"


def test_submit_shows_a_job_as_running_until_it_ends():
    gate = threading.Event()
    handle = mr.submit(WORDS, ["a"], executor="inline", listeners=[lambda event: gate.wait(30)])
    assert (handle.state, handle.done(), handle.wait(0)) == ("running", False, False)
    with pytest.raises(TimeoutError, match=r"the job words has not ended after 0\.01; it goes on"):
        handle.result(timeout=0.01)
    gate.set()
    assert len(handle.result(timeout=60)) == 1


def test_submit_handle_keeps_the_error_of_a_failed_job(executor):
    handle = mr.submit(mr.Job(lambda n: (1 // n, 1), sum), [0], executor=executor)
    assert handle.wait("60 s")
    assert handle.state == "failed"
    for _ in range(2):
        with pytest.raises(TaskFailedError, match="ZeroDivisionError"):
            handle.result()


def test_submit_handle_can_be_awaited(executor):
    async def main():
        return await mr.submit(WORDS, ["a b a"], executor=executor)

    assert dict(_awaited(main())) == {"a": 2, "b": 1}


def test_await_lets_other_coroutines_run():
    async def main():
        gate = threading.Event()
        handle = mr.submit(WORDS, ["a"], executor="inline", listeners=[lambda event: gate.wait(30)])
        waiting = asyncio.ensure_future(_result(handle))
        await asyncio.sleep(0)
        assert not waiting.done()
        gate.set()
        return await waiting

    async def _result(handle):
        return await handle

    assert dict(_awaited(main())) == {"a": 1}


@pytest.mark.parametrize("force", [False, True])
def test_cancel_leaves_a_loop_in_this_process(tmp_path, force):
    def mapper(n):
        (tmp_path / "in").touch()
        while True:
            pass

    handle = mr.submit(mr.Job(mapper, sum, name="looped"), [0], executor="inline")
    wait_until((tmp_path / "in").exists)
    handle.cancel(force=force)
    with pytest.raises(JobCancelledError, match="the job looped was cancelled in its map stage after 0 of 1 task"):
        handle.result(timeout=5)


def test_cancel_before_the_first_task_ends_the_job_cancelled():
    gate = threading.Event()
    events = []
    handle = mr.submit(WORDS, ["a"], executor="inline", listeners=[lambda event: gate.wait(30), events.append])
    handle.cancel()
    gate.set()
    with pytest.raises(JobCancelledError, match="the job words was cancelled in its map stage after 0 of 1 task"):
        handle.result(timeout=60)
    assert handle.state == "cancelled"
    assert events[-1].state == "cancelled"


def test_cancel_of_a_finished_job_changes_nothing(inline):
    handle = mr.submit(WORDS, ["a"], executor="inline")
    handle.wait(60)
    handle.cancel()
    assert handle.state == "finished"


def test_interrupted_job_is_told_apart_from_a_cancelled_one():
    gate = threading.Event()
    events = []
    handle = mr.submit(WORDS, ["a"], executor="inline", listeners=[lambda event: gate.wait(30), events.append])
    handle.cancel(interrupted=True)
    gate.set()
    with pytest.raises(KeyboardInterrupt, match="the job words was interrupted"):
        handle.result(timeout=60)
    assert handle.state == "interrupted"
    assert events[-1].state == "interrupted"


def test_jobs_run_beside_each_other(executor):
    handles = [mr.submit(WORDS, [f"a b{n}"] * 10, executor=executor) for n in range(4)]
    assert [dict(handle.result(60)) for handle in handles] == [{"a": 10, f"b{n}": 10} for n in range(4)]


def test_explain_runs_nothing_and_says_what_would_happen(tmp_path):
    ran = tmp_path / "ran"

    def mapper(n):
        ran.touch()
        yield n, 1

    text = str(mr.explain(mr.Job(mapper, sum, name="squares"), range(10), workers=2, reducers=3))
    assert "plan of squares" in text
    assert "3 partitions by hash of the key" in text
    assert not ran.exists()
