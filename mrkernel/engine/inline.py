"""Runs attempts one after the other in this process: for tests, for debugging, where no processes can be started.

No worker can be replaced here. A function that does not return is left by an exception that is raised in its thread:
between two instructions of Python, but not in a sleep or another call that leaves Python.
"""

from __future__ import annotations

import ctypes
import dataclasses
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from mrkernel.engine.executor import AttemptProgressed, AttemptStarted, Message, TaskCall, WorkersSeen
from mrkernel.engine.shuffle import Run, SmallRuns
from mrkernel.engine.tasks import TaskReport, run_attempt
from mrkernel.engine.tasks.attempt import AttemptCancelled, Runtime
from mrkernel.engine.telemetry import resident_bytes
from mrkernel.events import WorkerSample

__all__ = ["InlineExecutor"]

# As long as the workers of a cluster have to stop by themselves.
_GRACE_S = 1.5

_SAMPLE_S = 1.0


class InlineExecutor:
    """An executor of one worker: the calling thread.

    Parameters
    ----------
    memory_bytes
        What a task may hold before it goes on from disk; None for no limit.
    """

    n_workers = 1
    ahead = 1

    def __init__(self, *, memory_bytes: int | None = None) -> None:
        self._memory_bytes = memory_bytes
        self._queue: deque[TaskCall] = deque()
        self._small = SmallRuns()
        self._messages: list[Message] = []
        self._is_stopped = False
        self._sample_due = 0.0
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._is_broken = False
        self._timer: threading.Timer | None = None

    def start(self, calls: Sequence[TaskCall]) -> None:
        self._queue.extend(calls)

    def poll(self, timeout_s: float) -> list[Message]:
        """Runs the next attempt; ``timeout_s`` is not needed, as nothing happens elsewhere."""
        if not self._queue or self._is_stopped:
            return []
        call = self._queue.popleft()
        runtime = Runtime(
            worker="inline",
            report_progress=lambda records, n_bytes: self._messages.append(
                AttemptProgressed(stage=call.stage, task=call.task, records=records, n_bytes=n_bytes)
            ),
            is_cancelled=lambda: self._is_stopped,
            small=self._small,
            memory_bytes=self._memory_bytes,
            resident_bytes=resident_bytes,
        )
        self._look()
        self._messages.append(AttemptStarted(stage=call.stage, task=call.task, worker="inline"))
        began = time.time()
        self._messages.append(dataclasses.replace(self._attempt(call, runtime), started_at=began))
        messages, self._messages = self._messages, []
        return messages

    def _look(self) -> None:
        if time.monotonic() >= self._sample_due:
            self._sample_due = time.monotonic() + _SAMPLE_S
            here = WorkerSample(worker="inline", name="this process", memory=resident_bytes())
            self._messages.append(WorkersSeen(workers=(here,)))

    def _attempt(self, call: TaskCall, runtime: Runtime) -> TaskReport:
        report = TaskReport(stage=call.stage, task=call.task, attempt=call.attempt)
        try:
            self._thread = threading.get_ident()
            report = run_attempt(call, runtime)
            self._leave()
        except AttemptCancelled:
            # It came when the attempt had ended already.
            self._thread = None
        return report

    def _leave(self) -> None:
        """From here on nothing may be raised in this thread any more; what still may be is raised here."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None and self._is_broken:
            # Taking it back would leave CPython 3.11 looking for it for ever, and a debugger in an endless loop.
            _raise_in(thread, AttemptCancelled)
            while True:
                time.sleep(0)

    def hurry(self, *, is_forced: bool) -> None:
        self._is_stopped = True
        with self._lock:
            is_first, self._timer = self._timer is None, self._timer or threading.Timer(_GRACE_S, self._break)
        if is_forced:
            self._timer.cancel()
            self._break()
        elif is_first:
            self._timer.daemon = True
            self._timer.start()

    def _break(self) -> None:
        with self._lock:
            if self._thread is not None:
                self._is_broken = True
                _raise_in(self._thread, AttemptCancelled)

    def stop(self, *, grace_s: float, say: Callable[[str], None]) -> None:
        self._is_stopped = True
        self._queue.clear()
        self._small.close()
        if self._timer is not None:
            self._timer.cancel()

    def remove(self, folder: str) -> None:
        shutil.rmtree(folder, ignore_errors=True)

    def bring(self, runs: Sequence[Run]) -> list[Run]:
        return list(runs)


def _raise_in(thread: int, error: type[BaseException]) -> None:
    """Have Python raise this in a thread when it comes to its next instruction."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))
