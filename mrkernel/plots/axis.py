"""Ordered keys along an axis: numbers, durations, dates in their zone, times of day."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np

from mrkernel.plots.columns import Places
from mrkernel.plots.look import label, plain_numbers

__all__ = ["SMALLEST", "axis_name", "name_axis", "scale_log", "show_places"]

_FIVE_DIGITS = 10_000
# Nearer to zero, floats are too coarse for logarithms.
SMALLEST = 1e-300


def axis_name(name: str, unit: str = "") -> str:
    """A column's name with its unit, as an axis shows it.

    >>> axis_name("wait", "min")
    'wait (min)'
    """
    return label(name) + (f" ({unit})" if unit else "")


def name_axis(axis: Any, name: str, unit: str = "") -> None:
    """Write a column's name and unit along an axis."""
    axis.set_label_text(axis_name(name, unit))


def show_places(axis: Any, where: Places, name: str, *, is_whole: bool = False) -> None:
    """Give an axis the ticks and the name of what stands on it."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    unit = where.unit
    if where.axis == "time":
        unit = _show_times(axis, where)
    elif where.axis == "clock":
        axis.set_major_locator(MaxNLocator(nbins=9, steps=[1, 1.5, 3, 6, 10]))
        axis.set_major_formatter(FuncFormatter(_clock))
    else:
        if is_whole:
            axis.set_major_locator(MaxNLocator(integer=True))
        # A year is 2013, not 2,013.
        if np.nanmax(np.abs(where.values), initial=0) >= _FIVE_DIGITS:
            plain_numbers(axis)
    name_axis(axis, name, unit)


def _show_times(axis: Any, where: Places) -> str:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    zone: Any = where.zone or dt.UTC
    locator = AutoDateLocator(tz=zone, minticks=3, maxticks=9)  # type: ignore[no-untyped-call]  # not typed by matplotlib
    axis.set_major_locator(locator)
    axis.set_major_formatter(ConciseDateFormatter(locator, tz=zone))  # type: ignore[no-untyped-call]  # as above
    return str(where.zone) if where.zone is not None else ""


def _clock(seconds: float, at: int | None) -> str:
    whole = round(seconds)
    text = f"{whole // 3600:02d}:{whole // 60 % 60:02d}"
    return f"{text}:{whole % 60:02d}" if whole % 60 else text


def scale_log(axes: Any, which: str, values: np.ndarray[Any, np.dtype[np.float64]]) -> str:
    """Put the axis ``which`` on a logarithmic scale that shows all ``values``; returns what must be said of it.

    Zeros and negative values have no logarithm: around zero the scale is then linear.
    """
    set_scale, axis = getattr(axes, f"set_{which}scale"), getattr(axes, f"{which}axis")
    found = values[np.isfinite(values)]
    sizes = np.abs(found[np.abs(found) >= SMALLEST])
    if not len(sizes):
        return "no logarithmic scale, as there is no value but zero" if len(found) else ""
    if (found >= SMALLEST).all():
        set_scale("log")
        plain_numbers(axis)
        return ""
    linear = 10.0 ** np.floor(np.log10(sizes.min()))
    set_scale("symlog", linthresh=linear)
    plain_numbers(axis)
    return (
        f"logarithmic scale, linear between -{linear:g} and {linear:g}"
        if (found < 0).any()
        else (f"logarithmic scale, linear below {linear:g}")
    )
