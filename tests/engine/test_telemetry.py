"""What the driver learns of its workers: what ran where and when, and how they are."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from itertools import pairwise
from types import SimpleNamespace

import pytest

import mrkernel as mr
from mrkernel.engine.tasks import TaskReport
from mrkernel.engine.telemetry import HostClocks, WorkerWatch, resident_bytes
from mrkernel.events import JobStarted, StageStarted, TaskFinished, TaskProgressed, WorkersSampled

LINES = [f"to be or not to be {n % 97}" for n in range(4_000)]
JOB = mr.Job(lambda line: [(word, 1) for word in line.split()], lambda word, ones: [(word, sum(ones))], name="count")


def report(task, began, seconds=1.0, worker="a"):
    return TaskReport(stage="map", task=task, attempt=1, worker=worker, began=began, seconds=seconds)


@pytest.fixture
def events(run):
    seen = []
    run(JOB, LINES, listeners=[seen.append], chunk_size="8 KiB", reducers=2)
    return seen


def finished(events):
    return [event for event in events if isinstance(event, TaskFinished)]


def test_every_task_tells_its_phases(events):
    for task in finished(events):
        assert task.phases[0].start_s == 0.0
        assert task.phases[-1].stop_s == pytest.approx(task.seconds)
        assert sum(task.phase_seconds.values()) == pytest.approx(task.seconds)


def test_map_tasks_read_map_and_write_and_reduce_tasks_fetch_reduce_and_commit(events):
    kinds = {stage: set() for stage in ("map", "reduce")}
    for task in finished(events):
        kinds[task.stage] |= set(task.phase_seconds)
    assert kinds == {"map": {"read", "map", "write"}, "reduce": {"fetch", "reduce", "commit"}}


def test_tasks_lie_inside_the_job_and_their_stage_on_the_drivers_clock(events):
    began = {event.stage: event.at for event in events if isinstance(event, StageStarted)}
    for task in finished(events):
        # The estimate is late by the shortest delay of a message, and never early by more than the clocks' grain.
        assert began[task.stage] - 0.001 <= task.started_at
        assert task.started_at + task.seconds <= task.at + 0.001


def test_tasks_of_one_worker_follow_each_other(events):
    by_worker = {}
    for task in finished(events):
        by_worker.setdefault(task.worker, []).append((task.started_at, task.started_at + task.seconds))
    # The first message of a worker may be long on its way where the machine is busy.
    for spans in by_worker.values():
        assert all(stop <= start + 0.25 for (_, stop), (start, _) in pairwise(sorted(spans)))


def test_only_what_other_tasks_read_counts_as_scratch(events):
    for task in finished(events):
        assert task.scratch_bytes == (task.bytes_out if task.stage == "map" else 0)


def test_workers_are_sampled_by_name_and_address(events):
    samples = [event for event in events if isinstance(event, WorkersSampled)]
    workers = {worker.worker: worker for worker in samples[-1].workers}
    assert {task.worker for task in finished(events)} <= set(workers)
    assert all(worker.memory > 10 << 20 and worker.state == "running" for worker in workers.values())
    assert all(re.fullmatch(r"this process|worker-\d+", worker.name) for worker in workers.values())


def test_workers_are_sampled_at_most_once_a_second(events):
    began = next(event.at for event in events if isinstance(event, JobStarted))
    assert sum(isinstance(event, WorkersSampled) for event in events) <= 2 + (events[-1].at - began)


def test_a_clock_that_is_hours_off_does_not_move_the_tasks():
    clocks = HostClocks()
    placed = [
        clocks.placed(report(0, began=7_000_000.0), 1_000_001.5),
        clocks.placed(report(1, began=7_000_001.0), 1_000_002.0),
        clocks.placed(report(2, began=3.0, worker="b"), 1_000_004.0),
    ]
    assert [one.started_at for one in placed] == [1_000_000.5, 1_000_001.0, 1_000_003.0]


def test_a_message_that_came_late_does_not_move_its_task():
    clocks = HostClocks()
    clocks.placed(report(0, began=10.0), 1_011.0)
    assert clocks.placed(report(1, began=11.0), 1_042.0).started_at == 1_011.0


def test_what_a_worker_says_before_its_first_report_sets_its_clock():
    clocks = HostClocks()
    clocks.hear("a", 10.0, 1_010.0)
    assert clocks.placed(report(0, began=10.0), 1_011.5).started_at == 1_010.0


@pytest.mark.parametrize(("width", "there", "only", "expected"), [
    (4, 1, None, (4, False)), (4, 0, None, (4, False)), (0, 0, None, (1, False)), (2, 3, None, (3, False)),
    (2, 4, ["w0", "w3"], (2, False)), (2, 3, ["w0", "w3"], (2, True)), (2, 0, [], (2, True)),
])  # fmt: skip
def test_workers_that_are_on_their_way_back_count(width, there, only, expected):
    info = {"workers": {f"w{n}": {} for n in range(there)}}

    async def identity(n_workers):
        return info

    def add_callback(work):
        # It waits for nothing, so that it ends at once, whatever event loop runs in this thread.
        with suppress(StopIteration):
            work().send(None)

    client = SimpleNamespace(
        loop=SimpleNamespace(add_callback=add_callback), scheduler=SimpleNamespace(identity=identity)
    )
    told = []
    watch = WorkerWatch(client, told.append, width=width, only=only)
    assert watch.n_workers == max(1, width)
    while not told:
        watch.look()
    assert (watch.n_workers, watch.lacks_some) == expected
    watch.look()
    assert len(told) == 1


def test_memory_of_this_process_is_what_the_system_says():
    with open("/proc/self/status") as file:
        told = next(int(line.split()[1]) << 10 for line in file if line.startswith("VmRSS"))
    assert resident_bytes() == pytest.approx(told, rel=0.2)


def test_a_map_task_that_runs_full_says_how_often_it_wrote_early(inline, monkeypatch):
    monkeypatch.setattr("mrkernel.engine.tasks.collecting._RUN_BYTES", 1 << 20)
    seen = []
    pairs = mr.Job(lambda n: [(n * 40 + i, "x" * 20) for i in range(40)], lambda key, texts: [(key, len(list(texts)))])
    inline(pairs, range(10_000), listeners=[seen.append], chunk_size="1 GB")
    assert sum(task.spills for task in finished(seen) if task.stage == "map") >= 3


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_a_slow_mapper_is_heard_of_in_the_midst_of_a_block(run, on_error):
    heard, done = [], []

    def mapper(n):
        time.sleep(0.02)
        yield n % 2, 1

    def listen(event):
        if isinstance(event, TaskProgressed) and event.stage == "map":
            heard.append((event.records, event.input_bytes))
        elif isinstance(event, TaskFinished) and event.stage == "map":
            done.append(event.records_in)

    result = run(mr.Job(mapper, sum), range(50), chunk_size="1 GiB", listeners=[listen], on_error=on_error)
    assert dict(result) == {0: 25, 1: 25}
    assert done == [50]
    within = [told for told in heard if 0 < told[0] < 50]
    assert len(within) >= 2
    assert within == sorted(within)
    assert all(n_bytes > 0 for _, n_bytes in within)


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_a_mapper_that_turns_slow_and_gives_nothing_is_heard_of(inline, on_error):
    heard = []

    def mapper(n):
        if n > 5_000:
            time.sleep(0.002)

    def listen(event):
        if isinstance(event, TaskProgressed):
            heard.append(event.records)

    # A block has 8,192 records, and the quick ones before have made the pace.
    inline(mr.Job(mapper), range(6_500), chunk_size="1 GiB", listeners=[listen], on_error=on_error)
    assert len([records for records in heard if 5_000 < records < 6_500]) >= 3
