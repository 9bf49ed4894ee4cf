"""A cluster drawn as tables, links and text."""

from __future__ import annotations

import dataclasses
import html
import re

from mrkernel.render import ClusterPicture, Link, RunningTask, WorkerPicture, cluster_html, cluster_text

EVIL = "<img src=x onerror=alert(1)>"
WORKER = WorkerPicture(
    name="worker-1", pid=812, memory=118_200_000, memory_limit=4_000_000_000, scratch_bytes=1_300_000, state="busy",
    running=(RunningTask(text="map task 2 of counts-80fd223f", seconds=3.5),), n_waiting=2,
)  # fmt: skip
IDLE = dataclasses.replace(WORKER, name="worker-2", pid=None, memory_limit=None, running=(), n_waiting=0)
PICTURE = ClusterPicture(
    title="embedded cluster with 2 workers",
    facts=(("address", "tls://127.0.0.1:35295"),),
    workers=(WORKER, IDLE),
    links=(Link(label="dask's dashboard", target="/user/ada/proxy/4711/secret/status"),),
    notes=("one worker is new",),
)  # fmt: skip


def test_cluster_text_aligns_workers_and_says_what_they_run():
    assert cluster_text(PICTURE).split("\n") == [
        "embedded cluster with 2 workers",
        "  worker    process    memory   limit  scratch  state  runs",
        "  worker-1      812  118.2 MB  4.0 GB   1.3 MB  busy   map task 2 of counts-80fd223f, 3.5 s; 2 tasks waiting",
        "  worker-2           118.2 MB           1.3 MB  busy   nothing",
        "  address  tls://127.0.0.1:35295",
        "  dask's dashboard: /user/ada/proxy/4711/secret/status",
        "  one worker is new",
    ]


def test_cluster_html_has_headings_and_a_row_for_each_worker():
    drawn = cluster_html(PICTURE)
    assert re.findall(r'<th scope="col"[^>]*>([^<]*)</th>', drawn)[:7] == [
        "worker", "process", "memory", "limit", "scratch", "state", "runs",
    ]  # fmt: skip
    assert re.findall(r'<th scope="row">([^<]*)</th>', drawn) == ["worker-1", "worker-2", "address"]
    assert "map task 2 of counts-80fd223f, 3.5 s; 2 tasks waiting" in drawn


def test_a_path_is_a_button_to_the_pages_own_server_and_a_url_a_link():
    drawn = cluster_html(PICTURE)
    assert (
        '<form class="mr-link" action="/user/ada/proxy/4711/secret/status" method="get" target="_blank"><button '
        in drawn
    )
    assert "<a " not in drawn
    direct = cluster_html(dataclasses.replace(PICTURE, links=(Link(label="board", target="http://host:8787/status"),)))
    assert '<a href="http://host:8787/status" target="_blank" rel="noopener">board</a>' in direct


def test_a_task_that_was_cancelled_is_being_stopped():
    task = RunningTask(text="map task 0 of loop-1", seconds=4.0, is_stopping=True)
    drawn = cluster_text(dataclasses.replace(PICTURE, workers=(dataclasses.replace(WORKER, running=(task,)),)))
    assert "map task 0 of loop-1, 4.0 s, being stopped; 2 tasks waiting" in drawn


def test_many_workers_and_tasks_are_cut_and_counted():
    worker = dataclasses.replace(WORKER, running=tuple(RunningTask(text=f"task {n}") for n in range(9)), n_waiting=0)
    drawn = cluster_text(dataclasses.replace(PICTURE, workers=(worker,) * 100))
    assert drawn.count("task 0; task 1; task 2; 6 more") == 64
    assert "36 workers not shown" in drawn


def test_values_are_escaped_everywhere():
    task = RunningTask(text=f"task {EVIL}")
    picture = ClusterPicture(
        title=EVIL, facts=((EVIL, EVIL),), links=(Link(label=EVIL, target=f'/"{EVIL}'), Link(label=EVIL, target=EVIL)),
        workers=(dataclasses.replace(WORKER, name=EVIL, state=EVIL, running=(task,)),), notes=(EVIL,),
    )  # fmt: skip
    drawn = cluster_html(picture)
    assert "<img" not in drawn
    assert drawn.count(html.escape(EVIL)) == 13
