"""A walkthrough in JupyterLab: the records go from step to step, and its tables stay in the file."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.ui, pytest.mark.cluster]

COUNT = """%load_ext mrkernel
def mapper(line):
    for word in line.split():
        yield word, 1
import mrkernel as mr
mr.walkthrough(mr.Job(mapper, sum), ["the cat and the dog", "<img src=x onerror=alert(1)> the", "日本"])"""


def test_records_move_from_step_to_step(lab, open_notebook, shots):
    lab.write("walk.ipynb", COUNT)
    notebook = open_notebook("walk.ipynb", height=900)
    notebook.run(0)
    output = notebook.output(0)
    stage = output.locator(".mr-stage")
    expect(stage).to_be_visible(timeout=15_000)
    chip = output.locator(".mr-pair").first
    expect(chip).to_have_css("opacity", "0")
    output.get_by_role("button", name="Next").click()
    expect(chip).to_have_css("opacity", "1")
    before = chip.bounding_box()
    output.get_by_role("button", name="Partition").click()
    expect(output.get_by_role("button", name="Partition")).to_have_attribute("aria-current", "step")
    notebook.page.wait_for_function(
        "before => document.querySelector('.mr-pair').getBoundingClientRect().y !== before", arg=before["y"]
    )
    output.get_by_role("button", name="Reduce").press("Enter")
    expect(output.get_by_title("the: 3")).to_be_visible()
    expect(output.locator("img")).to_have_count(0)
    # The static form is hidden while the widget shows, and is in the file.
    expect(output.locator("[data-mr-fallback]")).to_be_hidden()
    notebook.shoot(shots / "walkthrough")
    notebook.command("docmanager:save")
    notebook.page.wait_for_function("() => !jupyterapp.shell.currentWidget.context.model.dirty")
    saved = json.loads((lab.folder / "walk.ipynb").read_text())
    assert "reduces to" in "".join(saved["cells"][0]["outputs"][-1]["data"]["text/html"])
