"""join(): two sources into one result, on the engine that runs every other job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mrkernel import config
from mrkernel.errors import JobSpecError
from mrkernel.io import Source, as_source
from mrkernel.job import Job
from mrkernel.joins import Join, Sides
from mrkernel.result import Result
from mrkernel.session.preparation import expected_workers
from mrkernel.session.running import run

__all__ = ["join", "join_job"]


def join(
    left: Any,
    right: Any,
    *,
    on: str | list[str] | None = None,
    how: str = "inner",
    left_on: str | list[str] | None = None,
    right_on: str | list[str] | None = None,
    suffixes: tuple[str, str] = ("_x", "_y"),
    columns: list[str] | None = None,
    then: Job | None = None,
    broadcast: bool | None = None,
    name: str | None = None,
    **options: Any,
) -> Result:
    """Join two sources on equal keys and wait for the result, which has the columns that pandas.merge gives.

    A side that is small in memory is sent whole to each worker, and the other is joined where it is read; otherwise the
    rows of both go by the hash of their keys to tasks that join a share of each. ``result.report.notes`` says which.
    Rows come in no order that may be relied on. A column has the type that it had: where rows of one side match
    nowhere, the other side's columns are null, and whole numbers stay whole.

    Parameters
    ----------
    left, right
        Whatever :func:`mrkernel.run` takes as a source; their batches have columns.
    on
        The key: a column that both sides have, or several. None with ``left_on`` and ``right_on``, for keys that are
        called differently; then both columns are in the result.
    how
        ``"inner"``, ``"left"``, ``"right"`` or ``"outer"`` as in pandas; ``"semi"`` gives the rows of the left side
        that match, ``"anti"`` those that do not, once each and with the left side's columns only.
    suffixes
        What is added to the names of other columns that both sides have.
    columns
        The columns of the result, if not all of them are wanted.
    then
        A job that reads the joined rows; the result is its result. Where one side is sent whole, its mapper gets the
        rows as they are joined, and they are never written.
    broadcast
        True sends the smaller side whole, as long as it takes half of a worker's memory at most, where this kind of
        join allows it: either side of an inner join, the right side of a left, semi or anti join, the left side of a
        right join. False shuffles both. None decides by size.
    name
        What displays call the job; default ``"join"``, or what ``then`` is called.
    options
        Settings and what else :func:`mrkernel.submit` takes: ``save="out.parquet"``, ``executor="inline"``, …

    Raises
    ------
    OptionError
        For a column that does not exist, two columns of one name in the result, or options that do not fit together.
    KeyTypeError
        For keys that can never be equal, such as text and numbers.

    Notes
    -----
    Keys follow Python's equality, as everywhere: 1 equals 1.0, NaN equals NaN. Null equals null, as in pandas.

    Examples
    --------
    >>> import mrkernel as mr
    >>> planes = [{"plane": "N1", "seats": 50}, {"plane": "N2", "seats": 180}]
    >>> flights = [{"flight": 1, "plane": "N2"}, {"flight": 2, "plane": "N2"}, {"flight": 3, "plane": "N9"}]
    >>> joined = mr.join(flights, planes, on="plane", how="left", executor="inline")
    >>> joined.to_arrow().to_pydict()
    {'flight': [1, 2, 3], 'plane': ['N2', 'N2', 'N9'], 'seats': [180, 180, None]}
    >>> seats = mr.Job(lambda row: (row["plane"], row["seats"]), sum)
    >>> dict(mr.join(flights, planes, on="plane", then=seats, executor="inline"))
    {'N2': 360}
    """
    settings = {key: value for key, value in options.items() if key in config.Settings.__dataclass_fields__}
    wanted = Join.of(on=on, left_on=left_on, right_on=right_on, how=how, suffixes=suffixes, columns=columns,
                     broadcast=broadcast)  # fmt: skip
    job, source = join_job(wanted, left, right, then=then, name=name, settings=settings)
    return run(job, source, **options)


def join_job(
    wanted: Join, left: Any, right: Any, *, name: str | None, settings: Mapping[str, Any], then: Job | None = None
) -> tuple[Job, Source]:
    """The job and the source that a join is, to be run, submitted or explained with these settings.

    Raises
    ------
    JobSpecError
        If what is to follow is no job, or none that reads rows.
    """
    from mrkernel.cluster import limits

    given = config.settings(**settings)
    memory = given.memory_limit or limits.memory_per_worker(expected_workers(given))
    # The same object twice is one source, which is written for the workers once.
    first = as_source(left)
    second = first if right is left else as_source(right)
    job = Job(join=replace(wanted, worker_bytes=memory), name=name or "join")
    if then is not None:
        job = job.then(then)
        _check_reads_rows(job.steps[1])
    return replace(job, name=name) if name else job, Sides(first, second)


def _check_reads_rows(step: Job) -> None:
    if step.join is not None:
        raise JobSpecError("a join cannot follow a join in one job",
                           hint="join its result: mr.join(mr.join(…), …)")  # fmt: skip
    if step.mapper is None or step.takes_pairs:
        found = "has no mapper" if step.mapper is None else "takes 2 arguments"
        raise JobSpecError(f"the job after a join {found}, and joined rows are no (key, value) pairs",
                           hint="write its mapper as def mapper(row):")  # fmt: skip
