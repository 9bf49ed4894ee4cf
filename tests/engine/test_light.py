"""The last step of a small job: few declared sums are added up where the driver is, everything else on workers."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import mrkernel as mr
from mrkernel.agg import Aggregate
from mrkernel.errors import TaskFailedError
from mrkernel.events import StageFinished, TaskRetried, TaskStarted

pytestmark = pytest.mark.cluster
HERE = "this process"


def pairs(n: int) -> list[tuple[int, int]]:
    return [(n % 7, n)]


@dataclass(frozen=True)
class Longest(Aggregate):
    """An aggregate of the user's own."""

    label = "longest"

    def start(self) -> Any:
        return 0

    def add(self, accumulator: Any, value: Any) -> Any:
        return max(accumulator, len(str(value)))

    def join(self, left: Any, right: Any) -> Any:
        return max(left, right)

    def result(self, accumulator: Any) -> Any:
        return accumulator


def places(job: mr.Job, records: Any, **options: Any) -> tuple[mr.Result, set[str]]:
    """The result, and where its reduce tasks ran."""
    events: list[Any] = []
    result = mr.run(job, records, progress=False, listeners=[events.append], **options)
    return result, {one.worker for one in events if isinstance(one, TaskStarted) and one.stage == "reduce"}


def test_few_sums_are_added_up_here(cluster: mr.Cluster) -> None:
    result, where = places(mr.Job(pairs, {"n": mr.agg.count, "mean": mr.agg.mean}), range(1000), cluster=cluster)
    assert where == {HERE}
    assert result.to_arrow().to_pylist()[:2] == [
        {"key": 0, "n": 143, "mean": 497.0},
        {"key": 1, "n": 143, "mean": 498.0},
    ]


def nothing() -> None:
    pass


@pytest.mark.parametrize(
    ("job", "n"),
    [
        (mr.Job(pairs, lambda key, values: os.getpid()), 1000),
        (mr.Job(pairs, Longest()), 1000),
        (mr.Job(pairs, sum, setup=nothing), 1000),
        (mr.Job(pairs, sum, sort="key"), 1000),
        (mr.Job(lambda n: [(n, 1)], sum), 5000),
        (mr.Job(lambda n: [(n % 7, "x" * 100_000)], mr.agg.max), 100),
    ],
    ids=["function", "aggregate of one's own", "setup", "sort", "many rows", "many bytes"],
)
def test_what_is_more_than_that_is_done_by_workers(cluster: mr.Cluster, job: mr.Job, n: int) -> None:
    _, where = places(job, range(n), cluster=cluster)
    assert where
    assert HERE not in where


class Tally:
    """A value that notes where it is added up."""

    def __init__(self, pids: frozenset[int] = frozenset()) -> None:
        self.pids = pids

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.pids | other.pids | {os.getpid()})


def tallies(n: int) -> list[tuple[int, Tally]]:
    return [(n % 2, Tally())]


def own_keys(n: int) -> list[tuple[Fraction, int]]:
    return [(Fraction(n % 3, 7), 1)]


def test_objects_are_made_and_added_up_by_workers(cluster: mr.Cluster) -> None:
    result, where = places(mr.Job(tallies, sum), range(20), cluster=cluster, chunk_size=8)
    assert HERE not in where
    pids = frozenset().union(*(tally.pids for _, tally in result))
    assert pids
    assert os.getpid() not in pids
    _, where = places(mr.Job(own_keys, sum), range(20), cluster=cluster)
    assert HERE not in where


def test_what_the_functions_carry_along_is_not_loaded_here(cluster: mr.Cluster, tmp_path: Path) -> None:
    class Noted:
        def __reduce__(self) -> tuple[Any, ...]:
            return _noted, (str(tmp_path),)

    held = Noted()
    result, where = places(mr.Job(lambda n: [(n % 2, 1 if held is not None else 0)], sum), range(10), cluster=cluster)
    assert dict(result) == {0: 5, 1: 5}
    assert where == {HERE}
    assert str(os.getpid()) not in os.listdir(tmp_path)


def _noted(folder: str) -> str:
    Path(folder, str(os.getpid())).touch()
    return folder


def test_values_that_cannot_be_added_fail_as_they_do_on_workers(cluster: mr.Cluster) -> None:
    def text(n: int) -> list[tuple[str, str]]:
        return [("a", str(n))]

    told, where = [], []
    for setup in (None, nothing):
        events: list[Any] = []
        with pytest.raises(TaskFailedError) as found:
            mr.run(mr.Job(text, sum, setup=setup), range(10), cluster=cluster, combine=False, progress=False,
                   listeners=[events.append])  # fmt: skip
        told.append(str(found.value))
        where.append({one.worker == HERE for one in events if isinstance(one, TaskStarted) and one.stage == "reduce"})
    assert told[0] == told[1]
    assert "sum" in told[0]
    assert where == [{True}, {False}]


def test_files_that_are_lost_before_are_written_again(cluster: mr.Cluster) -> None:
    retried: list[TaskRetried] = []

    def lose(scratch: Path) -> Callable[[Any], None]:
        def listen(event: Any) -> None:
            if isinstance(event, StageFinished) and event.stage == "map" and not retried:
                for path in scratch.rglob("map-*.arrow"):
                    path.unlink()
            if isinstance(event, TaskRetried):
                retried.append(event)

        return listen

    folder = Path(cluster.scratch_dir or "")
    result, where = places(mr.Job(pairs, sum), range(1000), cluster=cluster)
    again = mr.run(mr.Job(pairs, sum), range(1000), cluster=cluster, progress=False, listeners=[lose(folder)])
    assert dict(again) == dict(result)
    assert {event.reason for event in retried} == {"shuffle file lost"}
    assert where == {HERE}
