"""Jobs on some of a cluster's workers."""

from __future__ import annotations

import pytest

import mrkernel as mr
from mrkernel.cluster import limited
from mrkernel.errors import ClusterError
from mrkernel.events import TaskStarted

pytestmark = pytest.mark.cluster
PARITY = mr.Job(lambda n: (n % 2, n), sum, name="parity")


def _workers_of_a_run(place: mr.Cluster) -> set[str]:
    events: list[object] = []
    result = mr.run(PARITY, list(range(4000)), cluster=place, chunk_size=1000, listeners=[events.append])
    assert dict(result) == {0: 3998000, 1: 4000000}
    return {event.worker for event in events if isinstance(event, TaskStarted)}


def test_job_on_one_worker_of_two_leaves_the_other_alone(cluster: mr.Cluster) -> None:
    one = limited(cluster, 1)
    assert one.n_workers == 1
    assert _workers_of_a_run(one) == set(one.addresses or ())
    assert len(_workers_of_a_run(cluster)) == 2


def test_all_workers_of_a_cluster_are_the_cluster_itself(cluster: mr.Cluster) -> None:
    assert limited(cluster, cluster.n_workers) is cluster


def test_closing_the_view_leaves_the_cluster_open(cluster: mr.Cluster) -> None:
    limited(cluster, 1).close()
    assert not cluster.is_closed


def test_more_workers_than_there_are_is_an_error(cluster: mr.Cluster) -> None:
    with pytest.raises(ClusterError, match="cannot use 3 workers of a cluster that has 2"):
        limited(cluster, 3)
