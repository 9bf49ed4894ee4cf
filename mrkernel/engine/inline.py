"""Runs attempts one after the other in this process: for tests, for debugging, where no processes can be started."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Sequence

from mrkernel.engine.executor import AttemptProgressed, AttemptStarted, Message, TaskCall
from mrkernel.engine.shuffle import Run
from mrkernel.engine.tasks import run_attempt
from mrkernel.engine.tasks.attempt import Runtime

__all__ = ["InlineExecutor"]


class InlineExecutor:
    """An executor of one worker: the calling thread."""

    n_workers = 1
    ahead = 1

    def __init__(self) -> None:
        self._queue: deque[TaskCall] = deque()
        self._messages: list[Message] = []
        self._is_stopped = False

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
        )
        self._messages.append(AttemptStarted(stage=call.stage, task=call.task, worker="inline"))
        self._messages.append(run_attempt(call, runtime))
        messages, self._messages = self._messages, []
        return messages

    def stop(self, *, grace_s: float) -> None:
        self._is_stopped = True
        self._queue.clear()

    def remove(self, folder: str) -> None:
        shutil.rmtree(folder, ignore_errors=True)

    def bring(self, runs: Sequence[Run]) -> list[Run]:
        return list(runs)
