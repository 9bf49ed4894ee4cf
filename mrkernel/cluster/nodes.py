"""The scheduler and the nannies of an embedded cluster, as they run inside its server process."""

from __future__ import annotations

import asyncio
import importlib
import time
from contextlib import suppress
from typing import Any

import psutil
from distributed import Nanny, Scheduler, Worker
from distributed.security import Security
from distributed.worker_memory import NannyMemoryManager

__all__ = ["CONFIG", "Nodes"]

# Seconds for a worker to end by itself when it is not needed any more.
CLOSE_S = 1.0
# Seconds for workers to hand their results to others before they leave.
RETIRE_S = 3.0

CONFIG: dict[str, Any] = {
    "distributed.worker.multiprocessing-method": "forkserver",
    # A worker that is stopped or holds the interpreter lock is given up after this; dask's default is 5 minutes.
    "distributed.scheduler.worker-ttl": "30s",
    # A task that no worker can take is an error after this; dask's default is to wait for ever.
    "distributed.scheduler.no-workers-timeout": "60s",
    # Lower values also fail innocent tasks that were assigned to the worker that died.
    "distributed.scheduler.allowed-failures": 3,
    # The scheduler keeps so many past events of each job, for nobody; dask's default is 1,000.
    "distributed.admin.low-level-log-length": 10,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.comm.retry.count": 3,
    "distributed.comm.retry.delay.min": "100ms",
    "distributed.comm.retry.delay.max": "2s",
    "distributed.comm.timeouts.connect": "10s",
    # Tasks keep their data in files and return small manifests. Pausing would let a worker whose memory does not
    # shrink again wait for ever, and spilling would write what is in files already. A worker beyond its limit is
    # restarted and its task tried again.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    # The statistical profiler costs 1 to 2 % and nobody looks at it here.
    "distributed.worker.profile.enabled": False,
    # A worker that comes in place of another takes what was given to its neighbours within this; dask waits a second.
    "distributed.scheduler.work-stealing-interval": "100ms",
    # At dask's 20 ms each of scheduler, nannies and workers wakes 50 times a second: a tenth of a core for an idle
    # cluster of two.
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.tick.limit": "30s",
    "distributed.admin.system-monitor.interval": "1s",
}


class _Unlisted:
    """A node without an HTTP server: dask's would serve its state without a login."""

    http_application: Any
    http_server: Any

    def start_http_server(
        self, routes: Any, dashboard_address: Any, default_port: int = 0, ssl_options: Any = None
    ) -> None:
        self.http_application = self.http_server = None


class _Scheduler(_Unlisted, Scheduler):
    pass


class _Worker(_Unlisted, Worker):
    pass


class _MemoryManager(NannyMemoryManager):
    """Counts a worker's own memory only: pages of memory-mapped shuffle files are the system's to take back."""

    def memory_monitor(self, nanny: Nanny) -> None:
        process = nanny.process and nanny.process.process
        if process is None or process.pid is None:
            return
        try:
            info = psutil.Process(process.pid).memory_info()
        except psutil.Error:
            return
        limit = (self.memory_limit or 0) * (self.memory_terminate_fraction or 0)
        if info.rss - getattr(info, "shared", 0) > limit:
            super().memory_monitor(nanny)


class _Nanny(Nanny):
    def __init__(self, scheduler: str, *, memory_limit: int, **options: Any) -> None:
        super().__init__(scheduler, memory_limit=memory_limit, **options)
        self.memory_manager = _MemoryManager(self, memory_limit=memory_limit)


class Nodes:
    """One scheduler and any number of workers, each with a nanny that brings it back when it dies.

    Attributes
    ----------
    scheduler
        The running scheduler.
    touched, idle_timeout
        When somebody last asked for something, on the monotonic clock, and the seconds without use to leave after.
    """

    def __init__(self, *, security: Security, memory_limit: int, idle_timeout: float, folder: str) -> None:
        self._security, self._memory_limit, self._folder = security, memory_limit, folder
        self._nannies: list[_Nanny] = []
        self._names = 0
        self._scaling = asyncio.Lock()
        self._transitions = -1
        self.touched, self.idle_timeout = time.monotonic(), idle_timeout
        self.scheduler = _Scheduler(host="127.0.0.1", port=0, protocol="tls", security=security)
        self._dashboard = ""
        self.scheduler.handlers.update(
            mrkernel_touch=self._touch, mrkernel_scale=self._scale, mrkernel_dashboard=self._open_dashboard
        )

    async def start(self) -> str:
        """Start the scheduler and return its address."""
        await self.scheduler
        return str(self.scheduler.address)

    async def scale(self, workers: int) -> None:
        """Start or stop workers until there are so many; idle ones go first, and results of others stay."""
        async with self._scaling:
            extra = len(self._nannies) - workers
            if extra > 0:
                await self._retire(extra)
            elif extra < 0:
                new = [self._nanny() for _ in range(-extra)]
                self._nannies += new
                try:
                    await asyncio.gather(*new)
                except BaseException:
                    self._nannies = [nanny for nanny in self._nannies if nanny not in new]
                    raise

    def _nanny(self) -> _Nanny:
        self._names += 1
        return _Nanny(
            self.scheduler.address, nthreads=1, name=f"worker-{self._names}", host="127.0.0.1", protocol="tls",
            security=self._security, memory_limit=self._memory_limit, local_directory=self._folder,
            worker_class=_Worker, preload=["mrkernel.cluster.worker"], death_timeout=60,
        )  # fmt: skip

    async def _retire(self, count: int) -> None:
        def busy(nanny: _Nanny) -> int:
            state = self.scheduler.workers.get(nanny.worker_address)
            return len(state.processing) if state else -1

        leaving = sorted(self._nannies, key=busy)[:count]
        self._nannies = [nanny for nanny in self._nannies if nanny not in leaving]
        addresses = [nanny.worker_address for nanny in leaving if nanny.worker_address]
        retiring = self.scheduler.retire_workers(workers=addresses, close_workers=False, remove=True)
        # One that does not answer never hands over what it has; dask computes that again.
        with suppress(TimeoutError):
            await asyncio.wait_for(retiring, RETIRE_S)
        await asyncio.gather(*(nanny.close(timeout=CLOSE_S) for nanny in leaving))

    def is_busy(self) -> bool:
        """Whether a task is running or waiting, or one did since this was last asked."""
        scheduler = self.scheduler
        moved = scheduler.transition_counter != self._transitions
        self._transitions = scheduler.transition_counter
        return bool(
            moved
            or scheduler.queued
            or scheduler.unrunnable
            or any(state.processing for state in scheduler.workers.values())
        )

    async def _touch(self, idle_timeout: float) -> dict[str, Any]:
        self.touched, self.idle_timeout = time.monotonic(), idle_timeout
        return {"status": "OK", "workers": len(self._nannies)}

    async def _scale(self, workers: int) -> dict[str, Any]:
        self.touched = time.monotonic()
        await self.scale(workers)
        return {"status": "OK", "workers": len(self._nannies)}

    async def _open_dashboard(self, *, is_wanted: bool) -> dict[str, Any]:
        """Where the dashboard is, started if it is wanted; an error's text if it cannot be."""
        self.touched = time.monotonic()
        if is_wanted and not self._dashboard:
            try:
                importlib.invalidate_caches()
                # Its packages take a second to import, and tasks must not wait for that.
                await asyncio.to_thread(importlib.import_module, "mrkernel.cluster.dashboard")
                await asyncio.to_thread(importlib.import_module, "distributed.dashboard.scheduler")
                from mrkernel.cluster.dashboard import start_dashboard

                self._dashboard = self._dashboard or start_dashboard(self.scheduler)
            except (ImportError, OSError) as error:
                return {"status": "OK", "place": "", "error": f"{error}"}
        return {"status": "OK", "place": self._dashboard, "error": ""}
