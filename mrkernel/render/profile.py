"""What a job's time went to, as a table, and the user's own lines that took most."""

from __future__ import annotations

from collections.abc import Sequence

from mrkernel.render.style import framed
from mrkernel.render.table import plain_table
from mrkernel.render.values import align, cut, escape, printable

__all__ = ["profile_html", "profile_text"]

_HEAD, _RIGHT = ("time of all workers", "seconds", "share"), (False, True, True)
_LINES_HEAD, _LINES_RIGHT = ("your code", "seconds", "share", ""), (False, True, True, False)
_MOST = 100


def profile_html(parts: Sequence[Sequence[str]], lines: Sequence[Sequence[str]]) -> str:
    """Two tables: (part, seconds, share), and (place, seconds, share, text of the line) where there are any."""
    tables = plain_table(_HEAD, parts, _RIGHT)
    if lines:
        heads = "".join(f'<th scope="col"{_number(right)}>{escape(head)}</th>'
                        for head, right in zip(_LINES_HEAD, _LINES_RIGHT, strict=True))  # fmt: skip
        tables += f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(map(_line, lines))}</tbody></table>"
    return framed(f'<div class="mr-scroll">{tables}</div>', label="profile")


def profile_text(parts: Sequence[Sequence[str]], lines: Sequence[Sequence[str]]) -> str:
    """The same as aligned lines.

    >>> print(profile_text([("user code", "1.50", "75%")], [("words.py:3 in mapper", "1.20", "60%", "yield word, 1")]))
    time of all workers  seconds  share
    user code               1.50    75%
    your code             seconds  share
    words.py:3 in mapper     1.20    60%  yield word, 1
    """
    found = align([_HEAD, *parts], _RIGHT)
    if lines:
        found += align([_LINES_HEAD, *map(_cut, lines)], _LINES_RIGHT)
    return "\n".join(line.rstrip() for line in found)


def _cut(row: Sequence[str]) -> tuple[str, ...]:
    place, seconds, share, text = row
    return cut(printable(place), _MOST), seconds, share, cut(printable(text), _MOST)


def _line(row: Sequence[str]) -> str:
    place, seconds, share, text = map(escape, _cut(row))
    numbers = "".join(f'<td class="mr-num">{number}</td>' for number in (seconds, share))
    return f'<tr><th scope="row">{place}</th>{numbers}<td><code>{text}</code></td></tr>'


def _number(is_number: bool) -> str:  # noqa: FBT001  # a flag of each column
    return ' class="mr-num"' if is_number else ""
