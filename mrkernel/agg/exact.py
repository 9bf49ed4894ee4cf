"""Sums of floats and Decimals without rounding, so that no result depends on the order of addition.

A float is cut into whole multiples of powers of 2**30 ("limbs"); limbs of one power are added as 64-bit integers. This
is the superaccumulator of Kulisch ("Computer Arithmetic and Validity", 2008) with only the limbs that occur.
"""

from __future__ import annotations

import decimal
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa

from mrkernel.agg.base import State, scatter_sum
from mrkernel.errors import ValueTypeError

__all__ = ["SCALE_BITS", "Total", "limb_sums", "merge_limbs", "totals"]

_WIDTH = 30
_BLOCK = 1 << 15
_MOST_ADDED = 1 << 22
_FACTOR_BITS = 900
# Below the smallest subnormal, 2**-1074, and a multiple of the limb width.
SCALE_BITS = 1080
_SCALE = 1 << SCALE_BITS
# Python's default rounds sums to 28 digits, one by one: the order would show. Only digits that there are take space.
_DECIMALS = decimal.Context(
    prec=1_000_000, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX, traps=[decimal.Inexact], clamp=0
)


def limb_sums(values: np.ndarray, codes: np.ndarray, n_groups: int, prefix: str) -> State:
    """Exact sums by group as int64 columns ``prefix + power``, and ``prefix + "x"`` for inf and NaN where present."""
    # Blocks that stay in the cache take a quarter of the time; with fewer rows than groups, adding them up would show.
    size = max(_BLOCK, n_groups)
    state: dict[str, np.ndarray] = {}
    for start in range(0, max(1, len(values)), size):
        found = _limbs(values[start : start + size], codes[start : start + size], n_groups)
        for name, sums in found.items():
            with np.errstate(invalid="ignore"):
                state[name] = state[name] + sums if name in state else sums
    return _as_columns(_carried(state), prefix)


def _limbs(values: np.ndarray, codes: np.ndarray, n_groups: int) -> dict[str, np.ndarray]:
    finite = np.isfinite(values)
    state: dict[str, np.ndarray] = {}
    rest = values
    if not finite.all():
        with np.errstate(invalid="ignore"):
            state["x"] = np.bincount(codes, weights=np.where(finite, 0.0, values), minlength=n_groups)
        rest = np.where(finite, values, 0.0)
    largest = float(np.abs(rest).max(initial=0.0))
    power = math.frexp(largest)[1] // _WIDTH if largest else 0
    while power > -SCALE_BITS // _WIDTH - 1:
        whole = np.trunc(_scaled(rest, -_WIDTH * power))
        state[str(power)] = _whole_sums(whole, codes, n_groups)
        # Taken off at its own scale: a value far below this power would lose bits if it were scaled down to it.
        rest = rest - _scaled(whole, _WIDTH * power)
        if not rest.any():
            break
        power -= 1
    return state


def _scaled(values: np.ndarray, power: int) -> np.ndarray:
    """Values times 2**power; a factor that is a float itself is several times quicker."""
    return values * 2.0**power if abs(power) < _FACTOR_BITS else np.ldexp(values, power)


def _whole_sums(whole: np.ndarray, codes: np.ndarray, n_groups: int) -> np.ndarray:
    """Sums by group of whole numbers below 2**30 as int64; bincount adds floats, exactly below 2**53."""
    if len(whole) < _MOST_ADDED:
        return np.bincount(codes, weights=whole, minlength=n_groups).astype(np.int64)
    return scatter_sum(whole.astype(np.int64), codes, n_groups)


def merge_limbs(state: State, codes: np.ndarray, n_groups: int, prefix: str) -> State:
    """The same columns for merged groups."""
    merged: dict[str, np.ndarray] = {}
    for name, column in state.items():
        if not name.startswith(prefix):
            continue
        numbers = column.to_numpy(zero_copy_only=False)
        if name == f"{prefix}x":
            with np.errstate(invalid="ignore"):
                merged["x"] = np.bincount(codes, weights=numbers, minlength=n_groups)
        else:
            merged[name.removeprefix(prefix)] = scatter_sum(numbers, codes, n_groups)
    return _as_columns(_carried(merged), prefix)


def _carried(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Move what exceeds a limb to the next power, so that billions of states can be merged in 64 bits."""
    powers = sorted(int(name) for name in state if name != "x")
    for power in powers:
        limb = state[str(power)]
        if np.abs(limb).max(initial=0) < 1 << (_WIDTH + 2):
            continue
        carry = limb >> _WIDTH
        state[str(power)] = limb - (carry << _WIDTH)
        above = state.get(str(power + 1))
        state[str(power + 1)] = carry if above is None else above + carry
    top = max(powers, default=0) + 1
    if str(top) in state and np.abs(state[str(top)]).max(initial=0) >= 1 << (_WIDTH + 2):
        return _carried(state)
    return state


def _as_columns(state: dict[str, np.ndarray], prefix: str) -> State:
    return {f"{prefix}{name}": pa.array(numbers) for name, numbers in sorted(state.items())}


def totals(state: State, prefix: str) -> tuple[list[int], int, np.ndarray | None]:
    """For each group an integer, the power of two that it counts, and the sum of inf and NaN (None if there are none).

    The group's sum is ``integer * 2**power + nonfinite``.
    """
    names = [name for name in state if name.startswith(prefix) and name != f"{prefix}x"]
    powers = {int(name.removeprefix(prefix)): state[name].to_numpy().tolist() for name in names}
    low = min(powers)
    length = len(powers[low])
    sums = [0] * length
    for power, limbs in powers.items():
        shift = _WIDTH * (power - low)
        sums = [total + (limb << shift) for total, limb in zip(sums, limbs, strict=True)]
    nonfinite = state.get(f"{prefix}x")
    return sums, _WIDTH * low, None if nonfinite is None else nonfinite.to_numpy()


class Total:
    """An exact sum of numbers of any kind, one key at a time."""

    __slots__ = ("count", "decimals", "has_float", "integers", "nonfinite", "other", "scaled")

    def __init__(self) -> None:
        self.count = 0
        self.integers = 0
        self.scaled = 0
        self.nonfinite = 0.0
        self.has_float = False
        self.decimals: Decimal | None = None
        self.other: Any = None

    def add(self, value: Any) -> None:
        """Add one value that is not None."""
        self.count += 1
        if isinstance(value, int):
            self.integers += int(value)
        elif isinstance(value, float):
            self.has_float = True
            if math.isfinite(value):
                numerator, denominator = value.as_integer_ratio()
                self.scaled += numerator * (_SCALE // denominator)
            else:
                self.nonfinite += value
        elif isinstance(value, Decimal):
            self.decimals = _decimal_sum(self.decimals, value)
        else:
            self.other = _plus(self.other, value)

    def join(self, later: Total) -> None:
        """Add another total, of later input."""
        self.count += later.count
        self.integers += later.integers
        self.scaled += later.scaled
        self.nonfinite += later.nonfinite
        self.has_float = self.has_float or later.has_float
        if later.decimals is not None:
            self.decimals = _decimal_sum(self.decimals, later.decimals)
        if later.other is not None:
            self.other = _plus(self.other, later.other)

    def load(self, row: dict[str, Any], prefix: str) -> None:
        """Add the sum that a row of limb columns holds."""
        for name, limb in row.items():
            if name == f"{prefix}x":
                self.nonfinite += limb
            elif name.startswith(prefix):
                self.scaled += limb << (SCALE_BITS + _WIDTH * int(name.removeprefix(prefix)))
        self.has_float = True

    def value(self, divisor: int = 1) -> Any:
        """The sum, rounded once, divided by ``divisor``.

        Raises
        ------
        ValueTypeError
            For kinds of numbers that Python does not add, such as Decimals and floats.
        """
        if self.decimals is None and self.other is None:
            return self._plain(divisor)
        if isinstance(self.other, Fraction) and self.has_float and self.decimals is None and not self.nonfinite:
            exact = self.other + self.integers + Fraction(self.scaled, _SCALE)
            return _divide(exact.numerator, exact.denominator * divisor)
        whole = self.other
        if self.has_float:
            whole = _plus(whole, self._plain())
        elif self.integers and self.decimals is None:
            whole = _plus(whole, self.integers)
        if self.decimals is not None:
            whole = _plus(
                whole, _decimal_sum(self.decimals, Decimal(self.integers)) if self.integers else self.decimals
            )
        return whole if divisor == 1 else whole / divisor

    def _plain(self, divisor: int = 1) -> Any:
        """The sum of the ints and floats alone."""
        if not self.has_float:
            return self.integers if divisor == 1 else _divide(self.integers, divisor)
        if self.nonfinite:
            return self.nonfinite
        return _divide((self.integers << SCALE_BITS) + self.scaled, divisor << SCALE_BITS)

    @staticmethod
    def rounded(number: int) -> float:
        """An int as the nearest float, inf where there is none."""
        return _divide(number, 1)


def _decimal_sum(left: Decimal | None, right: Decimal) -> Decimal:
    if left is None:
        return right
    try:
        return _DECIMALS.add(left, right)
    except decimal.Inexact:
        raise ValueTypeError(
            f"a sum of Decimals has more than {_DECIMALS.prec:,} digits",
            hint="round the values, or make them floats: float(value)",
        ) from None


def _plus(left: Any, right: Any) -> Any:
    if left is None:
        return right
    try:
        return left + right
    except TypeError:
        first, second = sorted([type(left).__name__, type(right).__name__])
        raise ValueTypeError(
            f"a {first} and a {second} cannot be added to each other",
            hint="yield numbers of one type for a key, such as float(value)",
        ) from None


def _divide(numerator: int, denominator: int) -> float:
    try:
        return numerator / denominator
    except OverflowError:
        return math.inf if (numerator > 0) == (denominator > 0) else -math.inf
