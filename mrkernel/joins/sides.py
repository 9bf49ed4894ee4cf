"""Both inputs of a join as one source, so that a join is planned, sent and shown as any job is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from mrkernel.io import Aside, Origin, RecordBlock, Source, Split

__all__ = ["LEFT", "RIGHT", "Sides"]

LEFT, RIGHT = "left", "right"


@dataclass(frozen=True)
class Sides(Source):
    """The splits of the left side, then those of the right; a split's ``payload`` is its side and its own split."""

    left: Source
    right: Source

    @property
    def name(self) -> str:
        """The names of both."""
        return f"{self.left.name} and {self.right.name}"

    def of(self, side: str) -> Source:
        """The source of one side."""
        return self.left if side == LEFT else self.right

    def size_bytes(self) -> int | None:
        """Bytes of both, if both are known."""
        sizes = self.left.size_bytes(), self.right.size_bytes()
        return None if sizes[0] is None or sizes[1] is None else sizes[0] + sizes[1]

    def splits(self, chunk_bytes: int) -> list[Split]:
        """The splits of both, numbered through."""
        return self.splits_of({LEFT: chunk_bytes, RIGHT: chunk_bytes})

    def splits_of(self, chunk_bytes: Mapping[str, int]) -> list[Split]:
        """The same, where those of each side have a size of their own."""
        own = [(side, split) for side in (LEFT, RIGHT) for split in self.of(side).splits(chunk_bytes[side])]
        return [replace(split, index=number, payload=(side, split)) for number, (side, split) in enumerate(own)]

    def read(self, split: Split) -> Iterator[pa.RecordBatch]:
        """The batches of one side's split."""
        side, own = split.payload
        return self.of(side).read(own)

    def locate(self, split: Split, block: RecordBlock, index: int) -> Origin:
        """As the side says."""
        side, own = split.payload
        return self.of(side).locate(own, block, index)

    def source_of(self, split: Split, block: RecordBlock) -> str:
        """As the side says."""
        side, own = split.payload
        return self.of(side).source_of(own, block)

    def setting_aside(self, aside: Aside) -> Sides:
        """Both sides, setting aside what cannot be parsed."""
        return Sides(self.left.setting_aside(aside), self.right.setting_aside(aside))

    def local_files(self) -> list[str]:
        """Files of both."""
        return [*self.left.local_files(), *self.right.local_files()]

    def localized(self, directory: str) -> Sides:
        """Both, where workers on this host can read them; a source that is joined with itself is written once."""
        left = self.left.localized(directory)
        return Sides(left, left if self.right is self.left else self.right.localized(directory))
