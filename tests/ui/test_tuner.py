"""The tuner in JupyterLab: sliders that predict, Apply that changes the next run, and what stays without a kernel."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.ui, pytest.mark.cluster]

LOAD = "%load_ext mrkernel\nimport mrkernel as mr, time\nrecords = [f'record {n:03}' for n in range(60)]"
SLOW = """def slowly(record):
    time.sleep(0.02)
    yield record[-1], 1

job = mr.Job(slowly, sum, name="<img src=x onerror=alert(1)>")"""
TUNE = '%mr tune job -i records --budget "8 s" -o tuning'
TASKS = "len(mr.explain(job, records).first.splits)"


def _set(slider, position: int) -> None:
    slider.evaluate(
        "(node, n) => { node.value = n; node.dispatchEvent(new Event('input', {bubbles: true})) }", position
    )


def _last(slider) -> int:
    return int(slider.get_attribute("max"))


def _move_sliders(tuner):
    """Each changes what is predicted."""
    chunk = tuner.get_by_role("slider", name="chunk size")
    time = tuner.get_by_role("row", name="predicted time")
    _set(chunk, 0)
    smallest = time.inner_text()
    _set(chunk, _last(chunk))
    expect(time).not_to_have_text(smallest)
    assert chunk.get_attribute("aria-valuetext")
    workers = tuner.get_by_role("slider", name="workers")
    both = time.inner_text()
    _set(chunk, 0)
    _set(workers, 0)
    expect(time).not_to_have_text(both)
    expect(tuner.locator(".mr-paste")).to_contain_text("--workers 1")
    _set(workers, _last(workers))


def test_tuner_predicts_applies_and_leaves_a_page_that_reads_well(lab, open_notebook, shots):
    lab.write("tuner.ipynb", LOAD, SLOW, TASKS, TUNE, TASKS, TASKS)
    notebook = open_notebook("tuner.ipynb", height=1400)
    for cell in range(4):
        notebook.run(cell)
    tuner = notebook.output(3).get_by_role("group", name="tuning of <img src=x onerror=alert(1)>", exact=True)
    expect(tuner).to_be_visible()
    expect(tuner.get_by_role("img")).to_have_count(3)
    assert notebook.faults(tuner) == []
    notebook.shoot(shots / "tuner")

    _move_sliders(tuner)
    _set(tuner.get_by_role("slider", name="partitions"), 2)
    tuner.get_by_role("button", name="Apply").click()
    said = tuner.get_by_role("paragraph").filter(has_text="applied to this session: --chunk-size")
    expect(said).to_be_visible()
    expect(said).to_contain_text("--reducers")
    notebook.run(4)
    assert int(notebook.output(4).inner_text().split(":")[-1]) > 1
    assert int(notebook.output(2).inner_text().split(":")[-1]) == 1
    tuner.get_by_role("button", name="Show default").click()
    tuner.get_by_role("button", name="Apply").click()
    expect(tuner.get_by_role("paragraph").filter(has_text="settings are as they were before")).to_be_visible()
    notebook.run(5)
    assert int(notebook.output(5).inner_text().split(":")[-1]) == 1

    cancel = tuner.get_by_role("button", name="Cancel")
    expect(cancel).to_be_hidden()
    tuner.get_by_role("button", name="Measure").click()
    cancel.click()
    expect(tuner.get_by_role("paragraph").filter(has_text="not measured: the job ")).to_be_visible()
    expect(cancel).to_be_hidden()
    tuner.get_by_role("button", name="Show advice").click()
    tuner.get_by_role("button", name="Measure").click()
    measured = tuner.get_by_role("paragraph").filter(has_text=" s on the whole input")
    expect(measured).to_be_visible(timeout=20_000)

    notebook.command("docmanager:save")
    notebook.page.wait_for_function("() => !jupyterapp.shell.currentWidget.context.model.dirty")
    saved = json.loads((lab.folder / "tuner.ipynb").read_text())["cells"][3]["outputs"]
    shown = [output["data"] for output in saved if "data" in output]
    assert not any("widget-view" in name for data in shown for name in data)
    html = "".join(shown[-1]["text/html"])
    assert "predicted for the whole input" in html
    assert "<img src=x" not in html


def test_tuner_lives_again_after_the_page_is_loaded_again(lab, open_notebook):
    lab.write(
        "again.ipynb", LOAD, "tuning = mr.tune(mr.Job(lambda record: [(record, 1)], sum), records, budget=20)\ntuning"
    )
    notebook = open_notebook("again.ipynb")
    notebook.run(0)
    notebook.run(1)
    expect(notebook.output(1).get_by_role("slider", name="chunk size")).to_be_visible()
    notebook.command("docmanager:save")
    notebook.page.wait_for_function("() => !jupyterapp.shell.currentWidget.context.model.dirty")
    notebook.reload()
    slider = notebook.output(1).get_by_role("slider", name="chunk size")
    expect(slider).to_be_visible(timeout=30_000)
    _set(slider, 0)
    notebook.output(1).get_by_role("button", name="Apply").click()
    expect(notebook.output(1).get_by_role("paragraph").filter(has_text="applied")).to_be_visible()
