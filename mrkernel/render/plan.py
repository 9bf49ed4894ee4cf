"""What a job is going to do, as a table of facts and the notes that belong to them."""

from __future__ import annotations

from collections.abc import Sequence

from mrkernel.render.style import framed
from mrkernel.render.table import plain_table
from mrkernel.render.values import align, cut, escape, printable

__all__ = ["plan_html", "plan_text"]


def plan_html(title: str, facts: Sequence[tuple[str, str]], notes: Sequence[str] = ()) -> str:
    """Facts as (name, text) in order, then notes, one paragraph each."""
    body = plain_table(("", ""), [(name, cut(text, 400)) for name, text in facts], (False, False)) if facts else ""
    said = "".join(f'<p class="mr-dim">{escape(cut(note, 400))}</p>' for note in notes)
    return framed(f"<p><strong>{escape(title)}</strong></p>{body}{said}", label="plan")


def plan_text(title: str, facts: Sequence[tuple[str, str]], notes: Sequence[str] = ()) -> str:
    """The same as aligned lines.

    >>> print(plan_text("plan of count", [("map", "8 tasks"), ("reduce", "2 tasks")]))
    plan of count
      map     8 tasks
      reduce  2 tasks
    """
    rows = [("  " + printable(name), cut(printable(text), 200)) for name, text in facts]
    lines = align(rows, (False, False)) if rows else []
    return "\n".join([printable(title), *lines, *(f"  {printable(note)}" for note in notes)])
