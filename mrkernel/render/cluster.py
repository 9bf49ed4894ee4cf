"""A cluster as it is at one moment: its workers, what they run, and the ways to look closer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mrkernel.config import counted, format_bytes, format_duration
from mrkernel.render.style import framed
from mrkernel.render.table import plain_table
from mrkernel.render.values import align, cut, escape, printable

__all__ = ["ClusterPicture", "Link", "RunningTask", "WorkerPicture", "cluster_html", "cluster_text"]

MAX_WORKERS = 64
_MAX_TASKS = 3
_HEAD = ("worker", "process", "memory", "limit", "scratch", "state", "runs")
_RIGHT = (False, True, True, True, True, False, False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningTask:
    """A task that runs in a worker.

    Attributes
    ----------
    text
        What it is, in words.
    seconds
        For how long, or None if that is not known.
    is_stopping
        It was cancelled and has not ended yet.
    """

    text: str
    seconds: float | None = None
    is_stopping: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPicture:
    """A worker; ``pid`` and ``memory_limit`` may not be known, and ``n_waiting`` tasks were given to it."""

    name: str
    pid: int | None
    memory: int
    memory_limit: int | None
    scratch_bytes: int
    state: str
    running: tuple[RunningTask, ...] = ()
    n_waiting: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Where to look closer: a whole URL, or a path on the server that the notebook's page comes from."""

    label: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPicture:
    """A cluster at one moment.

    Attributes
    ----------
    title
        What it is and how many workers it has.
    facts
        (name, text) of what holds for the whole.
    workers
        In the order of their names.
    links
        Ways to look closer.
    notes
        What else must be said.
    """

    title: str
    facts: tuple[tuple[str, str], ...] = ()
    workers: tuple[WorkerPicture, ...] = ()
    links: tuple[Link, ...] = ()
    notes: tuple[str, ...] = ()


def cluster_html(picture: ClusterPicture) -> str:
    """Tables of the facts and the workers, links, and notes."""
    parts = [f"<p><strong>{escape(picture.title)}</strong></p>"]
    if picture.workers:
        rows = [[cut(cell, 200) for cell in row] for row in _rows(picture)]
        parts.append(f'<div class="mr-scroll mr-stages">{plain_table(_HEAD, rows, _RIGHT)}</div>')
    if picture.facts:
        facts = [(name, cut(text, 400)) for name, text in picture.facts]
        parts.append(plain_table(("", ""), facts, (False, False)))
    parts += [_link(link) for link in picture.links]
    parts += [f'<p class="mr-dim">{escape(cut(note, 400))}</p>' for note in _notes(picture)]
    return framed("".join(parts), label="cluster")


def _link(link: Link) -> str:
    label, target = escape(link.label), escape(link.target)
    if not link.target.startswith("/"):
        return f'<p><a href="{target}" target="_blank" rel="noopener">{label}</a> <code>{target}</code></p>'
    # Front ends take a link to a path for a file beside the notebook; a form's target is the page's own server.
    button = f'<button type="submit">{label}</button>'
    form = f'<form class="mr-link" action="{target}" method="get" target="_blank">{button}</form>'
    return f"{form}<p><code>{target}</code> on the Jupyter server</p>"


def cluster_text(picture: ClusterPicture) -> str:
    """The same as aligned lines.

    >>> worker = WorkerPicture(name="worker-1", pid=7, memory=1 << 20, memory_limit=None, scratch_bytes=0, state="idle")
    >>> print(cluster_text(ClusterPicture(title="cluster with 1 worker", workers=(worker,))))
    cluster with 1 worker
      worker    process  memory  limit  scratch  state  runs
      worker-1        7  1.0 MB         0 bytes  idle   nothing
    """
    lines = [printable(picture.title)]
    if picture.workers:
        rows = [[cut(printable(cell), 80) for cell in row] for row in [list(_HEAD), *_rows(picture)]]
        lines += [f"  {line}" for line in align(rows, _RIGHT)]
    facts = [(f"  {printable(name)}", cut(printable(text), 200)) for name, text in picture.facts]
    lines += align(facts, (False, False)) if facts else []
    lines += [f"  {printable(link.label)}: {printable(link.target)}" for link in picture.links]
    return "\n".join([*lines, *(f"  {printable(note)}" for note in _notes(picture))])


def _rows(picture: ClusterPicture) -> list[Sequence[str]]:
    return [
        (
            worker.name,
            "" if worker.pid is None else str(worker.pid),
            format_bytes(worker.memory),
            "" if worker.memory_limit is None else format_bytes(worker.memory_limit),
            format_bytes(worker.scratch_bytes),
            worker.state,
            _runs(worker),
        )
        for worker in picture.workers[:MAX_WORKERS]
    ]


def _runs(worker: WorkerPicture) -> str:
    said = [_task(task) for task in worker.running[:_MAX_TASKS]]
    if len(worker.running) > _MAX_TASKS:
        said.append(f"{len(worker.running) - _MAX_TASKS:,} more")
    if worker.n_waiting:
        said.append(f"{counted(worker.n_waiting, 'task')} waiting")
    return "; ".join(said) or "nothing"


def _task(task: RunningTask) -> str:
    time = "" if task.seconds is None else f", {format_duration(task.seconds)}"
    return f"{task.text}{time}{', being stopped' if task.is_stopping else ''}"


def _notes(picture: ClusterPicture) -> tuple[str, ...]:
    left_out = len(picture.workers) - MAX_WORKERS
    return (f"{counted(left_out, 'worker')} not shown", *picture.notes) if left_out > 0 else picture.notes
