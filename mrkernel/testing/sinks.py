"""What every sink must do, as tests to inherit; among them a fault at each step of the commit."""

from __future__ import annotations

import errno
import os
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from mrkernel.errors import TargetExistsError
from mrkernel.io.base import Part, Sink

__all__ = ["SinkContract", "failing_at", "write_parts"]

_STEPS = ("replace", "rename", "link", "fsync")
_MAX_STEPS = 100


class SinkContract:
    """Tests of a sink; a subclass named ``Test…`` is collected by pytest.

    Attributes
    ----------
    tables
        What is written, one table for each part; all of one schema.
    target_name
        Name of the target inside the folder that a test gets.
    """

    tables: ClassVar[Sequence[pa.Table]] = (
        pa.table({"key": ["a", "b"], "value": [1, 2]}),
        pa.table({"key": ["c", "d"], "value": [3, 4]}),
    )
    target_name: ClassVar[str] = "out"

    def make_sink(self, target: Path, *, overwrite: bool = False) -> Sink:
        """A new sink for this target."""
        # Not an abstract method: pytest passes over classes that have one, and the suite would be no test at all.
        raise TypeError(f"{type(self).__name__} does not define make_sink(self, target, *, overwrite)")

    def read(self, target: Path) -> list[dict[str, Any]]:
        """The rows that a reader of the target sees, in order; an error unless it is whole."""
        raise TypeError(f"{type(self).__name__} does not define read(self, target)")

    def rows(self) -> list[dict[str, Any]]:
        """The rows that :meth:`read` must give for ``tables``."""
        return [row for table in self.tables for row in table.to_pylist()]

    def test_what_is_written_is_read_back(self, tmp_path: Path) -> None:
        """The result in its order, also if parts are handed over in another."""
        target = self._target(tmp_path)
        sink = self.make_sink(target)
        sink.check()
        paths = sink.commit(list(reversed(write_parts(sink, self.tables))))
        assert self.read(target) == self.rows()
        assert paths
        assert _names(tmp_path) == {self.target_name}

    def test_rows_written_as_a_whole_are_read_back(self, tmp_path: Path) -> None:
        """As the only part, whichever way the sink takes it."""
        sink = self.make_sink(self._target(tmp_path))
        batches = (batch for table in self.tables for batch in table.to_batches())
        assert sink.commit([sink.write_whole(self.tables[0].schema, batches)])
        assert self.read(self._target(tmp_path)) == self.rows()
        assert _names(tmp_path) == {self.target_name}

    def test_a_pickled_sink_writes_parts_for_the_original(self, tmp_path: Path) -> None:
        """Workers write with copies; the driver commits what they tell it."""
        target = self._target(tmp_path)
        sink = self.make_sink(target)
        parts = pickle.loads(pickle.dumps(write_parts(pickle.loads(pickle.dumps(sink)), self.tables)))
        sink.commit(parts)
        assert self.read(target) == self.rows()
        assert _names(tmp_path) == {self.target_name}

    def test_nothing_is_visible_before_commit(self, tmp_path: Path) -> None:
        """A reader sees no target, and no name that is not hidden."""
        sink = self.make_sink(self._target(tmp_path))
        write_parts(sink, self.tables)
        assert {name for name in _names(tmp_path) if not name.startswith(".")} == set()

    def test_abort_leaves_nothing(self, tmp_path: Path) -> None:
        """Also of parts that another process has written."""
        sink = self.make_sink(self._target(tmp_path))
        write_parts(pickle.loads(pickle.dumps(sink)), self.tables)
        sink.abort()
        assert _names(tmp_path) == set()
        sink.abort()

    def test_an_existing_target_is_refused(self, tmp_path: Path) -> None:
        """Before the job, and also if it comes up while the job runs."""
        target = self._target(tmp_path)
        late = self.make_sink(target)
        late.check()
        late_parts = write_parts(late, self.tables[:1])
        self._write(target)
        with _raises(TargetExistsError):
            self.make_sink(target).check()
        with _raises(TargetExistsError):
            late.commit(late_parts)
        late.abort()
        assert self.read(target) == self.rows()
        assert _names(tmp_path) == {self.target_name}

    def test_overwrite_replaces_the_whole_target(self, tmp_path: Path) -> None:
        """Nothing of the old output stays."""
        target = self._target(tmp_path)
        self._write(target)
        sink = self.make_sink(target, overwrite=True)
        sink.check()
        parts = write_parts(sink, self.tables[:1])
        assert self.read(target) == self.rows()
        sink.commit(parts)
        assert self.read(target) == self.rows()[: self.tables[0].num_rows]
        assert _names(tmp_path) == {self.target_name}

    def test_a_second_attempt_of_a_part_counts_once(self, tmp_path: Path) -> None:
        """Only the parts that are handed to commit are in the output."""
        target = self._target(tmp_path)
        sink = self.make_sink(target)
        write_parts(sink, self.tables)
        sink.commit(write_parts(sink, self.tables))
        assert self.read(target) == self.rows()
        assert _names(tmp_path) == {self.target_name}

    def test_an_empty_result_is_written(self, tmp_path: Path) -> None:
        """A target without rows is there, and can be read."""
        target = self._target(tmp_path)
        sink = self.make_sink(target)
        sink.commit(write_parts(sink, [self.tables[0].slice(0, 0)]))
        assert self.read(target) == []

    def test_a_part_that_fails_leaves_nothing_visible(self, tmp_path: Path) -> None:
        """An error in the middle of the rows."""
        sink = self.make_sink(self._target(tmp_path))

        def batches() -> Iterator[pa.RecordBatch]:
            yield from self.tables[0].to_batches()
            raise RuntimeError("the reducer raised")

        with _raises(RuntimeError):
            sink.write_part(0, self.tables[0].schema, batches())
        assert {name for name in _names(tmp_path) if not name.startswith(".")} == set()
        sink.abort()
        assert _names(tmp_path) == set()

    def test_a_fault_at_any_step_leaves_nothing_or_the_whole(self, tmp_path: Path) -> None:
        """Every rename, link and sync fails once, in turn."""
        for step in range(1, _MAX_STEPS):
            folder = tmp_path / str(step)
            folder.mkdir()
            sink = self.make_sink(self._target(folder))
            if not self._commit_with_fault(sink, step):
                return
            if _names(folder):
                assert self.read(self._target(folder)) == self.rows(), f"after a fault at step {step}"
        raise AssertionError(f"a commit takes more than {_MAX_STEPS} steps")

    def test_a_fault_at_any_step_of_overwriting_leaves_the_old_or_the_new(self, tmp_path: Path) -> None:
        """Every rename, link and sync fails once, in turn, while something is replaced."""
        old = self.rows()[: self.tables[0].num_rows]
        for step in range(1, _MAX_STEPS):
            folder = tmp_path / str(step)
            folder.mkdir()
            target = self._target(folder)
            before = self.make_sink(target)
            before.commit(write_parts(before, self.tables[:1]))
            has_failed = self._commit_with_fault(self.make_sink(target, overwrite=True), step)
            assert self.read(target) in (old, self.rows()), f"after a fault at step {step}"
            assert _names(folder) == {self.target_name}
            if not has_failed:
                return
        raise AssertionError(f"a commit takes more than {_MAX_STEPS} steps")

    def _target(self, folder: Path) -> Path:
        return folder / self.target_name

    def _write(self, target: Path) -> None:
        sink = self.make_sink(target)
        sink.commit(write_parts(sink, self.tables))

    def _commit_with_fault(self, sink: Sink, step: int) -> bool:
        """Write and commit with a fault at one step; whether there was that step."""
        with failing_at(step) as calls:
            try:
                sink.commit(write_parts(sink, self.tables))
            except OSError:
                if len(calls) < step:
                    raise
        if len(calls) >= step:
            sink.abort()
        return len(calls) >= step


@contextmanager
def failing_at(step: int) -> Iterator[list[str]]:
    """Let the ``step``-th call of a function that moves or syncs files fail; yields the names of calls."""
    originals = {name: getattr(os, name) for name in _STEPS}
    calls: list[str] = []

    def wrapped(name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            if len(calls) == step:
                raise OSError(errno.EIO, f"injected fault in os.{name}")
            return originals[name](*args, **kwargs)

        return call

    try:
        for name in _STEPS:
            setattr(os, name, wrapped(name))
        yield calls
    finally:
        for name, original in originals.items():
            setattr(os, name, original)


def write_parts(sink: Sink, tables: Sequence[pa.Table]) -> list[Part]:
    """Each table as one part."""
    return [sink.write_part(index, table.schema, table.to_batches()) for index, table in enumerate(tables)]


@contextmanager
def _raises(kind: type[BaseException]) -> Iterator[None]:
    try:
        yield
    except kind:
        return
    raise AssertionError(f"{kind.__name__} was expected")


def _names(folder: Path) -> set[str]:
    return set(os.listdir(folder))
