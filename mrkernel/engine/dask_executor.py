"""Runs attempts as tasks of a dask cluster: few, fat, and with small plain records in and out."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import queue
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mrkernel.engine.executor import AttemptLost, AttemptProgressed, AttemptStarted, Message, TaskCall
from mrkernel.engine.shuffle import Fetch, Run
from mrkernel.engine.tasks import run_attempt
from mrkernel.engine.tasks.attempt import Runtime

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["DaskExecutor", "send_file"]

_ASK_S = 1.0
_FETCH_S = 60.0
_PIECE = 8 << 20


class DaskExecutor:
    """An executor over a connected client.

    Parameters
    ----------
    client
        Of the cluster to run on.
    job_id
        Makes the keys of the job's tasks its own.
    restart_worker
        Replaces the worker at an address, whatever it is doing.
    home
        None where the workers and this process share a file system. Otherwise a folder of this machine to which
        results are brought; the folders of calls are then relative, and lie in each worker's own local directory,
        which goes when the worker does.
    """

    def __init__(
        self, client: Client, job_id: str, restart_worker: Callable[[str], None], *, home: str | None = None
    ) -> None:
        self._client = client
        self._home = home
        self._topic = f"mrkernel-{job_id}"
        self._restart_worker = restart_worker
        self._futures: dict[str, tuple[Future, TaskCall]] = {}
        self._running: dict[str, str] = {}
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._is_stopped = False
        client.subscribe_topic(self._topic, self._on_event)

    @property
    def n_workers(self) -> int:
        return max(1, len(self._client.scheduler_info(n_workers=-1)["workers"]))

    def start(self, calls: Sequence[TaskCall]) -> None:
        keys = [f"{self._topic}-{call.stage.replace(' ', '-')}-{call.task}-{call.attempt}" for call in calls]
        # Reports come back by themselves; dask's own retries would hide attempts from the driver.
        futures = self._client.map(
            _execute, list(calls), keys, topic=self._topic, is_local=self._home is None, key=keys, pure=False, retries=0
        )
        for key, future, call in zip(keys, futures, calls, strict=True):
            self._futures[key] = (future, call)
            future.add_done_callback(self._on_done)

    def _on_done(self, future: Future) -> None:
        self._inbox.put(future.key)

    def _on_event(self, event: tuple[float, Any]) -> None:
        self._inbox.put(event[1])

    def poll(self, timeout_s: float) -> list[Message]:
        items = []
        with suppress(queue.Empty):
            items.append(self._inbox.get(timeout=timeout_s))
            while True:
                items.append(self._inbox.get_nowait())
        messages: list[Message] = []
        done = []
        for item in items:
            if isinstance(item, dict):
                messages += self._news(item)
            elif item in self._futures:
                done.append(item)
        return messages + self._collect(done)

    def _news(self, item: dict[str, Any]) -> list[Message]:
        if item["key"] not in self._futures:
            return []
        call = self._futures[item["key"]][1]
        if "records" in item:
            return [AttemptProgressed(stage=call.stage, task=call.task, records=item["records"], n_bytes=item["bytes"])]
        self._running[item["key"]] = item["worker"]
        return [AttemptStarted(stage=call.stage, task=call.task, worker=item["worker"])]

    def _collect(self, keys: list[str]) -> list[Message]:
        """The reports of finished tasks, fetched together: a round trip costs about 3 ms however many there are."""
        if not keys or self._is_stopped:
            return []
        found = {key: self._futures[key] for key in dict.fromkeys(keys)}
        finished = [key for key, (future, _) in found.items() if future.status == "finished"]
        reports = dict(self._client.gather({key: found[key][0] for key in finished}, errors="skip")) if finished else {}
        messages: list[Message] = []
        for key, (future, call) in found.items():
            if key in reports:
                messages.append(reports[key])
            elif future.status in {"finished", "pending"}:
                # Its worker died between the end of the task and our asking; dask runs it again by itself.
                future.add_done_callback(self._on_done)
                continue
            else:
                messages.append(self._lost(future, call))
            del self._futures[key]
            self._running.pop(key, None)
        return messages

    def _lost(self, future: Future, call: TaskCall) -> AttemptLost:
        where = {"stage": call.stage, "task": call.task, "attempt": call.attempt}
        if future.status != "error":
            return AttemptLost(**where, reason="the connection to the cluster was lost", is_fatal=True)
        error = future.exception()
        if type(error).__name__ == "KilledWorker":
            return AttemptLost(**where, reason="its worker process died each time it ran", is_fatal=True)
        return AttemptLost(**where, reason=f"{type(error).__name__}: {error}", is_fatal=False)

    def stop(self, *, grace_s: float) -> None:
        self._is_stopped = True
        with suppress(Exception):
            self._client.unsubscribe_topic(self._topic)
        futures = [future for future, _ in self._futures.values()]
        if not futures:
            return
        with suppress(Exception):
            self._client.cancel(futures, force=True)
        suspects = set(self._running.values())
        self._futures.clear()
        if suspects:
            threading.Thread(
                target=self._replace_stuck, args=(suspects, grace_s), name="mrkernel stop", daemon=True
            ).start()

    def remove(self, folder: str) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        if self._home is not None:
            with suppress(Exception):
                self._client.run(_remove, folder)

    def bring(self, runs: Sequence[Run]) -> list[Run]:
        if self._home is None:
            return list(runs)
        brought = []
        for run in runs:
            path = os.path.join(self._home, os.path.basename(run.path))
            with open(path, "wb") as file:
                for start in range(0, run.n_bytes, _PIECE):
                    found = self._client.run(_read, run.path, start, _PIECE, workers=[run.worker])
                    file.write(found[run.worker])
            brought.append(dataclasses.replace(run, path=path))
        return brought

    def _replace_stuck(self, workers: set[str], grace_s: float) -> None:
        time.sleep(grace_s)
        for worker in workers:
            if self._is_stuck(worker):
                with suppress(Exception):
                    self._restart_worker(worker)

    def _is_stuck(self, worker: str) -> bool:
        """Whether the worker still runs a task of this job, or does not answer (a function that holds the GIL)."""
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def ask() -> None:
            with suppress(Exception):
                if worker not in self._client.scheduler_info(n_workers=-1)["workers"]:
                    answers.put({worker: False})
                else:
                    answers.put(self._client.run(_runs_topic, self._topic, workers=[worker]))

        threading.Thread(target=ask, name="mrkernel ask", daemon=True).start()
        try:
            return bool(answers.get(timeout=_ASK_S).get(worker))
        except queue.Empty:
            return True


def _runs_topic(topic: str, dask_worker: Any) -> bool:
    return any(str(task.key).startswith(topic) for task in dask_worker.state.executing)


def send_file(client: Client, path: str) -> None:
    """Copy a file to the same path on every host that has workers."""
    hosts: dict[str, str] = {}
    for address in client.scheduler_info(n_workers=-1)["workers"]:
        hosts.setdefault(address.rsplit(":", 1)[0], address)
    with open(path, "rb") as file:
        start = 0
        while piece := file.read(_PIECE):
            client.run(_write, path, start, piece, workers=list(hosts.values()))
            start += len(piece)


def _write(path: str, start: int, piece: bytes) -> None:
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(path, "r+b" if start else "wb") as file:
        file.seek(start)
        file.write(piece)


def _read(path: str, start: int, length: int) -> bytes:
    with open(path, "rb") as file:
        file.seek(start)
        return file.read(length)


def _remove(folder: str, dask_worker: Any) -> None:
    shutil.rmtree(os.path.join(dask_worker.local_directory, folder), ignore_errors=True)


async def _serve_range(path: str, start: int, length: int) -> Any:
    """Handler of every worker that has run a task: a range of a file, or the error's text."""
    from distributed.protocol import to_serialize

    try:
        return to_serialize(await asyncio.to_thread(_read, path, start, length))
    except OSError as error:
        return str(error)


def _fetcher(worker: Any) -> Fetch:
    async def ask(address: str, path: str, start: int, length: int) -> Any:
        return await worker.rpc(address).mrkernel_range(path=path, start=start, length=length)

    def fetch(address: str, path: str, start: int, length: int) -> bytes:
        found = worker.loop.asyncio_loop
        answer = asyncio.run_coroutine_threadsafe(ask(address, path, start, length), found).result(_FETCH_S)
        if isinstance(answer, str):
            raise OSError(answer)
        return bytes(answer)

    return fetch


def _execute(call: TaskCall, key: str, topic: str, *, is_local: bool) -> Any:
    """The body of every dask task."""
    from distributed import get_worker

    worker = get_worker()
    address = worker.address
    fetch = None
    if not is_local:
        worker.handlers.setdefault("mrkernel_range", _serve_range)
        call = dataclasses.replace(call, folder=os.path.join(worker.local_directory, call.folder))
        fetch = _fetcher(worker)
    worker.log_event(topic, {"key": key, "worker": address})

    def report_progress(records: int, n_bytes: int) -> None:
        worker.log_event(topic, {"key": key, "records": records, "bytes": n_bytes})

    def is_cancelled() -> bool:
        task = worker.state.tasks.get(key)
        return task is None or task.state == "cancelled"

    runtime = Runtime(worker=address, report_progress=report_progress, is_cancelled=is_cancelled, fetch=fetch)
    return run_attempt(call, runtime)
