"""dask's dashboard of the embedded cluster: off until it is wanted, and found only by who knows its path."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from mrkernel.cluster import Cluster
from mrkernel.errors import ClusterError

from .conftest import cluster_processes

pytestmark = pytest.mark.cluster


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_dashboard_is_off_until_it_is_started(own_cluster: Callable[..., Cluster]) -> None:
    pytest.importorskip("bokeh", reason="the extra 'dashboard' is not installed")
    cluster = own_cluster(workers=1)
    assert cluster.dashboard() == ""
    address = cluster.dashboard(start=True)
    assert cluster.dashboard(start=True) == cluster.dashboard() == address
    parts = urlsplit(address)
    found = re.fullmatch(r"/([\w-]{20,})/status", parts.path)
    assert found
    with urllib.request.urlopen(address) as answer:
        page = answer.read().decode()
    assert "Dask" in page
    # A proxy in front of it has another path, so its pages must not name absolute ones.
    assert not re.findall(r'(?:src|href)="/[^"]*', page)
    port = f"http://127.0.0.1:{parts.port}"
    for path in ("workers", "statics/css/base.css", "json/identity.json"):
        assert status(f"{port}/{found[1]}/{path}") == 200
    for path in ("", "status", "sitemap.json", "statics/css/base.css", f"{found[1]}x/status", f"x/{found[1]}/status"):
        assert status(f"{port}/{path}") == 404
    server = cluster_processes(cluster.scratch_dir or "")[0]
    addresses = {
        connection.laddr.ip for connection in server.net_connections() if connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}


def test_dashboard_without_its_packages_says_what_to_install(
    own_cluster: Callable[..., Cluster], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bokeh.py").write_text("raise ImportError('no bokeh here')")
    monkeypatch.syspath_prepend(str(tmp_path))
    cluster = own_cluster(workers=1)
    with pytest.raises(ClusterError, match=r"cannot start dask's dashboard: no bokeh here\nHint: pip install"):
        cluster.dashboard(start=True)
    assert cluster.n_workers == 1
