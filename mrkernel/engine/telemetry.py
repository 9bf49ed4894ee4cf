"""What the driver's side learns of workers beside their reports: whose clock says what, and how they are."""

from __future__ import annotations

import dataclasses
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mrkernel.config import counted
from mrkernel.engine.tasks import TaskReport
from mrkernel.events import WorkerSample

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["HostClocks", "WorkerWatch", "named", "resident_bytes"]

_SAMPLE_S = 1.0
_FIRST_S = 0.05
_MOST_NAMED = 8
# The scheduler takes about 50 µs to tell of one worker: a hundred are asked for every 5 s, 0.1 % of its time.
_SAMPLE_S_PER_WORKER = 0.05


class HostClocks:
    """Puts what workers measured on this process's clock.

    Workers measure with their host's monotonic clock, which no one sets while a job runs. How far it is from this
    process's clock is told by the message that took the least time to come: with each message the estimate can only
    become better, and it is late by the shortest delay seen.

    Examples
    --------
    >>> clocks = HostClocks()
    >>> slow = TaskReport(stage="map", task=0, attempt=1, worker="a", began=5.0, seconds=1.0)
    >>> quick = TaskReport(stage="map", task=1, attempt=1, worker="a", began=6.0, seconds=1.0)
    >>> clocks.placed(slow, 1006.25).started_at, clocks.placed(quick, 1007.0).started_at
    (1005.25, 1006.0)
    """

    def __init__(self) -> None:
        self._offsets: dict[str, float] = {}

    def hear(self, worker: str, told: float, received: float) -> float:
        """A worker said what its clock showed, and it came at ``received``; what to add to its clock."""
        latest = received - told
        offset = self._offsets[worker] = min(latest, self._offsets.get(worker, latest))
        return offset

    def placed(self, report: TaskReport, received: float) -> TaskReport:
        """The report with ``started_at`` in seconds since the epoch; ``received`` is when it came."""
        offset = self.hear(report.worker, report.began + report.seconds, received)
        return dataclasses.replace(report, started_at=report.began + offset)


class WorkerWatch:
    """Asks the scheduler now and then what its workers' heartbeats said; workers are not asked, nobody waits.

    Parameters
    ----------
    client
        Of the cluster.
    tell
        Called with each sample, from the client's thread.
    width
        How many workers there are to be; some may be on their way.
    only
        Addresses of the only workers of interest; None is all.
    """

    def __init__(
        self,
        client: Client,
        tell: Callable[[tuple[WorkerSample, ...]], None],
        *,
        width: int,
        only: Sequence[str] | None = None,
    ) -> None:
        self._client = client
        self._loop: Any = client.loop
        self._tell = tell
        self._width, self.only = width, only
        self._seen: tuple[WorkerSample, ...] = ()
        # A question would delay the first tasks, and there is nobody to see the answer of a job that ends before.
        self._due = time.monotonic() + _FIRST_S
        self._is_asking = False

    @property
    def n_workers(self) -> int:
        """How many workers there are or are to be, as of the last sample."""
        return max(1, self._width, len(self._seen))

    @property
    def lacks_some(self) -> bool:
        """Whether some of the only workers of interest have gone."""
        return self.only is not None and len(self._seen) < self._width

    def look(self) -> None:
        """Ask if it is time to; returns at once."""
        if time.monotonic() >= self._due and not self._is_asking:
            self._is_asking = True
            self._loop.add_callback(self._ask)

    async def _ask(self) -> None:
        client: Any = self._client
        try:
            # The cluster may be gone, and that is for others to tell.
            with suppress(Exception):
                self._take(await client.scheduler.identity(n_workers=-1))
        finally:
            self._is_asking = False
            self._due = max(self._due, time.monotonic() + _SAMPLE_S)

    def _take(self, info: Any) -> None:
        self._seen = tuple(
            _sample(address, worker)
            for address, worker in info["workers"].items()
            if self.only is None or address in self.only
        )
        self._due = time.monotonic() + max(_SAMPLE_S, _SAMPLE_S_PER_WORKER * len(info["workers"]))
        self._tell(self._seen)


def named(workers: Sequence[str]) -> str:
    """Workers by their names, and the verb to say what was done to them.

    >>> named(["worker-0", "worker-1"])
    '2 workers (worker-0, worker-1) were'
    """
    shown = ", ".join(workers[:_MOST_NAMED]) + (" and others" if len(workers) > _MOST_NAMED else "")
    return f"{counted(len(workers), 'worker')} ({shown}) {'was' if len(workers) == 1 else 'were'}"


def _sample(address: str, worker: Any) -> WorkerSample:
    return WorkerSample(
        worker=address,
        name=str(worker.get("name", address)),
        memory=int((worker.get("metrics") or {}).get("memory") or 0),
        memory_limit=worker.get("memory_limit") or None,
        state=str(worker.get("status", "unknown")),
    )


def resident_bytes() -> int:
    """Resident memory of the calling process; where the system tells only its peak, that."""
    with suppress(OSError), open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10
