"""What an aggregate provides: a state in Arrow columns for the quick path, a Python accumulator for the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from mrkernel.batches import Column

__all__ = ["Aggregate", "State", "scatter_sum"]

State = dict[str, pa.Array]


@dataclass(frozen=True)
class Aggregate(ABC):
    """A reducer whose work can be split.

    Two paths give the same result. *Columns*: :meth:`from_values` turns the values of many keys into state columns,
    :meth:`merge` merges states, :meth:`finish` makes the result column. *Python*: :meth:`start`, :meth:`add`,
    :meth:`join` and :meth:`result` handle one key at a time and any type of value.

    Attributes
    ----------
    label
        Its name in messages and plans.
    is_algebraic
        True if a state of fixed size stands for any number of values. Others look at all values of a key
        (:meth:`reduce`), and may offer :meth:`keep` to drop rows early.
    is_by_field
        True if a dict value is aggregated field by field.
    result_type
        The type of every result, or null where it depends on the values.
    """

    label: ClassVar[str]
    is_algebraic: ClassVar[bool] = True
    is_by_field: ClassVar[bool] = True
    result_type: ClassVar[pa.DataType] = pa.null()

    def from_values(self, values: Column, codes: np.ndarray, n_groups: int) -> State | None:
        """State columns of each group, or None where these values need the Python path."""
        return None

    def merge(self, state: State, codes: np.ndarray, n_groups: int) -> State | None:
        """State columns of each group from rows of states in input order; None asks for the Python path."""
        return None

    def finish(self, state: State) -> Column:
        """The result column of merged states."""
        raise TypeError(f"{self.label} has no state columns")

    def fill(self, column: str, n_rows: int) -> pa.Array | None:
        """What a state column holds where a task did not need it; None if it cannot be left out."""
        return None

    def gather(self, values: Column, starts: np.ndarray) -> Column | None:
        """The results of groups whose values follow each other and begin at ``starts``, which ends with their number.

        Only asked where map tasks cannot combine. None means that each group's values go through :meth:`reduce`.
        """
        return None

    def keep(self, values: Column, codes: np.ndarray, n_groups: int) -> np.ndarray | None:
        """Row numbers that still matter for the result, ascending; None if all do."""
        return None

    def load(self, row: dict[str, Any]) -> Any:
        """The accumulator that a row of state columns stands for."""
        raise TypeError(f"{self.label} has no state columns")

    @abstractmethod
    def start(self) -> Any:
        """An empty accumulator."""

    @abstractmethod
    def add(self, accumulator: Any, value: Any) -> Any:
        """The accumulator after one more value."""

    @abstractmethod
    def join(self, left: Any, right: Any) -> Any:
        """The accumulator of two, ``left`` being of earlier input."""

    @abstractmethod
    def result(self, accumulator: Any) -> Any:
        """The value of a finished accumulator."""

    def is_empty(self, accumulator: Any) -> bool:
        """Whether an accumulator has seen nothing but None."""
        return self.result(accumulator) is None

    def reduce(self, values: Iterable[Any]) -> Any:
        """The result for all values of one key.

        >>> from mrkernel import agg
        >>> agg.mean.reduce([1, 2, None, 6])
        3.0
        """
        accumulator = self.start()
        for value in values:
            accumulator = self.add(accumulator, value)
        return self.result(accumulator)


def scatter_sum(numbers: np.ndarray, codes: np.ndarray, n_groups: int) -> np.ndarray:
    """int64 sums by group; exact as long as they fit 64 bits.

    bincount adds in floating point, which is exact below 2**53 and about twice as quick as add.at.
    """
    if len(numbers) == 0:
        return np.zeros(n_groups, np.int64)
    largest = max(abs(int(numbers.max())), abs(int(numbers.min())))
    if largest * len(numbers) < 2**53:
        return np.bincount(codes, weights=numbers, minlength=n_groups).astype(np.int64)
    sums = np.zeros(n_groups, np.int64)
    np.add.at(sums, codes, numbers)
    return sums
