"""Aggregates: reducers that mrkernel knows how to combine in map tasks and merge in any order.

Pass one as a job's reducer (``mr.agg.mean``), several by name (``{"low": mr.agg.min, "high": mr.agg.max}``), or the
builtin that stands for one: ``sum``, ``min``, ``max``, ``len``, ``list``, ``set``. Where the values are dicts, ``sum``,
``min``, ``max``, ``mean``, ``var``, ``std`` and ``quantile`` work field by field.

Missing values (None) are left out, except by ``count``, ``collect`` and ``first``. Sums of floats are exact and
rounded once (as ``math.fsum`` does), so that no result depends on how the input was split.
"""

from __future__ import annotations

import builtins
from typing import Any

from mrkernel.agg.base import Aggregate
from mrkernel.agg.choosing import Collect, Distinct, First, Quantile, SetOf, Top
from mrkernel.agg.extremes import Max, Min
from mrkernel.agg.reduction import Reduction
from mrkernel.agg.totals import Count, Mean, Std, Sum, Var
from mrkernel.errors import JobSpecError

__all__ = [
    "Aggregate",
    "Reduction",
    "as_reduction",
    "collect",
    "count",
    "distinct",
    "first",
    "max",
    "mean",
    "min",
    "quantile",
    "set",
    "std",
    "sum",
    "top",
    "var",
]

sum = Sum()  # noqa: A001  # the aggregates carry the names that users know; builtins are reached as builtins.sum
count = Count()
mean = Mean()
var = Var()
std = Std()
min = Min()  # noqa: A001  # as sum
max = Max()  # noqa: A001  # as sum
first = First()
collect = Collect()
set = SetOf()  # noqa: A001  # as sum
distinct = Distinct()


def quantile(q: float = 0.5) -> Aggregate:
    """The exact ``q``-quantile (0 to 1) of numbers, interpolated linearly as NumPy and pandas do by default.

    Holds all values of a key in the reduce task.

    >>> quantile(0.5).reduce([1, 2, 4])
    2.0
    """
    return Quantile(q=q)


def top(n: int = 10) -> Aggregate:
    """The ``n`` largest values as a list, largest first.

    >>> top(2).reduce([3, 1, 2])
    [3, 2]
    """
    return Top(n=n)


_BUILTINS: dict[Any, Aggregate] = {
    builtins.sum: sum, builtins.min: min, builtins.max: max, builtins.len: count,
    builtins.list: collect, builtins.set: set,
}  # fmt: skip


def as_reduction(reducer: Any) -> Reduction | None:
    """The Reduction that a job's reducer stands for, or None if it is a function of the user's own.

    Raises
    ------
    JobSpecError
        For a dict whose values are not all aggregates.
    """
    if isinstance(reducer, dict):
        found = {name: _aggregate(value) for name, value in reducer.items()}
        named = {name: value for name, value in found.items() if value is not None and isinstance(name, str)}
        wrong = [name for name in found if name not in named]
        if wrong or not named:
            raise JobSpecError(
                f"the reducer's entry {wrong[0]!r} is no aggregate" if wrong else "the reducer is an empty dict",
                hint="a dict of reducers holds names and aggregates, such as {'low': mr.agg.min}",
            )
        return Reduction(aggregates=tuple(named.items()), is_named=True)
    aggregate = _aggregate(reducer)
    return None if aggregate is None else Reduction(aggregates=(("", aggregate),), is_named=False)


def _aggregate(value: Any) -> Aggregate | None:
    if isinstance(value, Aggregate):
        return value
    if value is quantile or value is top:
        made: Aggregate = value()
        return made
    try:
        return _BUILTINS.get(value)
    except TypeError:
        return None
