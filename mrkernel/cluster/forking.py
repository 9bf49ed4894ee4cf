"""Server processes as their owner sees them, and the launcher that it has for them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from mrkernel.cluster import scratch
from mrkernel.errors import ClusterError

__all__ = ["ServerProcess", "close_launcher", "fork_server", "launcher_output", "leave_launchers", "start_launcher"]

_WAIT_S = 0.01
_LOG_BYTES = 1 << 16
# Most libraries read these when they are imported. One task at a time runs in a worker and there is a worker for
# each core, so more threads only get in each other's way.
_ENVIRONMENT = {
    # Arrow's own allocators give most blocks back at once, and getting them again is a twentieth of a batch mapper's
    # time. The C library's keeps what is smaller than the first size below, and as much as the second: with a smaller
    # first one plain mappers take half as long again, with a larger second one a worker that counts a gigabyte of text
    # holds over 400 MB (benchmarks wordcount and memory).
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "ARROW_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": "33554432",
    "MALLOC_TRIM_THRESHOLD_": "16777216",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
}
# What starts the names of variables that Python, its libraries and the loader read once.
_READ_ONCE = (
    "ARROW_", "DASK_", "GLIBC_", "KMP_", "LANG", "LC_", "LD_", "MALLOC_", "MKL_", "NUMEXPR_", "OMP_", "OPENBLAS_",
    "PANDAS_", "POLARS_", "PYTHON", "RAYON_",
)  # fmt: skip


class ServerProcess:
    """A server's process, with what is used of :class:`subprocess.Popen`: the launcher is its parent.

    Parameters
    ----------
    pid
        Of a process that runs.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._identity = scratch.mark(pid)

    def has_ended(self) -> bool:
        """Whether it runs no more."""
        return self._identity is None or not scratch.is_alive(self._identity)

    def wait(self, timeout: float) -> bool:
        """Wait until it has ended, so many seconds at most; whether it has."""
        deadline = time.monotonic() + timeout
        while not self.has_ended():
            if time.monotonic() > deadline:
                return False
            time.sleep(_WAIT_S)
        return True

    def kill(self) -> None:
        """Kill it and the programs that its tasks started, which are in its group; its children die with it."""
        if self.has_ended():
            return
        with suppress(ProcessLookupError, PermissionError):
            os.kill(self.pid, signal.SIGKILL)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGTERM)


class _Launcher:
    """A running :mod:`mrkernel.cluster.launcher`.

    Raises
    ------
    ClusterError
        If it cannot be started.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self._control, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-m", "mrkernel.cluster.launcher"]
        try:
            with theirs:
                self._log = tempfile.TemporaryFile()  # noqa: SIM115  # it is open as long as the launcher is
                self._process = subprocess.Popen(
                    command, stdin=theirs.fileno(), stdout=self._log, stderr=self._log, env=environment,
                    start_new_session=True,
                )  # fmt: skip
        except OSError as error:
            self._control.close()
            raise ClusterError(f"cannot start the cluster's process {sys.executable}: {error.strerror}") from error

    def suits(self, environment: dict[str, str]) -> bool:
        """Whether it runs, and what it has imported would be the same with these variables."""
        return self._process.poll() is None and _read_once(environment) == _read_once(self.environment)

    def fork(self, folder: str, channel: socket.socket, log: IO[bytes]) -> bool:
        """Have it fork a server; False if it is gone."""
        try:
            line = json.dumps(folder).encode() + b"\n"
            socket.send_fds(self._control, [line], [channel.fileno(), log.fileno()])
        except OSError:
            return False
        return True

    def close(self, *, is_killed: bool = False) -> subprocess.Popen[bytes]:
        """Let it end when its last server has, or now, which leaves its servers alone; returns its process."""
        self._control.close()
        self._log.close()
        if is_killed:
            self._process.kill()
            self._process.wait()
        return self._process

    def output(self) -> str:
        """What it has printed, which is what went wrong with it."""
        with suppress(OSError, ValueError):
            return os.pread(self._log.fileno(), _LOG_BYTES, 0).decode(errors="replace")
        return ""

    def disown(self) -> None:
        """In a forked child: hold nothing that keeps the launcher from noticing the parent's end."""
        # The descriptor stays taken, since objects that are never closed here still hold its number.
        with open(os.devnull) as nothing, suppress(OSError):
            os.dup2(nothing.fileno(), self._control.fileno())


def _read_once(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_READ_ONCE)}


class _Held:
    """The launcher of this process, and the processes of those that were closed and may still have servers."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.launcher: _Launcher | None = None
        self.closed: list[subprocess.Popen[bytes]] = []

    def close(self, *, is_killed: bool = False) -> None:
        if self.launcher:
            self.closed.append(self.launcher.close(is_killed=is_killed))
            self.launcher = None

    def collect(self) -> None:
        """Take the exit codes of those that have ended, which would be zombies else."""
        self.closed = [process for process in self.closed if process.poll() is None]


_held = _Held()
# What a parent process held: a forked child must not even collect it.
_inherited: list[_Held] = []


def _after_fork() -> None:
    global _held  # noqa: PLW0603  # the child gets one of its own
    if _held.launcher:
        _held.launcher.disown()
    _inherited.append(_held)
    _held = _Held()


os.register_at_fork(after_in_child=_after_fork)


def start_launcher() -> None:
    """Start the launcher, so that it is ready when a server is to be forked; says nothing if it cannot be."""
    with suppress(ClusterError, OSError):
        _launcher(_environment())


def fork_server(folder: str, channel: socket.socket, log: IO[bytes]) -> dict[str, str]:
    """Start a server process that works in ``folder``; returns the variables that it is to have.

    Parameters
    ----------
    channel
        Its end of the socket to its owner.
    log
        A file for what it prints.

    Raises
    ------
    ClusterError
        If no process can be started.
    """
    environment = _environment()
    if not _launcher(environment).fork(folder, channel, log):
        close_launcher()
        _launcher(environment).fork(folder, channel, log)
    return environment


def launcher_output() -> str:
    """What the launcher has printed; "" if there is none."""
    with _held.lock:
        return _held.launcher.output() if _held.launcher else ""


def _launcher(environment: dict[str, str]) -> _Launcher:
    """The launcher for servers with these variables."""
    with _held.lock:
        if _held.launcher and not _held.launcher.suits(environment):
            _held.close()
        _held.collect()
        if _held.launcher is None:
            _held.launcher = _Launcher(environment)
        return _held.launcher


def _environment() -> dict[str, str]:
    package_parent = str(Path(__file__).parents[2])
    paths = [package_parent, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, **_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(paths)}


def close_launcher(*, is_killed: bool = False) -> None:
    """Let the launcher end, if there is one, or kill it; its servers go on, and the next one gets another."""
    with _held.lock:
        _held.close(is_killed=is_killed)
        _held.collect()


def leave_launchers() -> None:
    """At the end of this process: let them end by themselves."""
    close_launcher()
    for process in _held.closed:
        # Its object would otherwise warn that the process still runs.
        process.returncode = process.returncode or 0
