"""One embedded cluster for the tests that only use it; tests that break one start their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from mrkernel.cluster import Cluster, choice, current, embedded, launch, scratch

ROOT = Path(__file__).parents[2]


def cluster_processes(folder: str) -> list[psutil.Process]:
    """The server that works in this scratch folder, and all that it started."""
    for pid in psutil.pids():
        try:
            # Not psutil.process_iter: what it remembers refuses to list the children of a pid that was used again.
            process = psutil.Process(pid)
            # Workers print to the same log; the server is the one whose group has its pid.
            is_leader = os.getpgid(process.pid) == process.pid
            if is_leader and os.readlink(f"/proc/{pid}/fd/1").startswith(f"{folder}/{launch.LOG}"):
                return [process, *process.children(recursive=True)]
        except (psutil.Error, OSError):
            continue
    return []


def launchers(owner: int) -> list[psutil.Process]:
    """What the server processes of an owner are forked from."""
    found = []
    for process in psutil.Process(owner).children():
        with suppress(psutil.Error):
            if process.cmdline()[-1:] == ["mrkernel.cluster.launcher"]:
                found.append(process)
    return found


def have_ended(processes: list[psutil.Process], *, within: float) -> bool:
    """Wait until all have ended; a container's first process may take seconds to collect its orphans' exit codes."""
    deadline = time.monotonic() + within
    while any(scratch.mark(process.pid) and process.is_running() for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A running embedded cluster of two workers, as the test before left it."""
    found = embedded(workers=2)
    yield found
    assert not found.is_closed


@pytest.fixture(scope="package", autouse=True)
def _nothing_remains() -> Iterator[None]:
    yield
    running = current()
    if running:
        running.close()
        assert not cluster_processes(running.scratch_dir or "")


@pytest.fixture
def own_cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Cluster]]:
    """``embedded()`` for one test that breaks its cluster: the shared one is out of sight meanwhile."""
    monkeypatch.setattr(choice, "_choice", choice._Choice())
    yield embedded
    running = current()
    if running:
        running.close()


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], subprocess.Popen[str]]:
    """Starts Python code as a program of its own, in a session of its own; its output is read through pipes."""

    def start(code: str) -> subprocess.Popen[str]:
        file = tmp_path / "program.py"
        file.write_text(code, encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "MRKERNEL_SCRATCH": str(tmp_path / "scratch")}
        return subprocess.Popen(
            [sys.executable, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=environment, start_new_session=True,
        )  # fmt: skip

    return start
