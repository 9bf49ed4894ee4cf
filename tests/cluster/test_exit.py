"""How a program that made a cluster ends: quickly, silently, with nothing left behind."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable

import pytest

from .conftest import cluster_processes, have_ended, launchers
from .test_faults import first_line

pytestmark = pytest.mark.cluster

ENDINGS = {
    "results held": "futures = cluster.client.map(pow, range(20), range(20)); cluster.client.gather(futures)",
    "tasks running": "import time; futures = cluster.client.map(time.sleep, [5] * 20)",
    "failed task": "future = cluster.client.submit(int, 'x'); future.exception()",
    "cluster closed": "cluster.close()",
    "in a thread": "import threading; t = threading.Thread(target=cluster.client.submit(pow, 2, 3).result); t.start()",
    "forked child": "pid = os.fork(); os.waitpid(pid, 0) if pid else None; assert not pid or cluster.n_workers == 1",
    "child with its own": "pid = os.fork(); os.waitpid(pid, 0) if pid else mc.embedded(workers=1).n_workers; "
    "assert not pid or cluster.n_workers == 1",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_program_ends_silently_and_leaves_nothing(ending: str, script: Callable[[str], subprocess.Popen[str]]) -> None:
    code = f"""
import os, sys
import mrkernel.cluster as mc
if __name__ == "__main__":
    cluster = mc.embedded(workers=1)
    print(cluster.scratch_dir, flush=True)
    sys.stdin.readline()
    {ENDINGS[ending]}
"""
    with script(code) as program:
        folder = first_line(program)
        processes = cluster_processes(folder)
        assert len(processes) >= 3
        assert len(launchers(program.pid)) == 1
        processes += launchers(program.pid)
        output = program.communicate("go on\n", timeout=30)
        assert output == ("", "")
        assert program.returncode == 0
    assert have_ended(processes, within=10)
    assert not os.listdir(os.path.dirname(folder))


@pytest.mark.parametrize("begun", [
    "os.listdir(scratch)", "any('server.log' in os.listdir(folder.path) for folder in os.scandir(scratch))",
], ids=["folder", "log"])  # fmt: skip
def test_program_that_ends_while_its_cluster_starts_leaves_nothing(
    begun: str, script: Callable[[str], subprocess.Popen[str]]
) -> None:
    code = f"""
import os, time
import mrkernel.cluster as mc
mc.prestart(workers=1)
scratch = os.environ["MRKERNEL_SCRATCH"]
while not (os.path.isdir(scratch) and {begun}):
    time.sleep(0.0001)
print(next(os.scandir(scratch)).path, flush=True)
"""
    with script(code) as program:
        folder = first_line(program)
        assert program.communicate(timeout=30) == ("", "")
    deadline = time.monotonic() + 20
    while os.path.exists(folder):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert not cluster_processes(folder)
