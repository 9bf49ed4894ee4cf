"""A progress as JSON for a widget, kept small: it crosses the wire up to four times a second."""

from __future__ import annotations

from typing import Any

from mrkernel.progress.snapshot import Progress, StageProgress, WorkerState

__all__ = ["progress_state"]

VERSION = 1
_LOG_LINES = 30
_TEXT = 300
_NOTES = 8
_COUNTERS = 50
# All lanes together, so that many workers cost no more than a few: 2 lanes of 240, 8 of 60, 32 of 15.
_CELLS = 480
_FEWEST = 30
# What is seen of two cells that become one: trouble before work, work before none.
_RANK = {kind: rank for rank, kind in enumerate("xtmrwfc.")}


def progress_state(progress: Progress, *, kernel: str = "") -> dict[str, Any]:
    """The progress as plain JSON values, under 1.5 kB for two workers where little happened.

    Times are seconds, sizes bytes; ``eta`` is ``[estimate, low, high]`` or None; a lane is ``[worker, cells]`` with a
    cell for each ``bucket`` seconds (see :class:`Lane`); a log line is ``[seconds, kind, text]``. All texts may hold
    what users wrote: displays must not read them as markup.

    Parameters
    ----------
    kernel
        What this kernel allows, in words (whether Cancel works while the cell waits); empty says nothing.

    Examples
    --------
    >>> progress_state(Progress(name="count", state="running"))["state"]
    'running'
    """
    eta = progress.eta
    return {
        "v": VERSION,
        "id": progress.job_id,
        "name": progress.name,
        "state": progress.state,
        "seconds": round(progress.seconds, 2),
        "fraction": round(progress.fraction, 4),
        "eta": None if eta is None else [round(eta.seconds, 1), round(eta.low_s, 1), round(eta.high_s, 1)],
        "idle": None if progress.idle_s is None else round(progress.idle_s, 1),
        "stages": [_stage(stage) for stage in progress.stages],
        "workers": [_worker(worker) for worker in progress.workers],
        "lanes": _lanes(progress),
        "log": [[round(line.at_s, 1), line.kind, _cut(line.text)] for line in progress.log[-_LOG_LINES:]],
        "notes": [_cut(note) for note in progress.notes[-_NOTES:]],
        "counters": dict(list(progress.counters.items())[:_COUNTERS]),
        "kernel": kernel,
    }


def _cut(text: str) -> str:
    return text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"


def _stage(stage: StageProgress) -> dict[str, Any]:
    return {
        "name": stage.name, "state": stage.state, "done": stage.done, "total": stage.total, "running": stage.running,
        "failed": stage.failed, "retried": stage.retried, "fraction": round(stage.fraction, 4),
        "records": stage.records, "rate": round(stage.records_per_s), "bytes": stage.bytes_in,
        "byteRate": round(stage.bytes_per_s), "seconds": round(stage.seconds, 2),
    }  # fmt: skip


def _worker(worker: WorkerState) -> dict[str, Any]:
    return {
        "name": worker.name, "memory": worker.memory, "limit": worker.memory_limit, "scratch": worker.scratch_bytes,
        "state": worker.state,
    }  # fmt: skip


def _lanes(progress: Progress) -> dict[str, Any]:
    rows, bucket_s = [[lane.worker, lane.cells] for lane in progress.lanes], progress.bucket_s
    most = max(_FEWEST, _CELLS // max(1, len(rows)))
    while rows and max(len(cells) for _, cells in rows) > most:
        rows = [[name, _halved(cells)] for name, cells in rows]
        bucket_s *= 2
    return {"bucket": round(bucket_s, 3), "rows": rows, "more": progress.lanes_left_out}


def _halved(cells: str) -> str:
    pairs = (cells[start : start + 2] for start in range(0, len(cells), 2))
    return "".join(min(pair, key=_RANK.__getitem__) for pair in pairs)
