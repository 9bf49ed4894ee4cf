"""Waits for a job in view of its user: looks at it, shows it, and stops it on an interrupt."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from mrkernel.config import counted, format_duration
from mrkernel.errors import JobInterruptedError, MrkernelError
from mrkernel.progress import Progress, StageProgress
from mrkernel.session.display import Controls, Display
from mrkernel.session.handle import JobHandle
from mrkernel.session.saving import STAGE, Saved

__all__ = ["Waiting"]

# The first looks are quick so that a job on ten lines does not wait for its cell; later ones cost nothing.
_FIRST_LOOK_S, _LAST_LOOK_S = 0.005, 0.1
_STOP_S, _STOP_LOOK_S = 1.5, 0.02


class Waiting:
    """One wait for one job.

    Parameters
    ----------
    display
        Where to show the job; None shows nothing.
    """

    def __init__(self, handle: JobHandle, display: Display | None) -> None:
        self._handle = handle
        self._display = display
        if isinstance(display, Controls):
            display.connect(handle.cancel)

    def block(self) -> None:
        """Return when the job has ended, in whatever way.

        Raises
        ------
        JobInterruptedError
            After an interrupt, once the job was told to stop.
        """
        try:
            for pause in self.looks():
                self._handle.wait(pause)
        except KeyboardInterrupt as error:
            raise self.interrupted(error) from None
        self.show_end()

    def looks(self) -> Iterator[float]:
        """Seconds to wait before each further look at the job, until it has ended."""
        pause = _FIRST_LOOK_S
        while not self._handle.done():
            yield pause
            pause = min(_LAST_LOOK_S, pause * 1.5)
            if self._display is not None:
                # A display that breaks must not take the job with it.
                with suppress(Exception):
                    self._update(self._display)

    def _update(self, display: Display) -> None:
        progress = self.progress()
        # An end is shown by whoever knows what was written: listeners hear of it a moment before the handle is done.
        if progress.is_running:
            display.update(progress)

    def progress(self) -> Progress:
        """The job's progress, with its name from the start."""
        # Before the driver has begun (the cluster may still start) only the handle knows the job's name.
        progress = self._handle.progress()
        return progress if progress.name else replace(progress, name=self._handle.name)

    def show_end(self, progress: Progress | None = None) -> None:
        """Show the end state: the job's own, or ``progress``."""
        if self._display is not None:
            with suppress(Exception):
                self._display.finish(progress or self.progress())

    def interrupted(self, error: BaseException) -> BaseException:
        """Stop the job after an interrupt; returns the error to raise."""
        if isinstance(error, MrkernelError):
            return error
        try:
            for pause in self.stopping():
                self._handle.wait(pause)
        except KeyboardInterrupt:
            self.force()
        return self.stopped()

    def stopping(self) -> Iterator[float]:
        """Tell the job to stop; seconds to wait before each further look, while it has its moment to do so."""
        self._handle.cancel(interrupted=True)
        deadline = time.monotonic() + _STOP_S
        while not self._handle.done() and time.monotonic() < deadline:
            yield _STOP_LOOK_S

    def force(self) -> None:
        """Stop the job at once, after another interrupt."""
        self._handle.cancel(force=True, interrupted=True)

    def stopped(self) -> BaseException:
        """Show how far the job was; the error to raise."""
        progress = self.progress()
        if progress.is_running:
            progress = replace(progress, state="interrupted")
        self.show_end(progress)
        return JobInterruptedError(_stopped(progress, self._handle.saved, has_ended=self._handle.done()))


def _stopped(progress: Progress, saved: Saved | None, *, has_ended: bool) -> str:
    running = [stage for stage in progress.stages if stage.state not in {"waiting", "not run", "finished"}]
    where = f", in stage {running[-1].name} with {_done(running[-1])} done" if running else ""
    if progress.state == "finished":
        rest = "its result was not taken" if saved is None else str(saved)
        return f"the interrupt came when {progress.name} had finished; {rest}"
    what = "its save is" if running and running[-1].name == STAGE else "its last tasks are"
    rest = "nothing was written" if has_ended else f"{what} being stopped"
    return f"{progress.name} was interrupted after {format_duration(progress.seconds)}{where}; {rest}"


def _done(stage: StageProgress) -> str:
    return f"{stage.done:,} of {counted(stage.total, 'task')}"
