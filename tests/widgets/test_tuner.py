"""The tuner's widget: what it takes from a page, and what it says to it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mrkernel.widgets.tuner import TunerWidget

STATE = {"chunkSizes": [1, 2, 4], "workers": [1, 2], "reducers": [0, 4], "combine": ["auto"]}


@pytest.fixture
def pressed():
    return []


@pytest.fixture
def widget(pressed):
    def note(name):
        return lambda at: pressed.append((name, at))

    widget = TunerWidget(STATE, apply=note("apply"), measure=note("measure"), stop=lambda: pressed.append("stop"))
    yield widget
    widget.close()


@pytest.mark.parametrize("command", ["apply", "measure"])
def test_press_comes_with_the_point_that_is_shown(widget, pressed, command):
    widget._receive(widget, {"cmd": command, "at": [2, 1, 0, 0]}, [])
    assert pressed == [(command, (2, 1, 0, 0))]


def test_cancel_needs_no_point(widget, pressed):
    widget._receive(widget, {"cmd": "stop"}, [])
    assert pressed == ["stop"]


@pytest.mark.parametrize(
    "message",
    [
        "apply", {}, {"cmd": "apply"}, {"cmd": "run", "at": [0, 0, 0, 0]}, {"cmd": "apply", "at": [0, 0, 0]},
        {"cmd": "apply", "at": [3, 0, 0, 0]}, {"cmd": "apply", "at": [-1, 0, 0, 0]},
        {"cmd": "apply", "at": ["0", 0, 0, 0]}, {"cmd": ["apply"], "at": [True, 0, 0, 0]},
    ],
)  # fmt: skip
def test_message_that_names_no_point_is_left_alone(widget, pressed, message: Any):
    widget._receive(widget, message, [])
    assert pressed == []


def test_answers_add_to_the_runs_that_are_shown(widget):
    widget.answer("measuring", is_busy=True)
    assert widget.reply == {"text": "measuring", "runs": [], "busy": True}
    widget.answer("done", runs=[{"chunk": 1}])
    widget.answer("done again", runs=[{"chunk": 2}])
    assert widget.reply == {"text": "done again", "runs": [{"chunk": 1}, {"chunk": 2}], "busy": False}


def test_each_widget_has_a_place_of_its_own_and_plain_state(widget):
    other = TunerWidget(STATE, apply=print, measure=print, stop=print)
    assert other.place != widget.place
    assert json.loads(json.dumps(widget.state)) == STATE
    assert widget.layout is None
    other.close()
