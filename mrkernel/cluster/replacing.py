"""Takes out workers whose tasks do not end, and only those; their nannies start others in their place."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

__all__ = ["Node", "kill_workers", "look_beside", "nodes", "occupied", "run_beside"]

_ANSWER_S = 2.0
_REPLACE_S = 3 * _ANSWER_S
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A worker as the scheduler knows it, with what looks after it.

    Attributes
    ----------
    address, name
        Of the worker; the name stays when it is replaced.
    nanny
        Address of its nanny, or None where nobody would start another.
    """

    address: str
    name: str
    nanny: str | None


def nodes(identity: dict[str, Any]) -> list[Node]:
    """The workers in a scheduler's identity."""
    return [
        Node(address=address, name=str(found.get("name", address)), nanny=found.get("nanny") or None)
        for address, found in identity["workers"].items()
    ]


def occupied(client: Any, found: Collection[Node], prefix: str) -> list[Node]:
    """The workers in which a task runs whose key starts with ``prefix``, whether it was cancelled or not.

    A task that runs has left a mark in its worker's own folder. A nanny sees that even while a function holds its
    worker's interpreter lock. A worker without a nanny is asked itself, and counts as occupied if it does not answer.
    """

    def is_marked(prefix: str, dask_worker: Any) -> bool:
        folder = getattr(dask_worker, "worker_dir", None) or getattr(dask_worker, "local_directory", None)
        try:
            return any(name.startswith(prefix) for name in os.listdir(folder or ""))
        except OSError:
            return False

    kept = [node for node in found if node.nanny]
    answers: dict[str, Any] = {}
    for _ in range(_TRIES):
        # A nanny of a busy machine may be late; what nobody asked again would stay occupied for ever.
        silent = [node.nanny for node in kept if node.nanny and node.nanny not in answers]
        answers |= run_beside(client, is_marked, silent, prefix)
    alone = [node for node in found if not node.nanny]
    own = run_beside(client, is_marked, [node.address for node in alone], prefix)
    return [node for node in kept if answers.get(node.nanny or "")] + [
        node for node in alone if own.get(node.address, True)
    ]


def kill_workers(client: Any, leaving: Collection[Node], prefix: str = "") -> dict[Node, str]:
    """Kill these workers and the programs that they started, and say what became of each worker.

    It is ``"killed"``; ``"free"`` if there is a ``prefix`` and no task with such a key runs there any more; or
    ``"kept"`` if nobody could. The scheduler gives their
    other tasks to other workers first, and does not hold the death against those tasks.
    """

    async def replace(prefix: str, dask_worker: Any) -> str:
        import psutil
        from distributed import Scheduler

        pid, folder = dask_worker.pid, dask_worker.worker_dir
        if pid is None or folder is None:
            # Another worker is on its way already; psutil would take None for this very process.
            return "free" if prefix else "kept"
        try:
            process = psutil.Process(pid)
            # A worker that heard that it was forgotten would close its nanny too, and none would come in its place.
            process.suspend()
        except psutil.Error:
            return "kept"
        try:
            is_left = bool(prefix) and not any(name.startswith(prefix) for name in os.listdir(folder))
        except OSError:
            is_left = False
        if is_left:
            process.resume()
            return "free"
        # Else the scheduler counts a death for each task that waits there, and gives a task up after a few. The
        # option has changed its name; a scheduler of another version that knows neither counts them.
        option = "expected" if "expected" in inspect.signature(Scheduler.remove_worker).parameters else "safe"
        try:
            with suppress(Exception):
                forgetting = dask_worker.scheduler.unregister(
                    address=dask_worker.worker_address, stimulus_id="mrkernel-replace", close=False, **{option: True}
                )
                await asyncio.wait_for(forgetting, _ANSWER_S)
        finally:
            family = [process]
            with suppress(psutil.Error):
                family += process.children(recursive=True)
            for member in family:
                # Whatever a member's state is; one that has ended meanwhile needs nothing.
                with suppress(psutil.Error):
                    member.kill()
        return "killed"

    nannies = [node.nanny for node in leaving if node.nanny]
    answers = run_beside(client, replace, nannies, prefix, timeout=_REPLACE_S)
    return {node: answers.get(node.nanny or "", "kept") for node in leaving}


def run_beside(
    client: Any, function: Callable[..., Any], addresses: list[str], *arguments: Any, timeout: float = _ANSWER_S
) -> dict[str, Any]:
    """Call a function in these servers (workers or nannies) beside their tasks; what those answered that did."""

    async def ask(address: str) -> Any:
        # One call for each address: a server that hangs must not keep the answers of the others back.
        call = client._run(function, *arguments, workers=[address], on_error="ignore")
        return (await asyncio.wait_for(call, timeout))[address]

    async def ask_all() -> list[Any]:
        return await asyncio.gather(*map(ask, addresses), return_exceptions=True)

    try:
        answers = client.sync(ask_all) if addresses else []
    except (OSError, RuntimeError, ValueError):
        return {}
    return {
        address: answer
        for address, answer in zip(addresses, answers, strict=True)
        if not isinstance(answer, BaseException)
    }


def look_beside(client: Any, nannies: dict[str, str | None]) -> dict[str, dict[str, Any]]:
    """For each worker's address what its folder holds: ``marks`` of running tasks with their age, and ``bytes``.

    ``nannies`` are the workers' nannies by the workers' addresses, None where there is none.
    """

    def look(dask_worker: Any) -> dict[str, Any]:
        import time

        folder = getattr(dask_worker, "worker_dir", None) or getattr(dask_worker, "local_directory", None) or ""
        marks, size = {}, 0
        for path, _, names in os.walk(folder):
            for name in names:
                with suppress(OSError):
                    found = os.lstat(os.path.join(path, name))
                    size += found.st_size
                    if path == folder and name.startswith("mrkernel-"):
                        marks[name] = max(0.0, time.time() - found.st_mtime)
        return {"marks": marks, "bytes": size}

    asked = {nanny or address: address for address, nanny in nannies.items()}
    return {asked[address]: answer for address, answer in run_beside(client, look, list(asked)).items()}
