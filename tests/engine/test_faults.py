"""Workers die, files vanish, reads fail: the answer stays the same, and only what was lost runs again."""

from __future__ import annotations

import os
import re
import resource
import signal
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

import mrkernel as mr
from mrkernel.engine.inline import InlineExecutor
from mrkernel.errors import ClusterError, TaskFailedError
from mrkernel.events import StageFinished, TaskFailed, TaskFinished, TaskRetried
from tests.engine.marks import Log, die_once, is_first, wait_until

RECORDS = [f"{word} {n % 5}" for n, word in enumerate("the quick brown fox jumps over the lazy dog again".split() * 2)]
EXPECTED = Counter(word for record in RECORDS for word in record.split())
N_SPLITS = 8


def words(record):
    for word in record.split():
        yield word, 1


def in_splits(records=RECORDS):
    edges = [len(records) * n // N_SPLITS for n in range(N_SPLITS + 1)]
    return mr.custom(lambda: list(pairwise(edges)), lambda edge: records[edge[0] : edge[1]])


@pytest.fixture
def healthy(cluster):
    """The cluster, at full width before and after, with nothing left of the job and ready for the next one."""
    wait_until(lambda: cluster.n_workers == 2)
    yield cluster
    wait_until(lambda: cluster.n_workers == 2)
    assert dict(mr.run(mr.Job(words, sum), RECORDS, chunk_size=20)) == EXPECTED
    wait_until(lambda: not [name for name in os.listdir(cluster.scratch_dir) if name.startswith("shuffle-")])


class Alone(Log):
    """A log that makes a mark once a task has begun, as the driver sees it, and all others of its stage have ended.

    What a worker says of an attempt in its last milliseconds dies with it, and the attempt is not counted.
    """

    def __init__(self, mark, stage, task, n_others):
        super().__init__()
        self.mark, self.stage, self.task, self.n_others = Path(mark), stage, task, n_others

    def __call__(self, event):
        super().__call__(event)
        if (self.task, 1) in self.started(self.stage) and len(self.finished(self.stage)) >= self.n_others:
            self.mark.touch()


# -- a worker is killed ----------------------------------------------------------------------------------------------


@pytest.mark.cluster
def test_worker_killed_during_map_loses_one_task(healthy, tmp_path):
    alone, died = str(tmp_path / "alone"), str(tmp_path / "died")

    def mapper(record):
        if mr.context().task == 3:
            wait_until(lambda: os.path.exists(alone))
            die_once(died)
        mr.counter("records")
        yield from words(record)

    log = Alone(alone, "map", 3, N_SPLITS - 1)
    result = mr.run(mr.Job(mapper, sum), in_splits(), reducers=3, listeners=[log])
    assert dict(result) == EXPECTED
    assert result.counters == {"records": len(RECORDS)}
    assert log.retried() == [("map", 3, 2, "worker lost")]
    assert log.started("map") == [(task, 1) for task in range(3)] + [(3, 1), (3, 2)] + [
        (task, 1) for task in range(4, N_SPLITS)
    ]
    assert log.finished("map") == [(task, 2 if task == 3 else 1) for task in range(N_SPLITS)]
    assert log.started("reduce") == [(task, 1) for task in range(3)]
    assert result.report.stages[0].retried == 1


@pytest.mark.cluster
def test_worker_killed_while_it_writes_the_shuffle_loses_one_task(healthy, tmp_path):
    alone, died = str(tmp_path / "alone"), str(tmp_path / "died")

    def partitioner(key, partitions):
        if mr.context().stage == "map" and mr.context().task == 5:
            wait_until(lambda: os.path.exists(alone))
            die_once(died)
        return len(key) % partitions

    log = Alone(alone, "map", 5, N_SPLITS - 1)
    result = mr.run(mr.Job(words, sum, partitioner=partitioner), in_splits(), reducers=3, listeners=[log])
    assert dict(result) == EXPECTED
    assert log.retried() == [("map", 5, 2, "worker lost")]
    assert log.finished("map") == [(task, 2 if task == 5 else 1) for task in range(N_SPLITS)]


@pytest.mark.cluster
def test_worker_killed_during_reduce_repeats_no_map_task(healthy, tmp_path):
    alone, died = str(tmp_path / "alone"), str(tmp_path / "died")

    def reducer(key, values):
        mr.counter("keys")
        if mr.context().task == 1:
            wait_until(lambda: os.path.exists(alone))
            die_once(died)
        return sum(values)

    log = Alone(alone, "reduce", 1, 2)
    result = mr.run(mr.Job(words, reducer), in_splits(), reducers=3, listeners=[log])
    assert dict(result) == EXPECTED
    assert result.counters == {"keys": len(EXPECTED)}
    assert log.retried() == [("reduce", 1, 2, "worker lost")]
    assert log.started("map") == [(task, 1) for task in range(N_SPLITS)]
    assert log.finished("reduce") == [(0, 1), (1, 2), (2, 1)]


@pytest.mark.cluster
def test_both_workers_killed_during_map_lose_two_tasks(healthy, tmp_path):
    both = tmp_path / "both"

    def mapper(record):
        if mr.context().task < 2:
            wait_until(both.exists)
            die_once(tmp_path / f"died-{mr.context().task}")
        yield from words(record)

    class BothStarted(Log):
        def __call__(self, event):
            super().__call__(event)
            if {(0, 1), (1, 1)} <= set(self.started("map")):
                both.touch()

    log = BothStarted()
    result = mr.run(mr.Job(mapper, sum), in_splits(), reducers=3, listeners=[log])
    assert dict(result) == EXPECTED
    assert {(stage, task) for stage, task, _, _ in log.retried()} == {("map", 0), ("map", 1)}
    assert {reason for *_, reason in log.retried()} == {"worker lost"}


@pytest.mark.cluster
def test_worker_killed_in_a_map_only_job_leaves_no_rows_twice(healthy, tmp_path):
    def mapper(record):
        if record == RECORDS[-1]:
            die_once(tmp_path / "died")
        yield record, mr.context().task

    result = mr.run(mr.Job(mapper), in_splits())
    assert [key for key, _ in result] == RECORDS


@pytest.mark.cluster
def test_worker_killed_in_the_second_step_repeats_nothing_of_the_first(healthy, tmp_path):
    begun = tmp_path / "begun"

    def second(word, n):
        wait_until(begun.exists)
        die_once(tmp_path / "died")
        yield n, word

    class SecondBegun(Log):
        def __call__(self, event):
            super().__call__(event)
            if self.started("map 2"):
                begun.touch()

    log = SecondBegun()
    result = mr.run(mr.Job(words, sum).then(mr.Job(second, list)), in_splits(), listeners=[log])
    assert {count: sorted(found) for count, found in result} == {
        count: sorted(word for word in EXPECTED if EXPECTED[word] == count) for count in EXPECTED.values()
    }
    assert {stage for stage, *_ in log.retried()} == {"map 2"}
    assert log.finished("map") == [(task, 1) for task in range(N_SPLITS)]


@pytest.mark.cluster
@pytest.mark.parametrize("end", ["exit", "segfault"])
def test_function_that_ends_its_process_each_time_fails_the_job_and_names_the_split(healthy, tmp_path, end):
    def mapper(n):
        if n == 60:
            (tmp_path / f"{os.getpid()}").touch()
            if end == "exit":
                os._exit(1)
            os.kill(os.getpid(), signal.SIGSEGV)
        yield n, 1

    log = Log()
    with pytest.raises(
        TaskFailedError,
        match=r"mapper failed at rows \d+ to \d+ of list: WorkerLost: its worker process died each time",
    ):
        mr.run(mr.Job(mapper, sum), list(range(100)), chunk_size=100, listeners=[log])
    (failure,) = (event.failure for event in log.events if isinstance(event, TaskFailed))
    start, stop = map(int, re.findall(r"\d+", failure.location))
    assert start <= 60 < stop < start + 100
    assert (failure.stage, failure.error_type) == ("map", "WorkerLost")
    assert 2 <= len(list(tmp_path.iterdir())) <= 4
    assert all(stage == "map" for stage, *_ in log.retried())


# -- a file vanishes -------------------------------------------------------------------------------------------------


class Removing(Log):
    """A listener that removes files of the job when a stage ends, the first time."""

    def __init__(self, roots, stage, pattern):
        super().__init__()
        self.roots, self.stage, self.pattern, self.removed = roots, stage, pattern, []

    def __call__(self, event):
        super().__call__(event)
        if isinstance(event, StageFinished) and event.stage == self.stage and not self.removed:
            for root in self.roots:
                for path in Path(root).rglob(self.pattern):
                    path.unlink()
                    self.removed.append(path.name)


@pytest.fixture
def roots(executor, request):
    """Folders below which the executor's shuffle files are."""
    if executor == "cluster":
        from mrkernel.cluster import current

        return [current().scratch_dir]
    return request.getfixturevalue("roots_inline")


@pytest.fixture
def roots_inline(tmp_path, monkeypatch):
    """The same for jobs in this process."""
    from mrkernel.session import folders

    monkeypatch.setattr(folders, "_session", {})
    monkeypatch.setenv("MRKERNEL_SCRATCH", str(tmp_path))
    return [tmp_path]


# A run of this size is a file of its own.
LARGE = "x" * 300_000


def lengths(_key, values):
    return sum(map(len, values))


@pytest.mark.parametrize("reducers", [1, 3])
def test_deleted_shuffle_files_run_exactly_their_map_tasks_again(run, roots, executor, reducers):
    def mapper(n):
        mr.counter("records")
        yield n % 3, LARGE

    log = Removing(roots, "map", "map-0000[26]-*.arrow")
    result = run(mr.Job(mapper, lengths), list(range(8)), chunk_size=1, reducers=reducers, listeners=[log])
    assert len(log.removed) == 2
    assert dict(result) == {0: 3 * len(LARGE), 1: 3 * len(LARGE), 2: 2 * len(LARGE)}
    assert result.counters == {"records": 8}
    assert [retry for retry in log.retried() if retry[0] == "map"] == [
        ("map", task, 2, "shuffle file lost") for task in (2, 6)
    ]
    # In this process one task is given out at a time.
    given = 1 if executor == "inline" else reducers
    assert {task for stage, task, *_ in log.retried() if stage == "reduce"} == set(range(given))
    again = [(task, attempt) for task, attempt in log.finished("map") if attempt > 1]
    assert again == [(2, 2), (6, 2)]
    assert [(stage.done, stage.total) for stage in result.report.stages] == [(N_SPLITS, N_SPLITS), (reducers, reducers)]


def test_reduce_tasks_that_were_not_given_out_yet_start_once_after_a_loss(inline, roots_inline, monkeypatch):
    monkeypatch.setattr(InlineExecutor, "ahead", 4)
    log = Removing(roots_inline, "map", "map-00002-*.arrow")
    result = inline(mr.Job(lambda n: (n, LARGE), lengths), list(range(32)), chunk_size=1, reducers=16, listeners=[log])
    assert dict(result) == dict.fromkeys(range(32), len(LARGE))
    assert {task for stage, task, *_ in log.retried() if stage == "reduce"} == set(range(4))
    assert [attempt for task, attempt in log.finished("reduce") if task >= 4] == [1] * 12


def test_small_runs_share_files_and_those_of_a_lost_one_run_again(run, roots):
    def mapper(n):
        mr.counter("records")
        yield n % 3, n

    log = Removing(roots, "map", "map-00000-*.arrow")
    result = run(mr.Job(mapper, sum), list(range(60)), chunk_size=2, reducers=2, listeners=[log])
    assert len(log.removed) == 1
    assert dict(result) == {key: sum(range(key, 60, 3)) for key in range(3)}
    assert result.counters == {"records": 60}
    again = [task for stage, task, *_ in log.retried() if stage == "map"]
    assert again == list(range(len(again)))
    assert again


def test_deleted_merged_files_run_the_step_again_and_count_once(run, roots):
    def mapper(word):
        mr.counter("records")
        yield word, 1

    log = Removing(roots, "merge", "map-*.arrow")
    result = run(mr.Job(mapper, sum), [f"w{n % 7}" for n in range(40)], chunk_size=1, listeners=[log])
    assert log.removed
    assert dict(result) == Counter(f"w{n % 7}" for n in range(40))
    assert result.counters == {"records": 40}
    assert "files between its stages were lost; the step runs again" in result.report.notes


def test_map_task_that_fails_when_it_runs_again_is_tried_once_more(run, roots, tmp_path):
    log = Removing(roots, "map", "map-00002-*.arrow")

    def read(number):
        # The first read goes well; the one after the loss does not.
        if number == 2 and not is_first(tmp_path / "read") and is_first(tmp_path / "failed"):
            raise OSError("the network was away")
        yield number

    job = mr.Job(lambda n: (n % 2, LARGE), lengths)
    result = run(job, mr.custom(lambda: [0, 1, 2, 3], read), reducers=3, listeners=[log])
    assert dict(result) == {0: 2 * len(LARGE), 1: 2 * len(LARGE)}
    assert [retry for retry in log.retried() if retry[0] == "map"] == [
        ("map", 2, 2, "shuffle file lost"),
        ("map", 2, 3, "OSError: the network was away"),
    ]


def test_shuffle_file_that_is_lost_again_and_again_fails_the_job(run, roots):
    def clean(event):
        if isinstance(event, (StageFinished, TaskRetried)):
            for root in roots:
                for path in Path(root).rglob("map-00002-*"):
                    path.unlink()

    job = mr.Job(lambda n: (n, LARGE), lengths)
    with pytest.raises(ClusterError, match=r"lost the shuffle file of its map task 2 3 times\nHint: see whether"):
        run(job, list(range(4)), chunk_size=1, reducers=3, attempts=3, listeners=[clean])


@pytest.mark.parametrize("options", [{}, {"reducers": 2}], ids=["all", "partitions"])
def test_runs_that_cannot_be_open_together_are_read_one_by_one_and_missed_together(inline, options, roots_inline,
                                                                                   monkeypatch):  # fmt: skip
    monkeypatch.setattr("mrkernel.engine.shuffle._MOST_MAPPED", 0)
    log = Removing(roots_inline, "map", "map-*.arrow")
    job = mr.Job(lambda n: [(n % 3, n), (9, LARGE if n == 7 else "")], lambda key, values: list(values)[-1:])
    result = inline(job, list(range(20)), chunk_size=1, listeners=[log], **options)
    assert len(log.removed) == 2
    assert dict(result) == {0: [18], 1: [19], 2: [17], 9: [""]}
    assert sum(retry[0] == "map" for retry in log.retried()) == 20
    assert sum(retry[0] == "reduce" for retry in log.retried()) <= 4


@pytest.mark.parametrize("options", [{}, {"reducers": 2}], ids=["all", "partitions"])
def test_more_runs_than_files_may_be_open_are_reduced(inline, options):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (600, limits[1]))
    try:
        job = mr.Job(lambda n: (n % 3, n), lambda key, values: sum(values))
        result = inline(job, mr.custom(lambda: range(620), lambda n: [n]), attempts=2, **options)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert dict(result) == {key: sum(range(key, 620, 3)) for key in range(3)}


# -- a read fails ----------------------------------------------------------------------------------------------------


def failing_reads(marks, n_failures, error=OSError):
    """A source of four splits; the second one cannot be read the first few times."""

    def read(number):
        yield number * 10
        if number == 1 and any(is_first(marks / f"failure-{n}") for n in range(n_failures)):
            raise error("the network was away")
        yield number * 10 + 1

    return mr.custom(lambda: [0, 1, 2, 3], read)


@pytest.mark.parametrize("error", [OSError, ConnectionResetError, TimeoutError])
def test_read_that_fails_is_tried_again(run, tmp_path, error):
    def mapper(n):
        mr.counter("records")
        yield n % 2, n

    log = Log()
    result = run(mr.Job(mapper, sum), failing_reads(tmp_path, 2, error), listeners=[log])
    assert dict(result) == {0: 60, 1: 64}
    assert result.counters == {"records": 8}
    assert log.retried() == [("map", 1, attempt, f"{error.__name__}: the network was away") for attempt in (2, 3)]
    assert log.finished("map") == [(0, 1), (1, 3), (2, 1), (3, 1)]


def test_read_that_keeps_failing_fails_the_job_after_so_many_attempts(run, tmp_path):
    log = Log()
    with pytest.raises(TaskFailedError, match=r"reader failed.*OSError: the network was away"):
        run(mr.Job(lambda n: (n, 1), sum), failing_reads(tmp_path, 99), attempts=2, listeners=[log])
    assert log.retried() == [("map", 1, 2, "OSError: the network was away")]
    assert len(list(tmp_path.iterdir())) == 2


def test_task_that_waits_for_another_attempt_holds_no_others_up(inline, tmp_path, monkeypatch):
    monkeypatch.setattr("mrkernel.engine.driver._BACK_OFF_S", 1.0)
    monkeypatch.setattr(InlineExecutor, "ahead", 4)
    log = Log()
    result = inline(mr.Job(lambda n: (n % 2, n), sum), failing_reads(tmp_path, 1), listeners=[log])
    assert dict(result) == {0: 60, 1: 64}
    (retried,) = (event.at for event in log.events if isinstance(event, TaskRetried))
    finished = {
        event.task: event.at for event in log.events if isinstance(event, TaskFinished) and event.stage == "map"
    }
    assert finished[1] - retried >= 1
    assert finished[2] - retried < finished[3] - retried < 0.9


def test_mapper_that_raises_an_os_error_is_not_tried_again(run, tmp_path):
    log = Log()
    with pytest.raises(TaskFailedError, match="mapper failed at record 1 of list: FileNotFoundError"):
        run(mr.Job(lambda name: (Path(name).read_text(), 1), sum), [str(tmp_path / "missing")], listeners=[log])
    assert log.retried() == []
    assert not [event for event in log.events if isinstance(event, TaskFinished)]
