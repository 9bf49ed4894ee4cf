"""What every source must do, as tests to inherit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from mrkernel.io.aside import Aside
from mrkernel.io.base import Source

__all__ = ["SourceContract", "read_all"]

_CHUNKS = (1, 2, 3, 7, 64, 1000, 65_536, 1 << 40)


class SourceContract:
    """Tests of a source; a subclass named ``Test…`` is collected by pytest.

    Attributes
    ----------
    records
        What the source of :meth:`make_source` must give, in order: at least three records, better some dozens,
        with values that are hard for the format.
    """

    records: ClassVar[Sequence[Any]] = ()

    def make_source(self, folder: Path) -> Source:
        """A source with ``records``; ``folder`` is empty and its own."""
        # Not an abstract method: pytest passes over classes that have one, and the suite would be no test at all.
        raise TypeError(f"{type(self).__name__} does not define make_source(self, folder)")

    def make_empty(self, folder: Path) -> Source | None:
        """A source without records; None if there is no such thing."""
        return None

    def row(self, record: Any) -> dict[str, Any]:
        """The row of a batch that stands for a record; by default the dict itself, or a column ``value``."""
        return record if isinstance(record, dict) else {"value": record}

    def test_no_record_is_lost_or_doubled_at_any_chunk_size(self, tmp_path: Path) -> None:
        """All records, in order, each once."""
        source = self.make_source(tmp_path)
        assert self.records, "the suite needs records"
        for chunk_bytes in _CHUNKS:
            assert read_all(source, chunk_bytes) == list(self.records), f"with chunk_bytes={chunk_bytes}"

    def test_batches_hold_the_same_rows_at_any_chunk_size(self, tmp_path: Path) -> None:
        """read() and read_records() agree."""
        source = self.make_source(tmp_path)
        expected = [self.row(record) for record in self.records]
        for chunk_bytes in _CHUNKS:
            rows = [
                row for split in source.splits(chunk_bytes) for batch in source.read(split) for row in batch.to_pylist()
            ]
            assert rows == expected, f"with chunk_bytes={chunk_bytes}"

    def test_all_batches_have_one_schema(self, tmp_path: Path) -> None:
        """Types do not depend on the split."""
        source = self.make_source(tmp_path)
        schemas = [batch.schema for n in (1, 64, 1 << 40) for split in source.splits(n) for batch in source.read(split)]
        assert schemas
        assert all(schema.equals(schemas[0]) for schema in schemas)
        known = source.schema()
        assert known is None or known.equals(schemas[0])

    def test_splits_are_numbered_from_0(self, tmp_path: Path) -> None:
        """``index`` is the position in the list."""
        for chunk_bytes in _CHUNKS:
            indexes = [split.index for split in self.make_source(_fresh(tmp_path, chunk_bytes)).splits(chunk_bytes)]
            assert indexes == list(range(len(indexes)))

    def test_a_pickled_source_reads_a_pickled_split(self, tmp_path: Path) -> None:
        """Workers get copies."""
        import cloudpickle

        source = self.make_source(tmp_path)
        splits = cloudpickle.loads(cloudpickle.dumps(source.splits(7)))
        copy = cloudpickle.loads(cloudpickle.dumps(source))
        assert [record for split in splits for block in copy.read_records(split) for record in block.records] == list(
            self.records
        )

    def test_a_localized_source_reads_the_same(self, tmp_path: Path) -> None:
        """Data of this process may move to files, and stays the same."""
        import cloudpickle

        local = self.make_source(tmp_path).localized(str(tmp_path / "scratch"))
        splits = local.splits(64)
        copy = cloudpickle.loads(cloudpickle.dumps(local))
        assert [record for split in splits for block in copy.read_records(split) for record in block.records] == list(
            self.records
        )

    def test_reading_twice_gives_the_same(self, tmp_path: Path) -> None:
        """A task may be tried again."""
        source = self.make_source(tmp_path)
        splits = source.splits(64)
        for split in reversed(splits):
            first = [block.records for block in source.read_records(split)]
            assert [block.records for block in source.read_records(split)] == first
        assert read_all(source, 64) == read_all(source, 64) == list(self.records)

    def test_a_source_that_was_cut_can_set_aside_and_be_cut_again(self, tmp_path: Path) -> None:
        """A source that one job has read may be the input of another, under other settings."""
        import cloudpickle

        source = self.make_source(tmp_path)
        source.splits(64)
        aside = source.setting_aside(Aside())
        for other in (aside, aside.setting_aside(Aside()), cloudpickle.loads(cloudpickle.dumps(source))):
            assert read_all(other, 64) == list(self.records)

    def test_each_record_has_an_origin(self, tmp_path: Path) -> None:
        """Messages can say where a record is, each at a place of its own."""
        source = self.make_source(tmp_path)
        places = []
        for split in source.splits(64):
            for block in source.read_records(split):
                origins = [source.locate(split, block, index) for index in range(len(block.records))]
                places += [(origin.source, origin.location) for origin in origins]
                assert {origin.source for origin in origins} <= {source.source_of(split, block)}
        assert len(places) == len(set(places)) == len(self.records)

    def test_the_name_is_one_line(self, tmp_path: Path) -> None:
        """It is shown in progress and messages."""
        name = self.make_source(tmp_path).name
        assert name
        assert "\n" not in name

    def test_an_empty_input_is_a_success(self, tmp_path: Path) -> None:
        """No records, no error, at any chunk size."""
        for chunk_bytes in _CHUNKS:
            source = self.make_empty(_fresh(tmp_path, chunk_bytes))
            if source is not None:
                assert read_all(source, chunk_bytes) == []
                assert sum(batch.num_rows for split in source.splits(chunk_bytes) for batch in source.read(split)) == 0


def read_all(source: Source, chunk_bytes: int) -> list[Any]:
    """All records of a source, in order."""
    return [
        record
        for split in source.splits(chunk_bytes)
        for block in source.read_records(split)
        for record in block.records
    ]


def _fresh(folder: Path, number: int) -> Path:
    path = folder / f"chunk-{number}"
    path.mkdir()
    return path
