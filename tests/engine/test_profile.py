"""What a job's time went to: each part with its seconds, and the user's own lines; only where it was asked for."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import defaultdict
from types import MappingProxyType

import pyarrow as pa
import pytest

import mrkernel as mr
from mrkernel.engine.phases import PhaseClock
from mrkernel.engine.tasks.sampling import Sampler
from mrkernel.events import TaskFinished
from mrkernel.progress.costs import PARTS, CostTally

PLACE = ("words.py", 3, "mapper")


def spin(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def slow(n):
    spin(0.03)
    yield n % 2, n


def parts_of(result):
    seconds = defaultdict(float)
    for part, spent in zip(*result.report.profile.select(["part", "seconds"]).to_pydict().values(), strict=True):
        seconds[part] += spent
    return seconds


def lines_of(result):
    rows = [row for row in result.report.profile.to_pylist() if row["file"]]
    return {(row["function"], row["text"]): row["share"] for row in rows}


def test_profile_names_the_users_lines_and_accounts_for_all_time(run):
    result = run(mr.Job(slow, sum), range(10), profile=True)
    parts = parts_of(result)
    assert parts.keys() == set(PARTS)
    assert parts["user code"] == pytest.approx(0.3, abs=0.15)
    workers = sum(parts.values()) / result.report.seconds
    assert workers == pytest.approx(round(workers), abs=0.01)
    assert sum(result.report.profile["share"].to_pylist()) == pytest.approx(1)
    assert sum(lines_of(result).get(("spin", text), 0) for text in (
        "while time.perf_counter() < end:", "pass")) > 0.3 * parts["user code"] / sum(parts.values())  # fmt: skip


def test_profile_has_the_lines_of_a_reducer_and_of_a_batch_mapper(inline):
    def mapper(batch: pa.RecordBatch):
        spin(0.05)
        return batch

    def reducer(key, values):
        for _ in values:
            spin(0.05)
        return key

    result = inline(mr.Job(mapper, reducer), pa.table({"key": [1, 1], "n": [1, 2]}), profile=True)
    assert parts_of(result)["user code"] == pytest.approx(0.15, abs=0.07)
    assert {function for function, _ in lines_of(result)} >= {"spin"}


def test_job_is_not_profiled_unless_it_is_asked_for(inline):
    events = []
    result = inline(mr.Job(slow, sum), [1], listeners=[events.append])
    assert [event.samples for event in events if isinstance(event, TaskFinished)] == [None, None]
    assert result.report.profile.num_rows == 0
    assert "time of all workers" not in repr(result.report)


def test_report_shows_the_profile(inline):
    report = inline(mr.Job(slow, sum), [1, 2], profile=True).report
    assert "time of all workers" in repr(report)
    assert "test_profile.py:" in repr(report)
    assert "time of all workers" in report._repr_html_()


def test_sampler_leaves_no_thread():
    with Sampler(PhaseClock("map")) as sampler:
        spin(0.05)
    assert "mrkernel profile" not in {thread.name for thread in threading.enumerate()}
    assert sum(sampler.samples().values()) > 0.01


def classified(phase, call, *arguments, job=None):
    """What a sampler takes the innermost call for, from inside it."""
    sampler = Sampler(PhaseClock(phase))
    if job is not None:
        sampler.know(job)
    return call(lambda *_: sampler._classified(sys._getframe(1), phase), *arguments)


def as_file(path, source):
    """A function ``call(back)`` as if it stood in ``path``."""
    names = {}
    exec(compile(source, path, "exec"), names)  # noqa: S102  # where the code stands is what is tested
    return names["call"]


CALL = "def call(back, *more):\n    return back(*more)\n"


@pytest.mark.parametrize(
    ("path", "phase", "part"),
    [
        ("engine/tasks/attempt.py", "map", "scheduling"),
        ("engine/tasks/collecting.py", "map", "combine"),
        ("agg/totals.py", "map", "combine"),
        ("agg/totals.py", "reduce", "reduce"),
        ("batches.py", "map", "convert"),
        ("batches.py", "reduce", "convert"),
        ("partition.py", "map", "shuffle"),
        ("batches.py", "write", "shuffle"),
        ("batches.py", "read", "reading"),
        ("batches.py", "merge", "combine"),
    ],
)
def test_code_of_the_engine_is_told_by_its_module(path, phase, part):
    call = as_file(mr.__file__.replace("__init__.py", path), CALL)
    assert classified(phase, call) == (part, ("", 0, ""))


def test_joining_columns_to_combine_them_is_combining():
    folder = mr.__file__.replace("__init__.py", "")
    agg, batches = as_file(f"{folder}agg/totals.py", CALL), as_file(f"{folder}batches.py", CALL)
    assert classified("map", lambda back: agg(batches, back))[0] == "combine"


def test_what_a_user_calls_of_a_library_is_the_users_line():
    library = as_file(json.__file__, CALL)

    def mapper(back):
        return library(back)

    part, (file, _, function) = classified("map", mapper)
    assert (part, file, function) == ("user code", __file__, "mapper")


def test_library_function_as_mapper_is_user_code():
    mapper = as_file(json.__file__, CALL)
    ours = as_file(mr.__file__.replace("__init__.py", "engine/tasks/attempt.py"), CALL)
    assert classified("map", lambda back: ours(mapper, back))[0] == "scheduling"
    part, place = classified("map", lambda back: ours(mapper, back), job=mr.Job(lambda n: n, mapper))
    assert (part, place[0]) == ("user code", json.__file__)


def finished(stage, phase_seconds, samples=MappingProxyType({})):
    return TaskFinished(job_id="j", stage=stage, task=0, attempt=1, worker="w", seconds=1, records_in=0, records_out=0,
                        bytes_in=0, bytes_out=0, phase_seconds=phase_seconds, samples=samples)  # fmt: skip


def test_attempts_too_short_to_be_looked_at_count_as_the_others_of_their_stage():
    tally = CostTally()
    looks = {("map", "user code", *PLACE): 0.2, ("map", "combine", "", 0, ""): 0.1}
    tally.add(finished("map", {"map": 3.0, "read": 1.0}, looks))
    tally.add(finished("map", {"map": 3.0}))
    tally.add(finished("reduce", {"reduce": 0.5, "fetch": 0.5}))
    costs = tally.total(seconds=5.0, n_workers=2)
    found = dict(zip(PARTS, (1.0, 4.0, 2.0, 0.0, 0.5, 0.5, 2.0), strict=True))
    assert costs.parts == pytest.approx(found)
    assert costs.seconds == pytest.approx(10.0)
    (line,) = costs.lines
    assert (line[:3], line.seconds) == (PLACE, pytest.approx(4.0))


def test_job_without_profile_costs_nothing_that_is_known():
    tally = CostTally()
    tally.add(finished("map", {"map": 1.0}, None))
    assert tally.total(seconds=1.0, n_workers=1) is None
