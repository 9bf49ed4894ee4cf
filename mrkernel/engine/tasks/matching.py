"""Which rows of two tables have equal keys: an index over one side's keys, looked up by those of the other.

A library is asked for row numbers only, and Arrow gathers the rows: so any type of column passes through as it is, and
a key that is heavy on both sides gives its rows in pieces. Of 1.5 M rows looked up by 6 M, whole numbers, one thread:
Polars' join of keys alone 0.5 s (0.5 to 0.85 s with two columns more on each side), Arrow's Table.join 0.8 to 2.0 s;
of text 1.4 s against 8.7 s. Arrow's also never finds null equal to null, and refuses lists. Whole numbers that lie
close together need no hash table at all: 0.02 to 0.1 s.

Polars makes its hash table anew for each look-up. Where many blocks are looked up in one index, pandas keeps one of the
keys' hashes, and what it finds is compared: 4.3 s of a join of text in blocks of 1 M rows became 2.6 s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mrkernel.batches import as_arrow, as_numpy, decode_column
from mrkernel.grouping import canonical_key, check_keys
from mrkernel.joins import KeyPair
from mrkernel.ordering import sort_codes

__all__ = ["KeyIndex", "Matches"]

# A place for each number of the range is worth it while it takes no more than a hash table would.
_MOST_SPREAD, _SMALL_RANGE = 8, 1 << 16


@dataclass(frozen=True, slots=True)
class Matches:
    """What the rows of a table have found in an index.

    Attributes
    ----------
    first
        Where in the index's order the matches of each row begin.
    counts
        How many there are.
    """

    first: np.ndarray
    counts: np.ndarray

    def pieces(self, most_rows: int, *, keeps_unmatched: bool) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Some pairs at a time: rows of the table, places in the index's order, and which of these are real.

        With ``keeps_unmatched`` a row without a match is there once, its place not real.
        """
        if self.counts.max(initial=0) <= 1:
            yield from self._single_pieces(most_rows, keeps_unmatched=keeps_unmatched)
            return
        counts = np.maximum(self.counts, 1) if keeps_unmatched else self.counts
        ends = np.cumsum(counts)
        total = int(ends[-1]) if len(ends) else 0
        for start in range(0, total, most_rows):
            stop = min(total, start + most_rows)
            low = int(np.searchsorted(ends, start, "right"))
            high = int(np.searchsorted(ends, stop, "left")) + 1
            begins = ends[low:high] - counts[low:high]
            shares = np.minimum(ends[low:high], stop) - np.maximum(begins, start)
            within = np.arange(start, stop) - np.repeat(begins, shares)
            rows = np.repeat(np.arange(low, high), shares)
            yield rows, self.first[rows] + within, self.counts[rows] > 0

    def _single_pieces(
        self, most_rows: int, *, keeps_unmatched: bool
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """The same where no row has several matches, as in most joins: a third of such a join's time is saved."""
        is_real = self.counts > 0
        rows = np.arange(len(is_real)) if keeps_unmatched or is_real.all() else np.flatnonzero(is_real)
        for start in range(0, len(rows), most_rows):
            piece = rows[start : start + most_rows]
            yield piece, self.first[piece], is_real[piece]


@dataclass(slots=True)
class KeyIndex:
    """Rows of one side by their keys.

    Attributes
    ----------
    pairs
        The keys of the join.
    is_kept
        Whether many blocks are going to be looked up.
    n_slots
        How many different keys there may be.
    order
        Row numbers, those of equal keys together; None where the rows are in that order already.
    starts
        Where in that order the rows of each slot begin; the last slot is empty, for keys that are not there.
    """

    pairs: tuple[KeyPair, ...]
    is_kept: bool = False
    n_slots: int = field(init=False, default=0)
    order: np.ndarray | None = field(init=False, default=None)
    starts: np.ndarray = field(init=False)
    _alone: np.ndarray | None = field(init=False, default=None)
    _coders: list[dict[Any, int]] = field(init=False, default_factory=list)
    _low: int | None = field(init=False, default=None)
    _null_slot: int = field(init=False, default=0)
    _distinct: Any = field(init=False, default=None)
    _hashes: Any = field(init=False, default=None)

    def build(self, columns: Sequence[pa.Array], fields: Sequence[pa.Field]) -> KeyIndex:
        """Index rows by these key columns."""
        self._coders = [{} for pair in self.pairs if pair.form == "object"]
        keys = self._forms(columns, fields, is_new=True)
        slots, self.n_slots = self._narrow(keys) or self._hashed(keys)
        if self._low is not None:
            # Most joins have a side whose keys are there once: one look instead of three, and half of the memory.
            self._alone = _rows_alone(slots, self.n_slots)
        if self._alone is None:
            self.order = None if bool((slots[1:] >= slots[:-1]).all()) else sort_codes(slots, self.n_slots)
            self.starts = np.zeros(self.n_slots + 2, np.int32 if len(slots) < 1 << 31 else np.int64)
            np.cumsum(np.bincount(slots, minlength=self.n_slots), out=self.starts[1:-1])
            self.starts[-1] = len(slots)
        return self

    def slots(self, columns: Sequence[pa.Array], fields: Sequence[pa.Field]) -> np.ndarray:
        """The slot of each of these keys; ``n_slots`` for one that is not there."""
        keys = self._forms(columns, fields, is_new=False)
        return self._looked_up(keys) if self._low is None else self._placed(keys[0])

    def matches(self, slots: np.ndarray) -> Matches:
        """The rows that these slots hold."""
        if self._alone is not None:
            rows = self._alone[slots]
            return Matches(rows, (rows >= 0).astype(np.int64))
        first = self.starts[slots]
        return Matches(first, self.starts[slots + 1] - first)

    def rows(self, places: np.ndarray) -> np.ndarray:
        """Row numbers of places in the order."""
        return places if self.order is None else self.order[places]

    def rows_without(self, found: np.ndarray) -> np.ndarray:
        """Row numbers of the slots that are not marked."""
        if self._alone is not None:
            held = self._alone[:-1][~found]
            alone: np.ndarray = held[held >= 0].astype(np.int64)
            return alone
        return self.rows(np.flatnonzero(np.repeat(~found, np.diff(self.starts[:-1]))))

    # -- whole numbers that lie close together -----------------------------------------------------------------

    def _narrow(self, keys: list[pa.Array]) -> tuple[np.ndarray, int] | None:
        if len(keys) != 1 or not pa.types.is_int64(keys[0].type):
            return None
        bounds = pc.min_max(keys[0])
        low, high = bounds["min"].as_py(), bounds["max"].as_py()
        if low is None or high - low >= max(_SMALL_RANGE, _MOST_SPREAD * len(keys[0])):
            return None
        self._low, self._null_slot = low, high - low + 1
        return self._placed(keys[0]), high - low + 2

    def _placed(self, key: pa.Array) -> np.ndarray:
        assert self._low is not None
        high = self._low + self._null_slot - 1
        numbers = as_numpy(key.fill_null(self._low) if key.null_count else key)
        is_outside = (numbers < self._low) | (numbers > high)
        # Far outside, the difference would not fit.
        slots: np.ndarray = np.where(is_outside, self._null_slot + 1, np.where(is_outside, 0, numbers) - self._low)
        if key.null_count:
            slots[_is_null(key)] = self._null_slot
        return slots

    # -- all others --------------------------------------------------------------------------------------------

    def _hashed(self, keys: list[pa.Array]) -> tuple[np.ndarray, int]:
        frame = _frame(keys)
        distinct = frame.unique(maintain_order=True)
        self.n_slots = n_slots = distinct.height
        if self.is_kept and n_slots:
            self._hashes = _hash_index(distinct)
        self._distinct = distinct if self._hashes is not None else distinct.with_row_index("slot")
        return (np.arange(n_slots) if n_slots == frame.height else self._looked_up(keys)), n_slots

    def _looked_up(self, keys: list[pa.Array]) -> np.ndarray:
        frame = _frame(keys)
        if self._hashes is not None:
            return self._compared(frame)
        found = frame.join(self._distinct, on=frame.columns, how="left", nulls_equal=True, maintain_order="left")
        slots: np.ndarray = found["slot"].fill_null(self.n_slots).to_numpy().astype(np.int64)
        return slots

    def _compared(self, frame: Any) -> np.ndarray:
        """Slots by the hashes of keys, those of other keys left out."""
        found = np.maximum(self._hashes.get_indexer(_hashed_rows(frame)), 0)
        is_same = np.ones(len(found), np.bool_)
        for name in frame.columns:
            is_same &= frame[name].eq_missing(self._distinct[name][found]).to_numpy()
        slots: np.ndarray = np.where(is_same, found, self.n_slots)
        return slots

    # -- forms in which keys are compared ----------------------------------------------------------------------

    def _forms(self, columns: Sequence[pa.Array], fields: Sequence[pa.Field], *, is_new: bool) -> list[pa.Array]:
        found: list[pa.Array] = []
        coders = iter(self._coders)
        for pair, array, own in zip(self.pairs, columns, fields, strict=True):
            if pair.form == "object":
                found.append(_coded(decode_column(array, own), next(coders), is_new=is_new))
            elif pair.form == "number":
                found += _number(array)
            elif pair.form == "time":
                found += _time(array, pair.unit)
            else:
                found.append(_formed(array, pair))
        return found


def _formed(array: pa.Array, pair: KeyPair) -> pa.Array:
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), _TYPES[pair.form])
    if pair.form == "day":
        array = array.cast(pa.date32(), safe=False).cast(pa.int32())
    # Polars takes text with short offsets as well, which saves a copy.
    return array if pair.form == "text" else array.cast(_TYPES[pair.form])


_TYPES = {"int64": pa.int64(), "uint64": pa.uint64(), "float64": pa.float64(), "text": pa.large_string(),
          "bytes": pa.large_binary(), "day": pa.int64(), "time": pa.int64()}  # fmt: skip
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def _time(array: pa.Array, unit: str | None) -> list[pa.Array]:
    """Seconds and the rest as whole numbers: the finer of two units may not hold all that the other does."""
    if pa.types.is_null(array.type):
        return [pa.nulls(len(array), pa.int64())] * 2
    assert unit is not None
    numbers = array.cast(pa.int32()).cast(pa.int64()) if pa.types.is_time32(array.type) else array.cast(pa.int64())
    per_second = _PER_SECOND[array.type.unit]
    seconds, rest = np.divmod(as_numpy(numbers.fill_null(0) if numbers.null_count else numbers), per_second)
    missing = _is_null(array) if array.null_count else None
    return [pa.array(found, mask=missing) for found in (seconds, rest * (_PER_SECOND[unit] // per_second))]


def _number(array: pa.Array) -> list[pa.Array]:
    """Whole numbers as int64, and what is no such number apart: as floats, ints beyond 2**53 would fall together."""
    if not pa.types.is_floating(array.type):
        return [array.cast(pa.int64()), pa.nulls(len(array), pa.float64())]
    values = array.cast(pa.float64())
    floats = as_numpy(values.fill_null(0.5) if values.null_count else values)
    is_whole = (np.floor(floats) == floats) & (floats >= -(2.0**63)) & (floats < 2.0**63)
    whole = as_arrow(np.where(is_whole, floats, 0.0).astype(np.int64))
    mask = pa.array(is_whole)
    return [
        pc.if_else(mask, whole, pa.scalar(None, pa.int64())),
        pc.if_else(mask, pa.scalar(None, pa.float64()), values),
    ]


def _coded(keys: list[Any], known: dict[Any, int], *, is_new: bool) -> pa.Array:
    check_keys(keys)
    canonical = map(canonical_key, keys)
    if is_new:
        codes = [known.setdefault(key, len(known)) for key in canonical]
    else:
        codes = [known.get(key, -1) for key in canonical]
    return as_arrow(np.array(codes, np.int64))


def _is_null(array: pa.Array) -> np.ndarray:
    found: np.ndarray = array.is_null().to_numpy(zero_copy_only=False)
    return found


def _rows_alone(slots: np.ndarray, n_slots: int) -> np.ndarray | None:
    """The row of each slot, -1 for none; None where a slot has several rows."""
    kind = np.int32 if len(slots) < 1 << 31 else np.int64
    rows, numbers = np.full(n_slots + 1, -1, kind), np.arange(len(slots), dtype=kind)
    rows[slots] = numbers
    return rows if bool((rows[slots] == numbers).all()) else None


def _hash_index(distinct: Any) -> Any:
    """An index of the keys' hashes; None where two keys share one."""
    import pandas as pd

    index = pd.Index(_hashed_rows(distinct))
    # Asked for now: pandas makes its table at the first look-up, and tasks that share it may be several threads.
    return index if index.is_unique else None


def _hashed_rows(frame: Any) -> np.ndarray:
    hashes: np.ndarray = frame.hash_rows().to_numpy().view(np.int64)
    return hashes


def _frame(keys: list[pa.Array]) -> Any:
    import polars as pl

    return pl.DataFrame({str(n): pl.from_arrow(key) for n, key in enumerate(keys)})
