"""Runs a job on samples through the ordinary session, and writes down what its events say."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mrkernel import session
from mrkernel.cluster.watching import Watch
from mrkernel.config import Settings
from mrkernel.errors import JobCancelledError, JobInterruptedError
from mrkernel.events import Event, StageFinished, TaskFinished
from mrkernel.io import Source
from mrkernel.job import Job
from mrkernel.tuning.choice import Choice
from mrkernel.tuning.layout import Layouts, pieces_of
from mrkernel.tuning.measured import Measured, StageSeen, TaskSeen
from mrkernel.tuning.sampling import SampledSource

if TYPE_CHECKING:
    from mrkernel.cluster import Cluster
    from mrkernel.planner import Plan
    from mrkernel.result import Result

__all__ = ["Rig"]

_LOOK_S = 0.05
_STOP_S = 2.0


class Rig:
    """Everything that runs of one job on one input share.

    Parameters
    ----------
    source
        The whole input, where workers can read it.
    cluster
        Where to run; None is this process, one task after the other.
    settings
        What the user has chosen already; the runs keep all but the chunk size.
    given
        The settings in force. What a point leaves open is as here, whatever the session has been set to meanwhile.
    find
        Gives the cluster to use from now on, for :meth:`renew`; None is always the same.

    Attributes
    ----------
    stop
        Set by whoever wants the runs to end, from any thread.
    look
        Called many times a second while a run is waited for.
    """

    def __init__(
        self,
        job: Job,
        source: Source,
        cluster: Cluster | None,
        settings: dict[str, Any],
        *,
        given: Settings,
        find: Callable[[], Cluster] | None = None,
    ) -> None:
        self.job, self.source, self.settings = job, source, settings
        self.cluster = cluster
        self._find = find
        combine = "auto" if given.combine is None else given.combine
        self._in_force = {"reducers": given.reducers or "auto", "combine": combine}
        self.layouts = Layouts(source)
        self.stop = threading.Event()
        self.look: Callable[[], None] = lambda: None

    def renew(self) -> None:
        """Use the cluster that there is now: the one before may have stopped, or may not be wanted any more."""
        if self._find is not None:
            self.cluster = self._find()

    @property
    def n_workers(self) -> int:
        """Workers that there are."""
        return self.cluster.n_workers if self.cluster is not None else 1

    @cached_property
    def memory_limit(self) -> int | None:
        """Bytes that a worker of the samples may hold; None where nobody limits it."""
        limits = [worker.memory_limit for worker in self.cluster.workers()] if self.cluster is not None else []
        return min((limit for limit in limits if limit), default=None)

    def sample(
        self, choice: Choice, *, n_splits: int, max_records: int | None = None, limit_s: float | None = None
    ) -> Measured:
        """Run a sample; stopped after ``limit_s`` seconds, it gives what its finished tasks say.

        Raises
        ------
        MrkernelError
            What the job fails with.
        """
        source = SampledSource(self.source, n_splits=n_splits, max_records=max_records,
                               cut=self.layouts.splits)  # fmt: skip
        return self._run(choice, source, limit_s, is_full=max_records is None)[0]

    def whole(
        self,
        choice: Choice,
        *,
        limit_s: float | None = None,
        started: Callable[[session.JobHandle], None] = lambda handle: None,
    ) -> tuple[Measured, Result | None]:
        """Run the whole input; the result is None if the time was over first.

        Parameters
        ----------
        started
            Called with the job's handle. Without a limit of time, who cancels the job ends this with its error.
        """
        return self._run(choice, self.source, limit_s, is_full=True, started=started)

    def _run(
        self,
        choice: Choice,
        source: Source,
        limit_s: float | None,
        *,
        is_full: bool,
        started: Callable[[session.JobHandle], None] = lambda handle: None,
    ) -> tuple[Measured, Result | None]:
        recorder = _Recorder()
        workers = choice.workers or self.n_workers
        place, options = self._place(workers)
        given = {name: value for name, value in choice.settings.items() if name != "workers"}
        with Watch(place) as watch:
            began = time.perf_counter()
            handle = session.submit(self.job, source, listeners=[recorder],
                                    **{**self._in_force, **self.settings, **options, **given,
                                       "progress": False})  # fmt: skip
            started(handle)
            has_ended = _wait(handle, limit_s, self.stop, self.look)
            result = handle.result() if has_ended or limit_s is None else None
            seconds = time.perf_counter() - began
        plan = handle.plan
        stages = recorder.stages(plan)
        n_bytes = sum(task.n_bytes for task in stages["map"].tasks) if "map" in stages else 0.0
        full = Choice(chunk_size=plan.first.chunk_bytes, workers=workers, reducers=choice.reducers,
                      combine=choice.combine)  # fmt: skip
        share = min(1.0, n_bytes / (self.layouts.size or n_bytes or 1))
        measured = Measured(
            choice=full, seconds=seconds, n_bytes=n_bytes, share=share,
            stages=stages, memory_bytes=watch.peak_bytes, cpu_s=watch.cpu_s, idle_share=watch.idle_share,
            is_full=is_full, has_ended=has_ended,
        )  # fmt: skip
        return measured, result

    def _place(self, workers: int) -> tuple[Cluster | None, dict[str, Any]]:
        if self.cluster is None:
            return None, {"executor": "inline"}
        from mrkernel.cluster import limited

        place = limited(self.cluster, workers)
        return place, {"cluster": place}


def _wait(handle: session.JobHandle, limit_s: float | None, stop: threading.Event, look: Callable[[], None]) -> bool:
    """Wait for a job; False if its time was over and it was cancelled."""
    deadline = None if limit_s is None else time.monotonic() + limit_s
    try:
        while not handle.wait(_LOOK_S):
            look()
            if stop.is_set() or (deadline is not None and time.monotonic() > deadline):
                handle.cancel()
                handle.wait(_STOP_S)
                break
    except KeyboardInterrupt:
        handle.cancel(interrupted=True)
        raise JobInterruptedError(f"the tuning of {handle.name} was interrupted; nothing was changed") from None
    if stop.is_set():
        raise JobCancelledError(f"the tuning of {handle.name} was cancelled; nothing was changed")
    return handle.done() and handle.state != "cancelled"


class _Recorder:
    """A listener that keeps what tasks and stages took."""

    def __init__(self) -> None:
        self._tasks: dict[str, dict[int, TaskFinished]] = {}
        self._seconds: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, TaskFinished):
            self._tasks.setdefault(event.stage, {})[event.task] = event
        elif isinstance(event, StageFinished):
            self._seconds[event.stage] = event.seconds

    def stages(self, plan: Plan) -> dict[str, StageSeen]:
        """Stages by their names, in order; those of a run that was stopped have no time of their own."""
        pieces = [pieces_of(split) for split in plan.first.splits]
        return {
            name: StageSeen(
                seconds=self._seconds.get(name, 0.0),
                tasks=[_seen(event, pieces[event.task] if name == "map" else 1) for _, event in sorted(found.items())],
            )
            for name, found in self._tasks.items()
        }


def _seen(event: TaskFinished, pieces: int) -> TaskSeen:
    return TaskSeen(seconds=event.seconds, n_bytes=event.bytes_in, records=event.records_in, pieces=pieces,
                    bytes_out=event.bytes_out)  # fmt: skip
