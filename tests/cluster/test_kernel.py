"""The embedded cluster of a real Jupyter kernel: what Interrupt, Restart and a killed kernel do to it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT, cluster_processes, have_ended

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore::DeprecationWarning:jupyter_client")]

START = """
import json, time, mrkernel.cluster as mc
cluster = mc.embedded(workers=2)
print(json.dumps([cluster.scratch_dir, sorted(worker.pid for worker in cluster.workers())]))
"""


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[tuple[Any, Callable[..., str]]]:
    """A kernel, and a function that runs a cell there and returns what it printed, or its error's name."""
    from jupyter_client.manager import start_new_kernel

    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MRKERNEL_SCRATCH": str(tmp_path)}
    manager, client = start_new_kernel(env=environment)

    def run(code: str, *, interrupt: bool = False) -> str:
        output: list[str] = []

        def on_output(message: dict[str, Any]) -> None:
            content = message["content"]
            output.append(content.get("text") or content.get("ename") or "")
            if interrupt and content.get("text") == "asleep\n":
                manager.interrupt_kernel()

        client.execute_interactive(code, output_hook=on_output, timeout=60)
        return "".join(output)

    yield manager, run
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_interrupt_keeps_the_workers_and_their_results(kernel: tuple[Any, Callable[..., str]]) -> None:
    _manager, run = kernel
    folder, pids = json.loads(run(START))
    run("future = cluster.client.submit(pow, 2, 10)")
    assert run("print('asleep', flush=True)\ntime.sleep(60)", interrupt=True) == "asleep\nKeyboardInterrupt"
    assert run("print(future.result())") == "1024\n"
    assert json.loads(run(START)) == [folder, pids]


@pytest.mark.parametrize("now", [False, True], ids=["in order", "killed"])
def test_end_of_the_kernel_is_the_end_of_its_cluster(now: bool, kernel: tuple[Any, Callable[..., str]]) -> None:
    manager, run = kernel
    folder, pids = json.loads(run(START))
    processes = cluster_processes(folder)
    assert set(pids) <= {process.pid for process in processes}
    manager.shutdown_kernel(now=now)
    assert have_ended(processes, within=10)
    assert not os.path.exists(folder)
