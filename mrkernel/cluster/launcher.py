"""The process that an owner's server processes are forked from: ``python -m mrkernel.cluster.launcher``.

It imports once what all of them need, which is nearly all of the time that a cluster takes to start. Standard input is
a socket: each line on it is a folder's name, written as JSON, and comes with the server's channel and log. The launcher
ends when its owner has hung up, or when it has had no server for a while.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import time
from typing import NoReturn

from mrkernel.cluster import zygote
from mrkernel.cluster.server import serve

__all__ = ["main"]

# Seconds without a server after which it leaves: it holds some 100 MB.
UNUSED_S = 300.0
_MESSAGE_BYTES = 1 << 16


def main() -> None:
    """Fork a server for each message, and collect the exit codes of those that have ended."""
    control = _take_input()
    # A kernel's Interrupt and a closed terminal are no reason to lose the work.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    zygote.import_modules()
    # Forked processes share the pages of what is imported as long as the collector does not touch them.
    gc.collect()
    gc.freeze()
    _Launcher(control).run()


def _take_input() -> socket.socket:
    """The socket that is standard input, which is nothing from now on."""
    taken = socket.socket(fileno=os.dup(0))
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    return taken


class _Launcher:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._servers: set[int] = set()
        self._unused_since = time.monotonic()
        # A byte arrives there whenever a child has ended.
        self._ended, self._wakes = os.pipe()
        for end in (self._ended, self._wakes):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wakes)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def run(self) -> None:
        coming = select.poll()
        coming.register(self._control, select.POLLIN)
        coming.register(self._ended, select.POLLIN)
        while True:
            self._collect()
            left_s = None if self._servers else self._unused_since + UNUSED_S - time.monotonic()
            found = dict(coming.poll(None if left_s is None else max(0, int(1000 * left_s) + 1)))
            if not found and left_s is not None:
                # What the owner has sent by now is done, and what it would send finds nobody.
                self._control.shutdown(socket.SHUT_RD)
                while self._receive():
                    pass
                break
            if self._control.fileno() in found and not self._receive():
                break
        while self._servers:
            select.select([self._ended], [], [])
            self._collect()

    def _receive(self) -> bool:
        """Fork a server for the next line; False if none will come."""
        line, descriptors, _, _ = socket.recv_fds(self._control, _MESSAGE_BYTES, 2)
        while line and not line.endswith(b"\n"):
            line += self._control.recv(_MESSAGE_BYTES)
        if not line:
            return False
        channel, log = descriptors
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)  # noqa: FBT003  # the standard library has it so
        pid = os.fork()
        if pid == 0:
            self._become_server(json.loads(line), channel, log)
        self._servers.add(pid)
        os.close(channel)
        os.close(log)
        return True

    def _become_server(self, folder: str, channel: int, log: int) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            self._control.close()
            os.close(self._ended)
            os.close(self._wakes)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.close(log)
            serve(folder, socket.socket(fileno=channel))
            code = 0
        finally:
            os._exit(code)

    def _collect(self) -> None:
        try:
            while os.read(self._ended, _MESSAGE_BYTES):
                pass
        except BlockingIOError:
            pass
        for pid in list(self._servers):
            if os.waitpid(pid, os.WNOHANG)[0]:
                self._servers.discard(pid)
                self._unused_since = time.monotonic()


if __name__ == "__main__":
    main()
