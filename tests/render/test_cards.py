"""Failure card, counters and plan."""

from __future__ import annotations

import dataclasses
import html

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
    offset=52_001,
    record="'in the beginning'",
    frames=(Frame(filename="Cell In[3]", lineno=4, function="mapper", text="    yield word, 1 / 0"),),
    hint="skip empty lines",
)


def test_failure_text_shows_line_record_place_call_and_hint():
    assert failure_text(FAILURE, call="list(mapper('in the beginning'))").split("\n") == [
        "mapper raised ZeroDivisionError: division by zero",
        "  Cell In[3], line 4, in mapper",
        "  →    4     yield word, 1 / 0",
        "  input: a.txt, line 1042, byte 52,001",
        "  record: 'in the beginning'",
        "  try it here: list(mapper('in the beginning'))",
        "  stage map, task 3",
        "Hint: skip empty lines",
    ]


def test_failures_alike_are_one_group_and_those_of_other_kinds_are_named():
    elsewhere = dataclasses.replace(FAILURE.frames[0], lineno=9)
    others = [
        *(dataclasses.replace(FAILURE, task=n, location=f"line {n}") for n in range(5)),
        dataclasses.replace(FAILURE, error_type="KeyError", error_text="'x'", task=7),
        dataclasses.replace(FAILURE, error_type="KeyError", error_text="'y'", task=8),
        dataclasses.replace(FAILURE, frames=(elsewhere,), location=""),
    ]
    assert failure_text(FAILURE, others=others).split("\n")[-4:-1] == [
        "  stage map, task 3 · 5 more like this: line 0 of a.txt, line 1 of a.txt, line 2 of a.txt, …",
        "  also: mapper raised KeyError: 'x', at line 1042 of a.txt, 2 times",
        "  also: mapper raised ZeroDivisionError: division by zero, at a.txt",
    ]
    many = [dataclasses.replace(FAILURE, error_type=f"Error{n}") for n in range(7)]
    assert failure_text(FAILURE, others=many).split("\n")[-2] == "  … and 2 more kinds of failure"


def test_failure_shows_the_calls_that_led_there_the_nearest_first():
    calls = [Frame(filename="a.py", lineno=n, function=f"f{n}", text=f"f{n + 1}()") for n in range(6)]
    text = failure_text(dataclasses.replace(FAILURE, frames=(*calls, *FAILURE.frames)))
    assert "  called from a.py, line 5, in f5: f6()\n  called from a.py, line 4, in f4: f5()\n" in text
    assert "in f3: f4()\n  … 3 more calls\n" in text


def test_failure_with_a_long_text_shows_its_first_lines_and_counts_the_rest():
    text = failure_text(dataclasses.replace(FAILURE, error_text="\n".join(f"reason {n}" for n in range(20))))
    assert "ZeroDivisionError: reason 0\n  reason 1\n" in text
    assert "  reason 8\n  … 11 more lines\n" in text


def test_failure_names_the_partition_of_a_reduce_task():
    reducer = dataclasses.replace(FAILURE, stage="reduce", function="reducer", partition=12)
    assert "  stage reduce, task 3, partition 12\n" in failure_text(reducer)


def test_failure_html_holds_its_text_to_copy():
    shown = failure_html(FAILURE)
    copied = shown.split('<pre class="mr-copy">')[1].split("</pre>")[0]
    assert html.unescape(copied) == failure_text(FAILURE)


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
    other = dataclasses.replace(evil, error_type=f"{EVIL}2", error_text=f"{EVIL}\n{EVIL}")
    shown = failure_html(evil, others=(evil, other), context=((1, EVIL),), call=EVIL)
    assert "<img" not in shown
    assert shown.count("&lt;img") > 20


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
