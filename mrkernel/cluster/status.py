"""What a cluster's workers are doing now, as a picture that can be drawn."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import Any

from mrkernel.cluster.handle import Cluster, WorkerInfo, ask
from mrkernel.cluster.replacing import look_beside
from mrkernel.config import counted, format_bytes
from mrkernel.render import ClusterPicture, RunningTask, WorkerPicture

__all__ = ["picture"]

_OURS = re.compile(r"mrkernel-(?P<job>.+-[0-9a-f]{8})-(?P<stage>.+)-(?P<task>\d+)-(?P<attempt>\d+)-\d+$")
_MAX_KEY = 60


def picture(cluster: Cluster) -> ClusterPicture:
    """Ask the scheduler and the nannies what is going on.

    Raises
    ------
    ClusterError
        If the cluster was closed or does not answer.
    """
    workers = cluster.workers()
    looks = look_beside(cluster.client, {worker.address: worker.nanny for worker in workers})
    given: dict[str, list[Any]] = {}
    with suppress(OSError, RuntimeError):
        given = ask(cluster.client, "processing")
    drawn = tuple(_worker(worker, looks.get(worker.address, {}), given.get(worker.address, [])) for worker in workers)
    kind = "embedded cluster" if cluster.is_embedded else "cluster on this machine" if cluster.is_local else "cluster"
    return ClusterPicture(
        title=f"{kind} with {counted(len(drawn), 'worker')}", facts=_facts(cluster), workers=drawn,
        notes=_notes(workers, drawn, cluster),
    )  # fmt: skip


def _worker(info: WorkerInfo, look: dict[str, Any], given: list[Any]) -> WorkerPicture:
    marks: dict[str, float] = look.get("marks", {})
    keys = [str(key) for key in given]
    running = [
        RunningTask(text=_words(key), seconds=age, is_stopping=key not in keys) for key, age in sorted(marks.items())
    ]
    # Other people's tasks leave no marks; a worker begins what it is given in order.
    n_others = info.executing - sum(not task.is_stopping for task in running)
    others = [key for key in keys if key not in marks][: max(0, n_others)]
    running += [RunningTask(text=_words(key)) for key in others]
    waiting = [key for key in keys if key not in marks and key not in others]
    state = ("busy" if running else "idle") if info.state == "running" else info.state
    return WorkerPicture(
        name=info.name, pid=info.pid, memory=info.memory_bytes, memory_limit=info.memory_limit, state=state,
        scratch_bytes=look.get("bytes", 0), running=tuple(running), n_waiting=len(waiting),
    )  # fmt: skip


def _words(key: str) -> str:
    found = _OURS.match(key)
    if found is None:
        return f"task {key[:_MAX_KEY]}"
    again = f", attempt {found['attempt']}" if found["attempt"] != "1" else ""
    return f"{found['stage']} task {found['task']} of {found['job']}{again}"


def _facts(cluster: Cluster) -> tuple[tuple[str, str], ...]:
    facts = [("address", cluster.address)]
    if cluster.scratch_dir:
        facts.append(("scratch", f"{format_bytes(_folder_bytes(cluster.scratch_dir))} in {cluster.scratch_dir}"))
        log = os.path.join(cluster.scratch_dir, "server.log")
        facts += [("log", log)] if cluster.is_embedded and os.path.exists(log) else []
    return tuple(facts)


def _folder_bytes(folder: str) -> int:
    """Bytes of all files in a folder; what goes away meanwhile does not count."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(path, name)).st_size
    return total


def _notes(infos: list[WorkerInfo], drawn: tuple[WorkerPicture, ...], cluster: Cluster) -> tuple[str, ...]:
    notes = []
    if len(drawn) < cluster.n_workers:
        left = cluster.n_workers - len(drawn)
        notes.append(f"{counted(left, 'worker')} {'is' if left == 1 else 'are'} being started in place of those killed")
    alone = [info.name for info, worker in zip(infos, drawn, strict=True)
             if info.nanny is None and any(task.is_stopping for task in worker.running)]  # fmt: skip
    if alone:
        notes.append(f"{', '.join(alone)}: a function that was cancelled does not return, and without a nanny "
                     "nobody can replace its worker")  # fmt: skip
    return tuple(notes)
