"""The same cells in old and new kernels: they run, and they stop in the way each allows."""

from __future__ import annotations

import os
import time

import pytest

from tests.magics.kernels import Kernel, environment, installed_kernel, write_spec

pytestmark = pytest.mark.cluster

WORDS = """%%mapreduce -i words.txt -o counts --no-plot
def mapper(line):
    for word in line.split():
        yield word, 1
reducer = sum"""
# Opens a pipe, which waits for the test, and then never ends by itself.
ENDLESS = """%%mapreduce -i numbers -o endless --no-plot
import time
def mapper(number):
    open("started", "w").close()
    time.sleep(60)
    yield number, 1"""
# A job whose end an interrupt does not bring: it is in the middle of its save.
STUCK = """import threading
from mrkernel.errors import JobCancelledError
from mrkernel.session import handle, waiting

gate = threading.Event()
def stuck(*arguments, check, **options):
    try:
        while not gate.wait(0.01):
            check()
    except JobCancelledError:
        open("started", "w").close()
        gate.wait(60)
        raise

held = handle.save, waiting._STOP_S
handle.save, waiting._STOP_S = stuck, 3600.0"""
UNSTUCK = """handle.save, waiting._STOP_S = held
gate.set()
jobs = get_ipython().magics_manager.registry["MapReduceMagics"].jobs
[(job.name, job._is_forced) for job in jobs.running()]"""
SLOW = """%%mapreduce -i numbers -o slow --no-plot
import time
def mapper(number):
    time.sleep(0.1)
    yield number % 3, 1
reducer = sum"""


@pytest.fixture(scope="module", params=["6.31", "7.3", "7.4"])
def kernel(request, tmp_path_factory):
    """A kernel of each version, by a kernelspec whose env puts that version first."""
    folder, specs = tmp_path_factory.mktemp("notebook"), tmp_path_factory.mktemp("specs")
    (folder / "words.txt").write_text("the cat and the dog\nthe end\n")
    os.mkfifo(folder / "started")
    env = environment(tmp_path_factory.mktemp("ipython"), installed_kernel(request.param))
    write_spec(specs, "old", {"PYTHONPATH": env.pop("PYTHONPATH")})
    with Kernel(folder, env=env, specs=specs, name="old") as kernel:
        kernel.run("%load_ext mrkernel\nnumbers = list(range(12))").succeeded()
        version = kernel.run("import ipykernel; ipykernel.__version__").results[0]["text/plain"]
        assert version.startswith(f"'{request.param}.")
        kernel.version = request.param
        yield kernel


def test_a_cell_runs_and_its_progress_moves(kernel):
    assert "the      3\n5 rows" in kernel.run(WORDS).succeeded().text
    ran = kernel.run(SLOW).succeeded()
    assert len(ran.states) >= 2
    assert ran.states[-1]["state"] == "finished"
    assert "slow: finished in" in ran.updates[-1]["text/plain"]


def test_cancel_stops_the_cell_where_the_kernel_hears_it_and_the_widget_says_where(kernel):
    cell = kernel.start(ENDLESS)
    with open(kernel.folder / "started"):
        shown = kernel.collect(cell, until="endless: running for")
        # JupyterLab sends presses to a subshell; a kernel that needs none is asked like VS Code does.
        subshell = kernel.add_subshell() if kernel.version == "7.3" else ""
        kernel.press(shown, "cancel", subshell=subshell)
        if kernel.version == "6.31":
            kernel.interrupt()
        ran = kernel.collect(cell)
    says = {
        "6.31": "is heard only when the cell has ended; use Interrupt",
        "7.3": "works while the cell runs in front ends that use subshells",
        "7.4": "works while the cell runs",
    }
    first = shown.opened[0]["data"]["state"]["state"]
    assert first["kernel"].startswith(f"ipykernel {kernel.version}.0: Cancel {says[kernel.version]}")
    ended = "JobInterruptedError" if kernel.version == "6.31" else "JobCancelledError"
    assert (ran.status, ran.error["ename"]) == ("error", ended)
    assert "the      3\n5 rows" in kernel.run(WORDS).succeeded().text


def test_interrupt_stops_the_cell_and_the_next_one_runs(kernel):
    cell = kernel.start(ENDLESS)
    with open(kernel.folder / "started"):
        began = time.monotonic()
        kernel.interrupt()
    ran = kernel.collect(cell)
    assert time.monotonic() - began < 3
    assert (ran.status, ran.error["ename"]) == ("error", "JobInterruptedError")
    assert "endless: interrupted after" in ran.text
    assert "the      3\n5 rows" in kernel.run(WORDS).succeeded().text


def test_second_interrupt_forces_the_stop_at_once(kernel):
    kernel.run(STUCK).succeeded()
    cell = kernel.start(WORDS.replace("--no-plot", f"--name stuck --save stuck-{kernel.version}.csv"))
    kernel.collect(cell, until="stuck: running for")
    kernel.interrupt()
    with open(kernel.folder / "started"):
        kernel.interrupt()
    ran = kernel.collect(cell, timeout=20)
    assert (ran.status, ran.error["ename"]) == ("error", "JobInterruptedError")
    assert kernel.run(UNSTUCK).results[0]["text/plain"] == "[('stuck', True)]"


def test_another_cell_cancels_a_job_in_the_background(kernel):
    kernel.run(ENDLESS.replace("-o", "-b -o")).succeeded()
    with open(kernel.folder / "started"):
        ran = kernel.run("endless.cancel(); endless.wait(10), endless.state").succeeded()
    assert ran.results[0]["text/plain"] == "(True, 'cancelled')"
    assert "the      3\n5 rows" in kernel.run(WORDS).succeeded().text
