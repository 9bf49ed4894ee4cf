"""A job's own counters, by name."""

from __future__ import annotations

from mrkernel.events import Counters
from mrkernel.render.style import framed
from mrkernel.render.table import plain_table
from mrkernel.render.values import align, cut, printable

__all__ = ["counters_html", "counters_text"]


def counters_html(counters: Counters) -> str:
    """The counters as a table, sorted by name."""
    return framed(plain_table(("counter", "count"), _rows(counters), (False, True)), label="counters")


def counters_text(counters: Counters) -> str:
    """The counters as aligned lines, sorted by name.

    >>> print(counters_text({"bad_lines": 3}))
    counter    count
    bad_lines      3
    """
    return "\n".join(align([("counter", "count"), *_rows(counters)], (False, True)))


def _rows(counters: Counters) -> list[tuple[str, str]]:
    return [(cut(printable(name), 80), f"{counters[name]:,}") for name in sorted(counters)]
