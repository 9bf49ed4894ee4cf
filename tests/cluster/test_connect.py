from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import mrkernel as mr
from mrkernel.cluster import Cluster, choice, connect, picture, scratch
from mrkernel.errors import ClusterError
from tests.engine.marks import wait_until

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def dask_cluster() -> Iterator[Any]:
    """A dask cluster that somebody else made: one worker process with its nanny."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50) as found:
        yield found


@pytest.fixture
def _embedded_again() -> Iterator[None]:
    yield
    choice._choice.chosen = None


def targets(dask_cluster: Any, folder: Path) -> dict[str, Any]:
    file = folder / "scheduler.json"
    file.write_text(json.dumps({"address": dask_cluster.scheduler_address}))
    return {"cluster": dask_cluster, "address": dask_cluster.scheduler_address, "file": file, "name": str(file)}


@pytest.mark.parametrize("kind", ["cluster", "address", "file", "name"])
def test_connect_takes(kind: str, dask_cluster: Any, tmp_path: Path) -> None:
    with connect(targets(dask_cluster, tmp_path)[kind], scratch=tmp_path / "scratch") as cluster:
        assert cluster.client.submit(pow, 2, 3).result() == 8
        assert cluster.n_workers == 1
        assert cluster.address == dask_cluster.scheduler_address
        assert not cluster.is_embedded
        assert cluster.is_local
        assert cluster.scratch_dir is not None
        assert Path(cluster.scratch_dir).parent == tmp_path / "scratch"
    assert not list((tmp_path / "scratch").iterdir())


def test_connect_leaves_a_client_that_was_handed_over_open(dask_cluster: Any) -> None:
    from distributed import Client

    with Client(dask_cluster, set_as_default=False) as client:
        with connect(client) as cluster:
            assert cluster.client is client
        assert client.status == "running"


def test_connect_to_a_client_that_is_closed_says_so(dask_cluster: Any) -> None:
    from distributed import Client

    with Client(dask_cluster, set_as_default=False) as client:
        pass
    with pytest.raises(ClusterError, match=r"cannot use the dask client .*: it is closed or asynchronous"):
        connect(client)


def test_connect_where_nothing_listens_fails_within_seconds() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = time.monotonic()
    with pytest.raises(ClusterError, match=rf"cannot connect to a dask scheduler at tcp://127.0.0.1:{port}.*\n?.*Hint"):
        connect(f"tcp://127.0.0.1:{port}", timeout=1)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("target", ["tcp://127.0.0.1:1", "tls://127.0.0.1:1", 3.5])
def test_connect_that_fails_leaves_no_thread(target: Any) -> None:
    before = set(threading.enumerate())
    with pytest.raises(ClusterError, match="cannot connect to a dask scheduler"):
        connect(target, timeout=0.5)
    assert {thread.name for thread in set(threading.enumerate()) - before} <= {"TCP-Executor-0"}


def test_connect_to_a_name_that_is_nothing_says_what_an_address_looks_like() -> None:
    with pytest.raises(
        ClusterError, match='neither an address nor a scheduler file\nHint: an address looks like "tcp:'
    ):
        connect("scheduler.json")


def test_connect_to_something_else_says_so() -> None:
    with pytest.raises(ClusterError, match=r"cannot connect to a dask scheduler at 3\.5"):
        connect(3.5)


def test_scale_needs_a_cluster_that_can(dask_cluster: Any) -> None:
    with connect(dask_cluster.scheduler_address) as cluster, pytest.raises(ClusterError, match="not one that mrkernel"):
        cluster.scale(2)
    with connect(dask_cluster) as cluster:
        cluster.scale(2)
        assert cluster.n_workers == 2
        dask_cluster.scale(1)
        while cluster.n_workers > 1:
            pass


def test_restart_worker_of_another_cluster(dask_cluster: Any) -> None:
    with connect(dask_cluster) as cluster:
        before = cluster.workers()[0]
        cluster.restart_worker(before.address)
        assert before.pid not in {worker.pid for worker in cluster.workers()}


def test_restart_worker_without_a_nanny_is_refused() -> None:
    from distributed import LocalCluster

    with (
        LocalCluster(n_workers=1, processes=False, dashboard_address="127.0.0.1:0", silence_logs=50) as plain,
        connect(plain) as cluster,
    ):
        worker = cluster.workers()[0]
        assert worker.pid is not None
        with pytest.raises(ClusterError, match=r"it has no nanny that answers\nHint: start the cluster's"):
            cluster.restart_worker(worker.address)


def loop(mark: Path) -> Callable[[int], None]:
    """A mapper that does not return."""

    def mapper(_number: int) -> None:
        mark.touch()
        while True:
            pass

    return mapper


def test_cancel_has_a_nanny_of_another_cluster_replace_its_worker(dask_cluster: Any, tmp_path: Path) -> None:
    with connect(dask_cluster) as cluster:
        before = cluster.workers()[0]
        handle = mr.submit(mr.Job(loop(tmp_path / "in"), sum, name="looped"), [0], cluster=cluster)
        wait_until((tmp_path / "in").exists)
        handle.cancel(force=True)
        assert handle.wait(2)
        # A worker of dask's own takes seconds to start; the job that follows waits for it.
        assert dict(mr.run(mr.Job(lambda n: (n, 1), sum), [7], cluster=cluster)) == {7: 1}
        after = cluster.workers()
        assert [worker.name for worker in after] == [before.name]
        assert after[0].pid != before.pid
        assert handle.progress().notes[-1] == (
            f"1 worker ({before.name}) was replaced: what ran there did not stop by itself"
        )


def test_cancel_says_that_a_worker_without_a_nanny_goes_on(tmp_path: Path) -> None:
    from distributed import LocalCluster

    def wait(_number: int) -> None:
        (tmp_path / "in").touch()
        wait_until((tmp_path / "gate").exists)

    with (
        LocalCluster(n_workers=1, processes=False, dashboard_address=None, silence_logs=50) as plain,
        connect(plain) as cluster,
    ):
        handle = mr.submit(mr.Job(wait, sum, name="waiting"), [0], cluster=cluster)
        wait_until((tmp_path / "in").exists)
        handle.cancel(force=True)
        wait_until(lambda: handle.progress().notes)
        assert handle.progress().notes == (
            "1 worker (0) was not replaced, for want of a nanny that answers: what runs there goes on",
        )
        said = picture(cluster)
        assert [task.is_stopping for task in said.workers[0].running] == [True]
        assert said.notes == (
            "0: a function that was cancelled does not return, and without a nanny nobody can replace its worker",
        )
        (tmp_path / "gate").touch()


def test_cancel_frees_another_cluster_even_where_its_program_ends_at_once(
    dask_cluster: Any, tmp_path: Path, script: Callable[[str], subprocess.Popen[str]]
) -> None:
    before = {worker["nanny"] for worker in dask_cluster.scheduler.identity()["workers"].values()}
    program = script(
        "import time, mrkernel as mr\n"
        "from pathlib import Path\n"
        "def mapper(n):\n"
        f"    Path({str(tmp_path / 'in')!r}).touch()\n"
        "    while True: pass\n"
        f"with mr.cluster({dask_cluster.scheduler_address!r}) as cluster:\n"
        "    handle = mr.submit(mr.Job(mapper, sum), [0], cluster=cluster)\n"
        f"    while not Path({str(tmp_path / 'in')!r}).exists(): time.sleep(0.01)\n"
        "    pid = cluster.workers()[0].pid\n"
        "    handle.cancel()\n"
        "    handle.wait(5)\n"
        "    print(pid, flush=True)\n"
    )
    said, errors = program.communicate(timeout=60)
    assert errors == ""
    wait_until(lambda: scratch.mark(int(said)) is None)
    wait_until(lambda: {w["nanny"] for w in dask_cluster.scheduler.identity()["workers"].values()} == before)


@pytest.mark.usefixtures("_embedded_again")
def test_cluster_makes_an_address_the_default(dask_cluster: Any) -> None:
    chosen = choice.cluster(dask_cluster.scheduler_address)
    assert choice.default() is chosen
    assert choice.current() is chosen
    chosen.close()
    with pytest.raises(ClusterError, match=r"the chosen cluster at tcp://.* is closed\nHint: choose another"):
        choice.default()


@pytest.mark.usefixtures("_embedded_again")
def test_cluster_without_an_address_goes_back_to_the_embedded_one(
    dask_cluster: Any, own_cluster: Callable[..., Cluster]
) -> None:
    choice.cluster(dask_cluster).close()
    assert choice.cluster(workers=1).is_embedded
    assert choice.default().is_embedded
