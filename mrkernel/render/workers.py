"""What the workers of an ended job did, and what happened on the way: folded, in letters, for any page and none."""

from __future__ import annotations

from mrkernel.config import counted, format_bytes, format_duration
from mrkernel.progress import Lane, LogLine, Progress, WorkerState
from mrkernel.render.values import cut, escape

__all__ = ["workers_html"]

_KINDS = {
    "m": "read and map", "w": "shuffle write", "f": "fetch", "r": "reduce", "c": "merge and commit", "x": "failed",
    "t": "retried",
}  # fmt: skip
# Of two cells that become one, trouble is seen before work, and work before none.
_RANK = {kind: rank for rank, kind in enumerate("xtmrwfc.")}
_WIDTH = 60
_NUM = ' class="mr-num"'


def workers_html(progress: Progress) -> str:
    """Workers with their lanes and the log, folded; empty where there is nothing of them."""
    parts = [_lanes(progress) if any(lane.cells for lane in progress.lanes) else "", _log(progress)]
    body = "".join(parts)
    summary = "workers over time" if parts[0] else "what happened"
    if parts[0] and parts[1]:
        summary += ", and what happened"
    return f"<details><summary>{summary}</summary>{body}</details>" if body else ""


def _lanes(progress: Progress) -> str:
    states = {worker.name: worker for worker in progress.workers}
    n_halvings = _n_halvings(max(len(lane.cells) for lane in progress.lanes))
    rows = "".join(_row(lane, states.get(lane.worker), n_halvings) for lane in progress.lanes)
    head = "".join(
        f'<th scope="col"{kind}>{name}</th>'
        for name, kind in (("worker", ""), ("memory", _NUM), ("scratch", _NUM), ("over time", ""))
    )
    seen = set().union(*(lane.cells for lane in progress.lanes))
    legend = [f"{kind} {word}" for kind, word in _KINDS.items() if kind in seen] + ["· waiting"]
    said = f"one letter for each {format_duration(progress.bucket_s * 2**n_halvings)}: {', '.join(legend)}"
    if progress.lanes_left_out:
        said += f"; {counted(progress.lanes_left_out, 'worker')} more"
    table = f'<table class="mr-workers"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return f'<div class="mr-scroll">{table}</div><p class="mr-dim">{said}</p>'


def _row(lane: Lane, state: WorkerState | None, n_halvings: int) -> str:
    memory = format_bytes(state.memory) if state is not None and state.memory else ""
    scratch = format_bytes(state.scratch_bytes) if state is not None and state.scratch_bytes else ""
    lost = f" ({escape(state.state)})" if state is not None and state.state != "running" else ""
    return (
        f'<tr><th scope="row">{escape(lane.worker)}{lost}</th><td{_NUM}>{memory}</td><td{_NUM}>{scratch}</td>'
        f"<td><code>{_letters(lane.cells, n_halvings)}</code></td></tr>"
    )


def _n_halvings(length: int) -> int:
    """How often cells become one of two, until the longest lane fits its line."""
    n_halvings = 0
    while length > _WIDTH:
        length, n_halvings = (length + 1) // 2, n_halvings + 1
    return n_halvings


def _letters(cells: str, n_halvings: int) -> str:
    for _ in range(n_halvings):
        pairs = (cells[start : start + 2] for start in range(0, len(cells), 2))
        cells = "".join(min(pair, key=_RANK.__getitem__) for pair in pairs)
    return cells.replace(".", "·")


def _log(progress: Progress) -> str:
    lines = "".join(_line(line) for line in progress.log)
    if not lines:
        return ""
    left_out = progress.log_left_out
    before = f'<p class="mr-dim">{counted(left_out, "earlier line")} left out</p>' if left_out else ""
    return f'{before}<table class="mr-log"><tbody>{lines}</tbody></table>'


def _line(line: LogLine) -> str:
    return (
        f"<tr><td{_NUM}>{format_duration(line.at_s)}</td><td>{escape(line.kind)}</td>"
        f"<td>{escape(cut(line.text, 300))}</td></tr>"
    )
