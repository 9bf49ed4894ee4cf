"""What a person sees of a job that :func:`run` waits for: a notebook's display, a line in a terminal, or nothing."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from mrkernel.config import Settings
from mrkernel.errors import TaskFailedError
from mrkernel.progress import Progress
from mrkernel.render import ProgressLine
from mrkernel.render.front import notebook_front

__all__ = ["Controls", "Display", "Pace", "open_display", "with_card"]


class Display(Protocol):
    """Shows one job while someone waits for it; used from one thread."""

    def update(self, progress: Progress) -> None:
        """Show this state, if it is time to."""

    def finish(self, progress: Progress) -> None:
        """Show the end state; nothing changes afterwards."""


@runtime_checkable
class Controls(Protocol):
    """A display with a Cancel button."""

    def connect(self, stop: Callable[[], None]) -> None:
        """Say what a press of Cancel calls, from any thread; a second press calls it again."""


class Pace:
    """When to show a running job: not in its first half second, then at most four times a second, later less.

    The time between two states is at least a fortieth of the job's age, up to 5 s: nobody sees the difference, and
    what a job sends stays small however long it runs.
    """

    QUIET_S = 0.5

    def __init__(self) -> None:
        self._began = self._last = time.monotonic()

    @property
    def is_short(self) -> bool:
        """Whether the job is too young to be shown."""
        return self.elapsed_s < self.QUIET_S

    @property
    def elapsed_s(self) -> float:
        """Seconds since someone began to wait."""
        return time.monotonic() - self._began

    def is_due(self) -> bool:
        """Whether to show the job's state now; True counts as shown."""
        elapsed = self.elapsed_s
        # Front ends choke when many bars send more; people do not read faster.
        interval = 0.25 if elapsed < 10 else min(5.0, max(0.5, elapsed / 40))
        if self.is_short or time.monotonic() - self._last < interval:
            return False
        self._last = time.monotonic()
        return True


class _TerminalDisplay:
    """One line in place on standard error; a job that was shown ends with its summary."""

    def __init__(self) -> None:
        self._line = ProgressLine(sys.stderr)
        self._pace = Pace()

    def update(self, progress: Progress) -> None:
        if self._pace.is_due():
            self._line.update(progress)

    def finish(self, progress: Progress) -> None:
        if not self._pace.is_short:
            self._line.close(progress)


def open_display(given: Settings) -> Display | None:
    """The display of a job that starts now, or None where nobody would see it or where it is switched off."""
    # Another thread's job would show in whatever cell is running, or break another job's line.
    if not given.progress or threading.current_thread() is not threading.main_thread():
        return None
    notebook = notebook_front()
    display: Display | None = notebook.open_display() if notebook is not None else None
    if display is None and sys.stderr is not None and sys.stderr.isatty():
        display = _TerminalDisplay()
    return display


def with_card(error: BaseException, progress: Progress) -> BaseException:
    """The error; in IPython one that shows its failure card where nobody catches it."""
    notebook = notebook_front()
    if notebook is not None and isinstance(error, TaskFailedError) and error.failure is not None:
        notebook.attach_card(error, progress.failures)
    return error
