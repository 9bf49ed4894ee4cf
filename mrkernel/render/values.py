"""One value as text that is safe to show: bounded, without control characters, never raising."""

from __future__ import annotations

import datetime as dt
import decimal
import html
import reprlib
import unicodedata
from collections.abc import Sequence

__all__ = ["align", "cut", "display_width", "escape", "printable", "value_text", "whole_text"]

MAX_CHARACTERS = 2_000

_repr = reprlib.Repr()
_repr.maxlevel = 5
_repr.maxlist = _repr.maxtuple = _repr.maxset = _repr.maxfrozenset = _repr.maxdict = _repr.maxarray = 30
_repr.maxstring = _repr.maxother = 300
_repr.maxlong = 100
_PLAIN = (dt.datetime, dt.date, dt.time, dt.timedelta, decimal.Decimal)

# Marks that reorder the text around them: a key could otherwise disguise itself, or its neighbours.
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def value_text(value: object) -> str:
    r"""A value for a table cell: strings as they are, the rest as Python shows it, at most 2,000 characters.

    >>> value_text("a\nb"), value_text(None), value_text((1, "x"))
    ('a\\nb', 'None', "(1, 'x')")
    """
    if isinstance(value, str):
        return printable(value[: MAX_CHARACTERS + 1])
    if isinstance(value, _PLAIN):
        return str(value)
    try:
        return printable(_repr.repr(value)[: MAX_CHARACTERS + 1])
    except ValueError:
        # Python refuses to print an int of more than 4,300 digits.
        return f"<{type(value).__name__} too large to show>"


def whole_text(value: object) -> str:
    """A value as :func:`value_text` shows it, however long it is; sets and dicts in their own order."""
    if isinstance(value, str):
        return printable(value)
    try:
        return str(value) if isinstance(value, _PLAIN) else printable(repr(value))
    except Exception:  # noqa: BLE001  # a user's __repr__ may raise anything
        # Python refuses to print an int of more than 4,300 digits, but not as a Decimal.
        return str(decimal.Decimal(value)) if isinstance(value, int) else value_text(value)


def printable(text: str) -> str:
    """Text with control characters, lone surrogates and direction marks written as escapes."""
    if text.isprintable() and not (_BIDI & set(text)):
        return text
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character in _BIDI or unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}:
        return character.encode("unicode_escape").decode("ascii")
    return character


def escape(text: object) -> str:
    """Text for HTML content and attributes."""
    return html.escape(printable(str(text)), quote=True)


def display_width(text: str) -> int:
    """Columns that a terminal needs: wide characters take two, combining marks none.

    >>> display_width("日本"), display_width("é")
    (4, 1)
    """
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, width: int) -> str:
    """Text of at most ``width`` terminal columns, its end replaced by "…" where it was longer."""
    if display_width(text) <= width:
        return text
    used, kept = 1, []
    for character in text:
        used += _columns(character)
        if used > width:
            break
        kept.append(character)
    return "".join(kept) + "…"


def align(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str]:
    """Rows as lines with columns padded to one width, two spaces between; the last column is not padded."""
    widths = [max(display_width(row[n]) for row in rows) for n in range(len(right))]
    lines = []
    for row in rows:
        cells = []
        for text, width, is_right in zip(row, widths, right, strict=True):
            pad = " " * (width - display_width(text))
            cells.append(pad + text if is_right else text + pad)
        lines.append("  ".join(cells).rstrip())
    return lines
