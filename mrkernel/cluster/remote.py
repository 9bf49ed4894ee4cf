"""Clusters that somebody else started: an address, a scheduler file, a client, or a dask cluster object."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from mrkernel.cluster import scratch
from mrkernel.cluster.handle import SEND_INTERVAL_S, Cluster, ask, open_client
from mrkernel.errors import ClusterError

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["attach"]

CONNECT_S = 5.0
PROBE_S = 10


def attach(target: Any, *, parent: str | None = None, timeout: float = CONNECT_S) -> Cluster:
    """Connect to ``target``; see :func:`mrkernel.cluster.connect`."""
    client, owns_client = _client(target, timeout)
    folder = scratch.create(parent) if _has_local_workers(client) else None
    if folder and not _can_write(client, folder):
        scratch.remove(folder)
        folder = None

    def close() -> None:
        if owns_client:
            with suppress(Exception):
                cast("Any", client).close(timeout=2)
        if folder:
            scratch.remove(folder)

    return Cluster(client, is_local=folder is not None, scratch_dir=folder, on_close=close, on_scale=_scaler(client))


def _client(target: Any, timeout: float) -> tuple[Client, bool]:
    from distributed import Client

    if isinstance(target, Client):
        if target.status != "running" or target.asynchronous:
            raise ClusterError(f"cannot use the dask client {target.id}: it is closed or asynchronous",
                               hint="hand over a client that was made with Client(address)")  # fmt: skip
        cast("Any", target.scheduler_comm).interval = SEND_INTERVAL_S
        return target, False
    name = _describe(target)
    try:
        if isinstance(target, str | os.PathLike) and "://" not in str(target):
            if not Path(target).is_file():
                raise ClusterError(f"cannot connect to {name}: it is neither an address nor a scheduler file",
                                   hint='an address looks like "tcp://host:8786"')  # fmt: skip
            return open_client(None, timeout=timeout, scheduler_file=os.fspath(target)), True
        return open_client(target, timeout=timeout), True
    except (OSError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, ClusterError):
            raise
        raise ClusterError(f"cannot connect to a dask scheduler at {name}: {error or type(error).__name__}",
                           hint="check that it runs, that its address is right, and that a tls:// address has its "
                                "keys in dask's configuration") from error  # fmt: skip


def _describe(target: Any) -> str:
    return str(target) if isinstance(target, str | os.PathLike) else repr(getattr(target, "name", target))


def _scaler(client: Client) -> Callable[[int], None] | None:
    cluster = client.cluster
    if cluster is None or not hasattr(cluster, "scale"):
        return None

    def scale(workers: int) -> None:
        cluster.scale(workers)
        client.wait_for_workers(workers, timeout=60)

    return scale


def _has_local_workers(client: Client) -> bool:
    """Whether every worker's address is one of this host's."""
    import psutil

    own = {address.address for addresses in psutil.net_if_addrs().values() for address in addresses}
    with suppress(OSError):
        own.add(socket.gethostbyname(socket.gethostname()))
    workers = ask(client, "ncores")
    return bool(workers) and all(_is_at(address, own) for address in workers)


def _is_at(address: str, hosts: set[str]) -> bool:
    return address.startswith("inproc:") or (urlsplit(address).hostname or "") in hosts


def _can_write(client: Any, folder: str) -> bool:
    """Whether the workers see this very folder: an address of this host may belong to a container or a tunnel."""
    token = secrets.token_hex(8)
    Path(folder, token).touch()

    def probe(folder: str, token: str) -> bool:
        import os

        return os.path.exists(os.path.join(folder, token)) and os.access(folder, os.W_OK | os.X_OK)

    try:
        return all(client.sync(client._run, probe, folder, token, callback_timeout=PROBE_S).values())
    except Exception:  # noqa: BLE001  # whatever a foreign worker raises, it cannot be relied on
        return False
    finally:
        os.unlink(os.path.join(folder, token))
