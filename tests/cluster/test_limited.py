"""Jobs on some of a cluster's workers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import mrkernel as mr
from mrkernel.cluster import limited
from mrkernel.cluster.handle import Freed
from mrkernel.errors import ClusterError
from mrkernel.events import TaskStarted
from tests.engine.marks import die_once, wait_until

pytestmark = pytest.mark.cluster
PARITY = mr.Job(lambda n: (n % 2, n), sum, name="parity")


def _workers_of_a_run(place: mr.Cluster) -> set[str]:
    events: list[object] = []
    result = mr.run(PARITY, list(range(4000)), cluster=place, chunk_size=1000, listeners=[events.append])
    assert dict(result) == {0: 3998000, 1: 4000000}
    return {event.worker for event in events if isinstance(event, TaskStarted) and event.stage == "map"}


def test_job_on_one_worker_of_two_leaves_the_other_alone(cluster: mr.Cluster) -> None:
    one = limited(cluster, 1)
    assert one.n_workers == 1
    assert _workers_of_a_run(one) == set(one.addresses)
    assert len(_workers_of_a_run(cluster)) == 2


def test_all_workers_of_a_cluster_are_the_cluster_itself(cluster: mr.Cluster) -> None:
    assert limited(cluster, cluster.n_workers) is cluster


def test_closing_the_view_leaves_the_cluster_open(cluster: mr.Cluster) -> None:
    limited(cluster, 1).close()
    assert not cluster.is_closed


def test_a_job_outlives_all_workers_that_it_may_use(cluster: mr.Cluster, tmp_path: Path) -> None:
    one = limited(cluster, 1)
    (before,) = [worker for worker in cluster.workers() if worker.address in one.addresses]

    def mapper(n: int) -> Iterator[tuple[int, int]]:
        if n == 3000:
            die_once(tmp_path / "died")
        yield n % 2, n

    result = mr.run(mr.Job(mapper, sum), list(range(4000)), cluster=one, chunk_size=1000)
    assert dict(result) == {0: 3998000, 1: 4000000}
    assert (tmp_path / "died").exists()
    wait_until(lambda: len(cluster.workers()) == 2)
    (after,) = [worker for worker in cluster.workers() if worker.address in one.addresses]
    assert (after.name, after.address != before.address) == (before.name, True)
    assert _workers_of_a_run(one) == set(one.addresses)


def test_what_a_view_has_begun_to_free_is_finished_when_it_is_closed(cluster: mr.Cluster) -> None:
    freed: list[Freed] = []
    is_forced = threading.Event()
    one = limited(cluster, 1)
    one.free_workers_later("mrkernel-nothing-", 60.0, is_forced, freed.append)
    one.close()
    thread, _ = cluster._freeing[-1]
    assert (freed, thread.is_alive()) == ([], True)
    is_forced.set()
    thread.join(10)
    assert freed == [Freed()]


def test_more_workers_than_there_are_is_an_error(cluster: mr.Cluster) -> None:
    with pytest.raises(ClusterError, match="cannot use 3 workers of a cluster that has 2"):
        limited(cluster, 3)
