"""A job where something else is odd: a kernel that dies, another front end, names and values that want to be HTML."""

from __future__ import annotations

import os
import re
import signal

import nbformat
import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.ui, pytest.mark.cluster]

EVIL = "<img src=x onerror=alert(1)>"
LOAD = "%load_ext mrkernel\nimport os\nos.getpid()"
SLOW = """%%mapreduce -i lines.txt -o counts --chunk-size 1000
import time
import mrkernel as mr

def mapper(line):
    time.sleep(0.02)
    mr.counter("lines_seen")
    for word in line.split():
        yield word, 1

reducer = sum"""
QUICK = SLOW.replace("    time.sleep(0.02)\n", "").replace("-o counts", "-o quick")
HOSTILE = f"""%%mapreduce -i "{EVIL}.csv" --name "{EVIL}" -o evil
import mrkernel as mr
def mapper(row):
    mr.counter({EVIL!r})
    yield row[{EVIL!r}], {{{EVIL!r}: row[{EVIL!r}]}}
reducer = list"""
FAILS = f"""%%mapreduce -i "{EVIL}.csv" --name "{EVIL}"
def mapper(row):
    raise ValueError({EVIL!r})"""
# What the file would say of the third cell: some map tasks are done.
TEXTS = """jupyterapp.shell.currentWidget.content.widgets[2].model.outputs.toJSON()
    .map(output => output.data?.['text/plain'] ?? '').join()"""
DONE = r"/map .*\b[1-9]\d*\/19\b/"
# JupyterLab asks for another kernel at once, later, twice, or not at all.
NO_KERNEL = """setInterval(() => document.querySelectorAll(".jp-Dialog button").forEach(
    button => button.textContent.trim() === "No Kernel" && button.click()), 200)"""
LOOKS = "%mr jobs\n%mr explain\n%mr walkthrough"
FRAME = f"import pandas\npandas.DataFrame({{{EVIL!r}: [{EVIL!r}, 'b']}}).to_csv({EVIL + '.csv'!r}, index=False)"


def _saved_text(output):
    """What is left of a saved output without a front end."""
    return output.get("data", {}).get("text/plain", "")


def test_a_notebook_whose_kernel_was_killed_in_mid_run_says_how_far_it_was(lab, chromium, open_notebook, shots):
    (lab.folder / "lines.txt").write_text("\n".join(["the cat and the dog and a bird"] * 600))
    lab.write("killed.ipynb", LOAD, QUICK, SLOW)
    notebook = open_notebook("killed.ipynb")
    notebook.run(0)
    pid = int(notebook.output(0).locator("pre").last.inner_text())
    notebook.run(1)
    notebook.run(2, wait=False)
    notebook.output(2).get_by_role("button", name="Cancel").wait_for(timeout=30_000)
    # The static form follows the widget at a distance.
    notebook.page.wait_for_function(f"() => {DONE}.test({TEXTS})", timeout=30_000)
    os.kill(pid, signal.SIGKILL)
    notebook.page.get_by_role("button", name="Ok").click(timeout=30_000)
    notebook.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    notebook.shoot(shots / "killed")
    # What JupyterLab itself says of a kernel that it has lost.
    notebook.errors.clear()
    notebook.close()
    saved = nbformat.read(lab.folder / "killed.ipynb", as_version=4)
    said = "\n".join(map(_saved_text, saved.cells[2].outputs))
    assert re.search(r"counts: running for [\d.]+ s", said)
    assert re.search(DONE.strip("/"), said)
    assert "reduce" in said
    saved.metadata.kernelspec = {"name": "gone", "display_name": "Gone", "language": "python"}
    nbformat.write(saved, lab.folder / "gone.ipynb")
    _look_again(lab, chromium, shots)


def _look_again(lab, chromium, shots):
    """Open the saved notebook, then a copy whose kernel is not there: both show what was saved, and no lost widget."""
    with chromium.new_context(viewport={"width": 1100, "height": 900}) as context:
        context.add_init_script(NO_KERNEL)
        page = context.new_page()
        for name in ("killed", "gone"):
            page.goto(f"{lab.url}/lab/tree/{name}.ipynb?token={lab.token}&reset")
            cells = page.locator(".jp-Notebook .jp-Cell")
            done, killed = (cells.nth(n).locator(".jp-Cell-outputArea") for n in (1, 2))
            expect(killed.get_by_text("running for").first).to_be_visible(timeout=30_000)
            expect(killed.get_by_role("rowheader", name="map").first).to_be_visible()
            expect(done.get_by_text("finished in")).to_be_visible()
            expect(done.get_by_role("cell", name="1200", exact=True).first).to_be_visible()
            expect(done.get_by_role("img").last).to_be_visible()
            page.screenshot(path=shots / f"reopened-{name}.png")
            for lost in page.get_by_text(re.compile("Loading widget|model not found")).all():
                expect(lost).not_to_be_visible()


def test_notebook_7_shows_the_same_and_nothing_hostile_becomes_html(lab, open_notebook, shots):
    (lab.folder / "lines.txt").write_text("\n".join(["the cat and the dog and a bird"] * 100))
    lab.write("seven.ipynb", LOAD, QUICK, FRAME, HOSTILE, LOOKS, FAILS, "%mr traceback", SLOW)
    notebook = open_notebook("seven.ipynb", front="notebooks", height=4000)
    # Notebook 7 has one of its own on every page.
    notebook.errors.clear()
    for cell in range(7):
        notebook.run(cell)
    expect(notebook.output(1).get_by_text("finished in")).to_be_visible()
    for tab in notebook.output(3).get_by_role("tab").all():
        tab.click()
        expect(notebook.output(3).get_by_role("tabpanel")).not_to_have_attribute("aria-busy", "true")
    for cell in (3, 4, 6):
        expect(notebook.output(cell)).to_contain_text(EVIL)
    expect(notebook.output(5).get_by_role("group", name="failure")).to_contain_text(f"mapper raised ValueError: {EVIL}")
    assert notebook.page.locator("img[src=x]").count() == 0
    notebook.run(7, wait=False)
    notebook.output(7).get_by_role("progressbar", name="map").first.wait_for(timeout=30_000)
    notebook.command("notebook:interrupt-kernel")
    expect(notebook.output(7).get_by_text("JobInterruptedError")).to_be_visible(timeout=10_000)
    notebook.shoot(shots / "seven")
