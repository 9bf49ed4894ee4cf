"""Server processes are forked from one of their owner's: later clusters start at once, and nothing is left of any."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from mrkernel.cluster import Cluster, current, forking
from mrkernel.cluster.launch import LOG
from mrkernel.errors import ClusterError

from .conftest import ROOT, cluster_processes, have_ended, launchers

pytestmark = pytest.mark.cluster


@pytest.fixture
def own_launcher(
    monkeypatch: pytest.MonkeyPatch, own_cluster: Callable[..., Cluster]
) -> Iterator[Callable[..., Cluster]]:
    """``embedded()`` with a launcher for one test, which starts when the first cluster does."""
    held = forking._Held()
    monkeypatch.setattr(forking, "_held", held)
    yield own_cluster
    running = current()
    if running:
        running.close()
    held.close()
    for process in held.closed:
        process.wait(30)


def launcher() -> psutil.Process:
    assert forking._held.launcher
    return psutil.Process(forking._held.launcher._process.pid)


def server(cluster: Cluster) -> psutil.Process:
    return cluster_processes(cluster.scratch_dir or "")[0]


def test_later_clusters_come_from_the_same_launcher_which_collects_those_that_end(
    own_launcher: Callable[..., Cluster],
) -> None:
    before = {process.pid for process in launchers(os.getpid())}
    cluster = own_launcher(workers=1)
    first = launcher()
    assert first.pid not in before
    assert server(cluster).ppid() == first.pid
    cluster.close()
    cluster = own_launcher(workers=1)
    assert launcher() == first
    assert first.children() == [server(cluster)]
    assert cluster.client.submit(pow, 2, 3).result() == 8
    processes = cluster_processes(cluster.scratch_dir or "")
    forking.close_launcher()
    # What it has started goes on, and it waits for that.
    assert cluster.client.submit(pow, 2, 4).result() == 16
    cluster.close()
    assert have_ended([first, *processes], within=30)


def test_a_cluster_outlives_its_launcher_and_the_next_one_gets_another(own_launcher: Callable[..., Cluster]) -> None:
    cluster = own_launcher(workers=1)
    first = launcher()
    first.kill()
    assert cluster.client.submit(pow, 2, 3).result() == 8
    cluster.close()
    assert have_ended([first], within=30)
    cluster = own_launcher(workers=1)
    assert launcher() != first
    assert cluster.client.submit(pow, 2, 3).result() == 8


def test_a_later_cluster_has_what_the_owner_has_now(
    own_launcher: Callable[..., Cluster], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SOME_NAME", "before")
    monkeypatch.setenv("TZ", "UTC")
    own_launcher(workers=1).close()
    first = launcher()
    monkeypatch.setenv("SOME_NAME", "höher")
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "beside_the_notebook.py").write_text("NUMBER = 7")

    def look() -> tuple[str, str, str, int]:
        import beside_the_notebook

        return os.environ["SOME_NAME"], os.getcwd(), time.tzname[0], beside_the_notebook.NUMBER

    seen = own_launcher(workers=1).client.submit(look).result()
    assert seen == ("höher", str(tmp_path), "IST", 7)
    assert launcher() == first


def test_a_later_cluster_writes_with_the_owners_umask_on_its_cores(own_launcher: Callable[..., Cluster]) -> None:
    own_launcher(workers=1).close()
    cores = os.sched_getaffinity(0)
    umask = os.umask(0o027)
    os.sched_setaffinity(0, {min(cores)})
    try:
        client = own_launcher(workers=1).client
    finally:
        os.umask(umask)
        os.sched_setaffinity(0, cores)
    assert client.submit(lambda: (os.umask(0), os.sched_getaffinity(0))).result() == (0o027, {min(cores)})


def test_launchers_that_have_ended_are_collected(
    own_launcher: Callable[..., Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = []
    for number in range(3):
        monkeypatch.setenv("POLARS_SOME_NAME", str(number))
        own_launcher(workers=1).close()
        ended.append(launcher())
    forking.close_launcher()
    deadline = time.monotonic() + 30
    while any(process.is_running() for process in ended):
        assert time.monotonic() < deadline
        forking.close_launcher()
        time.sleep(0.05)


def test_what_libraries_read_once_takes_another_launcher(
    own_launcher: Callable[..., Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    own_launcher(workers=1).close()
    first = launcher()
    monkeypatch.setenv("DASK_MRKERNEL__TEST", "here")

    def look() -> object:
        import dask

        return dask.config.get("mrkernel.test", None)

    assert own_launcher(workers=1).client.submit(look).result() == "here"
    assert launcher() != first
    assert have_ended([first], within=30)


def test_what_stops_the_launcher_is_told(
    own_launcher: Callable[..., Cluster], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.exit('no cluster today')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    before = {process.pid for process in launchers(os.getpid())}
    with pytest.raises(ClusterError, match=r"its process ended\n(.|\n)*no cluster today"):
        own_launcher(workers=1)
    assert not {process.pid for process in launchers(os.getpid())} - before
    monkeypatch.delenv("PYTHONPATH")
    assert own_launcher(workers=1).client.submit(pow, 2, 3).result() == 8


@pytest.mark.parametrize("has_asked", [False, True])
def test_a_launcher_that_nobody_uses_leaves_and_serves_first_who_has_asked(tmp_path: Path, has_asked: bool) -> None:
    control, theirs = socket.socketpair()
    channel, servers = socket.socketpair()
    code = "from mrkernel.cluster import launcher; launcher.UNUSED_S = 0.0; launcher.main()"
    with control, channel, theirs:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen([sys.executable, "-P", "-c", code], stdin=theirs.fileno(), env=environment)
        with servers, open(tmp_path / LOG, "wb") as log:
            if has_asked:
                line = json.dumps(str(tmp_path)).encode() + b"\n"
                socket.send_fds(control, [line], [servers.fileno(), log.fileno()])
        if has_asked:
            report = json.loads(channel.makefile("r").readline())
            assert psutil.Process(report["pid"]).ppid() == process.pid
            channel.shutdown(socket.SHUT_RDWR)
        assert process.wait(30) == 0
        with pytest.raises(OSError, match="pipe"):
            socket.send_fds(control, [b"too late\n"], [0])
