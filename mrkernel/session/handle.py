"""The handle of a submitted job."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from typing import Any

from mrkernel import config
from mrkernel.engine import Driver, Outcome
from mrkernel.errors import JobCancelledError, JobInterruptedError
from mrkernel.events import Event, JobFinished, Listener
from mrkernel.planner import Plan
from mrkernel.progress import Progress, ProgressTracker
from mrkernel.result import Result
from mrkernel.session.display import with_card

__all__ = ["JobHandle"]


class JobHandle:
    """A submitted job.

    Attributes
    ----------
    job_id, name
        Its identity, and what displays call it.
    plan
        What is being run.
    """

    def __init__(self, job_id: str, plan: Plan, listeners: Sequence[Listener]) -> None:
        self.job_id = job_id
        self.name = plan.job.name
        self.plan = plan
        self._tracker = ProgressTracker()
        self._listeners: list[Listener] = [self._tracker, *listeners]
        self._driver: Driver | None = None
        self._done = threading.Event()
        self._result: Result | None = None
        self._error: BaseException | None = None
        self._is_interrupted = False
        self._stop_state = ""

    @property
    def state(self) -> str:
        """``"running"``, ``"finished"``, ``"failed"``, ``"cancelled"`` or ``"interrupted"``."""
        if not self._done.is_set():
            return "running"
        if self._error is None:
            return "finished"
        if isinstance(self._error, JobInterruptedError):
            return "interrupted"
        return "cancelled" if isinstance(self._error, JobCancelledError) else "failed"

    def progress(self) -> Progress:
        """How far the job is."""
        return self._tracker.snapshot()

    def done(self) -> bool:
        """Whether the job has ended, in whatever way."""
        return self._done.is_set()

    def cancel(self, *, interrupted: bool = False) -> None:
        """Ask the job to stop; returns at once. ``interrupted`` says that the kernel's Interrupt asked."""
        self._is_interrupted = self._is_interrupted or interrupted
        self._stop_state = "interrupted" if interrupted else "cancelled"
        if self._driver is not None:
            self._driver.stop(self._stop_state)

    def wait(self, timeout: float | str | None = None) -> bool:
        """Wait until the job has ended, or for ``timeout``; whether it has."""
        return self._done.wait(config.parse_duration(timeout) if isinstance(timeout, str) else timeout)

    def result(self, timeout: float | str | None = None) -> Result:
        """Wait for the result.

        Raises
        ------
        MrkernelError
            What the job failed with, or JobCancelledError.
        TimeoutError
            If it has not ended after ``timeout``; it goes on.
        """
        if not self.wait(timeout):
            raise TimeoutError(f"the job {self.name} has not ended after {timeout}; it goes on")
        if self._error is not None:
            raise with_card(self._error, self.progress())
        assert self._result is not None
        return self._result

    def __await__(self) -> Generator[Any, None, Result]:
        return self._wait_async().__await__()

    async def _wait_async(self) -> Result:
        import asyncio

        while not self._done.is_set():  # noqa: ASYNC110  # the run is in a thread, and any number of loops may wait
            await asyncio.sleep(0.02)
        return self.result()

    def __repr__(self) -> str:
        return f"<JobHandle {self.name} {self.state}>"

    # -- the run, in a thread of its own -----------------------------------------------------------------------

    def emit(self, event: Event) -> None:
        """Hand an event to every listener."""
        for listener in self._listeners:
            # A display that breaks must not take the job with it.
            with suppress(Exception):
                listener(event)

    def start(
        self,
        prepare: Callable[[], Driver],
        finish: Callable[[Outcome, Progress], Result],
        discard: Callable[[], None],
    ) -> None:
        """Run the driver that ``prepare`` gives, then ``finish``, and ``discard`` in any case."""
        threading.Thread(
            target=self._run, args=(prepare, finish, discard), name=f"mrkernel {self.name}", daemon=True
        ).start()

    def _run(
        self,
        prepare: Callable[[], Driver],
        finish: Callable[[Outcome, Progress], Result],
        discard: Callable[[], None],
    ) -> None:
        try:
            driver = self._opened(prepare)
            self._result = finish(driver.run(), self.progress())
        except JobCancelledError as error:
            self._error = JobInterruptedError(error.message) if self._is_interrupted else error
        except BaseException as error:  # noqa: BLE001  # handed to whoever waits for the result
            self._error = error
        finally:
            discard()
            self._done.set()

    def _opened(self, prepare: Callable[[], Driver]) -> Driver:
        """The driver; a failure to get one ends the job for its listeners too."""
        try:
            self._driver = driver = prepare()
        except BaseException as error:
            self.emit(JobFinished(job_id=self.job_id, state="failed", seconds=0.0, error=str(error)))
            raise
        if self._stop_state:
            driver.stop(self._stop_state)
        return driver
