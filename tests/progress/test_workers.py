"""Workers have names, memory and scratch space, and what becomes of them is told once."""

from __future__ import annotations

import pytest

from mrkernel.events import WorkerSample
from mrkernel.progress.workers import Workers

A, B, C = "tls://127.0.0.1:4001", "tls://127.0.0.1:4002", "tls://127.0.0.1:4003"


def sample(address, name, memory=100, state="running"):
    return WorkerSample(worker=address, name=name, memory=memory, memory_limit=1_000, state=state)


@pytest.fixture
def workers():
    workers = Workers()
    assert workers.sample([sample(A, "worker-1"), sample(B, "worker-2")]) == []
    return workers


def test_a_worker_is_its_address_until_its_name_is_known():
    workers = Workers()
    assert workers.name(A) == "127.0.0.1:4001"
    workers.sample([sample(A, "worker-1")])
    assert workers.name(A) == "worker-1"
    assert list(workers.newly_named()) == [("127.0.0.1:4001", "worker-1")]
    assert list(workers.newly_named()) == []


def test_the_most_memory_seen_is_kept(workers):
    workers.sample([sample(A, "worker-1", 700), sample(B, "worker-2")])
    workers.sample([sample(A, "worker-1", 300), sample(B, "worker-2")])
    assert (workers.states()[0].memory, workers.states()[0].peak_memory) == (300, 700)


def test_scratch_space_counts_what_was_written_and_lost(workers):
    workers.wrote(A, 500)
    workers.wrote(A, 200)
    workers.wrote(A, -500)
    assert [state.scratch_bytes for state in workers.states()] == [200, 0]


def test_a_worker_that_left_is_lost_and_its_successor_keeps_its_name(workers):
    assert workers.sample([sample(B, "worker-2")]) == ["worker-1 was lost"]
    assert [state.state for state in workers.states()] == ["lost", "running"]
    assert workers.n_running == 1
    assert workers.sample([sample(B, "worker-2"), sample(C, "worker-1")]) == ["worker-1 was started again"]
    assert [state.state for state in workers.states()] == ["running", "running"]


def test_a_lost_worker_is_told_of_once_and_again_when_it_is_lost_again(workers):
    assert workers.lose(A) == "worker-1 was lost"
    assert workers.lose(A) is None
    assert workers.sample([sample(B, "worker-2"), sample(C, "worker-1")]) == ["worker-1 was started again"]
    assert workers.lose(A) is None
    assert workers.lose(C) == "worker-1 was lost"


def test_a_worker_that_comes_back_at_its_address_can_be_lost_again(workers):
    assert workers.lose(A) == "worker-1 was lost"
    assert workers.sample([sample(A, "worker-1"), sample(B, "worker-2")]) == ["worker-1 was started again"]
    assert workers.sample([sample(B, "worker-2")]) == ["worker-1 was lost"]


def test_a_new_worker_has_joined(workers):
    told = workers.sample([sample(A, "worker-1"), sample(B, "worker-2"), sample(C, "worker-3")])
    assert told == ["worker-3 has joined"]


def test_a_worker_that_takes_no_tasks_says_why_once(workers):
    full = [sample(A, "worker-1", 930, "paused"), sample(B, "worker-2")]
    assert workers.sample(full) == [
        "worker-1 takes no new tasks until it has more free memory: it holds 93% of its limit"
    ]
    assert workers.sample(full) == []


def test_names_are_in_the_order_of_their_numbers():
    workers = Workers()
    workers.sample([sample(f"tcp://h:{n}", f"worker-{n}") for n in (10, 9, 1)])
    assert [state.name for state in workers.states()] == ["worker-1", "worker-9", "worker-10"]
    assert workers.order({"this process"}) == ["this process", "worker-1", "worker-9", "worker-10"]
