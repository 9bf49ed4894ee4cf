"""A job's stages: while it runs with bars and rates, at its end as a compact summary."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mrkernel.config import counted, format_bytes, format_duration
from mrkernel.progress import Progress, StageProgress
from mrkernel.render.style import framed
from mrkernel.render.values import align, cut, escape, printable

__all__ = ["headline", "progress_html", "progress_text", "stages_table"]

# Below this, "nothing for a while" is the normal rhythm of tasks and would only flicker.
_QUIET_S = 5.0
_NOT_BEGUN = frozenset({"waiting", "not run"})
_NUMBERS = ("tasks", "records", "read", "speed")


def progress_html(progress: Progress, *, details: str = "") -> str:
    """One table row for each stage, numbers as text; a running job has bars and rates, an ended one only facts.

    ``details`` is HTML to stand below: :func:`workers_html`.
    """
    columns = _columns(progress)
    rows = "".join(_row(stage, columns) for stage in progress.stages)
    head = "".join(f'<th scope="col"{_num(name)}>{name}</th>' for name in columns)
    body = f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
    table = f'<div class="mr-scroll"><table class="mr-stages">{body}</table></div>' if rows else ""
    notes = "".join(f'<p class="mr-dim">{escape(cut(note, 300))}</p>' for note in _notes(progress))
    name, said = _split_headline(progress)
    line = f'<p role="status"><strong>{escape(name)}</strong> {escape(said)}</p>'
    return framed(f"{line}{table}{notes}{details}", label="progress")


def progress_text(progress: Progress) -> str:
    """The same as aligned lines."""
    columns = _columns(progress)
    rows = [[_cell(stage, name) for name in columns] for stage in progress.stages]
    table = [["  " + row[0], *row[1:]] for row in (columns, *rows)]
    lines = align(table, [name in _NUMBERS for name in columns]) if rows else []
    return "\n".join([headline(progress), *lines, *(f"  {printable(note)}" for note in _notes(progress))])


def stages_table(progress: Progress) -> tuple[list[str], list[list[str]], list[bool]]:
    """The stages as texts: names of columns, rows, and which columns are numbers."""
    columns = _columns(progress)
    rows = [[_cell(stage, name) for name in columns] for stage in progress.stages]
    return columns, rows, [name in _NUMBERS for name in columns]


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


def _columns(progress: Progress) -> list[str]:
    """While running the same columns all the time, so that nothing jumps; at the end only those that say something."""
    if progress.is_running:
        return ["stage", "done", *_NUMBERS, "time"]
    told = [n for n in _NUMBERS if n != "speed" and any(_cell(stage, n) for stage in progress.stages)]
    return ["stage", *told, "time"]


def _num(name: str) -> str:
    return ' class="mr-num"' if name in _NUMBERS else ""


def _cell(stage: StageProgress, name: str) -> str:
    if name == "stage":
        return stage.name
    if stage.state in _NOT_BEGUN:
        return stage.state if name == "tasks" else ""
    return _CELLS[name](stage)


def _speed(stage: StageProgress) -> str:
    if stage.seconds < 0.5 or not stage.records:
        return ""
    speed = f"{stage.records_per_s:,.0f} records/s"
    return f"{speed}, {format_bytes(stage.bytes_per_s)}/s" if stage.bytes_in else speed


def _time(stage: StageProgress) -> str:
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


def _bar_text(stage: StageProgress, width: int = 16) -> str:
    full = round(stage.fraction * width)
    return "█" * full + "░" * (width - full)


_CELLS: dict[str, Callable[[StageProgress], str]] = {
    "done": _bar_text,
    "tasks": lambda stage: f"{stage.done:,}/{stage.total:,}",
    "records": lambda stage: f"{stage.records:,}",
    "read": lambda stage: format_bytes(stage.bytes_in) if stage.bytes_in else "",
    "speed": _speed,
    # Last and never padded: a time that moves with every run would move the others, and notebooks are compared.
    "time": _time,
}


def _row(stage: StageProgress, columns: Sequence[str]) -> str:
    cells = [_bar_html(stage) if name == "done" else escape(_cell(stage, name)) for name in columns]
    rest = "".join(f"<td{_num(name)}>{cell}</td>" for name, cell in zip(columns[1:], cells[1:], strict=True))
    return f'<tr><th scope="row">{cells[0]}</th>{rest}</tr>'


def _bar_html(stage: StageProgress) -> str:
    if stage.state in _NOT_BEGUN:
        return ""
    percent = int(stage.fraction * 100)
    total = counted(stage.total, "task")
    return (
        f'<div class="mr-bar mr-{escape(stage.state)}" role="progressbar" aria-label="{escape(stage.name)}" '
        f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{percent}" '
        f'aria-valuetext="{stage.done} of {total}"><div style="width:{percent}%"></div></div>'
    )


def _notes(progress: Progress) -> list[str]:
    notes = list(progress.notes)
    if progress.is_running and progress.idle_s is not None and progress.idle_s > _QUIET_S:
        notes.append(f"last task finished {format_duration(progress.idle_s)} ago")
    return notes
