"""What finished tasks had, kept in some bytes each: it is taken back where what they wrote is lost."""

from __future__ import annotations

from array import array
from typing import NamedTuple

__all__ = ["Done", "FinishedTasks"]


class Done(NamedTuple):
    """What a finished task had, and the worker that has what it wrote."""

    records_in: int
    records_out: int
    bytes_in: int
    bytes_out: int
    scratch_bytes: int
    worker: str


_N_NUMBERS = 5


class FinishedTasks:
    """Finished tasks by their numbers, which are all below their count: 44 bytes each, where objects take 300.

    Examples
    --------
    >>> finished = FinishedTasks()
    >>> finished.add(2, Done(10, 5, 100, 50, 50, "a"))
    >>> len(finished), 2 in finished, 1 in finished, finished.pop(2).worker, len(finished), finished.pop(2)
    (1, True, False, 'a', 0, None)
    """

    def __init__(self) -> None:
        self._numbers = array("q")
        # Which worker, from 1 on; 0 where the task has not finished.
        self._workers = array("i")
        self._names: dict[str, int] = {}
        self._addresses = [""]
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, task: int) -> bool:
        return task < len(self._workers) and self._workers[task] > 0

    def add(self, task: int, done: Done) -> None:
        """A task has finished that had not."""
        if task >= len(self._workers):
            more = max(task + 1, 2 * len(self._workers)) - len(self._workers)
            self._workers.frombytes(bytes(more * self._workers.itemsize))
            self._numbers.frombytes(bytes(more * _N_NUMBERS * self._numbers.itemsize))
        if done.worker not in self._names:
            self._names[done.worker] = len(self._addresses)
            self._addresses.append(done.worker)
        self._workers[task] = self._names[done.worker]
        numbers = (done.records_in, done.records_out, done.bytes_in, done.bytes_out, done.scratch_bytes)
        self._numbers[task * _N_NUMBERS : (task + 1) * _N_NUMBERS] = array("q", numbers)
        self._count += 1

    def pop(self, task: int) -> Done | None:
        """A task has not finished after all; what it had, or None if it had not."""
        if task not in self:
            return None
        worker, self._workers[task] = self._addresses[self._workers[task]], 0
        self._count -= 1
        read, wrote, n_in, n_out, scratch = self._numbers[task * _N_NUMBERS : (task + 1) * _N_NUMBERS]
        return Done(read, wrote, n_in, n_out, scratch, worker)
