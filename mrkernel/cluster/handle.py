"""A connected cluster, embedded or not: what the rest of mrkernel sees of dask."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from mrkernel.errors import ClusterError

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from distributed import Client

__all__ = ["Cluster", "WorkerInfo", "ask", "open_client"]

# dask's client sends its messages every 10 ms; 1 ms takes a round trip from 10 to 5 ms (PERFORMANCE, 2.7).
SEND_INTERVAL_S = 0.001
RESTART_S = 30.0
ANSWER_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInfo:
    """One worker process as the scheduler last heard from it.

    Attributes
    ----------
    address, name
        Where it listens, and what it is called; a worker that was restarted has a new address and the same name.
    pid
        Its process on its own host; None where it has no nanny and does not answer.
    memory_bytes, memory_limit
        Its resident memory, and the size beyond which its nanny restarts it (None without one).
    state
        dask's word: ``"running"``, ``"paused"``, ``"closing"``, …
    executing
        Tasks running in it, those included that were cancelled and have not stopped yet.
    """

    address: str
    name: str
    pid: int | None
    memory_bytes: int
    memory_limit: int | None
    state: str
    executing: int


class Cluster:
    """A cluster of worker processes and a client that is connected to it.

    Made by :func:`mrkernel.cluster.embedded` and :func:`mrkernel.cluster.connect`. Methods may be called from any
    thread. A cluster is closed by :meth:`close` or at the end of a ``with`` block; what other people's clusters run
    goes on then, only the connection ends.

    Parameters
    ----------
    client
        A connected ``distributed.Client`` that is nobody's default: ``distributed.wait`` and ``as_completed`` find it
        inside ``with cluster.client.as_current()``.
    is_embedded
        Whether this process started it.
    is_local
        Whether its workers share this machine's file system.
    scratch_dir
        A folder that its workers may write shuffle files in, gone when the cluster is; None if not local.
    on_close, on_scale
        What closing and scaling take; without ``on_scale`` the cluster cannot be scaled.

    Examples
    --------
    >>> with embedded(workers=2) as cluster:  # doctest: +SKIP
    ...     cluster.client.submit(abs, -1).result()
    1
    """

    def __init__(
        self,
        client: Client,
        *,
        is_embedded: bool = False,
        is_local: bool = False,
        scratch_dir: str | None = None,
        on_close: Callable[[], None] | None = None,
        on_scale: Callable[[int], None] | None = None,
    ) -> None:
        self.client = client
        self.is_embedded = is_embedded
        self.is_local = is_local
        self.scratch_dir = scratch_dir
        self.address = str(cast("Any", client.scheduler).address)
        self._on_close, self._on_scale = on_close, on_scale
        self._pids: dict[str, int] = {}
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        """Whether the cluster was closed, left because nobody used it, or was lost."""
        return self._is_closed or self.client.status in {"closed", "closing"}

    @property
    def n_workers(self) -> int:
        """Worker processes that can take tasks now."""
        return len(self._ask("ncores"))

    def workers(self) -> list[WorkerInfo]:
        """What the scheduler knows of each worker, in the order of their names."""
        found: dict[str, dict[str, Any]] = self._ask("identity", n_workers=-1)["workers"]
        self._learn_pids(set(found))
        workers = [_worker_info(address, found[address], self._pids.get(address)) for address in found]
        return sorted(workers, key=lambda worker: (len(worker.name), worker.name))

    def scale(self, workers: int) -> None:
        """Start or stop workers until there are so many, and wait for that.

        Raises
        ------
        ClusterError
            If this cluster is not ours to scale, or its new workers do not start.
        """
        if workers < 1:
            raise ClusterError(f"cannot scale the cluster to {workers} workers", hint="a cluster has at least one")
        if self._on_scale is None:
            raise ClusterError(f"cannot scale the cluster at {self.address}: it is not one that mrkernel started",
                               hint="scale it with the tool that started it")  # fmt: skip
        try:
            self._on_scale(workers)
        except (OSError, RuntimeError) as error:
            raise ClusterError(f"cannot scale the cluster at {self.address} to {workers} workers: {error}") from error

    def restart_worker(self, address: str, *, timeout: float = RESTART_S) -> None:
        """Kill one worker process whatever it does, and wait until its nanny has started another in its place.

        A task that runs there is tried on another worker unless it was cancelled before.

        Raises
        ------
        ClusterError
            If there is no such worker, it has no nanny, or no other one came within ``timeout`` seconds.
        """
        before = set(self._ask("ncores"))
        if address not in before:
            raise ClusterError(f"cannot restart the worker at {address}: the cluster has no such worker",
                               hint=f"workers are {', '.join(sorted(before)) or 'none'}")  # fmt: skip

        def kill(dask_worker: Any) -> None:
            os.kill(dask_worker.pid, 9)

        if not self._run(kill, [address], nanny=True):
            raise ClusterError(f"cannot restart the worker at {address}: it has no nanny that answers",
                               hint="start the cluster's workers with nannies")  # fmt: skip
        deadline = time.monotonic() + timeout
        while True:
            now = set(self._ask("ncores"))
            if address not in now and len(now) >= len(before):
                return
            if time.monotonic() > deadline:
                raise ClusterError(f"no worker came in place of the one at {address} within {timeout:.0f} s")
            time.sleep(0.02)

    def close(self) -> None:
        """Close the connection, and the cluster too if this process started it; a second call does nothing."""
        if not self._is_closed:
            self._is_closed = True
            if self._on_close:
                self._on_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        kind = "embedded" if self.is_embedded else "local" if self.is_local else "remote"
        if self.is_closed:
            return f"<Cluster {kind} {self.address} closed>"
        try:
            return f"<Cluster {kind} {self.address} {self.n_workers} workers>"
        except ClusterError:
            return f"<Cluster {kind} {self.address} not answering>"

    def _ask(self, operation: str, **options: Any) -> Any:
        """Call a handler of the scheduler."""
        if self.is_closed:
            raise ClusterError(f"the cluster at {self.address} was closed or has left",
                               hint="mr.cluster() starts another")  # fmt: skip
        try:
            return ask(self.client, operation, **options)
        except (OSError, RuntimeError, AttributeError) as error:
            raise ClusterError(f"the scheduler at {self.address} does not answer: {error or type(error).__name__}",
                               hint="mr.cluster() starts another") from error  # fmt: skip

    def _learn_pids(self, addresses: set[str]) -> None:
        self._pids = {address: pid for address, pid in self._pids.items() if address in addresses}
        unknown = sorted(addresses - set(self._pids))
        if not unknown:
            return

        def pid(dask_worker: Any) -> int:
            found: int = getattr(dask_worker, "pid", None) or os.getpid()
            return found

        # A nanny answers for a worker that hangs. Workers without one are asked themselves.
        self._pids |= self._run(pid, unknown, nanny=True)
        self._pids |= self._run(pid, sorted(addresses - set(self._pids)), nanny=False)

    def _run(self, function: Callable[..., Any], addresses: list[str], *, nanny: bool) -> dict[str, Any]:
        """Call a function in these workers' nannies or in themselves, now and beside their tasks; those that answer."""
        if not addresses:
            return {}
        try:
            client = cast("Any", self.client)
            answers = client.sync(
                client._run, function, workers=addresses, nanny=nanny, on_error="ignore", callback_timeout=ANSWER_S
            )
        except (OSError, RuntimeError, ValueError):
            return {}
        return dict(answers)


def _worker_info(address: str, found: dict[str, Any], pid: int | None) -> WorkerInfo:
    metrics = found.get("metrics") or {}
    return WorkerInfo(
        address=address,
        name=str(found.get("name", address)),
        pid=pid,
        memory_bytes=int(metrics.get("memory") or 0),
        memory_limit=found.get("memory_limit") or None,
        state=str(found.get("status", "unknown")),
        executing=int(metrics.get("executing") or 0),
    )


def ask(client: Any, operation: str, **options: Any) -> Any:
    """Call a handler of the client's scheduler from any thread, and wait for its answer."""
    return client.sync(getattr(client.scheduler, operation), **options)


def open_client(target: Any, *, timeout: float, **options: Any) -> Client:
    """Connect a client that is nobody's default, so that the user's own dask code does not change its cluster."""
    from distributed import Client

    client: Any = Client.__new__(Client)
    try:
        client.__init__(target, timeout=timeout, set_as_default=False, **options)
    except BaseException:
        # A half-made client keeps a thread, and when it is collected it may stop the making of another for 10 s.
        with suppress(Exception):
            client.close(timeout=1)
        with suppress(Exception):
            client._loop_runner.stop(timeout=1)
        raise
    client.scheduler_comm.interval = SEND_INTERVAL_S
    return cast("Client", client)
