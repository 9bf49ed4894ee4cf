"""What Cancel can do in each kernel, in words; and a cell whose wait is cancelled twice."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import mrkernel as mr
from mrkernel.cellspec import parse
from mrkernel.errors import JobInterruptedError
from mrkernel.magics.running import CellRun
from mrkernel.magics.stopping import cancel_words, kernel_words
from mrkernel.session import waiting

SUBSHELLS = "works while the cell runs in front ends that use subshells, as JupyterLab does; elsewhere use Interrupt"


@pytest.mark.parametrize(
    ("version", "is_awaiting", "said"),
    [
        ("6.31.0", True, "is heard only when the cell has ended; use Interrupt"),
        ("6.31.0", False, "is heard only when the cell has ended; use Interrupt"),
        ("7.3.0", True, SUBSHELLS),
        ("7.3.0", False, SUBSHELLS),
        ("7.4.0", True, "works while the cell runs"),
        ("7.4.0a1", False, SUBSHELLS),
        ("8.0.0", True, "works while the cell runs"),
    ],
)
def test_cancel_is_described_for_each_kernel(version, is_awaiting, said):
    assert cancel_words(version, is_awaiting=is_awaiting) == f"ipykernel {version}: Cancel {said}"


def test_without_a_kernel_nothing_is_said(monkeypatch):
    monkeypatch.delitem(__import__("sys").modules, "ipykernel", raising=False)
    assert kernel_words(is_awaiting=True) == ""


def test_cell_that_is_cancelled_again_while_it_stops_forces(shell, monkeypatch):
    monkeypatch.setattr(waiting, "_STOP_S", 3600.0)
    gate = threading.Event()
    # The driver's thread waits in its first event, so that the job does not end.
    handle = mr.submit(mr.Job(lambda n: (n, 1), sum, name="held"), [1], executor="inline", progress=False,
                       listeners=[lambda event: gate.wait(30)])  # fmt: skip

    async def main():
        task = asyncio.ensure_future(CellRun(shell, parse("-i nothing", {}), handle).wait_async())
        for is_forced in (False, True):
            await asyncio.sleep(0.02)
            assert not task.done()
            task.cancel()
            await asyncio.sleep(0.02)
            assert handle._is_forced is is_forced
        await task

    try:
        with ThreadPoolExecutor(1) as pool, pytest.raises(JobInterruptedError, match="held was interrupted after"):
            pool.submit(asyncio.run, main()).result(20)
    finally:
        gate.set()


def test_cancel_again_forces_what_was_stopped_and_no_other_job(shell, capsys):
    gates, jobs = [threading.Event(), threading.Event()], shell.magics_manager.registry["MapReduceMagics"].jobs
    older, newer = (
        mr.submit(mr.Job(lambda n: (n, 1), sum, name=name), [1], executor="inline", progress=False,
                  listeners=[lambda event, gate=gate: gate.wait(30)])
        for name, gate in zip(("older", "newer"), gates, strict=True)
    )  # fmt: skip
    jobs.add(older)
    jobs.add(newer)
    try:
        shell.run_line_magic("mr", "cancel")
        assert capsys.readouterr().out.rstrip().endswith(" newer")
        gates[1].set()
        assert newer.wait(20)
        for line in ("cancel", "cancel newer"):
            shell.run_line_magic("mr", line)
            assert capsys.readouterr().out.rstrip().endswith(" newer, forced")
        assert not older.is_stopped
    finally:
        for gate in gates:
            gate.set()
        assert older.wait(20)
