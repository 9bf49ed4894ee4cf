"""run() and submit(): wire source, plan, executor and listeners together, and hand out the result."""

from __future__ import annotations

import atexit
import os
import re
import secrets
import shutil
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mrkernel import config
from mrkernel.config import Settings
from mrkernel.engine import Driver, InlineExecutor, Outcome, Run
from mrkernel.errors import JobCancelledError, JobInterruptedError, JobSpecError, OptionError
from mrkernel.events import Event, Listener
from mrkernel.io import Source, as_source
from mrkernel.job import Job
from mrkernel.planner import Plan, make_plan
from mrkernel.progress import Progress, ProgressTracker
from mrkernel.result import PartsSource, Report, Result
from mrkernel.result.parts import PartFile
from mrkernel.result.result import write_to
from mrkernel.shipping import pack_job

if TYPE_CHECKING:
    from mrkernel.cluster import Cluster
    from mrkernel.engine.executor import Executor

__all__ = ["JobHandle", "explain", "run", "submit"]

_EXECUTORS = ("cluster", "inline")
# A job larger than this travels to workers as a file instead of in every task.
_INLINE_JOB_BYTES = 32 << 10


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
        self._listeners = [self._tracker, *listeners]
        self._driver: Driver | None = None
        self._done = threading.Event()
        self._result: Result | None = None
        self._error: BaseException | None = None
        self._is_interrupted = False

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
        if self._driver is not None:
            self._driver.stop("interrupted" if interrupted else "cancelled")

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
            raise self._error
        assert self._result is not None
        return self._result

    def __await__(self) -> Generator[Any, None, Result]:
        return self._wait_async().__await__()

    async def _wait_async(self) -> Result:
        import asyncio

        while not self._done.is_set():
            await asyncio.sleep(0.02)
        return self.result()

    def __repr__(self) -> str:
        return f"<JobHandle {self.name} {self.state}>"

    # -- the run, in a thread of its own -----------------------------------------------------------------------

    def _emit(self, event: Event) -> None:
        for listener in self._listeners:
            # A display that breaks must not take the job with it.
            with suppress(Exception):
                listener(event)

    def _start(
        self, driver: Driver, finish: Callable[[Outcome, Progress], Result], discard: Callable[[], None]
    ) -> None:
        self._driver = driver
        threading.Thread(
            target=self._run, args=(driver, finish, discard), name=f"mrkernel {self.name}", daemon=True
        ).start()

    def _run(
        self, driver: Driver, finish: Callable[[Outcome, Progress], Result], discard: Callable[[], None]
    ) -> None:
        try:
            self._result = finish(driver.run(), self.progress())
        except JobCancelledError as error:
            self._error = JobInterruptedError(error.message) if self._is_interrupted else error
        except BaseException as error:  # noqa: BLE001  # handed to whoever waits for the result
            self._error = error
        finally:
            discard()
            self._done.set()


def run(job: Job, source: Any, **options: Any) -> Result:
    """Run a job and wait for its result. Takes what :func:`submit` takes.

    Examples
    --------
    >>> import mrkernel as mr
    >>> job = mr.Job(lambda line: [(word, 1) for word in line.split()], sum)
    >>> dict(mr.run(job, ["to be", "or not to be"], executor="inline"))
    {'be': 2, 'not': 1, 'or': 1, 'to': 2}
    """
    handle = submit(job, source, **options)
    try:
        return handle.result()
    except KeyboardInterrupt as error:
        if isinstance(error, JobInterruptedError):
            raise
        handle.cancel(interrupted=True)
        handle.wait(10)
        raise JobInterruptedError(f"the job {handle.name} was interrupted") from None


def submit(
    job: Job,
    source: Any,
    *,
    executor: str = "cluster",
    cluster: Cluster | None = None,
    listeners: Sequence[Listener] = (),
    save: Any = None,
    overwrite: bool = False,
    append: bool = False,
    **settings: Any,
) -> JobHandle:
    """Start a job and return at once, once its input was found and its functions can travel.

    Parameters
    ----------
    job
        What to do.
    source
        A path, glob, folder or URL as a string or Path; a DataFrame, an Arrow table, an iterable of records, an
        earlier Result; or a Source.
    executor
        ``"cluster"`` for worker processes, ``"inline"`` for this process, one task after the other.
    cluster
        The cluster to use; default: the one that ``mr.cluster`` chose, else the embedded one, started if needed.
    listeners
        Called with every event of the run, from the driver's thread.
    save, overwrite, append
        A target to write the result to, as ``Result.write`` does, checked before the job runs.
    settings
        Any setting by its name: ``chunk_size="16 MiB"``, ``reducers=4``, ``workers=2``, ``combine=False``, …

    Raises
    ------
    JobSpecError, SourceError, OptionError, SinkError
        For what can be known before anything runs.
    """
    if not isinstance(job, Job):
        raise JobSpecError(f"a job is needed, not a {type(job).__name__}", hint="wrap the functions: mr.Job(mapper, reducer)")
    if executor not in _EXECUTORS:
        raise OptionError(f"executor = {executor!r} cannot be used", hint=f"it is {' or '.join(map(repr, _EXECUTORS))}")
    given = config.settings(**settings)
    origin = as_source(source)
    sink = _checked_sink(save, overwrite=overwrite, append=append) if save is not None else None
    run = _Preparation(job, given, None if executor == "inline" else _cluster(cluster, given), pack_job(job))
    return run.start(origin, listeners, sink)


class _Preparation:
    """Everything a job needs before its driver starts: folders, executor, plan."""

    def __init__(self, job: Job, given: Settings, place: Cluster | None, packed: bytes) -> None:
        self._job, self._given, self._place, self._packed = job, given, place, packed
        self._job_id = f"{re.sub(r'[^A-Za-z0-9]+', '-', job.name)[:20]}-{secrets.token_hex(4)}"
        self._folders = _Folders(given, self._job_id)
        # Workers on other machines write in folders of their own; their results are brought here.
        self._is_remote = place is not None and not place.is_local

    def start(self, origin: Source, listeners: Sequence[Listener], sink: Any) -> JobHandle:
        try:
            executor = self._executor()
            source = origin.localized(self._folders.input())
            self._send(source)
            plan = make_plan(self._job, source, self._given, executor.n_workers)
            handle = JobHandle(self._job_id, plan, listeners)
            driver = self._driver(plan, executor, handle)
        except BaseException:
            self._folders.discard()
            raise
        handle._start(driver, lambda outcome, progress: self._finish(outcome, progress, sink), self._folders.discard_input)
        return handle

    def _executor(self) -> Executor:
        if self._place is None:
            return InlineExecutor()
        from mrkernel.engine import DaskExecutor

        home = self._folders.results() if self._is_remote else None
        return DaskExecutor(self._place.client, self._job_id, self._place.restart_worker, home=home)

    def _driver(self, plan: Plan, executor: Executor, handle: JobHandle) -> Driver:
        if self._is_remote:
            scratch, results, job = f"{self._job_id}/shuffle", f"{self._job_id}/result", self._packed  # type: str, str, Any
        else:
            scratch = self._folders.scratch(self._place.scratch_dir if self._place else None)
            results, job = self._folders.results(), _shared(self._packed, scratch)

        def as_next_source(runs: list[Run]) -> Source:
            source = PartsSource(_part_files(executor.bring(runs)), label="the step before")
            self._send(source)
            return source

        return Driver(plan, executor, job=job, job_id=self._job_id, scratch=scratch, results=results,
                      emit=handle._emit, as_source=as_next_source)  # fmt: skip

    def _send(self, source: Source) -> None:
        """Copy what only this machine has to the hosts of remote workers."""
        if self._is_remote and self._place is not None:
            from mrkernel.engine import send_file

            for path in source.local_files():
                send_file(self._place.client, path)

    def _finish(self, outcome: Outcome, progress: Progress, sink: Any) -> Result:
        result = Result(_part_files(outcome.parts), name=self._job.name, counters=outcome.counters,
                        report=Report(progress=progress), limit=self._given.limit)  # fmt: skip
        if sink is not None:
            write_to(sink, result)
        return result


def explain(job: Job, source: Any, *, cluster: Cluster | None = None, **settings: Any) -> Plan:
    """What a run would do, without running it: splits, combining, partitions, and why.

    Examples
    --------
    >>> print(explain(Job(lambda n: (n % 2, n), sum, name="parity"), range(10), workers=2))  # doctest: +ELLIPSIS
    plan of parity
      input ...
    """
    given = config.settings(**settings)
    n_workers = cluster.n_workers if cluster is not None else given.workers or os.cpu_count() or 1
    return make_plan(job, as_source(source), given, n_workers)


def _cluster(chosen: Cluster | None, given: Settings) -> Cluster:
    if chosen is not None:
        return chosen
    from mrkernel.cluster import default

    return default(given)


def _checked_sink(target: Any, *, overwrite: bool, append: bool) -> Any:
    from mrkernel.io import open_sink

    sink = open_sink(target, overwrite=overwrite, append=append)
    sink.check()
    return sink


def _shared(packed: bytes, scratch: str) -> bytes | str:
    if len(packed) <= _INLINE_JOB_BYTES:
        return packed
    path = os.path.join(scratch, "job.pickle")
    with open(path, "wb") as file:
        file.write(packed)
    return path


def _part_files(runs: list[Run]) -> tuple[PartFile, ...]:
    return tuple(PartFile(path=run.path, n_rows=run.n_rows, n_bytes=run.n_bytes) for run in runs)


class _Folders:
    """The folders of one job: input that workers read, shuffle files, and results."""

    def __init__(self, given: Settings, job_id: str) -> None:
        self._root = os.path.join(_session_folder(given), job_id)
        os.makedirs(self._root, mode=0o700)
        self._scratch = ""

    def input(self) -> str:
        path = os.path.join(self._root, "input")
        os.makedirs(path, exist_ok=True)
        return path

    def results(self) -> str:
        path = os.path.join(self._root, "result")
        os.makedirs(path, exist_ok=True)
        return path

    def scratch(self, cluster_scratch: str | None) -> str:
        parent = cluster_scratch or self._root
        self._scratch = os.path.join(parent, f"shuffle-{os.path.basename(self._root)}")
        os.makedirs(self._scratch, mode=0o700)
        return self._scratch

    def discard_input(self) -> None:
        shutil.rmtree(os.path.join(self._root, "input"), ignore_errors=True)

    def discard(self) -> None:
        shutil.rmtree(self._root, ignore_errors=True)
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)


_session: dict[int, str] = {}


def _session_folder(given: Settings) -> str:
    """The folder of this process's results: kept until it ends, so that results outlive an idle cluster."""
    from mrkernel.cluster import scratch

    pid = os.getpid()
    if pid not in _session or not os.path.isdir(_session[pid]):
        scratch.sweep(given.scratch)
        _session[pid] = scratch.create(given.scratch)
        atexit.register(shutil.rmtree, _session[pid], ignore_errors=True)
    return _session[pid]


