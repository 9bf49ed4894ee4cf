"""A handle stands in for its result: what is asked of the result waits for it."""

from __future__ import annotations

import copy
import threading

import pytest

import mrkernel as mr
from mrkernel.errors import TaskFailedError

WORDS = mr.Job(lambda line: [(word, 1) for word in line.split()], sum, name="words")
TOTAL = mr.Job(lambda key, value: ("all", value), sum)


@pytest.fixture
def handle():
    """A job that runs until something waits for it: the gate opens a moment after each question."""
    gate = threading.Event()
    handle = mr.submit(WORDS, ["a b a"], executor="inline", listeners=[lambda event: gate.wait(60)])
    handle.wait = lambda timeout=None: (gate.set(), mr.JobHandle.wait(handle, timeout))[1]
    yield handle
    gate.set()
    assert mr.JobHandle.wait(handle, 60)


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (dict, {"a": 2, "b": 1}),
        (list, [("a", 2), ("b", 1)]),
        (len, 2),
        (lambda handle: handle["a"], 2),
        (lambda handle: "b" in handle, True),
        (lambda handle: handle.num_rows, 2),
        (lambda handle: handle.counters, {}),
        (lambda handle: dict(handle.planned)["input"][:4], "list"),
        (lambda handle: handle.head(1).to_pylist(), [{"key": "a", "value": 2}]),
        (lambda handle: handle.to_pandas().shape, (2, 2)),
        (lambda handle: dict(mr.run(TOTAL, handle, executor="inline")), {"all": 3}),
    ],
)  # fmt: skip
def test_what_is_asked_of_the_result_waits_for_it(handle, ask, answer):
    assert handle.state == "running"
    assert ask(handle) == answer
    assert handle.state == "finished"


def test_what_is_asked_of_the_handle_does_not_wait(handle):
    assert bool(handle)
    assert not hasattr(handle, "_repr_html_")
    assert not hasattr(handle, "shape")
    assert not hasattr(copy.copy(handle), "__array__")
    assert repr(handle) == "<JobHandle words running when this was shown>"
    assert handle.state == "running"
    with pytest.raises(AttributeError, match="'JobHandle' object has no attribute 'to_panda'"):
        handle.to_panda  # noqa: B018  # asking is the test


def test_a_failed_job_raises_its_error_wherever_its_result_is_used():
    handle = mr.submit(mr.Job(lambda n: (1 // n, 1), sum), [0], executor="inline")
    for ask in (dict, len, lambda one: one.num_rows):
        with pytest.raises(TaskFailedError, match="ZeroDivisionError"):
            ask(handle)
