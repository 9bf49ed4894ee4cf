"""Aggregates that look at all values of a key: first, collect, set, distinct, top and quantile."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from mrkernel.agg.base import Aggregate
from mrkernel.batches import Column, as_arrow, kind_of, plain_type
from mrkernel.errors import OptionError, ValueTypeError
from mrkernel.grouping import canonical_key, group, sort_token

__all__ = ["Collect", "Distinct", "First", "Quantile", "SetOf", "Top"]


@dataclass(frozen=True)
class Collect(Aggregate):
    """All values as a list, in input order."""

    label: ClassVar[str] = "collect"
    is_algebraic: ClassVar[bool] = False
    is_by_field: ClassVar[bool] = False

    def start(self) -> Any:
        return []

    def add(self, accumulator: Any, value: Any) -> Any:
        accumulator.append(value)
        return accumulator

    def join(self, left: Any, right: Any) -> Any:
        return left + right

    def result(self, accumulator: Any) -> Any:
        return accumulator

    def reduce(self, values: Iterable[Any]) -> Any:
        return self.result(list(values))

    def gather(self, values: Column, starts: np.ndarray) -> Column | None:
        array, field = values
        item = None if kind_of(field) or array.null_count or type(self) is not Collect else plain_type(array.type)
        if item is None:
            return None
        lists = pa.LargeListArray.from_arrays(as_arrow(starts), array.cast(item))
        return lists, pa.field("", lists.type)


@dataclass(frozen=True)
class First(Collect):
    """The first value, in input order; None counts as a value."""

    label: ClassVar[str] = "first"

    def keep(self, values: Column, codes: np.ndarray, n_groups: int) -> np.ndarray | None:
        return np.unique(codes, return_index=True)[1]

    def result(self, accumulator: Any) -> Any:
        return accumulator[0]


@dataclass(frozen=True)
class SetOf(Collect):
    """The different values as a set, None left out."""

    label: ClassVar[str] = "set"

    def keep(self, values: Column, codes: np.ndarray, n_groups: int) -> np.ndarray | None:
        array, field = values
        if kind_of(field) == "object":
            return None
        try:
            different = group((array, field))
        except TypeError:
            return None
        pairs = codes * max(1, different.n_groups) + different.codes
        return np.sort(np.unique(pairs, return_index=True)[1])

    def result(self, accumulator: Any) -> Any:
        try:
            return {canonical_key(value) for value in accumulator if value is not None}
        except TypeError as error:
            raise ValueTypeError(f"{self.label} cannot use a value: {error}", hint="yield tuples, not lists") from None


@dataclass(frozen=True)
class Distinct(SetOf):
    """How many different values there are, None left out."""

    label: ClassVar[str] = "distinct"
    result_type: ClassVar[pa.DataType] = pa.int64()

    def result(self, accumulator: Any) -> Any:
        return len(SetOf.result(self, accumulator))


@dataclass(frozen=True)
class Top(Collect):
    """The n largest values as a list, largest first, None left out."""

    n: int = 10
    label: ClassVar[str] = "top"

    def __post_init__(self) -> None:
        if not isinstance(self.n, int) or isinstance(self.n, bool) or self.n < 1:
            raise OptionError(f"top({self.n!r}) cannot be used: it takes a whole number of at least 1")

    def result(self, accumulator: Any) -> Any:
        values = [value for value in accumulator if value is not None and value == value]
        try:
            return heapq.nlargest(self.n, values)
        except TypeError:
            return heapq.nlargest(self.n, values, key=sort_token)


@dataclass(frozen=True)
class Quantile(Collect):
    """The exact q-quantile of numbers, None left out."""

    q: float = 0.5
    label: ClassVar[str] = "quantile"
    is_by_field: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.q, (int, float)) or not 0 <= self.q <= 1:
            raise OptionError(f"quantile({self.q!r}) cannot be used: it takes a number from 0 to 1")

    def result(self, accumulator: Any) -> Any:
        values = [value for value in accumulator if value is not None]
        if not values:
            return None
        try:
            if any(value != value for value in values):
                return math.nan
            values.sort()
            place = self.q * (len(values) - 1)
            low = math.floor(place)
            below, above = values[low], values[min(low + 1, len(values) - 1)]
            return below + (above - below) * (place - low) if place != low else below + (above - above) * 0.0
        except TypeError:
            raise ValueTypeError(
                f"quantile cannot use values such as {values[0]!r:.60} of type {type(values[0]).__name__}",
                hint="yield numbers",
            ) from None
