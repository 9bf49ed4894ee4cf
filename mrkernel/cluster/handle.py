"""A connected cluster, embedded or not: what the rest of mrkernel sees of dask."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from mrkernel.cluster.replacing import Node, kill_workers, nodes, occupied, run_beside
from mrkernel.config import counted
from mrkernel.errors import ClusterError

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from distributed import Client

__all__ = ["Cluster", "Freed", "WorkerInfo", "ask", "open_client"]

# dask's client sends its messages every 10 ms; 1 ms takes a round trip from 10 to 5 ms (PERFORMANCE, 2.7).
SEND_INTERVAL_S = 0.001
RESTART_S = 30.0
ANSWER_S = 5.0
_LATELY_S = 1.0


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
    nanny
        Address of the process that starts another worker in its place; None where nobody does.
    """

    address: str
    name: str
    pid: int | None
    memory_bytes: int
    memory_limit: int | None
    state: str
    executing: int
    nanny: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Freed:
    """What became of workers whose tasks did not end.

    Attributes
    ----------
    replaced
        Names of the workers that were killed; others come in their place under the same names.
    occupied
        Names of those that nobody can replace, as they have no nanny that answers: their tasks run on.
    """

    replaced: tuple[str, ...] = ()
    occupied: tuple[str, ...] = ()


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
        self._returning = (0, 0.0)
        self._counted = (0.0, 0)
        self._freeing: list[tuple[threading.Thread, threading.Event]] = []
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        """Whether the cluster was closed, left because nobody used it, or was lost."""
        return self._is_closed or self.client.status in {"closed", "closing"}

    @property
    def n_workers(self) -> int:
        """Worker processes that take tasks; one that is being replaced counts already."""
        found, (wanted, until) = len(self._ask("ncores")), self._returning
        if found >= wanted or time.monotonic() > until:
            self._returning = (0, 0.0)
            return found
        return wanted

    @property
    def n_workers_lately(self) -> int:
        """The same, not asked again within a second: what a plan reckons with may be a little old."""
        asked, found = self._counted
        if not found or time.monotonic() > asked + _LATELY_S or self.is_closed:
            found = self.n_workers
            self._counted = time.monotonic(), found
        return found

    @property
    def addresses(self) -> tuple[str, ...] | None:
        """Addresses of the only workers that jobs may use; None is all of them."""
        return None

    def follow(self, prefix: str) -> tuple[str, ...]:
        """Let tasks whose key starts with ``prefix`` run on :attr:`addresses` as they are now; returns these.

        Raises
        ------
        ClusterError
            If the scheduler cannot be told.
        """
        return self.addresses or ()

    def workers(self) -> list[WorkerInfo]:
        """What the scheduler knows of each worker, in the order of their names."""
        identity = self._ask("identity", n_workers=-1)
        found: dict[str, dict[str, Any]] = identity["workers"]
        self._learn_pids(nodes(identity))
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
        self._returning, self._counted = (0, 0.0), (0.0, 0)
        try:
            self._on_scale(workers)
        except (OSError, RuntimeError) as error:
            raise ClusterError(
                f"cannot scale the cluster at {self.address} to {counted(workers, 'worker')}: {error}"
            ) from error

    def restart_worker(self, address: str, *, timeout: float = RESTART_S) -> None:
        """Kill one worker process whatever it does, and wait until its nanny has started another in its place.

        A task that runs there is tried on another worker unless it was cancelled before.

        Raises
        ------
        ClusterError
            If there is no such worker, it has no nanny, or no other one came within ``timeout`` seconds.
        """
        before = {node.address: node for node in nodes(self._ask("identity", n_workers=-1))}
        if address not in before:
            raise ClusterError(f"cannot restart the worker at {address}: the cluster has no such worker",
                               hint=f"workers are {', '.join(sorted(before)) or 'none'}")  # fmt: skip
        if "killed" not in self._kill([before[address]], len(before)).values():
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

    def free_workers(self, prefix: str) -> Freed:
        """Replace the workers in which a task runs whose key starts with ``prefix``, cancelled or not; no others.

        Returns when they were killed. Their nannies start others meanwhile, which :attr:`n_workers` counts already.

        Raises
        ------
        ClusterError
            If the scheduler does not answer.
        """
        found = nodes(self._ask("identity", n_workers=-1))
        stuck = occupied(self.client, found, prefix)
        became = self._kill(stuck, len(found), prefix)
        return Freed(
            replaced=tuple(node.name for node in stuck if became[node] == "killed"),
            occupied=tuple(node.name for node in stuck if became[node] == "kept"),
        )

    def free_workers_later(
        self, prefix: str, grace_s: float, is_forced: threading.Event, tell: Callable[[Freed], None]
    ) -> None:
        """Do :meth:`free_workers` after ``grace_s``, or once ``is_forced`` is set, and ``tell`` what became of them."""

        def free() -> None:
            is_forced.wait(grace_s)
            # Where the cluster or the connection has gone meanwhile, nothing is left to do or to tell.
            with suppress(Exception, asyncio.CancelledError):
                tell(self.free_workers(prefix))

        # Other people's workers must not stay occupied because this process ends meanwhile.
        thread = threading.Thread(target=free, name="mrkernel stop", daemon=self.is_embedded)
        self._freeing = [(one, forced) for one, forced in self._freeing if one.is_alive()]
        self._freeing.append((thread, is_forced))
        thread.start()

    def _kill(self, leaving: list[Node], width: int, prefix: str = "") -> dict[Node, str]:
        became = kill_workers(self.client, leaving, prefix)
        if "killed" in became.values():
            self._returning = (max(width, self._returning[0]), time.monotonic() + RESTART_S)
        return became

    def dashboard(self, *, start: bool = False) -> str:
        """The address of dask's dashboard of this cluster, or "" if it has none.

        That of an embedded cluster is on the loopback interface only, and exists once it was started. It needs the
        package bokeh.

        Raises
        ------
        ClusterError
            If it was to be started and cannot be.
        """
        if not self.is_embedded:
            return str(self.client.dashboard_link or "")
        found = self._ask("mrkernel_dashboard", is_wanted=start)
        if found["error"]:
            raise ClusterError(f"cannot start dask's dashboard: {found['error']}",
                               hint="pip install 'mrkernel[dashboard]'")  # fmt: skip
        return f"http://127.0.0.1:{found['place']}" if found["place"] else ""

    def close(self) -> None:
        """Close the connection, and the cluster too if this process started it; a second call does nothing."""
        if not self._is_closed:
            if not self.is_embedded:
                self._free_now()
            self._is_closed = True
            if self._on_close:
                self._on_close()

    def _free_now(self) -> None:
        for _, is_forced in self._freeing:
            is_forced.set()
        for thread, _ in self._freeing:
            if thread is not threading.current_thread():
                thread.join(ANSWER_S)

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
            return f"<Cluster {kind} {self.address} {counted(self.n_workers, 'worker')}>"
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

    def _learn_pids(self, found: list[Node]) -> None:
        self._pids = {node.address: self._pids[node.address] for node in found if node.address in self._pids}

        def pid(dask_worker: Any) -> int:
            import os

            found: int = getattr(dask_worker, "pid", None) or os.getpid()
            return found

        # A nanny answers for a worker that hangs. Workers without one are asked themselves.
        asked = {node.nanny or node.address: node.address for node in found if node.address not in self._pids}
        answers = run_beside(self.client, pid, list(asked), timeout=ANSWER_S)
        self._pids |= {asked[address]: answer for address, answer in answers.items()}


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
        nanny=found.get("nanny") or None,
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
