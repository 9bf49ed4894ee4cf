"""The log tells what happened in words, and stays short."""

from __future__ import annotations

from mrkernel.progress.story import MOST_LINES, Story


def texts(story):
    return [line.text for line in story.lines()]


def test_one_retry_names_its_task_attempt_and_reason():
    story = Story()
    story.retried(1.0, "map", 3, 2, "worker lost")
    assert texts(story) == ["map task 3 runs again (attempt 2): worker lost"]


def test_retries_of_one_moment_and_reason_are_one_line():
    story = Story()
    for task in (5, 3, 4):
        story.retried(1.0, "map", task, 2, "worker lost")
    assert texts(story) == ["map tasks 3, 4 and 5 run again: worker lost"]
    for task in range(10, 1_210):
        story.retried(1.5, "map", task, 2, "worker lost")
    assert texts(story) == ["1,203 map tasks (3, 4, 5, …) run again: worker lost"]


def test_retries_of_another_reason_stage_or_time_are_other_lines():
    story = Story()
    story.retried(1.0, "map", 3, 2, "worker lost")
    story.retried(1.0, "map", 4, 2, "OSError: disk full")
    story.retried(1.0, "reduce", 3, 2, "worker lost")
    story.retried(9.0, "map", 5, 2, "worker lost")
    assert len(texts(story)) == 4


def test_spills_of_a_stage_are_one_line():
    story = Story()
    story.spilled(1.0, "map", 1)
    assert texts(story) == ["a map task wrote pairs to disk early, once in all, to stay within the memory of a worker"]
    story.spilled(2.0, "map", 4)
    assert texts(story) == [
        "2 map tasks wrote pairs to disk early, 5 times in all, to stay within the memory of a worker"
    ]


def test_the_newest_lines_are_kept_and_the_others_counted():
    story = Story()
    for number in range(MOST_LINES + 50):
        story.tell(float(number), "plan", f"choice {number}")
    assert len(story.lines()) == MOST_LINES
    assert story.left_out == 50
    assert texts(story)[-1] == f"choice {MOST_LINES + 49}"


def test_a_long_reason_is_cut():
    story = Story()
    story.retried(1.0, "map", 0, 2, "OSError: " + "x" * 5_000)
    assert len(texts(story)[0]) == 500
