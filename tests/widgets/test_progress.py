"""The model of a job's widget: one comm, one trait, and presses that come back."""

from __future__ import annotations

import pytest
from ipywidgets.widgets.widget import _instances

from mrkernel.progress import Progress, progress_state
from mrkernel.widgets.progress import ProgressWidget

STATE = progress_state(Progress(name="count", state="running"))


@pytest.fixture
def presses():
    return []


@pytest.fixture
def widget(presses):
    before = set(_instances)
    made = ProgressWidget(STATE, stop=lambda: presses.append("stop"), leave=lambda: presses.append("leave"))
    # A layout would be a model, and a comm, of its own.
    assert len(set(_instances) - before) == 1
    yield made
    made.close()
    assert set(_instances) == before


def press(widget, command):
    widget._handle_custom_msg({"cmd": command}, [])


def test_widget_syncs_one_trait_of_its_own(widget):
    ours = {name for name in widget.keys if not name.startswith("_")}
    assert ours == {"layout", "state", "tabbable", "tooltip"}
    assert widget.layout is None
    assert widget.state == {**STATE, "asked": 0, "leave": True}


def test_state_says_each_thing_once_and_lanes_in_short(widget):
    log = [[2.0, "plan", "merged in a tree"]]
    lanes = {"bucket": 0.5, "rows": [["1", "mmmmwrr.."], ["2", ""]], "more": 0}
    widget.show({**STATE, "lanes": lanes, "log": log, "notes": ["merged in a tree", "saved to x"]})
    assert widget.state["lanes"]["rows"] == [["1", "m4wr2.2"], ["2", ""]]
    assert widget.state["notes"] == ["saved to x"]


def test_cancel_stops_and_is_answered_in_the_next_state(widget, presses):
    press(widget, "cancel")
    press(widget, "cancel")
    assert presses == ["stop", "stop"]
    assert widget.has_news
    widget.show(STATE)
    assert widget.state["asked"] == 2
    assert not widget.has_news


def test_leaving_is_offered_only_while_a_cell_waits(widget, presses):
    press(widget, "leave")
    assert presses == ["leave"]
    widget.end_wait()
    widget.show(STATE)
    assert widget.state["leave"] is False
    press(widget, "leave")
    assert presses == ["leave"]


def test_widget_of_a_job_that_has_ended_holds_nothing_of_it(widget, presses):
    widget.let_go()
    press(widget, "cancel")
    press(widget, "leave")
    assert presses == []
    assert not widget.has_news
    assert widget._stop is widget._leave is None


def test_page_that_has_drawn_the_widget_is_heard(widget):
    assert not widget.is_heard
    press(widget, "hello")
    assert widget.is_heard


@pytest.mark.parametrize("content", [None, "cancel", ["cancel"], {}, {"cmd": 3}, {"cmd": "format"}])
def test_anything_else_that_a_page_sends_does_nothing(widget, presses, content):
    widget._handle_custom_msg(content, [])
    assert presses == []
    assert widget.presses == 0
