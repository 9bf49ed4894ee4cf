"""Heavy keys as a table, with a line on the slowest partition."""

from __future__ import annotations

from collections.abc import Sequence

from mrkernel.render.style import framed
from mrkernel.render.table import plain_table
from mrkernel.render.values import align, cut, escape, printable

__all__ = ["skew_html", "skew_text"]

_HEAD, _RIGHT = ("key", "share", "pairs", "stage"), (False, True, True, False)
_NONE = "no key has a hundredth of the pairs"


def skew_html(rows: Sequence[tuple[str, str, str, str]], note: str) -> str:
    """The table, or that there are none."""
    table = plain_table(_HEAD, _cut(rows), _RIGHT) if rows else f"<p>{_NONE}</p>"
    return framed(table + (f"<p>{escape(note)}</p>" if note else ""), label="skew")


def skew_text(rows: Sequence[tuple[str, str, str, str]], note: str) -> str:
    """The same as aligned lines.

    >>> print(skew_text([("'the'", "5.1%", "62,064", "map")], ""))
    key    share   pairs  stage
    'the'   5.1%  62,064  map
    """
    lines = align([_HEAD, *_cut(rows)], _RIGHT) if rows else [_NONE]
    return "\n".join([*lines, *([printable(note)] if note else [])])


def _cut(rows: Sequence[tuple[str, str, str, str]]) -> list[tuple[str, ...]]:
    return [(cut(printable(key), 80), *rest) for key, *rest in rows]
