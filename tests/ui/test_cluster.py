"""``%mr cluster`` in JupyterLab: what the workers do, and dask's dashboard through the server's own address."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.ui, pytest.mark.cluster]

# A task is one that runs before its mapper is: cancelled then, it would end by itself.
ENDLESS = """%%mapreduce -i numbers -o endless --chunk-size 1 -b
def mapper(n):
    open(f"in-{n}", "w").close()
    while True:
        pass

reducer = sum"""
WAIT = """import glob, time
while len(glob.glob("in-*")) < 2 or sum(stage.running for stage in endless.progress().stages) < 2:
    time.sleep(0.05)"""


def test_the_cluster_is_shown_and_its_dashboard_opens_in_the_servers_own_page(lab, open_notebook, shots):
    pytest.importorskip("bokeh", reason="the extra 'dashboard' is not installed")
    pytest.importorskip("jupyter_server_proxy", reason="the extra 'dashboard' is not installed")
    commands = ("cluster", "cluster dashboard", "cluster scale 3", "cancel", "cluster stop now")
    lab.write("cluster.ipynb", "%load_ext mrkernel\nnumbers = range(4)", "%mr cluster start 2", ENDLESS, WAIT,
              *(f"%mr {command}" for command in commands))  # fmt: skip
    notebook = open_notebook("cluster.ipynb")
    for cell in range(6):
        notebook.run(cell)
    shown = notebook.output(4).get_by_role("group", name="cluster")
    expect(shown.get_by_text("embedded cluster with 2 workers")).to_be_visible()
    expect(shown.get_by_role("row")).to_have_count(3 + 4)
    expect(shown.get_by_text("task 1 of endless-")).to_be_visible()
    expect(shown.get_by_role("button")).to_have_count(0)
    notebook.shoot(shots / "cluster")
    with notebook.page.context.expect_page() as opened:
        notebook.output(5).get_by_role("button", name="dask's dashboard").click()
    dashboard = opened.value
    failed = []
    dashboard.on("requestfailed", lambda request: failed.append(request.url))
    # bokeh draws once its websocket has come through the proxy.
    dashboard.locator("canvas").first.wait_for(state="attached", timeout=60_000)
    assert dashboard.url.startswith(f"{lab.url}/proxy/")
    assert failed == []
    dashboard.screenshot(path=shots / "dashboard.png")
    dashboard.close()
    for cell in (6, 7, 8):
        notebook.run(cell)
    expect(notebook.output(6).get_by_text("embedded cluster with 3 workers")).to_be_visible()
    expect(notebook.output(8).get_by_text("the embedded cluster has stopped")).to_be_visible()
