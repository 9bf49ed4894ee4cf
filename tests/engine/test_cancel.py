"""Cancelling: the job ends at once, whatever its functions do, and the cluster is whole again afterwards."""

from __future__ import annotations

import os
import re
import threading
import time

import pytest

import mrkernel as mr
from mrkernel.errors import JobCancelledError, JobInterruptedError
from tests.engine.marks import Log, wait_until

pytestmark = pytest.mark.cluster
WORDS = mr.Job(lambda line: [(word, 1) for word in line.split()], sum)


def pids(cluster):
    return {worker.pid for worker in cluster.workers()}


@pytest.fixture
def whole(cluster):
    """The cluster, at full width and ready before and after, with no shuffle folder left."""
    wait_until(lambda: cluster.n_workers == 2)
    yield cluster
    wait_until(lambda: cluster.n_workers == 2)
    wait_until(lambda: not [name for name in os.listdir(cluster.scratch_dir) if name.startswith("shuffle-")])
    # Both workers have to take part for this one to end.
    log = Log()
    here = [None, None]
    gates = [f"{cluster.scratch_dir}/gate-{n}" for n in range(2)]

    def meet(n):
        open(gates[n], "w").close()
        wait_until(lambda: all(map(os.path.exists, gates)))
        yield n, 1

    assert dict(mr.run(mr.Job(meet, sum), range(len(here)), chunk_size=1, listeners=[log])) == {0: 1, 1: 1}
    for gate in gates:
        os.unlink(gate)


def submit_blocking(function, marks, *, n_splits=6):
    """Start a job whose every record blocks; returns once both workers are inside."""

    def mapper(n):
        (marks / f"in-{n}").touch()
        function()
        yield n, 1

    handle = mr.submit(mr.Job(mapper, sum, name="blocking"), range(n_splits), chunk_size=1)
    wait_until(lambda: len(list(marks.iterdir())) == 2)
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


@pytest.mark.parametrize("function", [sleep, loop, swallow, hold_the_interpreter_lock])
def test_cancel_ends_a_job_whose_mapper_never_returns(whole, tmp_path, function):
    before = pids(whole)
    handle = submit_blocking(function, tmp_path)
    started = time.monotonic()
    handle.cancel()
    with pytest.raises(JobCancelledError, match="the job blocking was cancelled in its map stage after 0 of 6 tasks"):
        handle.result(timeout=10)
    assert time.monotonic() - started < 2
    assert handle.state == "cancelled"
    wait_until(lambda: whole.n_workers == 2 and not pids(whole) & before, within=60)
    assert len(list(tmp_path.iterdir())) == 2


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
    with pytest.raises(JobCancelledError, match="in its reduce stage after 0 of 1 tasks"):
        handle.result(timeout=10)
    wait_until(lambda: all(worker.executing == 0 for worker in whole.workers()), within=60)


def test_cancel_of_one_job_leaves_the_other_alone(whole, tmp_path):
    gate = tmp_path / "gate"
    (tmp_path / "marks").mkdir()

    def patient(n):
        wait_until(gate.exists)
        yield n, 1

    blocked = mr.submit(mr.Job(lambda n: time.sleep(120), sum, name="blocked"), [0])
    waiting = mr.submit(mr.Job(patient, sum, name="waiting"), [0])
    wait_until(lambda: all(sum(stage.running for stage in one.progress().stages) for one in (blocked, waiting)))
    blocked.cancel()
    assert blocked.wait(10)
    gate.touch()
    assert dict(waiting.result(60)) == {0: 1}
    assert (blocked.state, waiting.state) == ("cancelled", "finished")


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
