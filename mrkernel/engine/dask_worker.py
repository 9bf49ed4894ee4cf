"""What the executor of a dask cluster has its workers do: run attempts, tell of them, read each other's files."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import pickle
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

from mrkernel.engine.executor import TaskCall
from mrkernel.engine.remote import Fetch
from mrkernel.engine.sharing import restored
from mrkernel.engine.shuffle import SmallRuns
from mrkernel.engine.tasks import run_attempt
from mrkernel.engine.tasks.attempt import Runtime
from mrkernel.engine.telemetry import resident_bytes

__all__ = ["execute", "read_piece", "remove_folder", "write_piece"]

_FETCH_S = 60.0
_NEWS_S = 0.02


def write_piece(path: str, start: int, piece: bytes) -> None:
    """Write some bytes of a file; those at its start make it anew."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    with open(path, "r+b" if start else "wb") as file:
        file.seek(start)
        file.write(piece)


def read_piece(path: str, start: int, length: int) -> bytes:
    """Read some bytes of a file."""
    with open(path, "rb") as file:
        file.seek(start)
        return file.read(length)


def remove_folder(folder: str, dask_worker: Any) -> None:
    """Remove a folder of a worker's own."""
    shutil.rmtree(os.path.join(dask_worker.local_directory, folder), ignore_errors=True)


async def _serve_range(path: str, start: int, length: int) -> Any:
    """Handler of every worker that has run a task: a range of a file, or the error's text."""
    from distributed.protocol.serialize import to_serialize

    try:
        return to_serialize(await asyncio.to_thread(read_piece, path, start, length))
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


def execute(
    calls: list[TaskCall], keys: list[str], topic: str, *, shared: dict[str, Any], is_local: bool
) -> list[bytes]:
    """The body of every dask task: some attempts, one after the other."""
    from distributed import get_worker

    worker = get_worker()
    calls = [restored(call, shared) for call in calls]
    fetch = None
    if not is_local:
        worker.handlers.setdefault("mrkernel_range", _serve_range)
        calls = [dataclasses.replace(call, folder=os.path.join(worker.local_directory, call.folder)) for call in calls]
        fetch = _fetcher(worker)
    news = _News(worker, topic)

    def is_cancelled() -> bool:
        task = worker.state.tasks.get(keys[0])
        return task is None or task.state == "cancelled"

    # Each thread of a worker runs an attempt.
    limit = worker.memory_manager.memory_limit
    memory_bytes = limit // worker.state.nthreads if limit else None
    reports = []
    with _marked(worker.local_directory, keys[0]), closing(SmallRuns()) as small:
        for call, key in zip(calls, keys, strict=True):
            if is_cancelled():
                break
            if not is_local:
                os.makedirs(call.folder, mode=0o700, exist_ok=True)
            news.say({"key": key, "worker": worker.address})

            def report_progress(records: int, n_bytes: int, key: str = key) -> None:
                news.say({"key": key, "records": records, "bytes": n_bytes})

            runtime = Runtime(
                worker=worker.address, report_progress=report_progress, is_cancelled=is_cancelled, fetch=fetch,
                small=small, memory_bytes=memory_bytes, resident_bytes=resident_bytes,
            )  # fmt: skip
            reports.append(pickle.dumps(run_attempt(call, runtime), protocol=5))
            news.say({"key": key, "report": reports[-1]}, is_last=key == keys[-1])
    return reports


@contextmanager
def _marked(folder: str, key: str) -> Iterator[None]:
    """Leave a mark in the worker's folder while a task runs: one that holds the interpreter lock can be seen by it."""
    mark = os.path.join(folder, key)
    with suppress(OSError), open(mark, "wb"):
        pass
    try:
        yield
    finally:
        with suppress(OSError):
            os.unlink(mark)


class _News:
    """Messages to the driver, sent at once unless some were sent a moment ago; then a moment later."""

    def __init__(self, worker: Any, topic: str) -> None:
        self._worker, self._topic = worker, topic
        self._lock = threading.Lock()
        self._held: list[dict[str, Any]] = []
        self._sent = 0.0
        self._is_due = False

    def say(self, item: dict[str, Any], *, is_last: bool = False) -> None:
        with self._lock:
            self._held.append(item)
            if is_last or time.monotonic() - self._sent > _NEWS_S:
                self._send()
            elif not self._is_due:
                # The next attempt may be a long one, or the death of this process.
                self._is_due = True
                self._worker.loop.add_callback(self._worker.loop.call_later, _NEWS_S, self._flush)

    def _flush(self) -> None:
        with self._lock:
            self._is_due = False
            self._send()

    def _send(self) -> None:
        if self._held:
            told = {"worker": self._worker.address, "clock": time.monotonic(), "news": self._held}
            self._worker.log_event(self._topic, told)
            self._held, self._sent = [], time.monotonic()
