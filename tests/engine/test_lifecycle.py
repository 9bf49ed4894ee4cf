"""Setup and teardown, counters, and what a task knows of itself: once for each task, whatever happens in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pyarrow as pa
import pytest

import mrkernel as mr
from mrkernel.errors import TaskFailedError


def one(record):
    yield record, 1


def log_to(folder, name):
    """Append a line to a file of the test, from whichever process runs the task."""
    path = str(folder / name)

    def log(*words):
        with open(path, "a") as file:
            file.write(" ".join(map(str, words)) + "\n")

    return log


def lines(folder, name):
    path = folder / name
    return path.read_text().splitlines() if path.exists() else []


# -- setup and teardown --------------------------------------------------------------------------------------------


def test_setup_and_teardown_run_once_in_each_task(run, tmp_path):
    log = log_to(tmp_path, "log")

    def setup():
        log("setup", mr.context().stage)
        return "state"

    def teardown(state):
        log("teardown", mr.context().stage, state)

    run(mr.Job(one, lambda key, values: len(values), setup=setup, teardown=teardown), range(6), chunk_size=1)
    assert Counter(lines(tmp_path, "log")) == {
        "setup map": 6, "teardown map state": 6, "setup reduce": 1, "teardown reduce state": 1,
    }  # fmt: skip


def test_what_setup_returns_is_the_contexts_state(run):
    job = mr.Job(lambda n: (n, mr.context().state["factor"] * n), setup=lambda: {"factor": 3})
    assert dict(run(job, [1, 2])) == {1: 3, 2: 6}


def test_state_is_kept_between_records_of_a_task(run):
    def mapper(record):
        mr.context().state.append(record)
        yield record, len(mr.context().state)

    assert list(run(mr.Job(mapper, setup=list), ["a", "b", "c"])) == [("a", 1), ("b", 2), ("c", 3)]


def test_teardown_may_take_no_argument(run, tmp_path):
    log = log_to(tmp_path, "log")
    run(mr.Job(one, teardown=lambda: log("down")), ["a"])
    assert lines(tmp_path, "log") == ["down"]


def test_teardown_runs_when_the_mapper_fails(run, tmp_path):
    log = log_to(tmp_path, "log")
    job = mr.Job(lambda n: (1 // n, 1), setup=lambda: "open", teardown=lambda state: log("closed", state))
    with pytest.raises(TaskFailedError, match="mapper failed at record 2 of list: ZeroDivisionError"):
        run(job, [1, 0])
    assert lines(tmp_path, "log") == ["closed open"]


def test_teardown_runs_when_the_reducer_fails(run, tmp_path):
    log = log_to(tmp_path, "log")
    job = mr.Job(one, lambda key, values: 1 // 0, setup=lambda: mr.context().stage, teardown=log)
    with pytest.raises(TaskFailedError, match="reducer failed at key 'a': ZeroDivisionError"):
        run(job, ["a"])
    assert lines(tmp_path, "log") == ["map", "reduce"]


def test_failing_setup_is_named_and_teardown_is_not_called(run, tmp_path):
    log = log_to(tmp_path, "log")
    job = mr.Job(one, sum, setup=lambda: 1 // 0, teardown=lambda: log("down"))
    with pytest.raises(TaskFailedError, match="setup failed: ZeroDivisionError"):
        run(job, ["a"])
    assert lines(tmp_path, "log") == []


def test_failing_teardown_is_named(run):
    with pytest.raises(TaskFailedError, match="teardown failed: ZeroDivisionError"):
        run(mr.Job(one, sum, teardown=lambda: 1 // 0), ["a"])


def test_teardown_that_fails_as_well_does_not_hide_the_first_error(run):
    with pytest.raises(TaskFailedError, match="mapper failed at record 1 of list: ZeroDivisionError"):
        run(mr.Job(lambda n: (1 // n, 1), sum, teardown=lambda: os.stat("/missing/file")), [0])


def test_failing_setup_of_a_class_is_named(run):
    class Words(mr.Mapper):
        def setup(self):
            raise ConnectionError("no answer")

    with pytest.raises(TaskFailedError, match="setup failed: ConnectionError: no answer"):
        run(mr.Job(Words, sum), ["a"])


class Opened(mr.Mapper):
    log = None

    def setup(self):
        self.seen = []
        self.log("setup map")

    def map(self, record):
        self.seen.append(record)
        yield record, len(self.seen)

    def teardown(self):
        self.log("teardown map", len(self.seen))


class Closed(mr.Reducer):
    log = None

    def setup(self):
        self.log("setup reduce")
        self.n = 0

    def reduce(self, key, values):
        self.n += 1
        return self.n if key != "bad" else 1 // 0

    def teardown(self):
        self.log("teardown reduce", self.n)


def test_classes_are_set_up_and_torn_down_once_in_each_task(run, tmp_path):
    log = log_to(tmp_path, "log")

    class Words(Opened):
        pass

    class Numbers(Closed):
        pass

    Words.log = Numbers.log = staticmethod(log)
    result = run(mr.Job(Words, Numbers), ["a", "b", "c", "d"], chunk_size=8)
    assert dict(result) == {"a": 1, "b": 2, "c": 3, "d": 4}
    n_maps = result.report.stages[0].total
    logged = lines(tmp_path, "log")
    assert logged.count("setup map") == n_maps
    assert sum(int(line.split()[-1]) for line in logged if line.startswith("teardown map")) == 4
    assert logged[-2:] == ["setup reduce", "teardown reduce 4"]


def test_reducer_class_is_torn_down_when_it_fails(run, tmp_path):
    class Numbers(Closed):
        log = staticmethod(log_to(tmp_path, "log"))

    with pytest.raises(TaskFailedError, match="reducer failed at key 'bad': ZeroDivisionError"):
        run(mr.Job(one, Numbers), ["a", "bad"])
    assert lines(tmp_path, "log") == ["setup reduce", "teardown reduce 2"]


# -- counters ------------------------------------------------------------------------------------------------------


def test_counters_are_added_over_tasks_and_stages(run):
    def mapper(n):
        mr.counter("records")
        if n % 2:
            mr.counter("odd", n)
        yield n % 3, n

    def reducer(key, values):
        mr.counter("keys")
        return sum(values)

    result = run(mr.Job(mapper, reducer), range(10), chunk_size=5)
    assert result.counters == {"records": 10, "odd": 25, "keys": 3}


def test_counters_are_added_over_steps(run):
    def mapper(n):
        mr.counter("calls")
        yield n, 1

    def again(n, one):
        mr.counter("calls")
        yield n, one

    assert run(mr.Job(mapper).then(mr.Job(again)), [1, 2]).counters == {"calls": 4}


def test_counters_count_in_setup_and_partitioner(run):
    def partitioner(key, partitions):
        mr.counter("partitioned")
        return 0

    job = mr.Job(one, sum, setup=lambda: mr.counter("tasks"), partitioner=partitioner)
    result = run(job, ["a", "b", "a"], reducers=2)
    assert result.counters == {"tasks": 1 + 2, "partitioned": 2}


def test_counters_are_empty_where_nothing_was_counted(inline):
    assert inline(mr.Job(one, sum), ["a"]).counters == {}


def test_counter_outside_of_a_job_does_nothing():
    mr.counter("lonely")
    assert mr.context().counters == {}


# -- context -------------------------------------------------------------------------------------------------------


def test_context_names_the_task(run):
    def mapper(n):
        task = mr.context()
        yield n, (task.stage, task.task, task.attempt, bool(task.job_id))

    found = run(mr.Job(mapper), range(3), chunk_size=1)
    assert [value for _, value in found] == [("map", n, 1, True) for n in range(3)]


def test_context_of_a_reducer_has_no_source(run):
    def reducer(key, values):
        task = mr.context()
        return task.stage, task.source, task.location, task.offset

    assert dict(run(mr.Job(one, reducer), ["a"])) == {"a": ("reduce", "", "", None)}


def test_context_outside_of_a_job_is_neutral():
    task = mr.context()
    assert (task.job_id, task.stage, task.task, task.attempt, task.source, task.location, task.offset) == (
        "", "", 0, 0, "", "", None,
    )  # fmt: skip


def here(record):
    task = mr.context()
    yield record, (os.path.basename(task.source), task.location, task.offset)


@pytest.mark.parametrize("chunk_size", [1, 7, 1000])
def test_context_locates_lines(run, tmp_path, chunk_size):
    (tmp_path / "a.txt").write_text("one\ntwö\n\nfour\n", encoding="utf-8")
    (tmp_path / "b.txt").write_text("five")
    assert [value for _, value in run(mr.Job(here), tmp_path / "*.txt", chunk_size=chunk_size)] == [
        ("a.txt", "line 1", 0), ("a.txt", "line 2", 4), ("a.txt", "line 3", 9), ("a.txt", "line 4", 10),
        ("b.txt", "line 1", 0),
    ]  # fmt: skip


@pytest.mark.parametrize("chunk_size", [1, 1000])
def test_context_locates_records_of_a_list(run, chunk_size):
    found = run(mr.Job(here), ["x", "y", "z"], chunk_size=chunk_size)
    assert [value for _, value in found] == [("list", f"record {n}", n - 1) for n in (1, 2, 3)]


def test_context_locates_rows_of_a_result(run):
    first = run(mr.Job(lambda n: (n, n), name="numbers"), [5, 6])
    found = run(mr.Job(lambda key, value: here(key)), first)
    assert [value for _, value in found] == [("result of numbers", "row 1", 0), ("result of numbers", "row 2", 1)]


def test_context_of_a_batch_mapper_names_the_source(run, tmp_path):
    (tmp_path / "a.txt").write_text("one\ntwo\n")

    def mapper(batch: pa.RecordBatch):
        names = pa.array([os.path.basename(mr.context().source)] * batch.num_rows)
        return pa.table({"file": names, "line": batch["line"]})

    assert list(run(mr.Job(mapper, list), tmp_path / "a.txt")) == [("a.txt", ["one", "two"])]


PROFILED = """
import cProfile
import mrkernel as mr
mr.run(mr.Job(lambda n: [(n, 1)], sum), [1], executor="inline", progress=False)
cProfile.Profile().runcall(lambda: None)
"""


def test_a_profiler_works_after_a_job_in_this_process():
    """CPython 3.11 hangs in it where an exception for a thread was taken back."""
    subprocess.run([sys.executable, "-c", PROFILED], timeout=60, check=True)
