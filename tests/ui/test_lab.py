"""A job in JupyterLab as a person sees it: progress that moves, a table, a plot, a failure, dark and light."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.ui, pytest.mark.cluster]

LINES = ["the cat and the dog and a bird"] * 300 + ["<img src=x onerror=alert(1)> end"] * 20 + ["x" * 400]
LOAD = """%load_ext mrkernel"""
COUNT = """%%mapreduce -i lines.txt -o counts --chunk-size 1000
import time
import mrkernel as mr

def mapper(line):
    time.sleep(0.02)
    mr.counter("lines_seen")
    for word in line.split():
        yield word, 1

reducer = sum"""
FAIL = """%%mapreduce -i lines.txt -o broken
def mapper(line):
    first, *rest = line.split()
    yield first, rest[0]"""


def test_a_notebook_runs_shows_progress_and_results(lab, open_notebook, shots):
    (lab.folder / "lines.txt").write_text("\n".join(LINES))
    lab.write("words.ipynb", LOAD, COUNT, "counts.num_rows", COUNT.replace("-o counts", "-b -o later"))
    notebook = open_notebook("words.ipynb")
    notebook.command("notebook:run-all-cells")
    output = notebook.output(1)
    bar = output.get_by_role("progressbar", name="map")
    bar.wait_for(timeout=30_000)
    first = int(bar.get_attribute("aria-valuenow"))
    notebook.page.wait_for_function(
        "first => Number(document.querySelector('.mrkernel [role=progressbar]')"
        "?.getAttribute('aria-valuenow') ?? -1) > first",
        arg=first,
    )
    notebook.page.screenshot(path=shots / "running-light.png")
    expect(output.get_by_text("finished in")).to_be_visible(timeout=30_000)
    notebook.wait_idle()
    expect(output.get_by_role("cell", name="600", exact=True).first).to_be_visible()
    result = output.get_by_role("group", name="result").and_(output.locator(".mr-live"))
    result.get_by_role("tab", name="counters").click()
    expect(result.get_by_text("lines_seen")).to_be_visible()
    result.get_by_role("tab", name="plot").click()
    expect(result.locator("img")).to_be_visible()
    assert result.locator("img").evaluate("image => image.naturalWidth") > 500
    expect(notebook.output(2)).to_contain_text("11")
    expect(notebook.output(3).get_by_text("finished in")).to_be_visible(timeout=30_000)
    notebook.shoot(shots / "done")


def test_a_failing_record_and_an_interrupt_look_right(lab, open_notebook, shots):
    (lab.folder / "lines.txt").write_text("\n".join(LINES))
    lab.write("fails.ipynb", LOAD, FAIL, COUNT)
    notebook = open_notebook("fails.ipynb")
    notebook.command("notebook:run-cell-and-select-next")
    notebook.wait_idle()
    notebook.command("notebook:run-cell")
    card = notebook.output(1).get_by_role("group", name="failure")
    expect(card.locator("mark")).to_contain_text("yield first, rest[0]", timeout=30_000)
    notebook.wait_idle()
    notebook.page.evaluate("() => { jupyterapp.shell.currentWidget.content.activeCellIndex = 2 }")
    notebook.command("notebook:run-cell")
    notebook.output(2).get_by_role("progressbar", name="map").wait_for(timeout=30_000)
    notebook.command("notebook:interrupt-kernel")
    expect(notebook.output(2).get_by_text("JobInterruptedError")).to_be_visible(timeout=10_000)
    notebook.wait_idle()
    notebook.shoot(shots / "failure")
