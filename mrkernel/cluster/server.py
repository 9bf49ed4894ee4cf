"""The embedded cluster's process, forked by :mod:`.launcher` for the owner in :mod:`.launch`.

It has a socket to its owner: the order arrives there as one line of JSON, reports go back the same way, and its end
means that the owner is gone.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from multiprocessing import resource_tracker
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from mrkernel.cluster import scratch, zygote
from mrkernel.cluster.words import CLOSE, LEAVE

if TYPE_CHECKING:
    from mrkernel.cluster.nodes import Nodes

__all__ = ["serve"]

_logger = logging.getLogger(__name__)

CHECK_S = 0.1
# Seconds without a task before the cluster leaves once its owner is gone.
GRACE_S = 2.0


def serve(folder: str, channel: socket.socket) -> NoReturn:
    """Serve until the owner closes, is gone, or leaves the cluster idle; then remove the folder and all processes."""
    logging.basicConfig(format="%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    try:
        _report(channel, pid=os.getpid())
        line = channel.makefile("r", encoding="utf-8").readline()
        if line:
            order = json.loads(line)
            _be_like_the_owner(order)
            zygote.start(folder, close=(channel,))
            scratch.lock(folder)
            asyncio.run(_serve(order, folder, channel))
    except BaseException as error:
        _logger.exception("the cluster's server failed")
        _report(channel, error=f"{type(error).__name__}: {error}")
    finally:
        _leave(folder)


def _be_like_the_owner(order: dict[str, Any]) -> None:
    """Take what may have changed in the owner since the launcher was started; its resource limits stay as they were."""
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    sys.path[:] = order["sys_path"]
    importlib.invalidate_caches()
    with suppress(OSError):
        os.chdir(order["cwd"] or "/")
    if order["umask"] is not None:
        os.umask(order["umask"])
    with suppress(OSError, AttributeError):
        os.sched_setaffinity(0, order["cores"] or os.sched_getaffinity(0))


def _report(channel: socket.socket, **message: Any) -> None:
    try:
        channel.sendall(json.dumps(message).encode() + b"\n")
    except OSError:
        _logger.warning("the owner is gone: %s", message)


async def _serve(order: dict[str, Any], folder: str, channel: socket.socket) -> None:
    import dask

    from mrkernel.cluster import nodes
    from mrkernel.cluster.security import security

    dask.config.set({**nodes.CONFIG, "temporary-directory": folder})
    cluster = nodes.Nodes(security=security(order["keys"]), memory_limit=order["memory_limit"],
                            idle_timeout=order["idle_timeout"], folder=folder)  # fmt: skip
    owner = _Owner(channel, order["owner"])
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, owner.finish)
    _report(channel, address=await cluster.start())
    await cluster.scale(order["workers"])
    _report(channel, ready=True)
    reason = await _until_unused(cluster, owner)
    _logger.warning("the cluster leaves: %s", reason)
    # Workers need no farewell: nothing runs that anybody waits for, and killing them takes no time and cannot hang.
    _leave(folder)


class _Owner:
    """What is known of the owner: its wishes from the channel, and whether it lives.

    Attributes
    ----------
    has_finished
        It wants the cluster gone now, tasks or not.
    has_left
        It ends in order; what still runs was meant to go on.
    """

    def __init__(self, channel: socket.socket, identity: str) -> None:
        self.has_finished = self.has_left = False
        self._has_hung_up, self._identity = False, identity
        threading.Thread(target=self._listen, args=(channel,), name="owner's channel", daemon=True).start()

    def finish(self) -> None:
        self.has_finished = True

    def is_gone(self) -> bool:
        # A child forked by the owner may hold the channel open after the owner's end.
        return self.has_left or self._has_hung_up or not scratch.is_alive(self._identity)

    def _listen(self, channel: socket.socket) -> None:
        try:
            while word := channel.recv(64):
                self.has_finished |= CLOSE in word
                self.has_left |= LEAVE in word
        except OSError:
            pass
        self._has_hung_up = True


async def _until_unused(cluster: Nodes, owner: _Owner) -> str:
    last_used = time.monotonic()
    while not owner.has_finished:
        await asyncio.sleep(CHECK_S)
        is_busy, now = cluster.is_busy(), time.monotonic()
        last_used = max(last_used, cluster.touched, now if is_busy else 0.0)
        if owner.is_gone():
            if not is_busy and now - last_used >= (0.0 if owner.has_left else GRACE_S):
                return "its owner is gone"
        elif now - last_used >= cluster.idle_timeout:
            return "it was idle"
    return "it was closed"


def _leave(folder: str) -> NoReturn:
    _kill_group()
    scratch.remove(folder)
    # Nothing of the interpreter's own end is needed, and it would wait for threads that tasks may have blocked.
    os._exit(0)


def _kill_group() -> None:
    """Kill what is left in this process group: programs that tasks started, workers that would not end."""
    # The tracker removes semaphores after this process's end, and then ends by itself.
    keep = {os.getpid(), getattr(resource_tracker._resource_tracker, "_pid", None)}
    if os.getpgrp() != os.getpid():
        return
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        try:
            if pid not in keep and os.getpgid(pid) == os.getpid():
                os.kill(pid, signal.SIGKILL)
        except OSError:
            continue
