"""Which cluster this process uses: the one that was chosen, else the embedded one, which is started when needed."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any

from mrkernel.cluster import limits, remote, scratch
from mrkernel.cluster.forking import leave_launchers
from mrkernel.cluster.handle import Cluster
from mrkernel.cluster.launch import Server
from mrkernel.config import Settings, settings
from mrkernel.errors import ClusterError

__all__ = ["cluster", "connect", "current", "default", "embedded", "leave", "prestart"]


class _Choice:
    """The clusters of one process."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.server: Server | None = None
        self.chosen: Cluster | None = None
        self.attached: list[Cluster] = []
        self.starting: threading.Thread | None = None
        self.has_exit_hook = False


_choice = _Choice()
# What a parent process held: a forked child must neither use nor close nor even collect it.
_inherited: list[_Choice] = []


def _after_fork() -> None:
    global _choice  # noqa: PLW0603  # the child gets one of its own
    if _choice.server:
        _choice.server.disown()
    _inherited.append(_choice)
    _choice = _Choice()


os.register_at_fork(after_in_child=_after_fork)


def embedded(
    *,
    workers: int | None = None,
    memory_limit: int | str | None = None,
    idle_timeout: float | str | None = None,
    scratch: str | os.PathLike[str] | None = None,
) -> Cluster:
    """The embedded cluster of this process, started if it does not run.

    Its scheduler and workers are processes of their own outside this one's process group, on the loopback interface
    with TLS. It leaves when this process ends and when it was idle for ``idle_timeout``.

    Parameters
    ----------
    workers
        Worker processes; a running cluster is scaled. Default: one for each usable core.
    memory_limit
        For each worker; beyond it the worker is restarted. Default: a share of the machine or container.
    idle_timeout
        Time without a task after which it leaves. Default: the setting, 15 minutes.
    scratch
        Folder to make its scratch folder in. Default: the system's temporary folder.

    Raises
    ------
    OptionError
        For a value that cannot be used.
    ClusterError
        If it does not start, or a changed ``memory_limit`` or ``scratch`` needs another one while tasks run.
    """
    given = settings(workers=workers, memory_limit=memory_limit, idle_timeout=idle_timeout,
                     scratch=None if scratch is None else os.fspath(scratch))  # fmt: skip
    return _embedded(given)


def _embedded(given: Settings) -> Cluster:
    if given.memory_limit:
        limits.check_memory_limit(given.memory_limit)
    state = _choice
    if state.starting and state.starting is not threading.current_thread():
        state.starting.join()
    with state.lock:
        running = state.server and state.server.touch(given.idle_timeout)
        if state.server and (not running or _must_restart(state.server, given)):
            state.server.close()
            state.server = None
        if state.server is None:
            state.server = _start(given)
            _register_exit(state)
        elif given.workers and given.workers != running:
            state.server.cluster.scale(given.workers)
        return state.server.cluster


def _must_restart(server: Server, given: Settings) -> bool:
    changed = [
        name for name, wanted, held in (("memory_limit", given.memory_limit, server.memory_limit),
                                        ("scratch", given.scratch, server.parent))
        if wanted is not None and wanted != held
    ]  # fmt: skip
    if changed and server.is_busy():
        raise ClusterError(f"cannot change {' and '.join(changed)} of the embedded cluster while tasks run",
                           hint="wait for the running job, or cancel it")  # fmt: skip
    return bool(changed)


def _start(given: Settings) -> Server:
    scratch.sweep(given.scratch)
    workers = given.workers or limits.worker_count()
    start = partial(Server, workers=workers, memory_limit=given.memory_limit or limits.memory_per_worker(workers),
                    idle_timeout=given.idle_timeout, parent=given.scratch)  # fmt: skip
    return _to_its_end(start) if threading.current_thread().daemon else start()


def _to_its_end(start: Callable[[], Server]) -> Server:
    """Start in a thread that the interpreter waits for before it ends.

    One that it stops at any point would leave a folder that nobody looks after, and where it is in the middle of
    importing a module written in Rust or C++ it would abort the whole program.
    """
    outcome: Future[Server] = Future()

    def run() -> None:
        try:
            outcome.set_result(start())
        except BaseException as error:  # noqa: BLE001  # raised in the thread that waits
            outcome.set_exception(error)

    threading.Thread(target=run, name="mrkernel cluster start", daemon=False).start()
    return outcome.result()


def _register_exit(state: _Choice) -> None:
    # After the first import of distributed, so that this runs before its own hooks.
    if not state.has_exit_hook:
        state.has_exit_hook = True
        atexit.register(_at_exit, state)


def _at_exit(state: _Choice) -> None:
    if state is not _choice:
        return
    if state.server:
        state.server.leave()
    leave_launchers()
    for attached in state.attached:
        with suppress(Exception):
            attached.close()


def connect(
    target: Any, *, scratch: str | os.PathLike[str] | None = None, timeout: float = remote.CONNECT_S
) -> Cluster:
    """Connect to a cluster that somebody else started.

    Parameters
    ----------
    target
        An address (``"tcp://host:8786"``, ``"tls://…"``), a scheduler file, a ``distributed.Client``, or a dask
        cluster object such as ``LocalCluster``.
    scratch
        Where to make the folder for shuffle files, if the workers share this machine's file system.
    timeout
        Seconds to wait for the scheduler's answer.

    Raises
    ------
    ClusterError
        If nothing answers there.
    """
    cluster = remote.attach(target, parent=None if scratch is None else os.fspath(scratch), timeout=timeout)
    with _choice.lock:
        _choice.attached.append(cluster)
        _register_exit(_choice)
    return cluster


def prestart(**options: Any) -> None:
    """Start the embedded cluster in the background and return at once.

    Takes what :func:`embedded` takes. Says nothing if it fails: the first use then tries again and raises.
    """

    def start() -> None:
        with suppress(Exception):
            embedded(**options)

    thread = threading.Thread(target=start, name="mrkernel prestart", daemon=True)
    thread.start()
    # The first use must wait for what this one starts, even if the thread has not come to it yet.
    _choice.starting = thread


def current() -> Cluster | None:
    """The cluster that :func:`default` would return without starting anything, or None."""
    state = _choice
    if state.chosen and not state.chosen.is_closed:
        return state.chosen
    server = state.server
    return server.cluster if server and not server.cluster.is_closed else None


def cluster(workers: int | str | Any = None, **options: Any) -> Cluster:
    """Choose the cluster that jobs of this process run on, and return it.

    Parameters
    ----------
    workers
        A number of worker processes for the embedded cluster, or what :func:`connect` takes.
    options
        Those of :func:`embedded` or :func:`connect`.

    Examples
    --------
    >>> cluster(workers=4)  # doctest: +SKIP
    >>> cluster("tcp://scheduler:8786")  # doctest: +SKIP
    """
    chosen = embedded(workers=workers, **options) if isinstance(workers, int | None) else connect(workers, **options)
    with _choice.lock:
        _choice.chosen = None if chosen.is_embedded else chosen
    return chosen


def leave() -> Cluster | None:
    """Close the cluster that :func:`default` would return, or the connection to it; returns it, or None.

    The next job starts the embedded cluster anew.
    """
    found = current()
    if found is not None:
        found.close()
    with _choice.lock:
        _choice.chosen = None
    return found


def default(given: Settings | None = None) -> Cluster:
    """The cluster that :func:`cluster` chose, else the embedded one with these settings.

    Raises
    ------
    ClusterError
        If the chosen cluster is gone: a job must not silently run elsewhere.
    """
    chosen = _choice.chosen
    if chosen is None:
        return _embedded(given or settings())
    if chosen.is_closed:
        raise ClusterError(
            f"the chosen cluster at {chosen.address} is closed",
            hint="choose another with mr.cluster(address), or mr.cluster() for the embedded one",
        )
    return chosen
