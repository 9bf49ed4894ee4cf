"""How tests meet the processes that run their functions: files as marks, and deadlines instead of sleeps."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mrkernel.events import Event, TaskFinished, TaskRetried, TaskStarted


def is_first(mark: Path | str) -> bool:
    """True for exactly one caller, in whichever process."""
    try:
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def wait_until(condition: Callable[[], Any], *, within: float = 20.0) -> None:
    """Wait until the condition holds, or fail."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"{condition} did not come true within {within} s"
        time.sleep(0.01)


def die_once(mark: Path | str) -> None:
    """Kill this process the first time."""
    if is_first(mark):
        os.kill(os.getpid(), signal.SIGKILL)


class Log:
    """A listener that keeps all events."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def started(self, stage: str) -> list[tuple[int, int]]:
        """(task, attempt) of every attempt that began in a stage, in order of tasks."""
        return sorted((e.task, e.attempt) for e in self.events if isinstance(e, TaskStarted) and e.stage == stage)

    def finished(self, stage: str) -> list[tuple[int, int]]:
        """(task, attempt) of every task that ended well in a stage."""
        return sorted((e.task, e.attempt) for e in self.events if isinstance(e, TaskFinished) and e.stage == stage)

    def retried(self) -> list[tuple[str, int, int, str]]:
        """(stage, task, attempt, reason) of every retry."""
        return [(e.stage, e.task, e.attempt, e.reason) for e in self.events if isinstance(e, TaskRetried)]
