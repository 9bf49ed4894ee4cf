"""A cell that runs again closes the widgets that it has shown before."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mrkernel.magics import shown, view
from mrkernel.magics.live import LiveJob
from mrkernel.magics.view import JobView
from mrkernel.progress import Progress
from mrkernel.widgets.progress import ProgressWidget


@pytest.fixture
def show_in(monkeypatch):
    """Shows a job in a run of a cell; returns its widget."""
    made = []

    def show(cell, run):
        parent = {"metadata": {"cellId": cell} if cell else {}, "header": {"msg_id": run}}
        kernel = SimpleNamespace(get_parent=lambda channel: parent)
        monkeypatch.setattr(shown, "get_ipython", lambda: SimpleNamespace(kernel=kernel))
        job = LiveJob(Progress(name="count", state="running"), stop=print, leave=None, words="")
        made.append(job._widget)
        return job._widget

    yield show
    for widget in made:
        widget.close()


def is_open(widget):
    return widget.comm is not None


def test_widgets_of_a_cell_stay_until_it_runs_again(show_in):
    first, second, other = show_in("a", "1"), show_in("a", "1"), show_in("b", "2")
    assert all(map(is_open, (first, second, other)))
    again = show_in("a", "3")
    assert list(map(is_open, (first, second, other, again))) == [False, False, True, True]


def test_front_end_that_does_not_name_its_cells_keeps_what_it_has(show_in):
    first, second = show_in("", "1"), show_in("", "2")
    assert is_open(first)
    assert is_open(second)


def test_end_is_published_and_the_job_let_go_whatever_becomes_of_the_widget(monkeypatch):
    published, widgets = [], []
    monkeypatch.setattr(view, "publish_data", lambda data, **options: published.append(data["text/plain"]))

    def refuse(widget, state):
        widgets.append(widget)
        raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")

    monkeypatch.setattr(ProgressWidget, "show", refuse)
    job = JobView("live")
    job.connect(print)
    job.open(Progress(name="count", state="running"))
    job.finish(Progress(name="count", state="failed", error="bad"))
    assert published[-1].startswith("count: failed")
    assert widgets[0]._stop is None
    widgets[0].close()
