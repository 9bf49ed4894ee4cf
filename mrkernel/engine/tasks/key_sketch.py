"""Which keys are heavy: found while mapping and reducing, in bounded memory, for next to nothing.

Pairs come in blocks that are counted anyway when they are combined. A key that has a thousandth of all pairs has a
thousandth of one block at least, so that it is enough to look at those of each block: one comparison for each distinct
key of a block. Where nothing is counted, some keys all over each block are. A sketch that is fed one pair at a
time (datasketches' frequent_items: 0.35 µs each from Python) would cost more than mapping a pair does (0.2 µs).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa

from mrkernel.batches import decode_column
from mrkernel.engine.tasks.failures import short_repr
from mrkernel.events import KeyShares
from mrkernel.grouping import canonical_key

__all__ = ["KeySketch", "key_text"]

# A key's count may be too low by this share of all pairs.
_LEAST = 1000
_MOST_KEYS = 4 * _LEAST
_SAMPLE = 2048
# One key in four of 512, once in so many pairs: a hundredth of the time that the pairs take.
_SPOTTED, _SPOT_GAP = 4, 1 << 13
_REPORTED = 100
_GOLDEN = 0.6180339887498949
_KEY_TEXT = 80


class KeySketch:
    """Keys of one attempt and about how many pairs each has."""

    def __init__(self) -> None:
        self._counts: dict[Any, float] = {}
        self._n_pairs = 0
        self._spot_at = 0

    def add_counts(self, keys: list[Any] | pa.ChunkedArray, counts: np.ndarray, n_pairs: int) -> None:
        """A block of ``n_pairs``, of which ``keys[i]``, each another, has ``counts[i]``."""
        self._n_pairs += n_pairs
        known = self._counts
        for place in np.flatnonzero(counts >= max(1.0, n_pairs / _LEAST)).tolist():
            key = canonical_key(keys[place] if isinstance(keys, list) else keys[place].as_py())
            known[key] = known.get(key, 0) + int(counts[place])
        self._prune()

    def add_keys(self, keys: Sequence[Any]) -> None:
        """A block of pairs by their keys, of which some are looked at."""
        places = _places(len(keys), len(keys) // _SAMPLE)
        self.add_sample([keys[place] for place in places.tolist()], len(keys))

    def add_column(self, table: pa.Table) -> None:
        """A block of pairs by its first column, of which some are looked at."""
        chosen = table.column(0).take(pa.array(_places(table.num_rows, table.num_rows // _SAMPLE)))
        self.add_sample(decode_column(chosen, table.schema.field(0)), table.num_rows)

    def add_sample(self, keys: Sequence[Any], n_pairs: int) -> None:
        """A block of ``n_pairs`` of which these keys are a fair sample."""
        if not keys:
            return
        # What cannot be hashed is refused elsewhere, in words.
        with suppress(TypeError):
            found = Counter(map(canonical_key, keys))
            least, each = len(keys) / _LEAST, n_pairs / len(keys)
            for key, count in found.items():
                if count >= least:
                    self._counts[key] = self._counts.get(key, 0) + count * each
        self._n_pairs += n_pairs
        self._prune()

    def spot(self, pairs: list[tuple[Any, Any]], n_pairs: int) -> None:
        """Look at some of these pairs, if none of the last thousands were; ``n_pairs`` came so far."""
        if n_pairs >= self._spot_at:
            self.add_sample([pairs[place][0] for place in _places(len(pairs), _SPOTTED).tolist()], len(pairs))
            self._spot_at = n_pairs + _SPOT_GAP

    def _prune(self) -> None:
        if len(self._counts) > _MOST_KEYS:
            self._counts = dict(self._heaviest(_LEAST))

    def _heaviest(self, count: int) -> list[tuple[Any, float]]:
        return sorted(self._counts.items(), key=lambda item: -item[1])[:count]

    def report(self, n_pairs: int) -> KeyShares:
        """The heaviest keys as text, of ``n_pairs`` in all."""
        scale = n_pairs / max(1, self._n_pairs)
        heavy: dict[str, int] = {}
        for key, count in self._heaviest(_REPORTED):
            text = key_text(key)
            heavy[text] = heavy.get(text, 0) + round(count * scale)
        return KeyShares(n_pairs=n_pairs, heavy=heavy)


def _places(count: int, stride: int) -> np.ndarray:
    """One place of each ``stride`` of ``count``.

    A mapper that yields four pairs for each record would have every eighth of them be of one kind. Multiples of the
    golden ratio have no period, and fill each stride evenly.
    """
    if stride <= 1:
        return np.arange(count)
    starts = np.arange(0, count, stride)
    within = (np.arange(len(starts)) * _GOLDEN % 1.0 * stride).astype(np.int64)
    places: np.ndarray = np.minimum(starts + within, count - 1)
    return places


def key_text(key: Any) -> str:
    """A key as reports name it."""
    return short_repr(key, _KEY_TEXT)
