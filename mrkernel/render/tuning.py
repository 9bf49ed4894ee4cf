"""A tuning: what to do, why, and the numbers, as tables that need no scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mrkernel.render.style import framed
from mrkernel.render.table import plain_table
from mrkernel.render.values import align, cut, escape, printable

__all__ = ["NumberTable", "tuning_html", "tuning_text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberTable:
    """A small table: its title, columns, and rows of texts; the first column is words, the others are numbers."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def is_right(self) -> tuple[bool, ...]:
        """Which columns are aligned to the right."""
        return tuple(number > 0 for number in range(len(self.columns)))


def tuning_html(title: str, advice: str, lines: Sequence[str], tables: Sequence[NumberTable]) -> str:
    """The advice as text to copy, its reasons, and the tables."""
    said = "".join(f'<p class="mr-dim">{escape(cut(line, 400))}</p>' for line in lines)
    shown = "".join(_table_html(table) for table in tables)
    return framed(
        f"<p><strong>{escape(cut(title, 160))}</strong> <code>{escape(advice)}</code></p>{said}{shown}", label="tuning"
    )


def _table_html(table: NumberTable) -> str:
    rows = plain_table(table.columns, table.rows, table.is_right)
    return f'<p>{escape(table.title)}</p><div class="mr-scroll">{rows}</div>'


def tuning_text(title: str, advice: str, lines: Sequence[str], tables: Sequence[NumberTable]) -> str:
    """The same as lines.

    >>> print(tuning_text("tuning of words:", "leave it", ["about 2.0 s by default"], []))
    tuning of words: leave it
      about 2.0 s by default
    """
    out = [f"{printable(cut(title, 160))} {printable(advice)}", *(f"  {printable(line)}" for line in lines)]
    for table in tables:
        rows = [("  " + row[0], *map(printable, row[1:])) for row in (table.columns, *table.rows)]
        out += [f"  {printable(table.title)}", *(f"  {line}" for line in align(rows, table.is_right))]
    return "\n".join(out)
