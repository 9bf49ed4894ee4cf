"""What a run of a sample was seen to take: plain records."""

from __future__ import annotations

from dataclasses import dataclass, field

from mrkernel.tuning.choice import Choice

__all__ = ["Measured", "StageSeen", "TaskSeen"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSeen:
    """One finished task: what it read and wrote, and how long it took on its worker.

    Attributes
    ----------
    pieces
        Files, or ranges of files, that it opened.
    """

    seconds: float
    n_bytes: float
    records: float
    pieces: int = 1
    bytes_out: float = 0.0


@dataclass(slots=True, kw_only=True)
class StageSeen:
    """One stage of a run."""

    seconds: float = 0.0
    tasks: list[TaskSeen] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run, of a sample or of the whole input.

    Attributes
    ----------
    choice
        With which chunk size, workers, partitions and combining.
    seconds
        From the call to the end of the job.
    n_bytes
        Input that it read.
    share
        Of the whole input, 0 to 1.
    stages
        By the driver's names.
    memory_bytes
        The most that one worker process held.
    cpu_s
        Processor time of all workers, or None where it is not known.
    idle_share
        How much of the machine's processors nobody used meanwhile.
    is_full
        Whether its tasks read all records of their chunks; the first looks take only some.
    has_ended
        Whether it ended by itself; else it was stopped to keep within the time, and only its tasks count.
    """

    choice: Choice
    seconds: float
    n_bytes: float
    share: float
    stages: dict[str, StageSeen]
    memory_bytes: int = 0
    cpu_s: float | None = None
    idle_share: float = 0.0
    is_full: bool = True
    has_ended: bool = True

    @property
    def maps(self) -> StageSeen:
        """The first map stage: what a chunk size cuts."""
        return self.stages.get("map", StageSeen())

    @property
    def reduces(self) -> StageSeen:
        """The first reduce stage."""
        return self.stages.get("reduce", StageSeen())

    @property
    def rest_s(self) -> float:
        """Seconds of later steps."""
        return sum(stage.seconds for name, stage in self.stages.items() if _is_later(name))

    @property
    def rows_shuffled(self) -> float:
        """Rows that the first step's map tasks handed on."""
        after = self.stages.get("merge") or self.reduces
        return sum(task.records for task in after.tasks)

    @property
    def outside_s(self) -> float:
        """Seconds in which no stage ran: planning, start and end."""
        return max(0.0, self.seconds - sum(stage.seconds for stage in self.stages.values()))

    @property
    def task_s(self) -> float:
        """Seconds of all tasks together."""
        return sum(task.seconds for stage in self.stages.values() for task in stage.tasks)

    @property
    def overhead_share(self) -> float:
        """Share of the workers' time in stages that no task used: scheduling, and waiting for the last ones."""
        stages = sum(stage.seconds for stage in self.stages.values()) * (self.choice.workers or 1)
        return max(0.0, 1 - self.task_s / stages) if stages > 0 else 0.0


def _is_later(stage: str) -> bool:
    """Whether a stage's name has the number of a later step: ``"map 2"``, but not ``"merge level 2"``."""
    words = stage.split()
    return len(words) > 1 and words[1].isdigit()
