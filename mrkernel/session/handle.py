"""The handle of a submitted job."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mrkernel import config
from mrkernel.engine import Driver, Outcome
from mrkernel.errors import JobCancelledError, JobInterruptedError
from mrkernel.events import Event, JobFinished, JobStarted, Listener
from mrkernel.planner import Plan
from mrkernel.progress import Progress, ProgressTracker
from mrkernel.result import Result
from mrkernel.session.display import with_card
from mrkernel.session.saving import STAGE, Saved, save

if TYPE_CHECKING:
    from mrkernel.io import Source

__all__ = ["JobHandle"]

_RESULT_ATTRIBUTES = frozenset({"counters", "report", "planned", "errors"})


class JobHandle:
    """A submitted job.

    It stands in for its result: whatever a :class:`Result` has and a handle has not (``handle.to_pandas()``,
    ``dict(handle)``, ``handle["the"]``, the handle as a source) waits for the result, and is the result's.

    Attributes
    ----------
    job_id, name
        Its identity, and what displays call it.
    plan
        What is being run.
    saved
        What was written where, once the job has finished; None where nothing was to be saved.
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
        self.saved: Saved | None = None
        self._is_interrupted = False
        self._stop_state = ""
        self._is_forced = False
        self._end: JobFinished | None = None
        self._sink: Any = None

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

    @property
    def is_stopped(self) -> bool:
        """Whether it was told to stop; another ``cancel`` forces."""
        return bool(self._stop_state)

    def cancel(self, *, force: bool = False, interrupted: bool = False) -> None:
        """Ask the job to stop; returns at once, and may be called from any cell and any thread.

        The job ends within moments. What it runs has a second and a half to stop between two blocks of records; a
        worker whose function has not returned by then is replaced, others go on. A second call forces.

        Parameters
        ----------
        force
            Replace at once every worker that still runs something of this job.
        interrupted
            Says that the kernel's Interrupt asked.
        """
        force = force or self.is_stopped
        if not self.is_stopped:
            self._is_interrupted = interrupted
            self._stop_state = "interrupted" if interrupted else "cancelled"
        self._is_forced = self._is_forced or force
        if (driver := self._driver) is not None:
            driver.stop(self._stop_state, is_forced=force)

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
        # A notebook keeps this text, and nobody updates it when the job has ended.
        said = self.state if self.done() else "running when this was shown"
        return f"<JobHandle {self.name} {said}>"

    # -- in the place of its result ----------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        # Front ends and libraries look for private names and for protocols of their own; they must not wait.
        if name.startswith("_") or (not hasattr(Result, name) and name not in _RESULT_ATTRIBUTES):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)
        return getattr(self.result(), name)

    def __mrkernel_source__(self) -> Source:
        """The source that the result is for another job."""
        return self.result().__mrkernel_source__()

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return iter(self.result())

    def __getitem__(self, key: Any) -> Any:
        return self.result()[key]

    def __contains__(self, key: object) -> bool:
        return key in self.result()

    def __len__(self) -> int:
        return len(self.result())

    def __bool__(self) -> bool:
        # `if handle` asks whether there is one, and does not wait for its rows.
        return True

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
        sink: Any = None,
    ) -> None:
        """Run the driver that ``prepare`` gives, ``finish``, save to ``sink``, and ``discard`` in any case."""
        self._sink = sink
        threading.Thread(
            target=self._run, args=(prepare, finish, discard), name=f"mrkernel {self.name}", daemon=True
        ).start()

    def emit_from_driver(self, event: Event) -> None:
        """Hand a driver's event to every listener; that the driver is done does not end the job yet."""
        if isinstance(event, JobStarted) and self._sink is not None:
            event = replace(event, stages=(*event.stages, STAGE))
        if isinstance(event, JobFinished) and event.state == "finished":
            self._end = event
        else:
            self.emit(event)

    def _run(
        self,
        prepare: Callable[[], Driver],
        finish: Callable[[Outcome, Progress], Result],
        discard: Callable[[], None],
    ) -> None:
        try:
            driver = self._opened(prepare)
            self._result = self._finished(driver.run(), finish)
            # It knows this handle: as long as the two know each other, neither goes before the next sweep for cycles,
            # nor do the result's files.
            self._driver = None
        except JobCancelledError as error:
            self._error = JobInterruptedError(error.message) if self._is_interrupted else error
        except BaseException as error:  # noqa: BLE001  # handed to whoever waits for the result
            self._error = error
        finally:
            discard()
            self._done.set()

    def _finished(self, outcome: Outcome, finish: Callable[[Outcome, Progress], Result]) -> Result:
        """The result, saved if it was to be; only now the job has ended for its listeners."""
        state, error = "failed", None
        began = time.perf_counter()
        try:
            result = finish(outcome, self.progress())
            if self._sink is not None:
                self.saved = save(self._sink, result, job_id=self.job_id, emit=self.emit, check=self._check_stopped)
            state = "finished"
        except JobCancelledError:
            state = self._stop_state
            raise
        except BaseException as caught:
            error = str(caught)
            raise
        finally:
            end = self._end or JobFinished(job_id=self.job_id, state=state, seconds=0.0)
            seconds = end.seconds + time.perf_counter() - began
            self.emit(replace(end, at=time.time(), state=state, seconds=seconds, error=error))
        result.report = replace(
            result.report,
            progress=self.progress(),
            history=self._tracker.history,
            part_rows=result.part_rows,
            costs=self._tracker.costs(self.plan.n_workers),
        )
        return result

    def _check_stopped(self) -> None:
        if self._stop_state:
            raise JobCancelledError(
                f"the job {self.name} was {self._stop_state} while its result was saved; nothing was written"
            )

    def _opened(self, prepare: Callable[[], Driver]) -> Driver:
        """The driver; a failure to get one ends the job for its listeners too."""
        try:
            self._driver = driver = prepare()
        except BaseException as error:
            self.emit(JobFinished(job_id=self.job_id, state="failed", seconds=0.0, error=str(error)))
            raise
        if self._stop_state:
            driver.stop(self._stop_state, is_forced=self._is_forced)
        return driver
