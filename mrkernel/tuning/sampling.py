"""Part of an input, from many places of it, cut exactly as a whole run would cut it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from mrkernel.io import Aside, Origin, RecordBlock, Source, Split

__all__ = ["SampledSource", "spread"]


def spread(splits: Sequence[Split], count: int) -> list[Split]:
    """So many of the splits, at even distances in bytes: large files give more of them than small ones.

    >>> [split.index for split in spread([Split(index=n, source="", size_bytes=1) for n in range(9)], 3)]
    [1, 4, 7]
    """
    if count >= len(splits):
        return list(splits)
    weights = [max(1, split.size_bytes or 1) for split in splits]
    step = sum(weights) / count
    chosen: list[Split] = []
    passed, due = 0.0, step / 2
    for left, (split, weight) in zip(range(len(splits), 0, -1), zip(splits, weights, strict=True), strict=True):
        passed += weight
        missing = count - len(chosen)
        if missing and (passed > due or left <= missing):
            chosen.append(split)
            due = max(due + step, passed)
    return chosen


class SampledSource(Source):
    """Some splits of another source.

    Parameters
    ----------
    whole
        What to read; its size and name stay the sample's, so that a plan partitions as it would for all of it.
    n_splits
        How many splits at most, spread over the whole.
    max_records
        How many records of each split at most; None is all of them.
    cut
        What cuts the whole; None is its own :meth:`splits`.
    """

    def __init__(
        self,
        whole: Source,
        *,
        n_splits: int,
        max_records: int | None = None,
        cut: Callable[[int], Sequence[Split]] | None = None,
    ) -> None:
        self._whole = whole
        self._cut = cut
        self._n_splits = n_splits
        self._max_records = max_records
        self.record_name = whole.record_name
        self.is_keyed = whole.is_keyed

    def __getstate__(self) -> dict[str, Any]:
        # Splits are made where the sample is planned; workers get theirs with each task.
        return {**self.__dict__, "_cut": None}

    @property
    def name(self) -> str:
        """The whole's name."""
        return self._whole.name

    def splits(self, chunk_bytes: int) -> list[Split]:
        """Those of the whole's splits that are in the sample, numbered anew."""
        chosen = spread((self._cut or self._whole.splits)(chunk_bytes), self._n_splits)
        if self._max_records is None:
            return [dataclasses.replace(split, index=n) for n, split in enumerate(chosen)]
        # Without a size, a task reports the bytes of the records that it has read; the whole still needs its own split.
        return [dataclasses.replace(split, index=n, size_bytes=None, payload=split) for n, split in enumerate(chosen)]

    def read(self, split: Split) -> Iterator[pa.RecordBatch]:
        """Batches of the split, as far as the sample goes."""
        left = self._max_records
        for batch in self._whole.read(_own(split)):
            if left is None:
                yield batch
                continue
            yield batch.slice(0, left)
            left -= min(left, batch.num_rows)
            if not left:
                return

    def read_records(self, split: Split) -> Iterator[RecordBlock]:
        """Records of the split, as far as the sample goes."""
        return self._first(self._whole.read_records(_own(split)))

    def read_pairs(self, split: Split) -> Iterator[RecordBlock]:
        """Pairs of the split, as far as the sample goes."""
        return self._first(self._whole.read_pairs(_own(split)))

    def _first(self, blocks: Iterator[RecordBlock]) -> Iterator[RecordBlock]:
        left = self._max_records
        for block in blocks:
            if left is None or len(block.records) <= left:
                yield block
            else:
                size = block.n_bytes * left // len(block.records)
                yield RecordBlock(block.records[:left], block.first, size, block.file)
            if left is not None:
                left -= min(left, len(block.records))
                if not left:
                    return

    def setting_aside(self, aside: Aside) -> SampledSource:
        """The same sample of a whole that goes on past what it cannot parse."""
        return SampledSource(self._whole.setting_aside(aside), n_splits=self._n_splits, max_records=self._max_records,
                             cut=self._cut)  # fmt: skip

    def schema(self) -> pa.Schema | None:
        """The whole's columns."""
        return self._whole.schema()

    def size_bytes(self) -> int | None:
        """Bytes of the whole."""
        return self._whole.size_bytes()

    def locate(self, split: Split, block: RecordBlock, index: int) -> Origin:
        """Where a record is in the whole."""
        return self._whole.locate(_own(split), block, index)

    def source_of(self, split: Split, block: RecordBlock) -> str:
        """The file that a block is from."""
        return self._whole.source_of(_own(split), block)

    def local_files(self) -> list[str]:
        """Files of the whole that workers on other hosts need."""
        return self._whole.local_files()


def _own(split: Split) -> Split:
    """The split as the whole source made it."""
    return split.payload if isinstance(split.payload, Split) else split
