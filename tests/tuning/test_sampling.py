"""Samples are some of the splits of a whole run, from many places."""

from __future__ import annotations

from pathlib import Path

import pytest

import mrkernel as mr
from mrkernel.io import Split, as_source
from mrkernel.io.locations import Entry, expand
from mrkernel.tuning.layout import Layouts
from mrkernel.tuning.sampling import SampledSource, spread


def _splits(*sizes: int) -> list[Split]:
    return [Split(index=n, source="", size_bytes=size) for n, size in enumerate(sizes)]


def test_spread_takes_from_the_whole_length() -> None:
    assert [split.index for split in spread(_splits(*[1] * 100), 4)] == [12, 37, 62, 87]


def test_spread_takes_more_from_where_the_bytes_are() -> None:
    chosen = [split.index for split in spread(_splits(*[1] * 10, *[100] * 10), 5)]
    assert len(chosen) == 5
    assert all(index >= 10 for index in chosen)


@pytest.mark.parametrize("count", [1, 2, 7, 99, 100, 500])
def test_spread_gives_as_many_as_asked_for(count: int) -> None:
    assert len(spread(_splits(*range(1, 101)), count)) == min(count, 100)


def test_sample_of_several_files_has_splits_of_several_files(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / f"{name}.txt").write_text(f"{name}\n" * 1000)
    sample = SampledSource(as_source(str(tmp_path / "*.txt")), n_splits=6)
    splits = sample.splits(200)
    assert [split.index for split in splits] == list(range(6))
    assert len({split.source for split in splits}) == 3


def test_sample_of_some_records_ends_there_and_tells_their_bytes() -> None:
    whole = as_source([f"line {n:04}" for n in range(1000)])
    sample = SampledSource(whole, n_splits=3, max_records=5)
    events: list[object] = []
    job = mr.Job(lambda line: (len(line), 1), sum)
    result = mr.run(job, sample, chunk_size=2000, executor="inline", listeners=[events.append])
    assert dict(result) == {9: 15}
    tasks = [event for event in events if isinstance(event, mr.events.TaskFinished) and event.stage == "map"]
    assert [task.bytes_in for task in tasks] == [pytest.approx(55, abs=12)] * 3


def test_sample_of_batches_ends_after_its_records() -> None:
    import pyarrow as pa

    sample = SampledSource(as_source(pa.table({"n": range(1000)})), n_splits=2, max_records=7)
    assert [sum(batch.num_rows for batch in sample.read(split)) for split in sample.splits(4000)] == [7, 7]


def test_job_that_fails_on_the_sample_names_the_line_in_the_whole(tmp_path: Path) -> None:
    (tmp_path / "numbers.txt").write_text("1\n" * 500 + "x\n" * 500)
    sample = SampledSource(as_source(str(tmp_path / "numbers.txt")), n_splits=1)
    with pytest.raises(mr.errors.TaskFailedError, match=r"invalid literal for int.*'x'"):
        mr.run(mr.Job(lambda line: (int(line), 1), sum), sample, executor="inline")


def test_files_are_listed_once_and_their_listing_is_timed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(20):
        (tmp_path / f"{n:02}.txt").write_text("line\n" * 100)
    source = as_source(str(tmp_path / "*.txt"))
    listed: list[str] = []

    def expanding(place: str, options: object) -> list[Entry]:
        listed.append(place)
        return expand(place, {})

    monkeypatch.setattr("mrkernel.io.filesource.expand", expanding)
    layouts = Layouts(source)
    assert len(layouts.at(1 << 20)) == 1
    planning_s = layouts.planning_s
    assert planning_s > 0
    # Cut otherwise, as the source itself would do it.
    assert [len(layouts.at(size)) for size in (100, 1000)] == [100, 20]
    assert layouts.planning_s == planning_s
    assert len(listed) == 1
    assert layouts.splits(100) == source.splits(100)
