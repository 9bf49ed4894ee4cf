from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from mrkernel.cluster import Cluster, choice, current, embedded
from mrkernel.errors import ClusterError, OptionError

from .conftest import cluster_processes, have_ended

pytestmark = pytest.mark.cluster


def test_embedded_runs_functions_in_worker_processes(cluster: Cluster) -> None:
    def where(_number: int) -> tuple[int, int]:
        return os.getpid(), os.getpgrp()

    pids, groups = zip(*cluster.client.gather(cluster.client.map(where, range(8))), strict=True)
    assert set(pids) <= {worker.pid for worker in cluster.workers()}
    assert os.getpid() not in pids
    assert os.getpgrp() not in groups


def test_embedded_twice_is_one_cluster(cluster: Cluster) -> None:
    assert embedded() is cluster
    assert current() is cluster


def test_embedded_from_many_threads_is_one_cluster(own_cluster: Callable[..., Cluster]) -> None:
    found: list[Cluster] = []
    threads = [threading.Thread(target=lambda: found.append(own_cluster(workers=1))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(map(id, found))) == 1


def test_embedded_with_another_number_of_workers_scales(cluster: Cluster) -> None:
    assert embedded(workers=3) is cluster
    assert cluster.n_workers == 3
    embedded(workers=2)
    assert cluster.n_workers == 2


def test_scale_down_keeps_the_results_of_workers_that_leave(cluster: Cluster) -> None:
    cluster.scale(3)
    futures = cluster.client.map(lambda number: number * 2, range(12))
    cluster.client.gather(futures)
    cluster.scale(2)
    assert cluster.client.gather(futures) == [number * 2 for number in range(12)]


def test_scale_to_nothing_is_refused(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match="cannot scale the cluster to 0 workers\nHint: a cluster has at least one"):
        cluster.scale(0)


def test_workers_use_one_thread_each(cluster: Cluster) -> None:
    def threads() -> tuple[int, int, str]:
        import polars as pl
        import pyarrow as pa

        return pa.cpu_count(), pl.thread_pool_size(), os.environ["OMP_NUM_THREADS"]

    assert set(cluster.client.run(threads).values()) == {(1, 1, "1")}


def test_workers_have_what_tasks_use_imported_before_the_first_task(cluster: Cluster) -> None:
    def missing() -> set[str]:
        import sys

        return {"pandas", "polars", "pyarrow.acero", "pyarrow.parquet", "mrkernel.errors"} - set(sys.modules)

    assert set(map(frozenset, cluster.client.run(missing).values())) == {frozenset()}


def test_workers_import_modules_from_the_owners_path(
    own_cluster: Callable[..., Cluster], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "beside_the_notebook.py").write_text("ANSWER = 42\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    def answer() -> int:
        import beside_the_notebook

        found: int = beside_the_notebook.ANSWER
        return found

    assert own_cluster(workers=1).client.submit(answer).result() == 42


def test_workers_describe_themselves(cluster: Cluster) -> None:
    workers = cluster.workers()
    assert len(workers) == 2
    for worker in workers:
        assert worker.address.startswith("tls://127.0.0.1:")
        assert worker.pid is not None
        assert psutil.pid_exists(worker.pid)
        assert worker.state == "running"
        assert worker.memory_limit


def test_scratch_dir_is_a_private_folder_that_leaves_with_the_cluster(
    own_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    cluster = own_cluster(workers=1, scratch=tmp_path / "space")
    folder = cluster.scratch_dir
    assert folder is not None
    assert Path(folder).parent == tmp_path / "space"
    assert os.stat(folder).st_mode & 0o777 == 0o700
    cluster.client.submit(Path(folder, "part").write_text, "x").result()
    processes = cluster_processes(folder)
    cluster.close()
    assert not list((tmp_path / "space").iterdir())
    assert have_ended(processes, within=5)


def test_close_ends_a_cluster_that_is_busy(own_cluster: Callable[..., Cluster]) -> None:
    cluster = own_cluster(workers=1)
    cluster.client.submit(lambda: [None for _ in iter(int, 1)])
    processes = cluster_processes(cluster.scratch_dir or "")
    cluster.close()
    cluster.close()
    assert have_ended(processes, within=5)
    assert repr(cluster).endswith(" closed>")


def test_a_closed_cluster_says_so(own_cluster: Callable[..., Cluster]) -> None:
    with own_cluster(workers=1) as cluster:
        assert cluster.n_workers == 1
    with pytest.raises(ClusterError, match=r"the cluster at tls://.* was closed or has left\nHint: mr.cluster\(\)"):
        cluster.workers()


def test_changed_memory_limit_starts_another_cluster(own_cluster: Callable[..., Cluster]) -> None:
    first = own_cluster(workers=1, memory_limit="500 MiB")
    second = own_cluster(workers=1, memory_limit="600 MiB")
    assert first.is_closed
    assert second.workers()[0].memory_limit == 600 << 20


def test_changed_memory_limit_is_refused_while_tasks_run(own_cluster: Callable[..., Cluster]) -> None:
    cluster = own_cluster(workers=1, memory_limit="500 MiB")
    started = threading.Event()
    cluster.client.subscribe_topic("started", lambda _event: started.set())

    def wait() -> None:
        import time

        from distributed import get_worker

        get_worker().log_event("started", "now")
        time.sleep(60)

    future = cluster.client.submit(wait)
    assert started.wait(10)
    with pytest.raises(ClusterError, match="cannot change memory_limit of the embedded cluster while tasks run"):
        own_cluster(memory_limit="600 MiB")
    assert future.status == "pending"


def test_default_uses_the_embedded_cluster(cluster: Cluster) -> None:
    assert choice.default() is cluster
    assert choice.cluster(workers=2) is cluster


def test_embedded_refuses_values_it_cannot_use() -> None:
    with pytest.raises(OptionError, match="memory_limit = 'a lot' cannot be used"):
        embedded(memory_limit="a lot")
    with pytest.raises(
        OptionError, match=r"memory_limit = 10\.5 MB is too little for a worker.*\nHint: give at least 150"
    ):
        embedded(memory_limit="10 MiB")


def test_a_server_that_cannot_start_shows_its_log(
    own_cluster: Callable[..., Cluster], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "distributed.py").write_text("raise RuntimeError('this distributed is broken')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(
        ClusterError, match=r"(?s)cannot start the embedded cluster: .*this distributed is broken.*Hint"
    ):
        own_cluster(workers=1, scratch=tmp_path / "space")
    assert not list((tmp_path / "space").iterdir())
