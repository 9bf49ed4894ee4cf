"""MapReduce in twenty lines of plain Python: what every job is compared with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from fractions import Fraction
from numbers import Number
from typing import Any

NAN = float("nan")
_WIDTHS = {bool: 0, int: 1, float: 2}


def canonical(key: Any) -> Any:
    """A key such that Python's own equality is that of the contract: NaN equals NaN, and -0.0 is 0.0."""
    if isinstance(key, float):
        return NAN if key != key else key + 0.0
    return tuple(map(canonical, key)) if isinstance(key, tuple) else key


def wider(left: Any, right: Any) -> Any:
    """Which of two equal keys is shown: bool < int < float < others, item by item; the first one among equals."""
    if isinstance(left, tuple):
        return tuple(map(wider, left, right))
    return right if _WIDTHS.get(type(right), 3) > _WIDTHS.get(type(left), 3) else left


def in_order(key: Any) -> tuple[Any, ...]:
    """Kind, then value: the order of mixed keys."""
    if isinstance(key, tuple):
        return (7, tuple(map(in_order, key)))
    if isinstance(key, Number):
        return (1, key != key, 0 if key != key else key)
    kinds = (type(None), (), str, bytes, dt.datetime, dt.date, dt.timedelta)
    for rank, kind in enumerate(kinds):
        if isinstance(key, kind):
            return (rank, getattr(key, "tzinfo", None) is not None, key) if key is not None else (0,)
    return (8, sorted(map(in_order, key))) if isinstance(key, frozenset) else (9, type(key).__name__, key)


def map_reduce(pairs: Iterable[tuple[Any, Any]], reduce: Callable[[Any, list[Any]], Any]) -> list[tuple[Any, Any]]:
    """Group the pairs by key, in key order, values in input order, and reduce each group."""
    groups: dict[Any, tuple[Any, list[Any]]] = {}
    for key, value in pairs:
        same = canonical(key)
        shown, values = groups.get(same, (same, []))
        groups[same] = (wider(shown, same), [*values, value])
    return [
        (shown, reduce(shown, values))
        for shown, values in sorted(groups.values(), key=lambda group: in_order(group[0]))
    ]


def told(value: Any) -> str:
    """A repr that tells 1 from 1.0 and True, and does not depend on the order of a set."""
    if isinstance(value, (set, frozenset)):
        return f"{type(value).__name__}({sorted(map(told, value))})"
    if isinstance(value, (tuple, list)):
        return f"{type(value).__name__}({', '.join(map(told, value))})"
    if isinstance(value, dict):
        return f"dict({', '.join(f'{key!r}: {told(item)}' for key, item in value.items())})"
    return f"datetime {value} {value.tzinfo!r} {value.fold}" if isinstance(value, dt.datetime) else repr(value)


def exact_sum(values: Iterable[Any]) -> Any:
    """The sum of ints as an int; with a float among them the exact sum, rounded once."""
    numbers = [value for value in values if value is not None]
    if not any(isinstance(number, float) for number in numbers):
        return sum(numbers) if numbers else None
    special = [
        number for number in numbers if isinstance(number, float) and (number != number or abs(number) == float("inf"))
    ]
    return sum(special) if special else _rounded(sum(map(Fraction, numbers)))


def exact_mean(values: Iterable[Any]) -> Any:
    """The mean, rounded once."""
    numbers = [value for value in values if value is not None]
    if any(number != number or abs(number) == float("inf") for number in numbers):
        return exact_sum(numbers)
    return _rounded(Fraction(sum(map(Fraction, numbers))) / len(numbers)) if numbers else None


def exact_variance(values: Iterable[Any]) -> Any:
    """The variance of a sample, rounded once."""
    numbers = [value for value in values if value is not None]
    if any(number != number or abs(number) == float("inf") for number in numbers):
        return NAN
    if len(numbers) < 2:
        return None
    exact = list(map(Fraction, numbers))
    mean = sum(exact) / len(exact)
    return _rounded(sum((number - mean) ** 2 for number in exact) / (len(exact) - 1))


def _rounded(number: Fraction | int) -> float:
    try:
        return float(number)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")
