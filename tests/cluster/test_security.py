from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from mrkernel.cluster import Cluster, connect
from mrkernel.cluster.keys import make_keys
from mrkernel.cluster.security import security
from mrkernel.errors import ClusterError

from .conftest import cluster_processes

pytestmark = pytest.mark.cluster


def test_every_socket_of_the_cluster_listens_on_loopback_only(cluster: Cluster) -> None:
    processes = cluster_processes(cluster.scratch_dir or "")
    listening = [
        ipaddress.ip_address(connection.laddr.ip)
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    # The scheduler, and for each worker its nanny and itself; no HTTP server.
    assert len(listening) == 5
    assert all(address.is_loopback for address in listening)


def test_a_client_without_the_certificate_is_refused(cluster: Cluster) -> None:
    with pytest.raises(ClusterError, match="cannot connect to a dask scheduler at tcp://"):
        connect(cluster.address.replace("tls://", "tcp://"), timeout=1)
    with pytest.raises(ClusterError, match="cannot connect to a dask scheduler at tls://"):
        connect(cluster.address, timeout=1)


def test_a_client_with_another_certificate_is_refused(cluster: Cluster) -> None:
    from distributed import Client

    with pytest.raises(OSError, match="TLS certificate does not match"):
        Client(cluster.address, security=security(make_keys()), timeout=1, set_as_default=False)


def test_keys_are_in_no_file_command_line_or_environment(own_cluster: Callable[..., Cluster], tmp_path: Path) -> None:
    cluster = own_cluster(workers=1, scratch=tmp_path)
    secret = cluster.client.security.tls_client_key.splitlines()[1].encode()
    for process in cluster_processes(cluster.scratch_dir or ""):
        assert secret not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert secret not in Path(f"/proc/{process.pid}/environ").read_bytes()
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or secret not in file.read_bytes()


def test_keys_are_loaded_without_a_temporary_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    os.chmod(tmp_path, 0o500)
    watched = os.stat(tmp_path).st_mtime_ns
    assert security(make_keys()).get_listen_args("scheduler")["require_encryption"]
    assert os.stat(tmp_path).st_mtime_ns == watched
