"""The first rows of a result, as an HTML table and as aligned text, with a footer that says what was cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mrkernel.config import counted, format_bytes
from mrkernel.render.style import framed
from mrkernel.render.values import MAX_CHARACTERS, align, cut, escape, printable, value_text

__all__ = ["Preview", "plain_table", "table_html", "table_text"]

MAX_COLUMNS = 20
MAX_HTML_CHARACTERS = 100_000
_FOLD_AT = 160
_NUMBERS = ("int", "uint", "float", "double", "halffloat", "decimal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Some first rows of a table, as plain Python values.

    Attributes
    ----------
    columns, types
        Names and Arrow types in words, one for each entry of a row.
    rows
        The rows to show.
    n_rows, n_columns, n_bytes
        Of the whole; ``n_bytes`` may be None.
    note
        What else must be said beside the data ("sampled", …); may be empty.
    access
        How all rows are reached, shown at the end of the footer; empty shows nothing.
    written
        What was written where, a line of its own below the footer; may be empty.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    n_rows: int = 0
    n_columns: int = 0
    n_bytes: int | None = None
    note: str = ""
    access: str = ".to_pandas()"
    written: str = ""


def table_html(preview: Preview, *, title: str = "") -> str:
    """The rows as a semantic table. Long values fold; at most 20 columns and about 100 kB are shown."""
    shown = min(len(preview.columns), MAX_COLUMNS)
    numeric = _numeric(preview)[:shown]
    head = "".join(
        f'<th scope="col"{_class(is_number=is_number)}>{escape(_name(name))}<small>{escape(cut(kind, 60))}</small></th>'
        for name, kind, is_number in zip(preview.columns, preview.types, numeric, strict=False)
    )
    body: list[str] = []
    size = 0
    for row in preview.rows:
        line = "".join(f"<td{_class(is_number=n)}>{_cell(v)}</td>" for v, n in zip(row, numeric, strict=False))
        size += len(line)
        if size > MAX_HTML_CHARACTERS and body:
            break
        body.append(f"<tr>{line}</tr>")
    caption = f"<p><strong>{escape(title)}</strong></p>" if title else ""
    rows = f"<tbody>{''.join(body)}</tbody>" if body else ""
    table = f'<div class="mr-scroll"><table class="mr-data"><thead><tr>{head}</tr></thead>{rows}</table></div>'
    note = f"<p>{escape(preview.note)}</p>" if preview.note else ""
    footer = escape(_footer(preview, len(body), shown))
    access = f" · <code>{escape(preview.access)}</code>" if preview.access else ""
    written = f"<p>{escape(preview.written)}</p>" if preview.written else ""
    return framed(f'{caption}{table}{note}<p class="mr-dim">{footer}{access}</p>{written}', label="result")


def table_text(preview: Preview, *, title: str = "", width: int = 100) -> str:
    """The rows as aligned text of at most ``width`` terminal columns."""
    shown = min(len(preview.columns), MAX_COLUMNS)
    while True:
        each = max(12, (width - 2 * shown) // max(1, shown)) if shown > 2 else 60
        cells = [[cut(_name(name), each) for name in preview.columns[:shown]]]
        cells += [[cut(value_text(v), each) for v in row[:shown]] for row in preview.rows]
        numeric = _numeric(preview)[:shown]
        lines = align(cells, numeric) if shown else []
        if shown <= 1 or max(map(len, lines)) <= width:
            break
        shown -= 1
    if lines:
        rule = "─" * max(map(len, lines))
        lines.insert(1, rule)
    footer = _footer(preview, len(preview.rows), shown) + (f" · {preview.access}" if preview.access else "")
    parts = [printable(title), *lines, printable(preview.note), footer, printable(preview.written)]
    return "\n".join(part for part in parts if part)


def _numeric(preview: Preview) -> list[bool]:
    return [kind.startswith(_NUMBERS) for kind in preview.types]


def _class(*, is_number: bool) -> str:
    return ' class="mr-num"' if is_number else ""


def _name(name: str) -> str:
    return cut(printable(name), 80)


def _cell(value: object) -> str:
    text = value_text(value)
    if len(text) <= _FOLD_AT:
        return escape(text)
    total = len(value) if isinstance(value, str) else len(text)
    kept = escape(text[:MAX_CHARACTERS])
    if total > MAX_CHARACTERS:
        kept += f"… <em>(cut: {MAX_CHARACTERS:,} of {total:,} characters)</em>"
    return f"<details><summary>{escape(text[: _FOLD_AT - 20])}…</summary>{kept}</details>"


def _footer(preview: Preview, n_shown: int, n_columns: int) -> str:
    rows, columns = counted(preview.n_rows, "row"), counted(preview.n_columns, "column")
    parts = [
        rows if n_shown >= preview.n_rows else f"{n_shown:,} of {rows}",
        columns if n_columns >= preview.n_columns else f"{n_columns:,} of {columns}",
    ]
    if preview.n_bytes is not None:
        parts.append(format_bytes(preview.n_bytes))
    return ", ".join(parts)


def plain_table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    """A small semantic table of texts, escaped here; the first cell of a row is its heading."""
    heads = "".join(f'<th scope="col"{_class(is_number=r)}>{escape(h)}</th>' for h, r in zip(head, right, strict=True))
    lines = []
    for row in rows:
        cells = "".join(f"<td{_class(is_number=r)}>{escape(c)}</td>" for c, r in zip(row[1:], right[1:], strict=True))
        lines.append(f'<tr><th scope="row">{escape(row[0])}</th>{cells}</tr>')
    thead = f"<thead><tr>{heads}</tr></thead>" if any(head) else ""
    return f"<table>{thead}<tbody>{''.join(lines)}</tbody></table>"
