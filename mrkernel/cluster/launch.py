"""The embedded cluster as its owner sees it: start the server process, watch it, end it."""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mrkernel.cluster import scratch
from mrkernel.cluster.forking import ServerProcess, close_launcher, fork_server, launcher_output
from mrkernel.cluster.handle import Cluster, ask, open_client
from mrkernel.cluster.keys import make_keys
from mrkernel.cluster.words import CLOSE, LEAVE
from mrkernel.errors import ClusterError

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Server"]

START_S = 60.0
CLOSE_S = 5.0
_LOOK_MS = 100
LOG = "server.log"


class Server:
    """A running server process of an embedded cluster, its scratch folder, and the client that is connected to it.

    Parameters
    ----------
    workers, memory_limit
        Worker processes, and bytes for each.
    idle_timeout
        Seconds without a task after which it leaves.
    parent
        Folder to make its scratch folder in.

    Raises
    ------
    ClusterError
        If it does not start; the message ends with what its log says.
    """

    def __init__(self, *, workers: int, memory_limit: int, idle_timeout: float, parent: str | None) -> None:
        self.memory_limit, self.parent = memory_limit, parent
        self._is_ending = self._has_left = False
        self.folder = scratch.create(parent)
        self._channel, theirs = socket.socketpair()
        # Without a buffer, so that a line that has come can be seen at the socket.
        self._lines = self._channel.makefile("rb", buffering=0)
        self._process: ServerProcess | None = None
        try:
            with theirs:
                environment = self._fork(theirs)
            keys = make_keys()
            order = {"keys": keys, "workers": workers, "memory_limit": memory_limit, "sys_path": sys.path,
                     "idle_timeout": idle_timeout, "owner": scratch.mark(os.getpid()), "environment": environment,
                     **_surroundings()}  # fmt: skip
            with suppress(OSError):
                self._channel.sendall(json.dumps(order).encode() + b"\n")
            self.client = self._connect(keys)
            self._await("ready", time.monotonic() + START_S)
        except BaseException:
            self._close_client()
            self._kill(after=0.3)
            self._lines.close()
            self._channel.close()
            raise
        self._watcher = threading.Thread(target=self._watch, name="mrkernel cluster", daemon=True)
        self._watcher.start()
        self.cluster = Cluster(self.client, is_embedded=True, is_local=True, scratch_dir=self.folder,
                               on_close=self.close, on_scale=self._scale)  # fmt: skip

    def _fork(self, theirs: socket.socket) -> dict[str, str]:
        with open(os.path.join(self.folder, LOG), "wb") as log:
            return fork_server(self.folder, theirs, log)

    def _connect(self, keys: dict[str, str]) -> Client:
        # The server imports the same modules meanwhile.
        from mrkernel.cluster.security import security

        deadline = time.monotonic() + START_S
        self._process = ServerProcess(self._await("pid", deadline))
        address = self._await("address", deadline)
        try:
            return open_client(address, timeout=max(1.0, deadline - time.monotonic()), security=security(keys))
        except OSError as error:
            raise self._failure(f"its scheduler at {address} does not answer: {error}") from error

    def _await(self, word: str, deadline: float) -> Any:
        """The server's next report, which must be the one with this word."""
        # Unlike select() it knows descriptors beyond 1,023.
        coming = select.poll()
        coming.register(self._channel, select.POLLIN)
        while not coming.poll(_LOOK_MS):
            if _is_program_ending():
                raise self._failure("the program is ending")
            if time.monotonic() > deadline:
                raise self._failure(f"nothing was heard of it in {START_S:.0f} s")
        line = b""
        with suppress(OSError):
            line = self._lines.readline()
        report = json.loads(line) if line else {"error": "its process ended"}
        if "error" in report:
            raise self._failure(report["error"])
        return report[word]

    def _failure(self, reason: str) -> ClusterError:
        log = Path(self.folder, LOG)
        text = log.read_text(encoding="utf-8", errors="replace").strip() if log.exists() else ""
        text = text or launcher_output().strip()
        tail = "\n".join(text.splitlines()[-8:])
        return ClusterError(
            f"cannot start the embedded cluster: {reason}" + (f"\n{tail}" if tail else ""),
            hint="try fewer workers, or mr.cluster(address) for a cluster that runs elsewhere",
        )

    def touch(self, idle_timeout: float) -> int | None:
        """Its number of workers, or None if it is gone; if it is not, its time of being idle starts anew."""
        if self._is_ending or self._has_ended() or self.client.status != "running":
            return None
        try:
            answer = ask(self.client, "mrkernel_touch", idle_timeout=idle_timeout)
        except (OSError, RuntimeError, AttributeError):
            return None
        return None if self._is_ending else int(answer["workers"])

    def _has_ended(self) -> bool:
        return self._process is None or self._process.has_ended()

    def is_busy(self) -> bool:
        """Whether tasks run on it or wait for it."""
        return any(cast("Any", self.client).processing().values())

    def _scale(self, workers: int) -> None:
        ask(self.client, "mrkernel_scale", workers=workers)

    def _watch(self) -> None:
        """Wait for the server's end; then nothing of it may remain, not even a client that tries to reconnect."""
        with suppress(OSError, ValueError):
            while self._lines.readline():
                pass
        self._is_ending = True
        if not self._has_left:
            self._close_client()
            self._kill()
        self._lines.close()
        self._channel.close()

    def close(self) -> None:
        """End the cluster now and wait until nothing of it is left."""
        self._is_ending = True
        self._close_client()
        self._say(CLOSE)
        self._kill(after=CLOSE_S)
        self._hang_up()

    def leave(self) -> None:
        """Close the connection without waiting: the server ends when nothing runs there any more."""
        self._is_ending = self._has_left = True
        self._close_client(timeout=0.5)
        self._say(LEAVE)
        self._hang_up()

    def disown(self) -> None:
        """In a forked child: hold nothing that keeps the parent's cluster from noticing the parent's end."""
        # The descriptor stays taken, since objects that are never closed here still hold its number.
        with open(os.devnull) as nothing, suppress(OSError):
            os.dup2(nothing.fileno(), self._channel.fileno())

    def _say(self, word: bytes) -> None:
        with suppress(OSError):
            self._channel.sendall(word)

    def _hang_up(self) -> None:
        with suppress(OSError):
            self._channel.shutdown(socket.SHUT_RDWR)
        self._watcher.join(timeout=0.5)

    def _close_client(self, timeout: float = 2.0) -> None:
        with suppress(Exception):
            cast("Any", self.client).close(timeout=timeout)

    def _kill(self, after: float = 1.0) -> None:
        """Give the server's process some seconds, then kill it and what it started, and remove its folder."""
        if self._process is None:
            # Nobody has said which process it is, so what would fork it has to go.
            close_launcher(is_killed=True)
        elif not self._process.wait(after):
            self._process.kill()
            self._process.wait(CLOSE_S)
        scratch.remove(self.folder)


def _is_program_ending() -> bool:
    """Whether this thread is one that only keeps the program from its end."""
    main = threading.main_thread()
    return threading.current_thread() is not main and not main.is_alive()


def _surroundings() -> dict[str, Any]:
    """What a process inherits, as this one has it now; None for what cannot be found out."""
    found: dict[str, Any] = {"cwd": None, "umask": None, "cores": None}
    with suppress(OSError):
        found["cwd"] = os.getcwd()
    with suppress(OSError, AttributeError):
        found["cores"] = sorted(os.sched_getaffinity(0))
    with suppress(OSError, StopIteration):
        # To ask the system itself is to change it for a moment, for all threads.
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        found["umask"] = next(int(line.split()[1], 8) for line in lines if line.startswith("Umask:"))
    return found
