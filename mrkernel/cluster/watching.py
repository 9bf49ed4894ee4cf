"""Memory and processor time of worker processes while a job runs."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from mrkernel.cluster.handle import Cluster

__all__ = ["Watch"]

_EVERY_S = 0.05
# Asking a scheduler on another host costs a round trip, and it hears of memory twice a second at most.
_ASK_EVERY_S = 0.5


class Watch:
    """Looks at a cluster's worker processes as long as its ``with`` block runs.

    Parameters
    ----------
    cluster
        Whose workers; None is this process.

    Attributes
    ----------
    peak_bytes
        The largest resident memory that any one worker had.
    cpu_s
        Processor seconds that all of them used; None where they run on other hosts.
    idle_share
        How much of this machine's processors nobody used; 0 where workers run on other hosts.
    """

    def __init__(self, cluster: Cluster | None) -> None:
        self._cluster = cluster
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="mrkernel watch", daemon=True)
        self._processes: list[psutil.Process] = []
        self._before = 0.0
        self.peak_bytes = 0
        self.cpu_s: float | None = None
        self.idle_share = 0.0

    def __enter__(self) -> Self:
        for pid in self._pids():
            with suppress(psutil.Error):
                self._processes.append(psutil.Process(pid))
        self._before, self._machine = self._cpu(), psutil.cpu_times()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._note()
        if self._processes:
            self.cpu_s = max(0.0, self._cpu() - self._before)
            spent = [after - before for after, before in zip(psutil.cpu_times(), self._machine, strict=True)]
            self.idle_share = spent[self._machine._fields.index("idle")] / max(sum(spent), 1e-9)

    def _pids(self) -> list[int]:
        if self._cluster is None:
            return [os.getpid()]
        if not self._cluster.is_local:
            return []
        chosen = self._cluster.addresses
        return [worker.pid for worker in self._cluster.workers()
                if worker.pid is not None and (chosen is None or worker.address in chosen)]  # fmt: skip

    def _look(self) -> None:
        pause = _EVERY_S if self._processes else _ASK_EVERY_S
        while not self._stop.wait(pause):
            self._note()

    def _note(self) -> None:
        self.peak_bytes = max(self.peak_bytes, self._memory())

    def _memory(self) -> int:
        if not self._processes and self._cluster is not None:
            with suppress(Exception):
                return max((worker.memory_bytes for worker in self._cluster.workers()), default=0)
        sizes = [0]
        for process in self._processes:
            with suppress(psutil.Error):
                sizes.append(int(process.memory_info().rss))
        return max(sizes)

    def _cpu(self) -> float:
        total = 0.0
        for process in self._processes:
            with suppress(psutil.Error):
                times = process.cpu_times()
                total += times.user + times.system
        return total
