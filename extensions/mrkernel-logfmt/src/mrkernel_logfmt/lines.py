"""One line of logfmt and the dict that it stands for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

__all__ = ["format_line", "parse_line"]

_PAIR = re.compile(r'([^\s="]+)(?:=("(?:[^"\\]|\\.)*"|[^\s"]*))?(?:\s+|$)')
_KEY = re.compile(r'[^\s="]+')
_BARE = re.compile(r'[^\s="\\]+')


def parse_line(line: str) -> dict[str, str]:
    r"""The pairs of a line; a key without a value stands for "true".

    Raises
    ------
    ValueError
        Naming the place where a line is no logfmt.

    >>> parse_line(r'level=info msg="disk \"a\" is full" debug')
    {'level': 'info', 'msg': 'disk "a" is full', 'debug': 'true'}
    """
    record, at, text = {}, 0, line.strip()
    while at < len(text):
        match = _PAIR.match(text, at)
        if match is None:
            raise ValueError(f"column {at + 1} is no key=value pair: {text[at : at + 20]!r}")
        key, value = match.groups()
        record[key] = "true" if value is None else json.loads(value, strict=False) if value.startswith('"') else value
        at = match.end()
    return record


def format_line(record: Mapping[str, str | None]) -> str:
    """A line for a record; pairs without a value are left out.

    Raises
    ------
    ValueError
        For a key that holds a space, a quote or an equals sign.

    >>> format_line({"level": "info", "msg": "two words", "user": None})
    'level=info msg="two words"'
    """
    bad = next((key for key in record if not _KEY.fullmatch(key)), None)
    if bad is not None:
        raise ValueError(f"{bad!r} cannot be a key of logfmt")
    return " ".join(f"{key}={value if _BARE.fullmatch(value) else json.dumps(value, ensure_ascii=False)}"
                    for key, value in record.items() if value is not None)  # fmt: skip
