"""Cancelling: the job ends at once, whatever its functions do, and the cluster is whole again afterwards."""

from __future__ import annotations

import glob
import os
import re
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

import mrkernel as mr
from mrkernel.cluster import scratch
from mrkernel.engine import driver
from mrkernel.errors import JobCancelledError, JobInterruptedError, TaskFailedError
from mrkernel.session import Waiting
from tests.engine.marks import Log, wait_until

pytestmark = pytest.mark.cluster
WERE_REPLACED = r"2 workers \(worker-\d+, worker-\d+\) were replaced: what ran there did not stop by itself"
WORDS = mr.Job(lambda line: [(word, 1) for word in line.split()], sum)


def pids(cluster):
    return {worker.pid for worker in cluster.workers()}


@pytest.fixture
def whole(cluster):
    """The cluster, at full width and ready before and after, with nothing left of the jobs."""
    rest(cluster)
    yield cluster
    rest(cluster)


def rest(cluster):
    """Wait until nothing runs: a worker in which a job of another test goes on is replaced a moment after its end."""
    meet(cluster)
    wait_until(lambda: not left_in(cluster) and len(cluster.workers()) == 2)


def left_in(cluster):
    """Names of shuffle folders, and of marks that tasks leave in their worker's folder while they run."""
    folders = [name for name in os.listdir(cluster.scratch_dir) if name.startswith("shuffle-")]
    return folders + [path.name for path in Path(cluster.scratch_dir).glob("dask-scratch-space/*/mrkernel-*")]


def meet(cluster):
    """Run a job that ends only when both workers take part in it at the same time."""
    with tempfile.TemporaryDirectory(dir=cluster.scratch_dir) as gates:

        def mapper(n):
            Path(gates, str(n)).touch()
            wait_until(lambda: len(os.listdir(gates)) == 2)
            yield n, 1

        assert dict(mr.run(mr.Job(mapper, sum, name="meet"), range(2), chunk_size=1)) == {0: 1, 1: 1}


def submit_blocking(function, marks, *, n_splits=6):
    """Start a job whose every record blocks; returns once both workers are inside."""

    def mapper(n):
        (marks / f"in-{n}").touch()
        function()
        yield n, 1

    handle = mr.submit(mr.Job(mapper, sum, name="blocking"), range(n_splits), chunk_size=1)
    wait_until(lambda: len(list(marks.glob("in-*"))) == min(2, n_splits))
    return handle


def sleep():
    time.sleep(120)


def loop():
    while True:
        pass


def swallow():
    while True:
        try:  # noqa: SIM105  # as a user's function would
            time.sleep(1)
        except BaseException:  # noqa: BLE001, S110  # what a user's function may do to an interrupt
            pass


def hold_the_interpreter_lock():
    re.match(r"(a+)+$", "a" * 64 + "b")


BLOCKING = [sleep, loop, swallow, hold_the_interpreter_lock]


@pytest.mark.parametrize("function", BLOCKING)
def test_cancel_ends_a_job_whose_mapper_never_returns(whole, tmp_path, function):
    before = pids(whole)
    handle = submit_blocking(function, tmp_path)
    started = time.monotonic()
    handle.cancel()
    with pytest.raises(JobCancelledError, match="the job blocking was cancelled in its map stage after 0 of 6 tasks"):
        handle.result(timeout=10)
    assert time.monotonic() - started < 2
    assert handle.state == "cancelled"
    # At full width within 5 seconds, for a job that does not wait for the workers to come back.
    assert whole.n_workers == 2
    meet(whole)
    assert time.monotonic() - started < 5
    assert not pids(whole) & before
    assert len(list(tmp_path.iterdir())) == 2
    wait_until(lambda: handle.progress().notes)
    assert re.fullmatch(WERE_REPLACED, handle.progress().notes[-1])


@pytest.mark.parametrize("function", BLOCKING)
def test_second_cancel_replaces_the_workers_at_once(whole, tmp_path, function, monkeypatch):
    monkeypatch.setattr(driver, "_GRACE_S", 3600.0)
    before = pids(whole)
    handle = submit_blocking(function, tmp_path)
    handle.cancel()
    assert handle.wait(2)
    assert pids(whole) == before
    handle.cancel()
    wait_until(lambda: len(whole.workers()) == 2 and not pids(whole) & before, within=5)
    assert handle.state == "cancelled"


def test_second_interrupt_replaces_the_workers_at_once(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(driver, "_GRACE_S", 3600.0)
    before = pids(whole)
    handle = submit_blocking(loop, tmp_path)

    def interrupted(timeout):
        raise KeyboardInterrupt

    # As if Ctrl-C came again while the first one's effect is waited for.
    monkeypatch.setattr(handle, "wait", interrupted)
    error = Waiting(handle, None).interrupted(KeyboardInterrupt())
    assert isinstance(error, JobInterruptedError)
    assert re.match(r"blocking was interrupted after .*, in stage map with 0 of 6 tasks done; ", error.message)
    wait_until(lambda: len(whole.workers()) == 2 and not pids(whole) & before)


def test_forced_cancel_needs_no_second_one(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(driver, "_GRACE_S", 3600.0)
    before = pids(whole)
    handle = submit_blocking(loop, tmp_path)
    handle.cancel(force=True)
    wait_until(lambda: len(whole.workers()) == 2 and not pids(whole) & before)
    assert handle.state == "cancelled"


def test_cancel_from_another_thread_wakes_who_waits_for_the_result(whole, tmp_path):
    handle = submit_blocking(loop, tmp_path)
    threading.Thread(target=handle.cancel).start()
    with pytest.raises(JobCancelledError, match="the job blocking was cancelled"):
        handle.result(timeout=2)


def test_programs_that_a_function_started_end_with_its_worker(whole, tmp_path):
    def mapper(n):
        with subprocess.Popen(["sleep", "3600"], start_new_session=True) as program:
            (tmp_path / "started").write_text(str(program.pid))
            (tmp_path / "started").rename(tmp_path / "pid")

    handle = mr.submit(mr.Job(mapper, sum), [0])
    wait_until((tmp_path / "pid").exists)
    handle.cancel(force=True)
    program = int((tmp_path / "pid").read_text())
    wait_until(lambda: scratch.mark(program) is None)


def test_cancel_of_a_failed_jobs_other_task_comes_by_itself(whole, tmp_path):
    before = pids(whole)

    def mapper(n):
        if n == 0:
            wait_until((tmp_path / "in").exists)
            raise ValueError(n)
        (tmp_path / "in").touch()
        loop()

    with pytest.raises(TaskFailedError, match="ValueError: 0"):
        mr.run(mr.Job(mapper, sum, name="failing"), range(2), chunk_size=1)
    # Only the worker that loops is replaced.
    wait_until(lambda: len(pids(whole) - before) == 1 and len(whole.workers()) == 2)


def test_cancel_between_records_keeps_the_workers(whole, tmp_path):
    before = pids(whole)

    def mapper(n):
        (tmp_path / "in").touch()
        yield n, 1

    handle = mr.submit(mr.Job(mapper, sum), range(50_000_000), chunk_size="1 GiB")
    wait_until((tmp_path / "in").exists)
    handle.cancel()
    with pytest.raises(JobCancelledError):
        handle.result(timeout=10)
    assert dict(mr.run(WORDS, ["a b a"])) == {"a": 2, "b": 1}
    wait_until(lambda: all(worker.executing == 0 for worker in whole.workers()))
    assert pids(whole) == before


def test_cancel_in_the_reduce_stage(whole, tmp_path):
    def reducer(key, values):
        (tmp_path / "in").touch()
        time.sleep(120)

    handle = mr.submit(mr.Job(lambda n: (n, 1), reducer), range(4), reducers=1)
    wait_until((tmp_path / "in").exists)
    handle.cancel()
    with pytest.raises(JobCancelledError, match="in its reduce stage after 0 of 1 task"):
        handle.result(timeout=10)
    wait_until(lambda: all(worker.executing == 0 for worker in whole.workers()), within=60)


def test_cancel_leaves_no_part_of_a_result(whole, tmp_path):
    parts = f"{tempfile.gettempdir()}/mrkernel-*/*/result/*"
    before = set(glob.glob(parts))

    def reducer(key, values):
        (tmp_path / f"in-{key}").touch()
        time.sleep(0.05)
        return sum(values)

    handle = mr.submit(mr.Job(lambda n: (n, 1), reducer, name="parts"), range(200), reducers=40)
    wait_until(lambda: set(glob.glob(parts)) - before)
    handle.cancel()
    with pytest.raises(JobCancelledError, match="the job parts was cancelled in its reduce stage"):
        handle.result(timeout=10)
    wait_until(lambda: not left_in(whole) and not set(glob.glob(parts)) - before)


def test_cancel_of_one_job_leaves_the_other_alone(whole, tmp_path):
    gate, log = tmp_path / "gate", Log()

    def blocking(n):
        (tmp_path / "blocked").touch()
        time.sleep(120)

    def patient(n):
        (tmp_path / "waits").touch()
        wait_until(gate.exists, within=60)
        yield n, 1

    blocked = mr.submit(mr.Job(blocking, sum, name="blocked"), [0])
    waiting = mr.submit(mr.Job(patient, sum, name="waiting"), [0], listeners=[log])
    wait_until(lambda: (tmp_path / "blocked").exists() and (tmp_path / "waits").exists())
    before = pids(whole)
    blocked.cancel()
    assert blocked.wait(2)
    wait_until(lambda: len(whole.workers()) == 2 and pids(whole) != before)
    # Only the worker of the blocked job was replaced; the other has the same task at its first attempt.
    assert len(pids(whole) & before) == 1
    gate.touch()
    assert dict(waiting.result(60)) == {0: 1}
    assert log.started("map") == [(0, 1)]
    assert (blocked.state, waiting.state) == ("cancelled", "finished")


def test_cancel_spares_a_worker_that_does_not_answer_for_another_job(whole, tmp_path):
    def hold(n):
        (tmp_path / "holds").touch()
        hold_the_interpreter_lock()

    handles = [mr.submit(mr.Job(hold, sum, name="holding"), [0]), submit_blocking(loop, tmp_path, n_splits=1)]
    wait_until((tmp_path / "holds").exists)
    before = pids(whole)
    handles[1].cancel()
    wait_until(lambda: len(whole.workers()) == 2 and pids(whole) != before)
    assert len(pids(whole) & before) == 1
    assert handles[0].state == "running"
    handles[0].cancel(force=True)
    assert handles[0].wait(2)


def test_interrupted_run_ends_as_interrupted_and_the_next_job_runs(whole, tmp_path):
    handle = submit_blocking(sleep, tmp_path)
    handle.cancel(interrupted=True)
    with pytest.raises(JobInterruptedError, match="the job blocking was interrupted"):
        handle.result(timeout=10)
    assert handle.state == "interrupted"
    assert dict(mr.run(WORDS, ["a b a"])) == {"a": 2, "b": 1}


def test_cancel_from_a_listener_ends_the_job(whole):
    handles = []
    ready = threading.Event()

    def stop(event):
        ready.wait(30)
        handles[0].cancel()

    handles.append(mr.submit(WORDS, ["a"] * 10, chunk_size=1, listeners=[stop]))
    ready.set()
    with pytest.raises(JobCancelledError):
        handles[0].result(timeout=30)
