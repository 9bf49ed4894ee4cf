"""Some workers of a cluster as a cluster of their own, to see what a job does on fewer of them."""

from __future__ import annotations

from contextlib import suppress

from mrkernel.cluster.handle import Cluster, Freed
from mrkernel.config import counted
from mrkernel.errors import ClusterError

__all__ = ["limited"]

_RETURN_S = 30.0


class _Limited(Cluster):
    """Runs jobs on some workers of another cluster, whose connection it shares; closing it leaves that one open."""

    def __init__(self, whole: Cluster, addresses: tuple[str, ...]) -> None:
        super().__init__(
            whole.client, is_embedded=whole.is_embedded, is_local=whole.is_local, scratch_dir=whole.scratch_dir
        )
        self.addresses = addresses
        self._whole = whole

    @property
    def n_workers(self) -> int:
        return len(self.addresses or ())

    def free_workers(self, prefix: str) -> Freed:
        # The whole one is used on, and has to know that others are on their way.
        return self._whole.free_workers(prefix)


def limited(whole: Cluster, workers: int) -> Cluster:
    """A view of a cluster with so many of its workers; the cluster itself where it has no more.

    A worker that is replaced while the view is used does not come back to it.

    Raises
    ------
    ClusterError
        If it has not so many.

    Examples
    --------
    >>> limited(mr.cluster(), 1).n_workers  # doctest: +SKIP
    1
    """
    found = [worker.address for worker in whole.workers()]
    if len(found) < workers <= whole.n_workers:
        # One that is being replaced is on its way back.
        with suppress(TimeoutError):
            whole.client.wait_for_workers(workers, timeout=_RETURN_S)
        found = [worker.address for worker in whole.workers()]
    if workers > len(found) or workers < 1:
        raise ClusterError(f"cannot use {counted(workers, 'worker')} of a cluster that has {len(found)}",
                           hint=f"mr.cluster(workers={workers}) starts more")  # fmt: skip
    return whole if workers == len(found) else _Limited(whole, tuple(found[:workers]))
