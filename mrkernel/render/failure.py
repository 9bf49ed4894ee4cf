"""The failure card: the user's own failing line, the record, where it came from, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

from mrkernel.config import counted
from mrkernel.events import Failure, Frame
from mrkernel.render.style import framed
from mrkernel.render.values import cut, escape, printable

__all__ = ["failure_html", "failure_text"]

_MAX_LINE = 160
_MAX_FACT = 300
# Of callers, of the lines of an error's text, and of other failures; the rest is counted.
_MAX_CALLERS, _MAX_TEXT_LINES, _MAX_PLACES, _MAX_KINDS = 3, 8, 3, 5


def failure_html(
    failure: Failure, *, others: Sequence[Failure] = (), context: Sequence[tuple[int, str]] = (), call: str = ""
) -> str:
    """The card as HTML.

    Parameters
    ----------
    others
        Other tasks' failures in the same job: those like this one are counted, those of other kinds named.
    context
        Numbered source lines around the failing one, where they are known; else only that line is shown.
    call
        Code that fails in the same way in the user's own process, where there is such code.
    """
    frame = failure.frames[-1] if failure.frames else None
    parts = [f"<p><strong>{escape(_title(failure))}</strong></p>"]
    if details := _more_text(failure):
        parts.append(f"<pre>{_escaped(details)}</pre>")
    if frame is not None:
        code = "\n".join(_code_line(line, number, frame, is_html=True) for number, line in _lines(frame, context))
        parts.append(f"<p>{escape(_place(frame))}</p><pre><code>{code}</code></pre>")
        parts += [f'<p class="mr-dim">{escape(line)}</p>' for line in _callers(failure)]
    parts += [f"<p>{escape(name)}: <code>{escape(text)}</code></p>" for name, text in _facts(failure, call)]
    parts += [f'<p class="mr-dim">{escape(line)}</p>' for line in _where(failure, others)]
    if failure.hint:
        parts.append(f"<p><strong>Hint:</strong> {escape(failure.hint)}</p>")
    text = _escaped(failure_text(failure, others=others, context=context, call=call).split("\n"))
    parts.append(f'<details><summary>as text, to copy</summary><pre class="mr-copy">{text}</pre></details>')
    return framed(f'<div class="mr-card">{"".join(parts)}</div>', label="failure")


def failure_text(
    failure: Failure, *, others: Sequence[Failure] = (), context: Sequence[tuple[int, str]] = (), call: str = ""
) -> str:
    """The card as text; parameters as in :func:`failure_html`."""
    frame = failure.frames[-1] if failure.frames else None
    lines = [_title(failure), *(f"  {line}" for line in _more_text(failure))]
    if frame is not None:
        lines.append(f"  {_place(frame)}")
        lines += [f"  {_code_line(line, number, frame, is_html=False)}" for number, line in _lines(frame, context)]
        lines += [f"  {line}" for line in _callers(failure)]
    lines += [f"  {name}: {text}" for name, text in _facts(failure, call)]
    lines += [f"  {line}" for line in _where(failure, others)]
    if failure.hint:
        lines.append(f"Hint: {printable(failure.hint)}")
    return "\n".join(lines)


def _escaped(lines: Sequence[str]) -> str:
    """Lines for a ``pre``: a line's own control characters are shown, and never break it."""
    return "\n".join(escape(line) for line in lines)


def _title(failure: Failure) -> str:
    text = cut(printable(_text_lines(failure)[0]), _MAX_FACT)
    return f"{printable(failure.function)} raised {printable(failure.error_type)}" + (f": {text}" if text else "")


def _text_lines(failure: Failure) -> list[str]:
    return failure.error_text.strip().split("\n")


def _more_text(failure: Failure) -> list[str]:
    """What an error of several lines says after its first one."""
    lines = [cut(printable(line.rstrip()), _MAX_LINE) for line in _text_lines(failure)[1:]]
    left = len(lines) - _MAX_TEXT_LINES
    return lines if left <= 0 else [*lines[:_MAX_TEXT_LINES], f"… {counted(left, 'more line')}"]


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


def _callers(failure: Failure) -> list[str]:
    """The user's own lines that led there, the nearest first."""
    outer = failure.frames[-2::-1]
    lines = [f"called from {_place(frame)}: {cut(printable(frame.text.strip()), _MAX_LINE)}" for frame in outer]
    left = len(lines) - _MAX_CALLERS
    return lines if left <= 0 else [*lines[:_MAX_CALLERS], f"… {counted(left, 'more call')}"]


def _facts(failure: Failure, call: str) -> list[tuple[str, str]]:
    facts = []
    # "line 1042" is for people, the byte for seek().
    byte = f"byte {failure.offset:,}" if failure.offset is not None and failure.location.startswith("line") else ""
    if where := ", ".join(part for part in (failure.source, failure.location, byte) if part):
        facts.append(("input", where))
    if failure.record:
        facts.append(("record", failure.record))
    if call:
        facts.append(("try it here", call))
    return [(name, cut(printable(text), _MAX_FACT)) for name, text in facts]


def _where(failure: Failure, others: Sequence[Failure]) -> list[str]:
    partition = "" if failure.partition is None else f", partition {failure.partition}"
    stage = f"stage {printable(failure.stage)}, task {failure.task}{partition}"
    alike = [other for other in others if _kind(other) == _kind(failure)]
    if alike:
        # A place is said once, also where several tasks failed at it.
        places = list(dict.fromkeys(_named_place(other) for other in alike))
        named = ", ".join(places[:_MAX_PLACES]) + (", …" if len(places) > _MAX_PLACES else "")
        stage += f" · {len(alike):,} more like this: {named}"
    kinds: dict[tuple[object, ...], list[Failure]] = {}
    for other in others:
        if _kind(other) != _kind(failure):
            kinds.setdefault(_kind(other), []).append(other)
    lines = [_also(failures) for failures in kinds.values()]
    left = len(lines) - _MAX_KINDS
    return [stage, *lines[:_MAX_KINDS], *([f"… and {counted(left, 'more kind')} of failure"] if left > 0 else [])]


def _kind(failure: Failure) -> tuple[object, ...]:
    """What failures have in common that one fix mends: the function, the error, the user's line."""
    frame = failure.frames[-1] if failure.frames else None
    return failure.function, failure.error_type, frame and (frame.filename, frame.lineno)


def _named_place(failure: Failure) -> str:
    place = " of ".join(part for part in (failure.location, failure.source) if part) or f"task {failure.task}"
    return cut(printable(place), 60)


def _also(failures: Sequence[Failure]) -> str:
    times = f", {len(failures):,} times" if len(failures) > 1 else ""
    return f"also: {cut(_title(failures[0]), _MAX_LINE)}, at {_named_place(failures[0])}{times}"
