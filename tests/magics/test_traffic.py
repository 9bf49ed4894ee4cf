"""What the widget of a job of 10,000 tasks costs in five minutes: messages, bytes and time, on a clock of its own."""

from __future__ import annotations

import json
import time

import comm
import pytest
from comm.base_comm import BaseComm

from mrkernel.events import JobFinished, JobStarted, Phase, StageFinished, StageStarted, TaskFinished, TaskStarted
from mrkernel.magics import live, view
from mrkernel.magics.view import JobView
from mrkernel.progress import ProgressTracker
from mrkernel.session import display

N_TASKS, SECONDS, LOOK_S = 10_000, 300.0, 0.1
JOB = "many-1"
HELLO = {"content": {"data": {"method": "custom", "content": {"cmd": "hello"}}}, "buffers": []}


class Clock:
    """Stands for the module ``time`` where a module asks it for the time."""

    def __init__(self):
        self.now = 1_000.0
        self.strftime = time.strftime

    def monotonic(self):
        return self.now

    time = monotonic


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    for module in (live, display):
        monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def opened():
    """The comms."""
    return []


@pytest.fixture
def sent(monkeypatch, clock, opened):
    """Time, kind and size of all that goes to the page."""
    messages = []

    def record(kind, content):
        messages.append((clock.now, kind, len(json.dumps(content, default=str))))

    class Recorded(BaseComm):
        def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
            record(msg_type, data)

    monkeypatch.setattr(comm, "create_comm", lambda **options: opened.append(Recorded(**options)) or opened[-1])
    monkeypatch.setattr(view, "publish_display_data", lambda data, **options: record("display", data))
    return messages


def events(clock):
    """The events of a job of two workers; the clock moves from look to look."""
    yield JobStarted(job_id=JOB, at=clock.now, name="many", stages=("map", "reduce"))
    yield StageStarted(job_id=JOB, at=clock.now, stage="map", n_tasks=N_TASKS, input_bytes=None)
    each, began, told = SECONDS / N_TASKS, clock.now, 0.0
    for task in range(N_TASKS):
        worker = f"tcp://127.0.0.1:{4000 + task % 2}"
        yield TaskStarted(job_id=JOB, at=clock.now, stage="map", task=task, attempt=1, worker=worker)
        clock.now = began + (task + 1) * each
        phases = (Phase("map", 0.0, each), Phase("write", each, 2 * each)) if task % 7 else (Phase("map", 0.0, each),)
        yield TaskFinished(job_id=JOB, at=clock.now, stage="map", task=task, attempt=1, worker=worker, phases=phases,
                           seconds=2 * each, records_in=1_000, records_out=7,
                           bytes_in=30_000, bytes_out=900)  # fmt: skip
        if clock.now - told >= LOOK_S:
            told = clock.now
            yield None
    yield StageFinished(job_id=JOB, at=clock.now, stage="map", n_tasks=N_TASKS, seconds=SECONDS, records_in=10**7,
                        records_out=70_000, bytes_in=3 * 10**8, bytes_out=9 * 10**6)  # fmt: skip
    yield JobFinished(job_id=JOB, at=clock.now, state="finished", seconds=SECONDS)


def test_widget_of_a_long_job_is_quiet_small_and_cheap(clock, sent, opened):
    tracker, shown = ProgressTracker(clock.time), JobView("live")
    shown.connect(lambda: None)
    began = time.thread_time()
    for event in events(clock):
        if event is None:
            shown.update(tracker.snapshot())
            for page in opened[:1]:
                page.handle_msg(HELLO)
        else:
            tracker(event)
    shown.finish(tracker.snapshot())
    spent = time.thread_time() - began
    assert [kind for _, kind, _ in sent].count("comm_open") == 1
    updates = [at for at, kind, _ in sent if kind == "comm_msg"]
    assert len(updates) > 100
    assert max(sum(at <= other < at + 1 for other in updates) for at in updates) <= 4
    total = sum(size for _, _, size in sent)
    assert total < 300_000, total
    assert spent < 0.02 * SECONDS, spent
