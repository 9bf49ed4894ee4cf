"""How the whole input falls into chunks of a size: asked of the source itself, without reading records."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mrkernel.chunking import choose_chunk_bytes
from mrkernel.io import Source, Split

__all__ = ["Layout", "Layouts", "pieces_of"]


@dataclass(frozen=True, slots=True)
class Layout:
    """Chunks in input order: bytes of each, opened pieces of each, and rows where the source tells (else NaN)."""

    n_bytes: Any
    pieces: Any
    rows: Any

    @classmethod
    def of(cls, splits: Sequence[Split]) -> Layout:
        """The layout of some splits."""
        rows = [s.stop - s.start if s.unit == "rows" else np.nan for s in splits]
        return cls(
            np.array([s.size_bytes or 0 for s in splits], float),
            np.array([pieces_of(s) for s in splits], float),
            np.array(rows, float),
        )

    def __len__(self) -> int:
        return len(self.n_bytes)


def pieces_of(split: Split) -> int:
    """How many files, or ranges of files, a split opens."""
    return max(1, len(split.payload)) if isinstance(split.payload, tuple) and split.unit in {"files", "bytes"} else 1


class Layouts:
    """The layouts of one source, each worked out once.

    Attributes
    ----------
    size
        Bytes of the whole, as the source says; None if it does not know.
    planning_s
        Seconds that listing and cutting the whole takes: many files take long.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._known: dict[int, Layout] = {}
        self._splits: dict[int, list[Split]] = {}
        self.planning_s = 0.0
        self.size = source.size_bytes()

    def chunk_bytes(self, chosen: int | None, workers: int) -> int:
        """The chunk size of a run: the one chosen, else the planner's."""
        return chosen or choose_chunk_bytes(self.size, workers)

    def span(self, workers: int) -> int:
        """Bytes that chunk sizes share out: those of the whole, or more where opening each of many files counts too."""
        planned = choose_chunk_bytes(self.size, workers)
        n_chunks = len(self.at(planned))
        return max(self.size or 1, planned * n_chunks if n_chunks > 1 else 1)

    def at(self, chunk_bytes: int) -> Layout:
        """The layout at a chunk size."""
        if chunk_bytes not in self._known:
            self._known[chunk_bytes] = Layout.of(self.splits(chunk_bytes))
        return self._known[chunk_bytes]

    def splits(self, chunk_bytes: int) -> list[Split]:
        """The splits at a chunk size, the same ones each time; files are listed for the first size only."""
        if not self._splits:
            began = time.perf_counter()
            self._splits[chunk_bytes] = self._source.splits(chunk_bytes)
            self.planning_s = time.perf_counter() - began
        elif chunk_bytes not in self._splits:
            self._splits[chunk_bytes] = self._source._recut(chunk_bytes)  # noqa: SLF001  # not for users of a source
        return self._splits[chunk_bytes]
