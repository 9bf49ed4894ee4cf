"""What a walkthrough shows: a table that reads well anywhere, and where somebody watches, the records as they move."""

from __future__ import annotations

from typing import Any

from mrkernel.config import counted
from mrkernel.errors import JobSpecError, OptionError
from mrkernel.job import Job
from mrkernel.render import walkthrough_html, walkthrough_text
from mrkernel.render.front import notebook_front
from mrkernel.render.values import cut, value_text
from mrkernel.tour.follow import MOST_PAIRS, Path, follow

__all__ = ["Walkthrough", "walkthrough"]

_MOST_RECORDS, _MOST_PARTITIONS = 50, 8
_MOST_RESULTS = 20
_WIDTH = 60


class Walkthrough:
    """Records on their way through a job; shows itself in notebooks and terminals.

    Attributes
    ----------
    state
        What is shown, as plain JSON values: ``records``, ``pairs``, ``groups`` and what to say about them.
    """

    def __init__(self, path: Path) -> None:
        self.state = _state(path)

    def __repr__(self) -> str:
        return walkthrough_text(self.state)

    def _repr_html_(self) -> str:
        return walkthrough_html(self.state)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """In a notebook that somebody looks at, a widget in which the records move; elsewhere nothing."""
        front = notebook_front()
        shown: dict[str, str] = front.show_walkthrough(self) if front is not None else {}
        return shown


def walkthrough(job: Job, source: Any, *, records: int = 20, partitions: int = 3) -> Walkthrough:
    """Follow the first records of a source through the first step of a job, in this process.

    Every record goes through the job's own functions: which pairs it gives, which partition each key belongs to, how
    they are sorted, and what the reducer makes of each key. A record that raises is shown with what it raised.

    Parameters
    ----------
    records
        How many records, at most 50.
    partitions
        How many reduce partitions, at most 8.

    Raises
    ------
    OptionError
        For a number out of range.
    JobSpecError
        For a join.

    Examples
    --------
    >>> import mrkernel as mr
    >>> job = mr.Job(lambda line: [(word, 1) for word in line.split()], sum, name="words")
    >>> print(mr.walkthrough(job, ["to be", "be"], partitions=2))  # doctest: +ELLIPSIS
    2 records through words
    ...
    """
    if job.steps[0].join is not None:
        raise JobSpecError("records cannot be followed through a join",
                           hint="walk through a job that reads its result")  # fmt: skip
    for name, number, most in (("records", records, _MOST_RECORDS), ("partitions", partitions, _MOST_PARTITIONS)):
        if not 1 <= number <= most:
            raise OptionError(f"{name} = {number} cannot be shown", hint=f"from 1 to {most}")
    return Walkthrough(follow(job, source, records=records, partitions=partitions))


def _state(path: Path) -> dict[str, Any]:
    pairs = path.pairs[:MOST_PAIRS]
    return {
        "title": f"{counted(len(path.records), 'record')} through {path.job.name}",
        "partitions": path.partitions,
        "records": [{"text": _short(r.value), "origin": r.origin, "error": cut(r.error, 200)} for r in path.records],
        "pairs": [
            {"record": pair.record, "key": _short(pair.key), "value": _short(pair.value), "partition": pair.partition}
            for pair in pairs
        ],
        "groups": [
            {
                "partition": group.partition,
                "key": _short(group.key),
                "pairs": [place for place in group.pairs if place < len(pairs)],
                "results": [[_short(key), _short(value)] for key, value in group.results[:_MOST_RESULTS]],
                "error": cut(group.error, 200),
            }
            for group in path.groups
        ],
        "notes": _notes(path, len(pairs)),
    }


def _notes(path: Path, n_shown: int) -> list[str]:
    notes = []
    if n_shown < len(path.pairs):
        notes.append(f"the first {n_shown:,} of {len(path.pairs):,} pairs are shown")
    if any(len(group.results) > _MOST_RESULTS for group in path.groups):
        notes.append(f"the first {_MOST_RESULTS} rows that a key gives are shown")
    if path.job.reducer is None:
        notes.append("the job has no reducer, so its pairs are its result")
    elif path.job.combiner is not None or path.job.reduction is not None:
        notes.append("on a cluster, each map task joins its pairs of a key before they travel")
    if path.job.batch_kind:
        notes.append("the mapper takes whole batches, so a pair belongs to no one record")
    return notes


def _short(value: Any) -> str:
    return cut(value_text(value), _WIDTH)
