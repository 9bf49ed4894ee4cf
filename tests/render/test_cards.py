"""Failure card, counters and plan."""

from __future__ import annotations

import dataclasses

from mrkernel.events import Failure, Frame
from mrkernel.render import counters_html, counters_text, failure_html, failure_text, plan_html, plan_text

EVIL = "<img src=x onerror=alert(1)>"
FAILURE = Failure(
    stage="map",
    task=3,
    function="mapper",
    error_type="ZeroDivisionError",
    error_text="division by zero",
    source="a.txt",
    location="line 1042",
    record="'in the beginning'",
    frames=(Frame(filename="Cell In[3]", lineno=4, function="mapper", text="    yield word, 1 / 0"),),
    hint="skip empty lines",
)


def test_failure_text_shows_line_record_place_and_hint():
    assert failure_text(FAILURE, more=3).split("\n") == [
        "mapper raised ZeroDivisionError: division by zero",
        "  Cell In[3], line 4, in mapper",
        "  →    4     yield word, 1 / 0",
        "  input: a.txt, line 1042",
        "  record: 'in the beginning'",
        "  stage map, task 3 · 3 more like this",
        "Hint: skip empty lines",
    ]


def test_failure_shows_the_lines_around_where_they_are_known():
    around = ((3, "for word in line:"), (4, "    yield word, 1 / 0"))
    text = failure_text(FAILURE, context=around)
    assert "       3 for word in line:\n  →    4     yield word, 1 / 0" in text
    assert failure_html(FAILURE, context=around).count("<mark>") == 1


def test_failure_without_frames_or_record_is_still_a_sentence():
    bare = Failure(stage="reduce", task=0, function="merge", error_type="OSError", error_text="disk full")
    assert failure_text(bare) == "merge raised OSError: disk full\n  stage reduce, task 0"


def test_failure_html_escapes_everything():
    frame = Frame(filename=EVIL, lineno=1, function=EVIL, text=EVIL)
    names = ("stage", "function", "error_type", "error_text", "source", "location", "record", "hint")
    evil = dataclasses.replace(FAILURE, frames=(frame,), **dict.fromkeys(names, EVIL))
    assert "<img" not in failure_html(evil, context=((1, EVIL),))


def test_counters_are_sorted_and_escaped():
    assert counters_text({"b": 1, "a": 1234}) == "counter  count\na        1,234\nb            1"
    assert "<img" not in counters_html({EVIL: 1})


def test_plan_shows_facts_and_notes():
    assert plan_text("plan of count", [("map", "8 tasks")], ["gzip cannot be split"]).split("\n") == [
        "plan of count",
        "  map  8 tasks",
        "  gzip cannot be split",
    ]
    assert "<img" not in plan_html(EVIL, [(EVIL, EVIL)], [EVIL])
