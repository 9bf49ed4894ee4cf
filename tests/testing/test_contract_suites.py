"""The suites find the faults that they are there to find."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mrkernel import io
from mrkernel.testing import SinkContract, SourceContract


class Numbers(io.Source):
    """A sound source of numbers, for faults to be added to."""

    name = "numbers"  # type: ignore[assignment]  # a constant will do

    def splits(self, chunk_bytes: int) -> list[io.Split]:
        step = max(1, min(10, chunk_bytes // 8))
        return [io.Split(index=n, source="numbers", start=at, stop=min(at + step, 10), unit="rows")
                for n, at in enumerate(range(0, 10, step))]  # fmt: skip

    def read(self, split: io.Split) -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"n": list(range(split.start, split.stop))})


class Losing(Numbers):
    def read(self, split: io.Split) -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"n": list(range(split.start, split.stop - (split.index == 2)))})


class Misnumbered(Numbers):
    def splits(self, chunk_bytes: int) -> list[io.Split]:
        return super().splits(chunk_bytes)[::-1]


class Unpicklable(Numbers):
    def __init__(self) -> None:
        self.lock = threading.Lock()


class Disagreeing(Numbers):
    def read_records(self, split: io.Split) -> Iterator[io.RecordBlock]:
        for block in super().read_records(split):
            block.records[:] = [{"n": str(record["n"])} for record in block.records]
            yield block


class Drifting(Numbers):
    def read(self, split: io.Split) -> Iterator[pa.RecordBatch]:
        kind = pa.int64() if split.index else pa.int32()
        yield pa.record_batch({"n": pa.array(range(split.start, split.stop), kind)})


class Nowhere(Numbers):
    def locate(self, split: io.Split, block: io.RecordBlock, index: int) -> io.Origin:
        return io.Origin(source="numbers", location="row 1", offset=0)


def failures(suite: Any, folder: Path) -> set[str]:
    """Names of the tests of a suite that fail."""
    failed = set()
    for name in [name for name in dir(suite) if name.startswith("test_")]:
        place = folder / name
        place.mkdir()
        try:
            getattr(suite, name)(place)
        except (AssertionError, OSError, TypeError, pa.ArrowException):
            failed.add(name)
    return failed


@pytest.mark.parametrize(("kind", "expected"), [
    (Numbers, set()),
    (Losing, {"test_no_record_is_lost_or_doubled_at_any_chunk_size"}),
    (Misnumbered, {"test_splits_are_numbered_from_0"}),
    (Unpicklable, {"test_a_pickled_source_reads_a_pickled_split"}),
    (Disagreeing, {"test_batches_hold_the_same_rows_at_any_chunk_size"}),
    (Drifting, {"test_all_batches_have_one_schema"}),
    (Nowhere, {"test_each_record_has_an_origin"}),
])  # fmt: skip
def test_source_suite_finds_the_fault(tmp_path: Path, kind: type[io.Source], expected: set[str]) -> None:
    class Suite(SourceContract):
        records = tuple({"n": str(n) if kind is Disagreeing else n} for n in range(10))

        def make_source(self, folder: Path) -> io.Source:
            return kind()

    found = failures(Suite(), tmp_path)
    assert expected <= found
    assert found == set() if not expected else found


class Straight(io.Sink):
    """A sink that writes where readers look at once."""

    name = "straight"  # type: ignore[assignment]  # a constant will do

    def __init__(self, target: Path) -> None:
        self.target = target

    def check(self) -> None:
        self.target.parent.mkdir(exist_ok=True)

    def write_part(self, index: int, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> io.Part:
        self.target.mkdir(exist_ok=True)
        table = pa.Table.from_batches(batches, schema)
        pq.write_table(table, self.target / f"part-{index}.parquet")
        return io.Part(index=index, path=str(self.target), n_rows=table.num_rows, n_bytes=table.nbytes)

    def commit(self, parts: Sequence[io.Part]) -> list[str]:
        return [str(self.target)]

    def abort(self) -> None:
        shutil.rmtree(self.target, ignore_errors=True)


class Careless(Straight):
    """A sink that removes the old output before the new one is in place."""

    def write_part(self, index: int, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> io.Part:
        path = self.target.with_name(f".new-{index}")
        table = pa.Table.from_batches(batches, schema)
        pq.write_table(table, path)
        return io.Part(index=index, path=str(path), n_rows=table.num_rows, n_bytes=table.nbytes)

    def commit(self, parts: Sequence[io.Part]) -> list[str]:
        shutil.rmtree(self.target, ignore_errors=True)
        self.target.mkdir()
        for part in parts:
            os.rename(part.path, self.target / f"part-{part.index}.parquet")
        return [str(self.target)]

    def abort(self) -> None:
        for path in self.target.parent.glob(".new-*"):
            path.unlink()


@pytest.mark.parametrize(("kind", "expected"), [
    (Straight, {"test_nothing_is_visible_before_commit", "test_an_existing_target_is_refused"}),
    (Careless, {"test_a_fault_at_any_step_leaves_nothing_or_the_whole",
                "test_a_fault_at_any_step_of_overwriting_leaves_the_old_or_the_new"}),
])  # fmt: skip
def test_sink_suite_finds_the_fault(tmp_path: Path, kind: type[Straight], expected: set[str]) -> None:
    class Suite(SinkContract):
        def make_sink(self, target: Path, *, overwrite: bool = False) -> io.Sink:
            return kind(target)

        def read(self, target: Path) -> list[dict[str, Any]]:
            return [row for path in sorted(target.iterdir()) for row in pq.read_table(path).to_pylist()]

    assert expected <= failures(Suite(), tmp_path)


@pytest.mark.parametrize(("suite", "method", "said"), [
    (SourceContract, "make_source", r"make_source\(self, folder\)"),
    (SinkContract, "make_sink", r"make_sink\(self, target, \*, overwrite\)"),
    (SinkContract, "read", r"read\(self, target\)"),
])  # fmt: skip
def test_a_suite_says_what_it_lacks(tmp_path: Path, suite: type[Any], method: str, said: str) -> None:
    class TestMine(suite):  # type: ignore[misc]  # any of the suites
        __test__ = False

    with pytest.raises(TypeError, match=f"^TestMine does not define {said}$"):
        getattr(TestMine(), method)(tmp_path)
