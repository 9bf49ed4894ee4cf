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
    answers = run_beside(client, is_marked, [node.nanny for node in kept if node.nanny], prefix)
    alone = [node for node in found if not node.nanny]
    own = run_beside(client, is_marked, [node.address for node in alone], prefix)
    return [node for node in kept if answers.get(node.nanny or "")] + [
        node for node in alone if own.get(node.address, True)
    ]


def kill_workers(client: Any, leaving: Collection[Node]) -> list[Node]:
    """Kill these workers and the programs that they started; returns those that were killed.

    The scheduler gives their other tasks to other workers first, and does not hold the death against those tasks.
    """
    leaving = [node for node in leaving if node.nanny]
    if not leaving:
        return []
    _give_up(client, [node.address for node in leaving])

    def kill(dask_worker: Any) -> bool:
        import psutil

        try:
            process = psutil.Process(dask_worker.pid)
            family = [process, *process.children(recursive=True)]
        except (psutil.Error, TypeError, ValueError):
            return False
        for member in family:
            # Whatever a member's state is; one that has ended meanwhile needs nothing.
            with suppress(psutil.Error):
                member.kill()
        return True

    answers = run_beside(client, kill, [node.nanny for node in leaving if node.nanny])
    return [node for node in leaving if answers.get(node.nanny or "")]


def _give_up(client: Any, addresses: list[str]) -> None:
    """Have the scheduler forget these workers as if they had been meant to leave.

    Otherwise it counts a death for each task that waits there, and gives a task up after a few.
    """

    async def forget(addresses: list[str], expected: str, dask_scheduler: Any) -> None:
        for address in addresses:
            await dask_scheduler.remove_worker(
                address=address, stimulus_id="mrkernel-replace", close=False, **{expected: True}
            )

    from distributed import Scheduler

    # The option has changed its name; a scheduler of another version, or one that takes no functions, counts them.
    name = "expected" if "expected" in inspect.signature(Scheduler.remove_worker).parameters else "safe"
    with suppress(Exception):
        client.run_on_scheduler(forget, addresses, name)


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
