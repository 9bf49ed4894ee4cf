"""The history of a run stays small and keeps what a drawing needs."""

from __future__ import annotations

import pytest

from mrkernel.events import Phase
from mrkernel.progress.history import History, Span, TaskTime


def task(number, seconds=1.0, worker="a"):
    start = number * 1.0
    return TaskTime(worker, "map", number, 1, start, start + seconds, 10, 5, 100, 50)


def add(history, number, seconds=1.0, worker="a"):
    phases = (Phase("map", 0.0, 0.8 * seconds), Phase("write", 0.8 * seconds, seconds))
    history.add(task(number, seconds, worker), phases)


def busy(history):
    return sum(span.stop_s - span.start_s for span in history.spans())


def test_each_phase_of_a_task_is_a_span():
    history = History()
    add(history, 3)
    assert history.spans() == (
        Span("a", "map", "map", 3.0, 3.8, 3, 1, "finished"),
        Span("a", "map", "write", 3.8, 4.0, 3, 1, "finished"),
    )
    assert history.tasks() == (task(3),)


def test_too_many_spans_are_joined_with_their_neighbours():
    history = History(most=100)
    for number in range(1_000):
        add(history, number, worker="ab"[number % 2])
    spans = history.spans()
    assert len(spans) <= 100
    assert sum(span.n_tasks for span in spans) == pytest.approx(1_000, rel=0.05)
    assert {span.worker for span in spans} == {"a", "b"}
    assert history.spans_left_out == 0


def test_joined_spans_reach_from_the_first_to_the_last():
    history = History(most=100)
    for number in range(1_000):
        add(history, number)
    spans = history.spans()
    assert (spans[0].start_s, spans[-1].stop_s) == (0.0, pytest.approx(1_000.0))
    assert busy(history) == pytest.approx(1_000.0)


def test_attempts_that_failed_are_never_joined():
    history = History(most=100)
    history.add_span(Span("a", "map", "map", 5.0, 6.0, 5, 1, "lost"))
    for number in range(500):
        add(history, number + 10)
    assert [span.task for span in history.spans() if span.state == "lost"] == [5]


def test_where_nothing_can_be_joined_the_longer_half_is_kept():
    history = History(most=100)
    for number in range(101):
        history.add_span(Span(f"worker-{number}", "map", "map", 0.0, 1.0 + number, number, 1, "failed"))
    assert len(history.spans()) == 50
    assert history.spans_left_out == 51
    assert min(span.stop_s for span in history.spans()) > 50


def test_of_too_many_tasks_the_slowest_are_kept():
    history = History(most=100)
    for number in range(1_000):
        add(history, number, seconds=9.0 if number in {17, 400} else 0.5)
    tasks = history.tasks()
    assert len(tasks) <= 100
    assert {17, 400} <= {one.task for one in tasks}
    assert history.tasks_left_out == 1_000 - len(tasks)
