"""The smallest and the largest value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mrkernel.agg.base import Aggregate, State
from mrkernel.batches import Column, as_numpy, kind_of
from mrkernel.errors import ValueTypeError
from mrkernel.ordering import sort_codes, sort_order

__all__ = ["Max", "Min"]


@dataclass(frozen=True)
class Min(Aggregate):
    """The smallest value; NaN only where there is nothing else, None where there are no values."""

    label: ClassVar[str] = "min"
    _is_largest: ClassVar[bool] = False

    def from_values(self, values: Column, codes: np.ndarray, n_groups: int) -> State | None:
        array, field = values
        if kind_of(field) or pa.types.is_nested(array.type):
            return None
        if array.null_count == 0 and (pa.types.is_integer(array.type) or pa.types.is_floating(array.type)):
            return {"m": _best_numbers(array, codes, n_groups, is_largest=self._is_largest)}
        return {"m": array.take(pa.array(self._best_rows(array, codes, n_groups), from_pandas=True))}

    def merge(self, state: State, codes: np.ndarray, n_groups: int) -> State | None:
        return self.from_values((state["m"], pa.field("", state["m"].type)), codes, n_groups)

    def _best_rows(self, array: pa.Array, codes: np.ndarray, n_groups: int) -> np.ndarray:
        """The row that holds each group's extreme: the first one among equals."""
        order = _preference(array, is_largest=self._is_largest)
        by_group = order[sort_codes(codes[order], n_groups)]
        starts = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=n_groups))[:-1]])
        first: np.ndarray = by_group[starts]
        return first

    def finish(self, state: State) -> Column:
        return state["m"], pa.field("", state["m"].type)

    def load(self, row: dict[str, Any]) -> Any:
        return row["m"]

    def start(self) -> Any:
        return None

    def add(self, accumulator: Any, value: Any) -> Any:
        return self.join(accumulator, value)

    def join(self, left: Any, right: Any) -> Any:
        if left is None or left != left:
            return right if right is not None else left
        if right is None or right != right:
            return left
        try:
            return right if (right > left if self._is_largest else right < left) else left
        except TypeError:
            raise ValueTypeError(
                f"{self.label} cannot compare {type(left).__name__} {left!r:.60} "
                f"with {type(right).__name__} {right!r:.60}",
                hint="yield values of one type for a key",
            ) from None

    def result(self, accumulator: Any) -> Any:
        return accumulator


@dataclass(frozen=True)
class Max(Min):
    """The largest value; NaN only where there is nothing else, None where there are no values."""

    label: ClassVar[str] = "max"
    _is_largest: ClassVar[bool] = True


def _best_numbers(array: pa.Array, codes: np.ndarray, n_groups: int, *, is_largest: bool) -> pa.Array:
    """Each group's extreme, without sorting: 5 ns a row where sorting takes 80 to 150."""
    numbers = as_numpy(array)
    if numbers.dtype.kind == "f":
        most = np.full(n_groups, np.nan, numbers.dtype)
    else:
        ends = np.iinfo(numbers.dtype)
        most = np.full(n_groups, ends.min if is_largest else ends.max, numbers.dtype)
    # These pass over NaN, which stays only where there is nothing else.
    (np.fmax if is_largest else np.fmin).at(most, codes, numbers)
    # Of 0.0 and -0.0, which are equal, and of NaNs the first one counts.
    is_open = (most == 0) | (most != most) if numbers.dtype.kind == "f" else np.zeros(n_groups, np.bool_)
    if is_open.any():
        rows = np.flatnonzero(is_open[codes])
        is_best = (numbers[rows] == most[codes[rows]]) | (most != most)[codes[rows]]
        rows = rows[is_best][::-1]
        # Of rows written to one place the last one stays.
        most[codes[rows]] = numbers[rows]
    return pa.Array.from_buffers(array.type, n_groups, [None, pa.py_buffer(most)])


def _preference(array: pa.Array, *, is_largest: bool) -> np.ndarray:
    """Row numbers from the most to the least preferred; NaN and then None last, equals in their old order."""
    order = sort_order(array)
    n_nulls = array.null_count
    nulls, rest = order[:n_nulls], order[n_nulls:]
    if pa.types.is_floating(array.type):
        is_nan = np.isnan(array.take(pa.array(rest)).to_numpy())
        rest, nans = rest[~is_nan], rest[is_nan]
        nulls = np.concatenate([nans, nulls])
    if is_largest:
        rest = _reversed_keeping_ties(array.take(pa.array(rest)), rest)
    return np.concatenate([rest, nulls])


def _reversed_keeping_ties(ordered: pa.Array, rows: np.ndarray) -> np.ndarray:
    if len(rows) == 0:
        return rows
    if pa.types.is_floating(ordered.type):
        # 0.0 and -0.0 are equal, but not to the dictionary.
        ordered = pc.add(ordered, pa.scalar(0.0, ordered.type))
    encoded = ordered.dictionary_encode().indices.to_numpy()
    return rows[np.argsort(-encoded.astype(np.int64), kind="stable")]
