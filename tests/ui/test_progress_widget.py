"""A job's widget in JupyterLab: it moves, it stops the job, it outlives a reload, and everybody can read it."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.ui, pytest.mark.cluster]

SETUP = """%load_ext mrkernel
import mrkernel as mr
from mrkernel.cluster import current
numbers = list(range(5000))
def patiently(number):
    import time
    time.sleep(0.03)
    yield number % 7, 1
warm = mr.run(mr.Job(lambda n: [(n % 2, 1)], sum), range(10))"""
# More than a minute on two workers, in some hundreds of tasks.
PATIENT = """%%mapreduce -i numbers -o patient --chunk-size 40
mapper, reducer = patiently, sum"""
BLOCKING = 'blocked = mr.run(mr.Job(patiently, sum, name="blocked"), numbers, chunk_size=40)'
WIDTH = "len(mr.run(mr.Job(lambda n: [(n % 2, 1)], sum), range(10))), len(current().workers())"


@pytest.fixture
def open_cells(lab, open_notebook):
    def open_(name, *cells):
        lab.write(f"{name}.ipynb", SETUP, *cells)
        notebook = open_notebook(f"{name}.ipynb")
        notebook.run(0)
        return notebook

    return open_


def widget_of(notebook, cell):
    widget = notebook.output(cell).locator(".mr-progress")
    widget.get_by_role("button", name="Cancel").wait_for(timeout=20_000)
    return widget


def values(widget, name="map"):
    """What the bar of a stage says, whenever it says something new, five times."""
    bar, seen = widget.get_by_role("progressbar", name=name).first, []
    deadline = time.monotonic() + 20
    while len(seen) < 5 and time.monotonic() < deadline:
        now = int(bar.get_attribute("aria-valuenow"))
        seen = seen if now in seen else [*seen, now]
        widget.page.wait_for_timeout(50)
    return seen


def test_cancel_and_interrupt_end_the_job_and_the_next_cell_runs_at_full_width(open_cells, shots):
    notebook = open_cells("cancel", PATIENT, BLOCKING, PATIENT, WIDTH)
    notebook.run(1, wait=False)
    widget = widget_of(notebook, 1)
    assert widget.get_by_role("table").count() == 0
    seen = values(widget)
    assert seen == sorted(seen)
    assert len(seen) == 5
    notebook.shoot(shots / "progress-calm")
    widget.get_by_role("button", name="Details").press("Enter")
    expect(widget.get_by_role("table", name="stages")).to_be_visible()
    expect(widget.get_by_role("img", name="worker")).to_have_count(2)
    for theme in ("Dark", "Light"):
        notebook.theme(theme)
        assert notebook.faults(widget) == []
        notebook.page.screenshot(path=shots / f"progress-details-{theme.lower()}.png")
    stop(notebook, 1, widget.get_by_role("button", name="Cancel"), "patient: cancelled after", "JobCancelledError")
    # A plain cell blocks the kernel; Cancel is heard all the same.
    notebook.run(2, wait=False)
    cancel = widget_of(notebook, 2).get_by_role("button", name="Cancel")
    stop(notebook, 2, cancel, "blocked: cancelled after", "JobCancelledError")
    notebook.run(3, wait=False)
    assert len(values(widget_of(notebook, 3))) == 5
    interrupt = notebook.page.get_by_role("button", name="Interrupt the kernel")
    stop(notebook, 3, interrupt, "patient: interrupted after", "JobInterruptedError")
    assert notebook.faults(notebook.output(1)) == []
    notebook.run(4)
    expect(notebook.output(4)).to_contain_text("(2, 2)")
    notebook.shoot(shots / "progress-stopped")


def stop(notebook, cell, button, *said):
    """Press a button; the job ends at once, and its numbers stay."""
    button.click()
    for words in said:
        expect(notebook.output(cell)).to_contain_text(words, timeout=3_000)
    expect(notebook.output(cell).get_by_role("row", name="map")).to_be_visible()
    notebook.wait_idle()


def test_reload_shows_the_live_state_again(open_cells, shots):
    notebook = open_cells("reload", PATIENT)
    notebook.run(1, wait=False)
    before = values(widget_of(notebook, 1))
    notebook.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    notebook.reload()
    widget = widget_of(notebook, 1)
    after = values(widget)
    assert len(after) == 5
    assert after[0] >= before[-1]
    notebook.page.screenshot(path=shots / "progress-reloaded.png")
    widget.get_by_role("button", name="Cancel").click()
    expect(widget).to_contain_text("cancelled after", timeout=3_000)
    expect(widget.get_by_role("button", name="Cancel")).to_be_hidden()


def test_job_continues_in_the_background_while_other_cells_run(open_cells, shots):
    notebook = open_cells("leave", PATIENT, WIDTH, "patient.cancel()")
    notebook.run(1, wait=False)
    widget = widget_of(notebook, 1)
    widget.get_by_role("button", name="Details").click()
    widget.get_by_role("button", name="Continue in background").click()
    notebook.wait_idle()
    expect(notebook.output(1)).to_contain_text("<JobHandle patient running when this was shown>")
    notebook.run(2)
    expect(notebook.output(2)).to_contain_text("(2, 2)")
    assert len(values(widget)) == 5
    notebook.page.screenshot(path=shots / "progress-background.png")
    notebook.run(3)
    expect(notebook.output(1)).to_contain_text("patient: cancelled after")
