"""A job's stages: while it runs with bars and rates, at its end as a compact summary."""

from __future__ import annotations

from mrkernel.config import format_bytes, format_duration
from mrkernel.progress import Progress, StageProgress
from mrkernel.render.style import framed
from mrkernel.render.values import align, cut, escape, printable

__all__ = ["headline", "progress_html", "progress_text"]

# Below this, "nothing for a while" is the normal rhythm of tasks and would only flicker.
_QUIET_S = 5.0


def progress_html(progress: Progress) -> str:
    """One table row for each stage, numbers as text; a running job has bars and rates, an ended one only facts."""
    rows = "".join(_row(stage, progress) for stage in progress.stages)
    columns = _columns(progress.is_running)
    head = "".join(f'<th scope="col"{_num(n)}>{name}</th>' for n, name in enumerate(columns))
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
    notes = "".join(f'<p class="mr-dim">{escape(cut(note, 300))}</p>' for note in _notes(progress))
    name, said = _split_headline(progress)
    return framed(
        f'<p role="status"><strong>{escape(name)}</strong> {escape(said)}</p>{table}{notes}', label="progress"
    )


def progress_text(progress: Progress) -> str:
    """The same as aligned lines."""
    columns = _columns(progress.is_running)
    rows = [["  " + cell if n == 0 else cell for n, cell in enumerate(_cells(s, progress))] for s in progress.stages]
    lines = align([["  " + columns[0], *columns[1:]], *rows], _right(columns)) if rows else []
    return "\n".join([headline(progress), *lines, *(f"  {printable(note)}" for note in _notes(progress))])


def headline(progress: Progress) -> str:
    """One line: the job's name and state, and its time.

    >>> headline(Progress(name="count", state="finished", seconds=1.24))
    'count: finished in 1.2 s'
    """
    name, said = _split_headline(progress)
    return f"{printable(name)} {said}"


def _split_headline(progress: Progress) -> tuple[str, str]:
    name = cut(progress.name or "job", 80) + ":"
    if progress.state == "planning":
        return name, "starting"
    word = "in" if progress.state == "finished" else "after"
    said = f"{progress.state} {'for' if progress.is_running else word} {format_duration(progress.seconds)}"
    return name, said


def _columns(is_running: bool) -> tuple[str, ...]:
    if is_running:
        return ("stage", "done", "tasks", "records", "read", "speed", "time")
    return ("stage", "tasks", "records", "read", "time")


def _right(columns: tuple[str, ...]) -> list[bool]:
    # Not the last one: a padded time would move with every run, and notebooks are compared as text.
    return [name in {"tasks", "records", "read", "speed"} for name in columns]


def _num(position: int) -> str:
    return ' class="mr-num"' if position else ""


def _cells(stage: StageProgress, progress: Progress) -> list[str]:
    tasks = f"{stage.done:,}/{stage.total:,}" if stage.state != "waiting" else "waiting"
    records = f"{stage.records:,}" if stage.records or stage.state != "waiting" else ""
    read = format_bytes(stage.bytes_in) if stage.bytes_in else ""
    if not progress.is_running:
        return [stage.name, tasks, records, read, _time(stage)]
    bar = _bar_text(stage.fraction) if stage.state != "waiting" else ""
    return [stage.name, bar, tasks, records, read, _speed(stage), _time(stage)]


def _speed(stage: StageProgress) -> str:
    if stage.seconds < 0.5 or not stage.records:
        return ""
    speed = f"{stage.records_per_s:,.0f} records/s"
    return f"{speed}, {format_bytes(stage.bytes_per_s)}/s" if stage.bytes_in else speed


def _time(stage: StageProgress) -> str:
    if stage.state == "waiting":
        return ""
    parts = [format_duration(stage.seconds)]
    if stage.eta_s is not None:
        parts.append(f"about {format_duration(stage.eta_s)} left")
    if stage.state not in {"running", "finished"}:
        parts.append(stage.state)
    if stage.running and stage.state == "running":
        parts.append(f"{stage.running} running")
    if stage.retried:
        parts.append(f"{stage.retried} retried")
    return ", ".join(parts)


def _bar_text(fraction: float, width: int = 16) -> str:
    full = round(fraction * width)
    return "█" * full + "░" * (width - full)


def _row(stage: StageProgress, progress: Progress) -> str:
    cells = _cells(stage, progress)
    if progress.is_running:
        cells[1] = _bar_html(stage)
        rest = [cells[1], *map(escape, cells[2:])]
    else:
        rest = [escape(cell) for cell in cells[1:]]
    done = "".join(f"<td{_num(n)}>{cell}</td>" for n, cell in enumerate(rest, 1))
    return f'<tr><th scope="row">{escape(cells[0])}</th>{done}</tr>'


def _bar_html(stage: StageProgress) -> str:
    if stage.state == "waiting":
        return ""
    percent = int(stage.fraction * 100)
    return (
        f'<div class="mr-bar mr-{escape(stage.state)}" role="progressbar" aria-label="{escape(stage.name)}" '
        f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{percent}" '
        f'aria-valuetext="{stage.done} of {stage.total} tasks"><div style="width:{percent}%"></div></div>'
    )


def _notes(progress: Progress) -> list[str]:
    notes = list(progress.notes)
    if progress.is_running and progress.idle_s is not None and progress.idle_s > _QUIET_S:
        notes.append(f"last task finished {format_duration(progress.idle_s)} ago")
    return notes
