"""Some workers of a cluster as a cluster of their own, to see what a job does on fewer of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from mrkernel.cluster.handle import RESTART_S, Cluster, Freed
from mrkernel.cluster.replacing import nodes
from mrkernel.config import counted
from mrkernel.errors import ClusterError

__all__ = ["limited"]


class _Limited(Cluster):
    """Runs jobs on some workers of another cluster, whose connection it shares; closing it leaves that one open."""

    def __init__(self, whole: Cluster, names: tuple[str, ...]) -> None:
        super().__init__(
            whole.client, is_embedded=whole.is_embedded, is_local=whole.is_local, scratch_dir=whole.scratch_dir
        )
        self._whole = whole
        self._names = names

    @property
    def n_workers(self) -> int:
        return len(self._names)

    @property
    def addresses(self) -> tuple[str, ...]:
        found = self._present()
        if not found:
            # All are being replaced, and no address at all would mean any.
            with suppress(TimeoutError):
                self.client.wait_for_workers(1, timeout=RESTART_S)
            found = self._present()
        if not found:
            raise ClusterError(f"the cluster at {self.address} has no worker left",
                               hint="see what ends its workers, or start another cluster")  # fmt: skip
        return found

    def _present(self) -> tuple[str, ...]:
        """The workers by their names, which stay when they are replaced; others in the place of those that are gone."""
        found = nodes(self._ask("identity", n_workers=-1))
        found.sort(key=lambda node: (node.name not in self._names, len(node.name), node.name))
        return tuple(node.address for node in found[: len(self._names)])

    def follow(self, prefix: str) -> tuple[str, ...]:
        """Let tasks run on those that are there now: dask keeps tasks for addresses, and would wait for these."""
        found = self._present()
        if not found:
            # No address at all would mean any.
            return found
        try:
            self.client.run_on_scheduler(_allow, prefix, list(found))
        except Exception as error:
            raise ClusterError(f"some of the {counted(self.n_workers, 'worker')} that the job may use have gone, and "
                               f"the scheduler at {self.address} cannot be told of others: {error}",
                               hint="run the job again, on all workers") from error  # fmt: skip
        return found

    def free_workers(self, prefix: str) -> Freed:
        # The whole one is used on, and has to know that others are on their way.
        return self._whole.free_workers(prefix)

    def free_workers_later(
        self, prefix: str, grace_s: float, is_forced: threading.Event, tell: Callable[[Freed], None]
    ) -> None:
        # What is under way when the view is closed goes on, and the whole one waits for it.
        self._whole.free_workers_later(prefix, grace_s, is_forced, tell)


async def _allow(prefix: str, addresses: list[str], dask_scheduler: Any) -> None:
    """On the scheduler: tasks of these keys may run at these addresses, and those that nobody could run are begun."""
    tasks = [task for key, task in dask_scheduler.tasks.items() if str(key).startswith(prefix)]
    for task in tasks:
        task.worker_restrictions = set(addresses)
    stranded = [task for task in tasks if task.state == "no-worker"]
    # The scheduler takes the last one first.
    stranded.sort(key=lambda task: task.priority, reverse=True)
    dask_scheduler.transitions({task.key: "processing" for task in stranded}, "mrkernel-follow")


def limited(whole: Cluster, workers: int) -> Cluster:
    """A view of a cluster with so many of its workers; the cluster itself where it has no more.

    While one of them is being replaced, another takes its place.

    Raises
    ------
    ClusterError
        If it has not so many.

    Examples
    --------
    >>> limited(mr.cluster(), 1).n_workers  # doctest: +SKIP
    1
    """
    found = [worker.name for worker in whole.workers()]
    if len(found) < workers <= whole.n_workers:
        # One that is being replaced is on its way back.
        with suppress(TimeoutError):
            whole.client.wait_for_workers(workers, timeout=RESTART_S)
        found = [worker.name for worker in whole.workers()]
    if workers > len(found) or workers < 1:
        raise ClusterError(f"cannot use {counted(workers, 'worker')} of a cluster that has {len(found)}",
                           hint=f"mr.cluster(workers={workers}) starts more")  # fmt: skip
    return whole if workers == len(found) else _Limited(whole, tuple(found[:workers]))
