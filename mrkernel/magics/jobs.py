"""The jobs of one shell: handles of those that run, and of those that have ended only what lists show."""

from __future__ import annotations

from dataclasses import dataclass

from mrkernel.events import Failure
from mrkernel.session import JobHandle

__all__ = ["JobNote", "Jobs"]

_STOPPED = frozenset({"cancelled", "interrupted"})


@dataclass(frozen=True, slots=True, kw_only=True)
class JobNote:
    """What is known of a job without its handle.

    Attributes
    ----------
    n_rows
        Rows of its result; None if it has none.
    failure
        What it failed with first in a function of the user.
    """

    job_id: str
    name: str
    state: str
    seconds: float
    n_rows: int | None
    failure: Failure | None

    @classmethod
    def of(cls, handle: JobHandle) -> JobNote:
        """A job as it is now."""
        progress = handle.progress()
        return cls(
            job_id=handle.job_id, name=handle.name, state=handle.state, seconds=progress.seconds,
            n_rows=handle.result().num_rows if handle.state == "finished" else None,
            failure=next(iter(progress.failures), None),
        )  # fmt: skip


class Jobs:
    """All jobs of a shell, in the order in which they began.

    A handle holds its result, and with that its files, and the input that it has read. So the handle of a job that
    has ended belongs to the user's variables alone.
    """

    def __init__(self) -> None:
        self._all: list[JobHandle | JobNote] = []

    def add(self, handle: JobHandle) -> None:
        """Take up a job that has begun."""
        self._all.append(handle)

    def settle(self, *_: object) -> None:
        """Let go of what has ended: after each cell."""
        for n, one in enumerate(self._all):
            # The newest one that was stopped may still be forced to.
            is_kept = n == len(self._all) - 1 and one.state in _STOPPED
            if isinstance(one, JobHandle) and one.done() and not is_kept:
                self._all[n] = JobNote.of(one)

    def notes(self) -> list[JobNote]:
        """All of them as they are now."""
        return [JobNote.of(one) if isinstance(one, JobHandle) else one for one in self._all]

    def running(self) -> list[JobHandle]:
        """Those that have not ended."""
        return [one for one in self._all if isinstance(one, JobHandle) and not one.done()]

    def stopped(self) -> list[JobHandle]:
        """The newest job, if it was stopped and can still be forced to."""
        return [one for one in self._all[-1:] if isinstance(one, JobHandle) and one.state in _STOPPED]
