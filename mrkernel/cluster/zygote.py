"""The process that workers are forked from, with everything imported: a worker starts in 0.1 s instead of 2 s."""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from multiprocessing import forkserver, resource_tracker
from typing import Any, NoReturn

__all__ = ["MODULES", "die_with_parent", "import_modules", "start"]

MODULES = (
    "distributed",
    "distributed.nanny",
    "distributed.worker",
    "cloudpickle",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "pyarrow.acero",
    "pyarrow.compute",
    "pyarrow.csv",
    "pyarrow.ipc",
    "pyarrow.json",
    "pyarrow.parquet",
    "mrkernel.cluster.nodes",
    "mrkernel.cluster.security",
    "mrkernel.cluster.worker",
    "mrkernel.engine.dask_executor",
    "mrkernel.engine.tasks",
    "mrkernel.io",
)
_PR_SET_PDEATHSIG = 1
# From 3.14 on a fork server also shares a key with its clients; there the standard way of starting one is used.
_CAN_FORK = sys.version_info < (3, 14)


def import_modules() -> None:
    """Import all that tasks use; a module that this installation lacks is left out."""
    for name in MODULES:
        with suppress(ImportError):
            importlib.import_module(name)
    # tornado reads the system's certificates when a process accepts its first TLS connection: 40 ms in each worker.
    from tornado import netutil

    with suppress(AttributeError, TypeError):
        netutil._client_ssl_defaults()


def start(folder: str, *, close: tuple[socket.socket, ...] = ()) -> None:
    """Fork the fork server that multiprocessing would otherwise execute, so that imports are made and held once.

    To be called before this process starts threads. If the forked server dies, multiprocessing starts one in its own
    way.

    Parameters
    ----------
    folder
        Where its socket is made.
    close
        Sockets that the fork server and the workers must not hold.
    """
    if not _CAN_FORK:
        forkserver.set_forkserver_preload(list(MODULES))
        forkserver.ensure_running()
        return
    resource_tracker.ensure_running()
    listener = socket.socket(socket.AF_UNIX)
    address = _bind(listener, folder)
    listener.listen()
    alive_read, alive_write = os.pipe()
    gc.collect()
    pid = os.fork()
    if pid == 0:
        os.close(alive_write)
        for held in close:
            held.close()
        _serve(listener, alive_read)
    listener.close()
    os.close(alive_read)
    server: Any = forkserver._forkserver  # there is no public way to hand one over
    server._forkserver_address, server._forkserver_alive_fd, server._forkserver_pid = address, alive_write, pid


def _bind(listener: socket.socket, folder: str) -> str:
    # A Unix socket's path has at most 107 bytes; a descriptor's path stands in for a long one.
    address = os.path.join(folder, "fork")
    if len(os.fsencode(address)) > 100:
        address = f"/proc/self/fd/{os.open(folder, os.O_PATH)}/fork"
    listener.bind(address)
    os.chmod(os.path.join(folder, "fork"), 0o600)
    return address


def _serve(listener: socket.socket, alive: int) -> NoReturn:
    code = 1
    try:
        die_with_parent()
        # The pages of what is imported stay shared with the workers as long as the collector does not touch them.
        gc.freeze()
        tempfile.tempdir = None
        forkserver.main(listener.detach(), alive, [])
    except SystemExit:
        code = 0
    finally:
        os._exit(code)


def die_with_parent() -> None:
    """Have the system kill this process when its parent is gone, even if it hangs; does nothing outside Linux."""
    parent = os.getppid()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
