"""What the driver needs of an executor: start attempts, hear of them, stop them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from mrkernel.engine.shuffle import Run
from mrkernel.engine.tasks import MapCall, MergeCall, ReduceCall, TaskReport
from mrkernel.events import WorkerSample

__all__ = [
    "AttemptLost",
    "AttemptProgressed",
    "AttemptStarted",
    "Executor",
    "Message",
    "News",
    "TaskCall",
    "WorkersSeen",
]

TaskCall: TypeAlias = MapCall | MergeCall | ReduceCall


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptStarted:
    """A worker has begun an attempt; a second one for the same call means that the first worker was lost."""

    stage: str
    task: int
    worker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptProgressed:
    """A running attempt has read so much."""

    stage: str
    task: int
    records: int
    n_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLost:
    """An attempt ended without a report: its worker died too often, or the cluster has gone.

    ``is_fatal`` is true where another attempt cannot help.
    """

    stage: str
    task: int
    attempt: int
    reason: str
    is_fatal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersSeen:
    """How the workers are, told about once a second while the driver polls."""

    workers: tuple[WorkerSample, ...]


News: TypeAlias = AttemptProgressed | WorkersSeen
Message: TypeAlias = AttemptStarted | AttemptLost | News | TaskReport


class Executor(Protocol):
    """Runs attempts somewhere. One executor serves one job."""

    @property
    def n_workers(self) -> int:
        """Attempts that can run at the same time."""

    @property
    def ahead(self) -> int:
        """Attempts that should be queued, so that no worker waits for the driver."""

    def start(self, calls: Sequence[TaskCall]) -> None:
        """Queue attempts, in the order in which they should run."""

    def poll(self, timeout_s: float) -> list[Message]:
        """What has happened since the last call, in order; waits up to ``timeout_s`` for something."""

    def hurry(self, *, is_forced: bool) -> None:
        """Tell running attempts, from any thread, to stop; forced, :meth:`stop` gives them no time for it."""

    def stop(self, *, grace_s: float, say: Callable[[str], None]) -> None:
        """Give up all attempts. What still runs after ``grace_s`` has its worker replaced, in the background.

        ``say`` is told, from another thread, what had to be done or could not be.
        """

    def remove(self, folder: str) -> None:
        """Delete a folder that attempts have written in, wherever it is."""

    def bring(self, runs: Sequence[Run]) -> list[Run]:
        """The runs with their files on this machine, copied where they are elsewhere."""
