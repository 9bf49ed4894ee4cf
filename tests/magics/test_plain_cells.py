"""``mr.run`` and ``mr.submit`` in ordinary cells of a real kernel, where the extension was never loaded."""

from __future__ import annotations

import os
import time

import pytest

from tests.magics.kernels import Kernel, environment

pytestmark = pytest.mark.cluster

WIDGET = "application/vnd.jupyter.widget-view+json"

DEFINE = """\
import time
import mrkernel as mr

def slow(number):
    time.sleep(0.1)
    yield number % 3, 1

def quick(number):
    yield number % 3, 1

def fails(number):
    yield number, 1 / (number - 5)

def endless(number):
    open("started", "w").close()
    time.sleep(60)
    yield number, 1

SLOW, QUICK, FAILS = (mr.Job(f, sum) for f in (slow, quick, fails))
dict(mr.run(QUICK, range(6)))
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """A kernel in which a first job has started the cluster."""
    folder = tmp_path_factory.mktemp("plain")
    with Kernel(folder, env=environment(tmp_path_factory.mktemp("ipython"))) as kernel:
        kernel.run(DEFINE).succeeded()
        yield kernel


def test_progress_moves_in_one_widget_and_ends_as_a_summary(kernel):
    ran = kernel.run("result = mr.run(SLOW, range(24), chunk_size=100)").succeeded()
    assert [WIDGET in data for data in ran.displays] == [True, False]
    assert 2 <= len(ran.states) <= 4 * ran.seconds + 1
    assert 'role="progressbar"' in ran.displays[1]["text/html"]
    assert "slow: finished in" in ran.updates[-1]["text/plain"]
    assert 'role="progressbar"' not in ran.updates[-1]["text/html"]
    assert (ran.streams, ran.results) == ("", [])


def test_a_job_of_less_than_half_a_second_shows_nothing(kernel):
    ran = kernel.run("result = mr.run(QUICK, range(6))").succeeded()
    assert (ran.displays, ran.updates, ran.streams) == ([], [], "")


def test_where_nobody_watches_nothing_comes_and_goes_with_the_machines_speed(kernel):
    ran = kernel.run("result = mr.run(SLOW, range(24), chunk_size=100)", is_watched=False).succeeded()
    assert (ran.displays, ran.updates, ran.streams) == ([], [], "")


def test_where_nobody_watches_a_long_job_leaves_its_summary(kernel):
    kernel.run("from mrkernel.magics import view; long_s, view._LONG_S = view._LONG_S, 1").succeeded()
    ran = kernel.run("result = mr.run(SLOW, range(24), chunk_size=100)", is_watched=False).succeeded()
    kernel.run("view._LONG_S = long_s").succeeded()
    assert ["slow: finished in" in data["text/plain"] for data in ran.displays] == [True]
    assert (ran.updates, ran.streams) == ([], "")


def test_progress_can_be_switched_off_for_a_call_and_for_the_session(kernel):
    one = kernel.run("result = mr.run(SLOW, range(12), progress=False)").succeeded()
    kernel.run("from mrkernel import config; config.use_session(progress=False)").succeeded()
    other = kernel.run("result = mr.run(SLOW, range(12))").succeeded()
    kernel.run("config.use_session(progress=None)").succeeded()
    assert (one.displays, one.updates, other.displays, other.updates) == ([], [], [], [])


def test_a_submitted_job_shows_nothing_by_itself(kernel):
    ran = kernel.run("handle = mr.submit(SLOW, range(12)); result = handle.result()").succeeded()
    assert (ran.displays, ran.updates, ran.streams) == ([], [], "")


def test_a_job_of_another_thread_shows_nothing_in_whatever_cell_runs(kernel):
    cell = "import threading\nt = threading.Thread(target=mr.run, args=(SLOW, range(12)))\nt.start()\nt.join()"
    ran = kernel.run(cell).succeeded()
    assert (ran.displays, ran.updates, ran.streams) == ([], [], "")


@pytest.mark.parametrize("call", ["mr.run(FAILS, range(24))", "mr.submit(FAILS, range(24)).result()"])
def test_a_failed_job_shows_its_card_and_a_short_error(kernel, call):
    ran = kernel.run(call)
    assert (ran.status, ran.error["ename"]) == ("error", "TaskFailedError")
    assert len(ran.error["traceback"]) <= 2
    assert "→   12     yield number, 1 / (number - 5)" in ran.text
    assert "Cell In[1], line 12, in fails" in ran.text
    assert "record: 5" in ran.text
    assert "<mark>" in ran.html


CATCHES = """import pickle
try:
    mr.run(FAILS, range(24))
except mr.errors.TaskFailedError as error:
    again = pickle.loads(pickle.dumps(error))
again.failure.record
"""


def test_a_failure_that_the_cell_catches_shows_no_card_and_travels(kernel):
    ran = kernel.run(CATCHES).succeeded()
    assert (ran.displays, ran.results[0]["text/plain"]) == ([], "'5'")


def test_an_interrupt_ends_the_cell_within_two_seconds_and_nothing_else(kernel):
    path = kernel.folder / "started"
    os.mkfifo(path)
    workers = "from mrkernel.cluster import current; len(current().workers())"
    before = kernel.run(workers).results[0]["text/plain"]
    cell = kernel.start("mr.run(mr.Job(endless, sum), range(24), chunk_size=1000, save='never.json')")
    with open(path):
        began = time.monotonic()
        kernel.interrupt()
    ran = kernel.collect(cell)
    assert time.monotonic() - began < 2
    path.unlink()
    assert (ran.status, ran.error["ename"]) == ("error", "JobInterruptedError")
    assert ran.error["traceback"] == [f"JobInterruptedError: {ran.error['evalue']}"]
    assert "endless was interrupted after" in ran.error["evalue"]
    assert not (kernel.folder / "never.json").exists()
    assert "'the next cell'" in kernel.run("'the next cell'").results[0]["text/plain"]
    kernel.run("assert dict(mr.run(QUICK, range(6))) == {0: 2, 1: 2, 2: 2}").succeeded()
    assert kernel.run(workers).results[0]["text/plain"] == before
