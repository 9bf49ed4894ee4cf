"""Count, sum, mean, variance and standard deviation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mrkernel.agg.base import Aggregate, State, scatter_sum
from mrkernel.agg.exact import SCALE_BITS, Total, limb_sums, merge_limbs, totals
from mrkernel.batches import Column, as_arrow, as_numpy
from mrkernel.errors import OptionError, ValueTypeError

__all__ = ["Count", "Mean", "Std", "Sum", "Var"]

_NO_NUMBERS = (str, bytes, list, tuple, dict, set, frozenset)


@dataclass(frozen=True)
class Count(Aggregate):
    """How many values there are, None included."""

    label: ClassVar[str] = "count"
    result_type: ClassVar[pa.DataType] = pa.int64()
    is_by_field: ClassVar[bool] = False

    def from_values(self, values: Column, codes: np.ndarray, n_groups: int) -> State | None:
        return {"n": as_arrow(np.bincount(codes, minlength=n_groups).astype(np.int64))}

    def merge(self, state: State, codes: np.ndarray, n_groups: int) -> State | None:
        return {"n": as_arrow(scatter_sum(as_numpy(state["n"]), codes, n_groups))}

    def finish(self, state: State) -> Column:
        return state["n"], pa.field("", pa.int64())

    def load(self, row: dict[str, Any]) -> int:
        return int(row["n"])

    def start(self) -> int:
        return 0

    def add(self, accumulator: int, value: Any) -> int:
        return accumulator + 1

    def join(self, left: int, right: int) -> int:
        return left + right

    def result(self, accumulator: int) -> int:
        return accumulator


@dataclass(frozen=True)
class Sum(Aggregate):
    """The sum of the values that are not None; None where there are none.

    Integers of any size stay integers, floats are added exactly.
    """

    label: ClassVar[str] = "sum"

    # State columns: "i" for integers or limbs "f…" for floats; "e", only where values were None, counts the others.

    def from_values(self, values: Column, codes: np.ndarray, n_groups: int) -> State | None:
        state = self._sums(values[0], codes, n_groups)
        if state is not None and values[0].null_count:
            state["e"] = _count_valid(values[0], codes, n_groups)
        return state

    def _sums(self, array: pa.Array, codes: np.ndarray, n_groups: int) -> State | None:
        numbers, codes = _without_nulls(array, codes)
        if numbers is None:
            return None
        if numbers.dtype == np.float64:
            return limb_sums(numbers, codes, n_groups, "f")
        return None if _may_overflow(numbers) else {"i": as_arrow(scatter_sum(numbers, codes, n_groups))}

    def merge(self, state: State, codes: np.ndarray, n_groups: int) -> State | None:
        if "i" not in state:
            merged = merge_limbs(state, codes, n_groups, "f")
        else:
            numbers = as_numpy(state["i"])
            if _may_overflow(numbers):
                return None
            merged = {"i": as_arrow(scatter_sum(numbers, codes, n_groups))}
        if "e" in state:
            merged["e"] = as_arrow(scatter_sum(as_numpy(state["e"]), codes, n_groups))
        return merged

    def fill(self, column: str, n_rows: int) -> pa.Array | None:
        return as_arrow(np.ones(n_rows, np.int64)) if column == "e" else _limb_fill(column, n_rows)

    def finish(self, state: State) -> Column:
        valid = as_numpy(state["e"]).tolist() if "e" in state else None
        if "i" in state:
            array = state["i"]
            if valid is not None:
                array = pc.if_else(pc.greater(state["e"], 0), array, None)
            return array, pa.field("", pa.int64())
        sums, power, nonfinite = totals(state, "f")
        divisors = [1] * len(sums) if valid is None else [min(1, count) for count in valid]
        return pa.array(_rounded(sums, power, divisors, nonfinite), pa.float64()), pa.field("", pa.float64())

    def load(self, row: dict[str, Any]) -> Total:
        return _load_total(row, row.get("e", 1))

    def start(self) -> Total:
        return Total()

    def add(self, accumulator: Total, value: Any) -> Total:
        if value is not None:
            _check_number(value, self.label)
            accumulator.add(value)
        return accumulator

    def join(self, left: Total, right: Total) -> Total:
        left.join(right)
        return left

    def result(self, accumulator: Total) -> Any:
        return accumulator.value() if accumulator.count else None


@dataclass(frozen=True)
class Mean(Sum):
    """The arithmetic mean of the values that are not None, rounded once; None where there are none."""

    label: ClassVar[str] = "mean"
    result_type: ClassVar[pa.DataType] = pa.float64()

    def from_values(self, values: Column, codes: np.ndarray, n_groups: int) -> State | None:
        state = self._sums(values[0], codes, n_groups)
        return None if state is None else {**state, "n": _count_valid(values[0], codes, n_groups)}

    def merge(self, state: State, codes: np.ndarray, n_groups: int) -> State | None:
        merged = Sum.merge(self, {k: v for k, v in state.items() if k != "n"}, codes, n_groups)
        return None if merged is None else {**merged, "n": as_arrow(scatter_sum(as_numpy(state["n"]), codes, n_groups))}

    def finish(self, state: State) -> Column:
        counts = as_numpy(state["n"])
        if "i" in state:
            exact: list[int] = as_numpy(state["i"]).tolist()
            means = [total / count if count else None for total, count in zip(exact, counts.tolist(), strict=True)]
        else:
            sums, power, nonfinite = totals({k: v for k, v in state.items() if k != "n"}, "f")
            means = _rounded(sums, power, counts.tolist(), nonfinite)
        return pa.array(means, pa.float64()), pa.field("", pa.float64())

    def load(self, row: dict[str, Any]) -> Total:
        return _load_total(row, row["n"])

    def result(self, accumulator: Total) -> Any:
        if not accumulator.count:
            return None
        mean = accumulator.value(accumulator.count)
        # One whole number is its own mean, and a mean is a float whichever path it took.
        return Total.rounded(mean) if isinstance(mean, int) else mean


@dataclass(frozen=True)
class Var(Aggregate):
    """The variance with ``ddof`` degrees of freedom off (1, as in pandas and SQL's VAR_SAMP); exact, rounded once.

    None where there are not more than ``ddof`` values. ``mr.agg.var(ddof=0)`` gives the population's variance.
    """

    ddof: int = 1
    label: ClassVar[str] = "var"
    result_type: ClassVar[pa.DataType] = pa.float64()

    def __call__(self, *, ddof: int = 1) -> Var:
        """The same aggregate with other degrees of freedom."""
        if ddof not in {0, 1}:
            raise OptionError(f"ddof = {ddof!r} cannot be used: it is 0 or 1")
        return type(self)(ddof=ddof)

    def from_values(self, values: Column, codes: np.ndarray, n_groups: int) -> State | None:
        numbers, kept = _without_nulls(values[0], codes)
        if numbers is None:
            return None
        sizes = np.abs(numbers[numbers != 0].astype(np.float64))
        # Squares of larger integers do not fit a float; of larger or smaller floats, the error term does not.
        if numbers.dtype != np.float64 and sizes.max(initial=0.0) > 2**26:
            return None
        if sizes.size and not (sizes.max() < 1e150 and sizes.min() > 1e-120):
            return None
        floats = numbers.astype(np.float64)
        high, low = _squares(floats)
        squares = limb_sums(np.concatenate([high, low]), np.concatenate([kept, kept]), n_groups, "q")
        return {**limb_sums(floats, kept, n_groups, "f"), **squares, "n": _count_valid(values[0], codes, n_groups)}

    def merge(self, state: State, codes: np.ndarray, n_groups: int) -> State | None:
        counts = as_arrow(scatter_sum(as_numpy(state["n"]), codes, n_groups))
        return {**merge_limbs(state, codes, n_groups, "f"), **merge_limbs(state, codes, n_groups, "q"), "n": counts}

    def fill(self, column: str, n_rows: int) -> pa.Array | None:
        return _limb_fill(column, n_rows)

    def finish(self, state: State) -> Column:
        sums, power, _ = totals(state, "f")
        squares, square_power, _ = totals(state, "q")
        scale, square_scale = _power_of_two(power), _power_of_two(square_power)
        counts = as_numpy(state["n"]).tolist()
        values = [self._variance(n, total * scale, square * square_scale)
                  for n, total, square in zip(counts, sums, squares, strict=True)]  # fmt: skip
        return pa.array(values, pa.float64()), pa.field("", pa.float64())

    def _variance(self, n: int, total: Fraction, square: Fraction) -> float | None:
        if n <= self.ddof:
            return None
        try:
            return float((square - total * total / n) / (n - self.ddof))
        except OverflowError:
            return math.inf

    def load(self, row: dict[str, Any]) -> list[Any]:
        pair = [Total(), Total()]
        for total, prefix in zip(pair, "fq", strict=True):
            total.load({k: v for k, v in row.items() if k.startswith(prefix)}, prefix)
        return [row["n"], *(Fraction(total.scaled, 1 << SCALE_BITS) for total in pair)]

    def start(self) -> list[Any]:
        return [0, Fraction(0), Fraction(0)]

    def add(self, accumulator: list[Any], value: Any) -> list[Any]:
        if value is not None:
            _check_number(value, self.label)
            if not isinstance(value, (int, float, Decimal, Fraction)):
                raise ValueTypeError(f"{self.label} cannot use the value {value!r} of type {type(value).__name__}")
            if not math.isfinite(value):
                accumulator[1] = None
            exact = Fraction(value) if accumulator[1] is not None else Fraction(0)
            accumulator[0] += 1
            accumulator[1] = None if accumulator[1] is None else accumulator[1] + exact
            accumulator[2] += exact * exact
        return accumulator

    def join(self, left: list[Any], right: list[Any]) -> list[Any]:
        total = None if left[1] is None or right[1] is None else left[1] + right[1]
        return [left[0] + right[0], total, left[2] + right[2]]

    def is_empty(self, accumulator: list[Any]) -> bool:
        return bool(accumulator[0] == 0)

    def result(self, accumulator: list[Any]) -> float | None:
        if accumulator[1] is None:
            return math.nan
        return self._variance(*accumulator)


@dataclass(frozen=True)
class Std(Var):
    """The standard deviation: the square root of the variance."""

    label: ClassVar[str] = "std"

    def _variance(self, n: int, total: Fraction, square: Fraction) -> float | None:
        variance = super()._variance(n, total, square)
        return None if variance is None else math.sqrt(variance)


def _without_nulls(array: pa.Array, codes: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
    """int64 or float64 numbers and their codes; None for numbers where the column holds something else."""
    if array.null_count:
        valid = array.is_valid()
        codes = codes[valid.to_numpy(zero_copy_only=False)]
        array = array.filter(valid)
    kind = array.type
    if pa.types.is_null(kind):
        return np.zeros(0, np.int64), codes
    if pa.types.is_floating(kind):
        return as_numpy(array.cast(pa.float64())), codes
    if pa.types.is_boolean(kind) or (pa.types.is_integer(kind) and not pa.types.is_uint64(kind)):
        return as_numpy(array.cast(pa.int64())), codes
    return None, codes


def _may_overflow(numbers: np.ndarray) -> bool:
    if len(numbers) == 0:
        return False
    return max(int(numbers.max()), -int(numbers.min())) * len(numbers) >= 2**63


def _count_valid(array: pa.Array, codes: np.ndarray, n_groups: int) -> pa.Array:
    if array.null_count:
        codes = codes[pc.is_valid(array).to_numpy(zero_copy_only=False)]
    return as_arrow(np.bincount(codes, minlength=n_groups).astype(np.int64))


def _limb_fill(column: str, n_rows: int) -> pa.Array | None:
    if column[:1] in {"f", "q"}:
        return as_arrow(np.zeros(n_rows, np.float64 if column.endswith("x") else np.int64))
    return None


def _power_of_two(power: int) -> Fraction:
    return Fraction(1 << power) if power >= 0 else Fraction(1, 1 << -power)


def _rounded(sums: list[int], power: int, divisors: list[int], nonfinite: np.ndarray | None) -> list[float | None]:
    """Each sum times 2**power divided by its divisor, correctly rounded; None where that is 0."""
    up, down = (1 << power, 1) if power >= 0 else (1, 1 << -power)
    values: list[float | None] = []
    for total, divisor in zip(sums, divisors, strict=True):
        try:
            values.append(total * up / (down * divisor) if divisor else None)
        except OverflowError:
            values.append(math.inf if total > 0 else -math.inf)
    if nonfinite is not None:
        values = [special if special != 0 else value for special, value in zip(nonfinite.tolist(), values, strict=True)]
    return values


def _squares(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """v*v as an unevaluated sum of two floats, exact (T. J. Dekker, "A floating-point technique …", 1971)."""
    product = values * values
    split = values * 134217729.0
    high = split - (split - values)
    low = values - high
    return product, ((high * high - product) + 2.0 * high * low) + low * low


def _load_total(row: dict[str, Any], count: int) -> Total:
    total = Total()
    total.count = count
    if "i" in row:
        total.integers = row["i"]
    elif count:
        total.load({name: value for name, value in row.items() if name[0] == "f"}, "f")
    return total


def _check_number(value: Any, label: str) -> None:
    if isinstance(value, _NO_NUMBERS):
        shown = repr(value)
        raise ValueTypeError(
            f"{label} cannot add the value {shown[:80]} of type {type(value).__name__}",
            hint="yield numbers, or give a reducer function of your own",
        )
