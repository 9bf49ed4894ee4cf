"""Runs attempts as tasks of a dask cluster: few, fat, and with small plain records in and out."""

from __future__ import annotations

import dataclasses
import itertools
import os
import pickle
import queue
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from mrkernel.engine.dask_worker import execute, read_piece, remove_folder, write_piece
from mrkernel.engine.executor import AttemptLost, AttemptProgressed, AttemptStarted, Message, TaskCall, WorkersSeen
from mrkernel.engine.sharing import Sharing, unpacked
from mrkernel.engine.shuffle import LostRunError, Run, SmallRuns, read_all
from mrkernel.engine.tasks import ReduceCall, TaskReport, run_attempt
from mrkernel.engine.tasks.attempt import Runtime
from mrkernel.engine.telemetry import HostClocks, WorkerWatch, named
from mrkernel.io.schemas import holds_objects

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["DaskExecutor", "Workers", "send_file"]

_REMOVE_S = 1.0
_AHEAD = 8
_BUNDLE_S = 0.1
_MOST_BUNDLED = 64
_PIECE = 8 << 20
_HERE = "this process"


class Workers(Protocol):
    """What the executor needs of a cluster beside its client."""

    @property
    def n_workers(self) -> int:
        """Worker processes that take tasks."""

    def follow(self, prefix: str) -> Sequence[str]:
        """Let tasks whose key starts with ``prefix`` run where they may now that some of their workers have gone."""

    def free_workers_later(
        self, prefix: str, grace_s: float, is_forced: threading.Event, tell: Callable[[Any], None]
    ) -> None:
        """After a time, or once forced, replace the workers in which a task runs whose key starts with ``prefix``."""


class DaskExecutor:
    """An executor over a connected client.

    Parameters
    ----------
    client
        Of the cluster to run on.
    job_id
        Makes the keys of the job's tasks its own.
    cluster
        The cluster of that client.
    home
        None where the workers and this process share a file system. Otherwise a folder of this machine to which
        results are brought; the folders of calls are then relative, and lie in each worker's own local directory,
        which goes when the worker does.
    workers
        Addresses of the only workers to use; None is all of them.
    width
        How many workers there are to be; some may be on their way.
    """

    def __init__(
        self,
        client: Client,
        job_id: str,
        cluster: Workers,
        *,
        home: str | None = None,
        workers: Sequence[str] | None = None,
        width: int = 1,
    ) -> None:
        from distributed.protocol.pickle import dumps

        self._client = client
        self._cluster = cluster
        self._home = home
        self._topic = f"mrkernel-{job_id}"
        self._calls: dict[str, TaskCall] = {}
        self._bundles: dict[str, tuple[Future[Any], list[str]]] = {}
        self._numbers = itertools.count()
        self._sharing = Sharing(self._hold, dumps, f"{self._topic}-shared")
        self._is_forced = threading.Event()
        self._removed: list[str] = []
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._is_stopped = self._is_hurried = False
        self._mean_s: float | None = None
        self._clocks = HostClocks()
        self._watch = WorkerWatch(
            client, lambda seen: self._inbox.put(WorkersSeen(workers=seen)), width=width, only=workers
        )
        client.subscribe_topic(self._topic, self._on_event)

    @property
    def n_workers(self) -> int:
        return self._watch.n_workers

    @property
    def ahead(self) -> int:
        return _AHEAD * self.n_workers * self._bundle_size()

    def _bundle_size(self) -> int:
        """How many attempts share one dask task: short ones are bundled, as a dask task costs about 1.5 ms."""
        return 1 if self._mean_s is None else max(1, min(_MOST_BUNDLED, int(_BUNDLE_S / max(self._mean_s, 1e-4))))

    def start(self, calls: Sequence[TaskCall]) -> None:
        if self._home is None and all(map(_is_light, calls)):
            for call in calls:
                self._run_here(call)
            return
        size = min(self._bundle_size(), -(-len(calls) // self.n_workers))
        # Numbered, since a step that runs again has tasks of the same names, and dask would give the old ones back.
        keys = [f"{self._topic}-{call.stage.replace(' ', '-')}-{call.task}-{call.attempt}-{next(self._numbers)}"
                for call in calls]  # fmt: skip
        self._calls.update(zip(keys, calls, strict=True))
        cuts = range(0, len(calls), size)
        light, shared = self._sharing.lightened(calls)
        bundles = [(light[cut : cut + size], keys[cut : cut + size]) for cut in cuts]
        # dask's own retries would hide attempts from the driver.
        futures = self._client.map(
            execute, [one for one, _ in bundles], [own for _, own in bundles], topic=self._topic, shared=shared,
            is_local=self._home is None, key=[own[0] for _, own in bundles], pure=False, retries=0,
            workers=self._only(),
        )  # fmt: skip
        for future, (_, own) in zip(futures, bundles, strict=True):
            self._bundles[own[0]] = (future, own)
            future.add_done_callback(self._on_done)

    def _run_here(self, call: TaskCall) -> None:
        """Run an attempt in this thread, which takes a quarter of the time of the way to a worker and back."""
        with closing(SmallRuns()) as small:
            runtime = Runtime(worker=_HERE, is_cancelled=lambda: self._is_stopped or self._is_hurried, small=small)
            self._inbox.put(AttemptStarted(stage=call.stage, task=call.task, worker=_HERE))
            began = time.time()
            self._inbox.put(dataclasses.replace(run_attempt(call, runtime), started_at=began))

    def _only(self) -> list[str] | None:
        return list(self._watch.only) if self._watch.only else None

    def _hold(self, key: str, content: bytes) -> Future[Any]:
        return self._client.submit(unpacked, content, key=key, workers=self._only())

    def _on_done(self, future: Future[Any]) -> None:
        self._inbox.put(future.key)

    def _on_event(self, event: tuple[float, Any]) -> None:
        self._inbox.put((time.time(), event[1]))

    def poll(self, timeout_s: float) -> list[Message]:
        self._watch.look()
        items = []
        with suppress(queue.Empty):
            items.append(self._inbox.get(timeout=timeout_s))
            while True:
                items.append(self._inbox.get_nowait())
        messages: list[Message] = []
        for item in items:
            if isinstance(item, str):
                messages += self._ended(item)
            elif isinstance(item, (AttemptStarted, TaskReport)):
                messages.append(item)
            elif isinstance(item, WorkersSeen):
                messages.append(item)
                if self._watch.lacks_some:
                    self._watch.only = self._cluster.follow(self._topic) or self._watch.only
            elif item:
                received, told = item
                self._clocks.hear(told["worker"], told["clock"], received)
                messages += [message for news in told["news"] for message in self._news(news, received)]
        return messages

    def _news(self, item: dict[str, Any], received: float) -> list[Message]:
        """What a worker says; its reports come this way too, which spares a round trip for each."""
        key = item["key"]
        call = self._calls.get(key)
        if call is None or self._is_stopped:
            return []
        if "report" in item:
            return [self._reported(key, pickle.loads(item["report"]), received)]
        if "records" in item:
            return [AttemptProgressed(stage=call.stage, task=call.task, records=item["records"], n_bytes=item["bytes"])]
        return [AttemptStarted(stage=call.stage, task=call.task, worker=item["worker"])]

    def _reported(self, key: str, report: TaskReport, received: float) -> TaskReport:
        del self._calls[key]
        self._mean_s = report.seconds if self._mean_s is None else 0.8 * self._mean_s + 0.2 * report.seconds
        return self._clocks.placed(report, received)

    def _ended(self, bundle: str) -> list[Message]:
        """A dask task has ended. What it did not report is lost, or, if a message was, fetched."""
        if bundle not in self._bundles or self._is_stopped:
            return []
        future, keys = self._bundles[bundle]
        missing = [key for key in keys if key in self._calls]
        if missing and future.status == "finished":
            reports = dict(zip(keys, future.result(), strict=True))
            del self._bundles[bundle]
            return [self._reported(key, pickle.loads(reports[key]), time.time()) for key in missing]
        if future.status == "pending":
            # Its worker died just after the end of the task; dask runs it again by itself.
            future.add_done_callback(self._on_done)
            return []
        del self._bundles[bundle]
        return [self._lost(future, self._calls.pop(key)) for key in missing]

    def _lost(self, future: Future[Any], call: TaskCall) -> AttemptLost:
        where: dict[str, Any] = {"stage": call.stage, "task": call.task, "attempt": call.attempt}
        if future.status != "error":
            return AttemptLost(**where, reason="the connection to the cluster was lost", is_fatal=True)
        error = future.exception()
        if type(error).__name__ == "KilledWorker":
            return AttemptLost(**where, reason="its worker process died each time it ran", is_fatal=True)
        return AttemptLost(**where, reason=f"{type(error).__name__}: {error}", is_fatal=False)

    def hurry(self, *, is_forced: bool) -> None:
        self._is_hurried = True
        if is_forced:
            self._is_forced.set()
        # Wakes the driver.
        self._inbox.put([])

    def stop(self, *, grace_s: float, say: Callable[[str], None]) -> None:
        self._is_stopped = True
        with suppress(Exception):
            self._client.unsubscribe_topic(self._topic)
        futures = [*(future for future, _ in self._bundles.values()), *self._sharing.held.values()]
        if not futures:
            return
        with suppress(Exception):
            self._client.cancel(futures, force=True)
        is_idle = not self._calls
        self._bundles.clear()
        self._calls.clear()
        if is_idle:
            # The last report arrives before its dask task ends: there is nobody to wait for.
            return
        self._cluster.free_workers_later(f"{self._topic}-", grace_s, self._is_forced, partial(self._freed, say))

    def _freed(self, say: Callable[[str], None], freed: Any) -> None:
        if freed.replaced:
            say(f"{named(freed.replaced)} replaced: what ran there did not stop by itself")
        if freed.occupied:
            say(f"{named(freed.occupied)} not replaced, for want of a nanny that answers: what runs there goes on")
        # Attempts may have written beside the first removal; now none is left.
        for folder in self._removed:
            self._remove(folder)

    def remove(self, folder: str) -> None:
        self._removed.append(folder)
        self._remove(folder)

    def _remove(self, folder: str) -> None:
        if self._home is None:
            shutil.rmtree(folder, ignore_errors=True)
            return

        def remove() -> None:
            with suppress(Exception):
                self._client.run(remove_folder, folder)

        # A worker that holds its interpreter lock does not answer; the job must not wait for that.
        removing = threading.Thread(target=remove, name="mrkernel remove", daemon=True)
        removing.start()
        removing.join(_REMOVE_S)

    def bring(self, runs: Sequence[Run]) -> list[Run]:
        if self._home is None:
            return list(runs)
        brought = []
        for run in runs:
            path = os.path.join(self._home, os.path.basename(run.path))
            with open(path, "wb") as file:
                for start in range(0, run.n_bytes, _PIECE):
                    found = self._client.run(read_piece, run.path, start, _PIECE, workers=[run.worker])
                    file.write(found[run.worker])
            brought.append(dataclasses.replace(run, path=path))
        return brought


def _is_light(call: TaskCall) -> bool:
    """Whether a call may run here: little to do, and no object of a user's class that would be made or added up."""
    # What has failed here is not tried here again.
    if not (isinstance(call, ReduceCall) and call.is_light and call.attempt == 1):
        return False
    try:
        return not any(holds_objects(field) for table in read_all(call.runs) for field in table.schema)
    except LostRunError:
        return False


def send_file(client: Client, path: str) -> None:
    """Copy a file to the same path on every host that has workers."""
    hosts: dict[str, str] = {}
    for address in client.scheduler_info(n_workers=-1)["workers"]:
        hosts.setdefault(address.rsplit(":", 1)[0], address)
    with open(path, "rb") as file:
        start = 0
        while piece := file.read(_PIECE):
            client.run(write_piece, path, start, piece, workers=list(hosts.values()))
            start += len(piece)
