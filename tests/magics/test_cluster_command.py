"""``%mr cluster`` in a shell: what it shows, and what it does to the cluster."""

from __future__ import annotations

import json
import os
import re
from types import SimpleNamespace

import pytest
from IPython.core.completer import provisionalcompleter

import mrkernel as mr
from mrkernel.cluster import choice, current
from mrkernel.errors import ClusterError, OptionError
from mrkernel.magics.clusters import dashboard_link, server_path
from tests.engine.marks import wait_until

pytestmark = pytest.mark.cluster
ADDRESS = "http://127.0.0.1:4711/secret/status"


@pytest.fixture
def say(shell, capsys):
    """Runs ``%mr`` with a line; returns what it shows."""

    def run(line):
        capsys.readouterr()
        shell.run_line_magic("mr", line)
        return capsys.readouterr().out

    return run


@pytest.fixture
def own(say, monkeypatch):
    """``say`` for a test that starts and stops its cluster: the one that tests share is out of sight meanwhile."""
    monkeypatch.setattr(choice, "_choice", choice._Choice())
    # A job would scale the cluster to so many workers.
    monkeypatch.delenv("MRKERNEL_WORKERS")
    yield say
    found = current()
    if found is not None:
        found.close()


@pytest.fixture(scope="module")
def dask_cluster():
    """A dask cluster that somebody else made, without nannies."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, processes=False, dashboard_address="127.0.0.1:0", silence_logs=50) as found:
        yield found


def test_start_scale_and_stop(own):
    assert own("cluster") == "no cluster runs\n  the first job starts it, or %mr cluster start\n"
    said = own("cluster start 1")
    assert re.match(r"embedded cluster with 1 worker\n +worker +process +memory +limit +scratch +state +runs\n", said)
    assert re.search(r"  worker-1 +\d+ +\d+\.\d MB +\d+\.\d GB +\d+ bytes +idle +nothing\n", said)
    assert re.search(r"  address  tls://127\.0\.0\.1:\d+\n", said)
    assert re.search(rf"  scratch  .* in {re.escape(current().scratch_dir)}\n", said)
    assert "with 2 workers" in own("cluster scale 2")
    assert dict(mr.run(mr.Job(lambda n: (n % 2, 1), sum), range(4))) == {0: 2, 1: 2}
    folder = current().scratch_dir
    assert own("cluster stop") == "the embedded cluster has stopped\n  the next job starts it anew\n"
    assert not os.path.exists(folder)
    assert own("cluster stop") == "no cluster runs\n  the next job starts it\n"
    assert "with 1 worker" in own("cluster start 1")


def test_running_tasks_and_jobs_are_shown_and_stop_asks_for_them_to_be_ended(own, shell, tmp_path):
    own("cluster start 1")
    shell.user_ns |= {"mark": tmp_path / "in", "numbers": [1]}
    body = "def mapper(n):\n    mark.touch()\n    while True:\n        pass\nreducer = sum"
    shell.run_cell_magic("mapreduce", "-i numbers -o looped -b", body)
    wait_until((tmp_path / "in").exists)
    said = own("cluster")
    assert re.search(r" busy +map task 0 of looped-[0-9a-f]{8}, \d", said)
    assert re.search(r"  jobs +looped \(looped-[0-9a-f]{8}\), ", said)
    with pytest.raises(ClusterError, match="cannot stop the cluster: 1 job of this notebook runs, looped\nHint: %mr c"):
        own("cluster stop")
    assert "the embedded cluster has stopped" in own("cluster stop now")
    assert shell.user_ns["looped"].state == "cancelled"


def test_cancel_again_forces(own, shell, tmp_path, monkeypatch):
    monkeypatch.setattr("mrkernel.engine.driver._GRACE_S", 3600.0)
    own("cluster start 1")
    shell.user_ns |= {"mark": tmp_path / "in", "numbers": [1]}
    body = "def mapper(n):\n    mark.touch()\n    while True:\n        pass\nreducer = sum"
    shell.run_cell_magic("mapreduce", "-i numbers -o looped -b", body)
    wait_until((tmp_path / "in").exists)
    pid = current().workers()[0].pid
    assert "looped" in own("cancel")
    assert shell.user_ns["looped"].wait(5)
    assert "looped" in own("cancel looped")
    wait_until(lambda: [worker.pid != pid for worker in current().workers()] == [True])
    with pytest.raises(OptionError, match="%mr cancel: no running job is called 'other'\nHint: %mr jobs lists them"):
        own("cancel other")


def test_a_task_that_does_not_stop_is_shown_until_its_worker_is_gone(own, shell, tmp_path, monkeypatch):
    monkeypatch.setattr("mrkernel.engine.driver._GRACE_S", 3600.0)
    own("cluster start 1")

    def mapper(n):
        (tmp_path / "in").touch()
        while True:
            pass

    handle = mr.submit(mr.Job(mapper, sum, name="looped"), [1])
    wait_until((tmp_path / "in").exists)
    handle.cancel()
    assert handle.wait(2)
    wait_until(lambda: re.search(r"map task 0 of looped-\w+, .*, being stopped\n", own("cluster")))
    handle.cancel()
    wait_until(lambda: re.search(r"with 1 worker\n.*\n.* idle +nothing\n", own("cluster")))


def test_connect_and_stop_leave_the_other_cluster_alone(own, dask_cluster):
    address = dask_cluster.scheduler_address
    said = own(f"cluster connect {dask_cluster.scheduler.address}")
    assert "with 1 worker" in said
    assert f"  address  {address}" in said
    assert re.search(rf"  dask's dashboard: http://.*:{dask_cluster.scheduler.http_server.port}/status\n", said)
    assert own("cluster stop") == (
        f"no longer connected to {address}\n  that cluster goes on; the next job uses the embedded one\n"
    )
    assert len(dask_cluster.scheduler.workers) == 1
    assert current() is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("cluster strat", "%mr cluster: there is no command 'strat'\nHint: did you mean start?"),
        ("cluster xyz", "no command 'xyz'\nHint: after %mr cluster comes start, stop, scale, connect, dashboard, or"),
        ("cluster scale", "%mr cluster scale needs a number of workers\nHint: write, for example, %mr cluster scale 4"),
        ("cluster scale 0", "%mr cluster scale: '0' is not a number of workers\nHint: a cluster has at least one"),
        ("cluster start two", "%mr cluster start: 'two' is not a number of workers"),
        ("cluster stop soon", "%mr cluster stop: 'soon' is not understood\nHint: write %mr cluster stop now"),
        ("cluster connect", "needs an address or a scheduler file\nHint: write, for example, %mr cluster connect tcp:"),
        ("cluster dashboard 1", "%mr cluster dashboard: '1' is one word too many\nHint: write %mr cluster dashboard"),
        ("cluster scale 1 2", "%mr cluster scale: '2' is one word too many\nHint: write %mr cluster scale N"),
    ],
)  # fmt: skip
def test_a_wrong_word_is_refused_with_what_would_be_right(say, line, message):
    with pytest.raises(OptionError, match=message):
        say(line)


def test_scale_and_dashboard_need_a_cluster(own):
    with pytest.raises(ClusterError, match="cannot scale the cluster: none runs\nHint: %mr cluster start 3 starts one"):
        own("cluster scale 3")
    with pytest.raises(ClusterError, match="there is no dashboard: no cluster runs\nHint: %mr cluster start st"):
        own("cluster dashboard")


def test_help_and_completion_know_what_comes_after_cluster(say, shell):
    assert re.search(r"\ncluster scale N +start or stop workers until there are N\n", say("help"))
    with provisionalcompleter():
        found = [completion.text for completion in shell.Completer.completions("%mr cluster s", 13)]
    assert found == ["scale", "start", "stop"]


def test_dashboards_of_this_machine_are_reached_through_the_server():
    assert dashboard_link(ADDRESS, "/user/ada/").target == "/user/ada/proxy/4711/secret/status"
    assert dashboard_link(ADDRESS, None).target == ADDRESS
    assert dashboard_link("http://10.0.0.7:8787/status", "/").target == "http://10.0.0.7:8787/status"


def test_the_servers_path_is_the_hubs_or_in_the_servers_own_file(tmp_path, monkeypatch):
    shell = SimpleNamespace(
        kernel=SimpleNamespace(parent=SimpleNamespace(abs_connection_file=str(tmp_path / "kernel-1.json")))
    )
    (tmp_path / "jpserver-7.json").write_text(json.dumps({"base_url": "/base/"}))
    (tmp_path / "jupyter_server_proxy.py").touch()
    for name in ("JUPYTERHUB_SERVICE_PREFIX", "JPY_PARENT_PID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert server_path(shell) is None
    monkeypatch.setenv("JPY_PARENT_PID", "8")
    assert server_path(shell) is None
    monkeypatch.setenv("JPY_PARENT_PID", "7")
    assert server_path(shell) == "/base/"
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada")
    assert server_path(shell) == "/user/ada/"
