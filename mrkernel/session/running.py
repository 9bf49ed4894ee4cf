"""run, submit and explain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mrkernel import config
from mrkernel.errors import JobInterruptedError, JobSpecError, OptionError
from mrkernel.events import Listener
from mrkernel.io import as_source
from mrkernel.job import Job
from mrkernel.planner import Plan, make_plan
from mrkernel.result import Result
from mrkernel.session.display import open_display
from mrkernel.session.handle import JobHandle
from mrkernel.session.preparation import Preparation, expected_workers
from mrkernel.session.waiting import Waiting
from mrkernel.shipping import pack_job

if TYPE_CHECKING:
    from mrkernel.cluster import Cluster

__all__ = ["explain", "run", "submit"]

_EXECUTORS = ("cluster", "inline")


def run(job: Job, source: Any, **options: Any) -> Result:
    """Run a job and wait for its result. Takes what :func:`submit` takes.

    From half a second on, progress shows in the notebook's cell or on the terminal; ``progress=False`` shows none.
    Interrupt and Ctrl-C stop the job.

    Examples
    --------
    >>> import mrkernel as mr
    >>> job = mr.Job(lambda line: [(word, 1) for word in line.split()], sum)
    >>> dict(mr.run(job, ["to be", "or not to be"], executor="inline"))
    {'be': 2, 'not': 1, 'or': 1, 'to': 2}
    """
    handle = submit(job, source, **options)
    Waiting(handle, open_display(handle.plan.settings)).block()
    return handle.result()


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
        ``profile=True`` finds out what the workers' time goes to, for ``result.report.profile``.

    Raises
    ------
    JobSpecError, SourceError, OptionError, SinkError
        For what can be known before anything runs.
    """
    if not isinstance(job, Job):
        raise JobSpecError(
            f"a job is needed, not a {type(job).__name__}", hint="wrap the functions: mr.Job(mapper, reducer)"
        )
    if executor not in _EXECUTORS:
        raise OptionError(f"executor = {executor!r} cannot be used", hint=f"it is {' or '.join(map(repr, _EXECUTORS))}")
    given = config.settings(**settings)
    try:
        origin = as_source(source)
        sink = _checked_sink(save, overwrite=overwrite, append=append) if save is not None else None
        return Preparation(job, given, executor, cluster, pack_job(job)).start(origin, listeners, sink)
    except KeyboardInterrupt:
        raise JobInterruptedError(f"{job.name} was interrupted before it began; nothing was written") from None


def explain(job: Job, source: Any, *, cluster: Cluster | None = None, **settings: Any) -> Plan:
    """What a run would do, without running it: splits, combining, partitions, and why.

    Examples
    --------
    >>> print(explain(Job(lambda n: (n % 2, n), sum, name="parity"), range(10), workers=2))  # doctest: +ELLIPSIS
    plan of parity
      input ...
    """
    given = config.settings(**settings)
    n_workers = cluster.n_workers if cluster is not None else expected_workers(given)
    return make_plan(job, as_source(source), given, n_workers)


def _checked_sink(target: Any, *, overwrite: bool, append: bool) -> Any:
    from mrkernel.io import open_sink

    sink = open_sink(target, overwrite=overwrite, append=append)
    sink.check()
    return sink
