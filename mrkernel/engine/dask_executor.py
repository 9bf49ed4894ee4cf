"""Runs attempts as tasks of a dask cluster: few, fat, and with small plain records in and out."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mrkernel.engine.executor import AttemptLost, AttemptProgressed, AttemptStarted, Message, TaskCall
from mrkernel.engine.tasks import run_attempt
from mrkernel.engine.tasks.attempt import Runtime

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["DaskExecutor"]

_ASK_S = 1.0


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
    """

    def __init__(self, client: Client, job_id: str, restart_worker: Callable[[str], None]) -> None:
        self._client = client
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
            _execute, list(calls), keys, topic=self._topic, key=keys, pure=False, retries=0, batch_size=None
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


def _execute(call: TaskCall, key: str, topic: str) -> Any:
    """The body of every dask task."""
    from distributed import get_worker

    worker = get_worker()
    address = worker.address
    worker.log_event(topic, {"key": key, "worker": address})

    def report_progress(records: int, n_bytes: int) -> None:
        worker.log_event(topic, {"key": key, "records": records, "bytes": n_bytes})

    def is_cancelled() -> bool:
        task = worker.state.tasks.get(key)
        return task is None or task.state == "cancelled"

    return run_attempt(call, Runtime(worker=address, report_progress=report_progress, is_cancelled=is_cancelled))
