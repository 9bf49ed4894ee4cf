"""Processes that die, hang or leave: the cluster comes back, or nothing of it remains."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mrkernel.cluster import Cluster, current, prestart
from mrkernel.cluster.handle import ask
from mrkernel.cluster.replacing import kill_workers, nodes
from mrkernel.errors import ClusterError
from tests.engine.marks import wait_until

from .conftest import cluster_processes, have_ended

pytestmark = pytest.mark.cluster

# Makes a cluster, says where its folder is, and does what it is told on standard input.
OWNER = """
import os, signal, sys, time
import mrkernel.cluster as mc
if __name__ == "__main__":
    cluster = mc.embedded(workers=2)
    print(cluster.scratch_dir, flush=True)
    for line in sys.stdin:
        try:
            exec(line)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
"""


def first_line(program: subprocess.Popen[str]) -> str:
    assert program.stdout
    line = program.stdout.readline().strip()
    assert line, program.communicate()[1]
    return line


def tell(program: subprocess.Popen[str], line: str) -> str:
    assert program.stdin
    program.stdin.write(line + "\n")
    program.stdin.flush()
    return first_line(program)


def test_interrupt_of_the_owners_group_leaves_the_workers_alone(script: Callable[[str], subprocess.Popen[str]]) -> None:
    with script(OWNER) as program:
        first_line(program)
        ask = "print(sorted(worker.pid for worker in cluster.workers()), flush=True)"
        before = tell(program, ask)
        tell(program, "future = cluster.client.submit(pow, 2, 10); print('running', flush=True)")
        assert program.stdin
        program.stdin.write("print('asleep', flush=True); time.sleep(60)\n")
        program.stdin.flush()
        assert first_line(program) == "asleep"
        os.killpg(program.pid, signal.SIGINT)
        assert first_line(program) == "interrupted"
        assert tell(program, "print(future.result(), flush=True)") == "1024"
        assert tell(program, ask) == before
        assert program.communicate()[1] == ""


def test_a_killed_worker_comes_back(cluster: Cluster) -> None:
    before = {worker.name: worker.pid for worker in cluster.workers()}
    victim = cluster.workers()[0]
    assert victim.pid is not None
    os.kill(victim.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while victim.address in cluster.client.nthreads() or cluster.n_workers < 2:
        assert time.monotonic() < deadline
    after = {worker.name: worker.pid for worker in cluster.workers()}
    assert after.keys() == before.keys()
    assert after[victim.name] not in before.values()


def test_restart_worker_frees_one_that_holds_the_interpreter_lock(own_cluster: Callable[..., Cluster]) -> None:
    cluster = own_cluster(workers=1)
    worker = cluster.workers()[0]
    future = cluster.client.submit(re.match, r"(a+)+$", "a" * 64 + "b")
    while not any(cluster.client.processing().values()):
        pass
    future.cancel()
    started = time.monotonic()
    cluster.restart_worker(worker.address)
    assert cluster.client.submit(pow, 2, 3).result(timeout=5) == 8
    assert time.monotonic() - started < 5
    assert cluster.workers()[0].pid != worker.pid


@pytest.mark.parametrize("prefix", ["", "mrkernel-"])
def test_replacing_a_worker_that_has_just_died_touches_nothing_else(
    own_cluster: Callable[..., Cluster], prefix: str
) -> None:
    cluster = own_cluster(workers=1)
    (worker,) = cluster.workers()
    (node,) = nodes(ask(cluster.client, "identity", n_workers=-1))
    assert worker.pid
    os.kill(worker.pid, signal.SIGKILL)
    kill_workers(cluster.client, [node], prefix)
    assert cluster.client.submit(pow, 2, 3).result(timeout=20) == 8


def test_scale_down_ends_a_worker_that_does_not_answer(own_cluster: Callable[..., Cluster]) -> None:
    cluster = own_cluster(workers=2)
    client = cluster.client
    held = client.map(pow, range(4), [2] * 4)
    client.gather(held)
    stuck = [client.submit(re.match, r"(a+)+$", "a" * 64 + letter, pure=False) for letter in "bc"]
    wait_until(lambda: sum(map(len, client.processing().values())) == 2)
    started = time.monotonic()
    cluster.scale(1)
    assert time.monotonic() - started < 10
    assert cluster.n_workers == 1
    client.cancel(stuck, force=True)


def test_restart_worker_of_an_unknown_address_lists_the_known(cluster: Cluster) -> None:
    with pytest.raises(
        ClusterError, match=r"(?s)tls://127.0.0.1:1: the cluster has no such worker.*workers are tls://"
    ):
        cluster.restart_worker("tls://127.0.0.1:1")


def test_a_worker_beyond_its_memory_limit_is_restarted(own_cluster: Callable[..., Cluster]) -> None:
    from distributed import KilledWorker

    cluster = own_cluster(workers=1, memory_limit="400 MiB")
    before = cluster.workers()[0].pid

    def hoard() -> None:
        held = []
        while True:
            held.append(b"x" * (20 << 20))
            time.sleep(0.005)

    with pytest.raises(KilledWorker):
        cluster.client.submit(hoard).result(timeout=60)
    assert cluster.client.submit(pow, 2, 3).result(timeout=10) == 8
    assert cluster.workers()[0].pid != before


def test_memory_mapped_files_do_not_count_as_a_workers_memory(
    own_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    cluster = own_cluster(workers=1, memory_limit="400 MiB")
    before = cluster.workers()[0].pid
    with open(tmp_path / "large", "wb") as file:
        file.truncate(800 << 20)

    def read(path: str) -> int:
        import mmap
        import time

        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            total = sum(view[position] for position in range(0, len(view), 4096))
            # The nanny looks every 100 ms.
            time.sleep(0.5)
            return total

    assert cluster.client.submit(read, str(tmp_path / "large")).result(timeout=30) == 0
    assert cluster.workers()[0].pid == before


def test_owner_killed_leaves_no_process_and_no_scratch(script: Callable[[str], subprocess.Popen[str]]) -> None:
    with script(OWNER) as program:
        folder = first_line(program)
        # A worker that hangs with the interpreter lock must go as well.
        tell(
            program,
            "import re; f = cluster.client.submit(re.match, '(a+)+$', 'a' * 64 + 'b'); print('sent', flush=True)",
        )
        processes = cluster_processes(folder)
        assert len(processes) >= 4
        program.kill()
        program.communicate()
    assert have_ended(processes, within=10)
    assert not os.path.exists(folder)


def test_server_killed_leaves_no_process_and_the_next_use_starts_another(own_cluster: Callable[..., Cluster]) -> None:
    first = own_cluster(workers=1)
    processes = cluster_processes(first.scratch_dir or "")
    processes[0].kill()
    second = own_cluster(workers=1)
    assert second is not first
    assert second.client.submit(pow, 2, 3).result() == 8
    assert have_ended(processes, within=5)
    assert not os.path.exists(first.scratch_dir or "")


def test_idle_cluster_leaves_and_the_next_use_starts_another(own_cluster: Callable[..., Cluster]) -> None:
    first = own_cluster(workers=1, idle_timeout=0.5)
    processes = cluster_processes(first.scratch_dir or "")
    assert have_ended(processes, within=10)
    second = own_cluster(workers=1)
    assert second is not first
    assert second.client.submit(pow, 2, 3).result() == 8
    assert not os.path.exists(first.scratch_dir or "")


def test_a_running_task_keeps_an_idle_timeout_from_passing(own_cluster: Callable[..., Cluster]) -> None:
    cluster = own_cluster(workers=1, idle_timeout=0.3)
    assert cluster.client.submit(time.sleep, 1.5).result() is None


def test_prestart_returns_at_once_and_the_first_use_takes_what_it_started(own_cluster: Callable[..., Cluster]) -> None:
    started = time.monotonic()
    prestart(workers=1)
    # A start takes over a second.
    assert time.monotonic() - started < 0.3
    assert current() is None
    assert own_cluster().n_workers == 1


def test_prestart_that_fails_says_nothing_until_the_first_use(
    own_cluster: Callable[..., Cluster], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    prestart(workers=1, scratch=tmp_path / "file")
    with pytest.raises(ClusterError, match="cannot make the cluster's scratch folder"):
        own_cluster(workers=1, scratch=tmp_path / "file")
    assert capfd.readouterr() == ("", "")
