"""The failure card: the user's own failing line, the record, where it came from, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

from mrkernel.events import Failure, Frame
from mrkernel.render.style import framed
from mrkernel.render.values import cut, escape, printable

__all__ = ["failure_html", "failure_text"]

_MAX_LINE = 160


def failure_html(failure: Failure, *, more: int = 0, context: Sequence[tuple[int, str]] = ()) -> str:
    """The card as HTML.

    Parameters
    ----------
    more
        How many further tasks failed in the same way.
    context
        Numbered source lines around the failing one, where they are known; else only that line is shown.
    """
    frame = failure.frames[-1] if failure.frames else None
    parts = [f"<p><strong>{escape(_title(failure))}</strong></p>"]
    if frame is not None:
        code = "\n".join(_code_line(line, number, frame, is_html=True) for number, line in _lines(frame, context))
        parts.append(f"<p>{escape(_place(frame))}</p><pre><code>{code}</code></pre>")
    parts += [f"<p>{escape(name)}: <code>{escape(text)}</code></p>" for name, text in _facts(failure)]
    parts.append(f'<p class="mr-dim">{escape(_where(failure, more))}</p>')
    if failure.hint:
        parts.append(f"<p><strong>Hint:</strong> {escape(failure.hint)}</p>")
    return framed(f'<div class="mr-card">{"".join(parts)}</div>', label="failure")


def failure_text(failure: Failure, *, more: int = 0, context: Sequence[tuple[int, str]] = ()) -> str:
    """The card as text; parameters as in :func:`failure_html`."""
    frame = failure.frames[-1] if failure.frames else None
    lines = [_title(failure)]
    if frame is not None:
        lines.append(f"  {_place(frame)}")
        lines += [f"  {_code_line(line, number, frame, is_html=False)}" for number, line in _lines(frame, context)]
    lines += [f"  {name}: {text}" for name, text in _facts(failure)]
    lines.append(f"  {_where(failure, more)}")
    if failure.hint:
        lines.append(f"Hint: {failure.hint}")
    return "\n".join(lines)


def _title(failure: Failure) -> str:
    text = cut(printable(failure.error_text.strip().split("\n")[0]), 300)
    return f"{failure.function} raised {failure.error_type}" + (f": {text}" if text else "")


def _place(frame: Frame) -> str:
    return f"{printable(frame.filename)}, line {frame.lineno}, in {printable(frame.function)}"


def _lines(frame: Frame, context: Sequence[tuple[int, str]]) -> Sequence[tuple[int, str]]:
    return context if any(number == frame.lineno for number, _ in context) else [(frame.lineno, frame.text)]


def _code_line(line: str, number: int, frame: Frame, *, is_html: bool) -> str:
    is_failing = number == frame.lineno
    text = f"{'→' if is_failing else ' '} {number:>4} {cut(printable(line.rstrip()), _MAX_LINE)}"
    if not is_html:
        return text
    return f"<mark>{escape(text)}</mark>" if is_failing else escape(text)


def _facts(failure: Failure) -> list[tuple[str, str]]:
    facts = []
    where = ", ".join(part for part in (failure.source, failure.location) if part)
    if where:
        facts.append(("input", cut(printable(where), 300)))
    if failure.record:
        facts.append(("record", cut(printable(failure.record), 300)))
    return facts


def _where(failure: Failure, more: int) -> str:
    return f"stage {failure.stage}, task {failure.task}" + (f" · {more} more like this" if more else "")
