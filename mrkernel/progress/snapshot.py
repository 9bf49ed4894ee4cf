"""What displays look at: a job at one moment, as frozen records."""

from __future__ import annotations

from dataclasses import dataclass, field

from mrkernel.events import Counters, Failure

__all__ = ["Eta", "Lane", "LogLine", "Progress", "StageProgress", "WorkerState"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StageProgress:
    """How far one stage is.

    Attributes
    ----------
    done, total, running, failed, retried
        Tasks; ``failed`` counts attempts that ended badly or with their worker, ``retried`` those beyond the first.
    records, bytes_in
        Input dealt with so far, each task once, running tasks included.
    input_bytes
        Bytes the stage will read, or None if unknown.
    records_out, bytes_out
        What its finished tasks wrote.
    seconds
        Since the stage began; its whole time once it ended.
    state
        ``"waiting"``, ``"running"``, ``"finished"``, the job's own end state, or ``"not run"`` if that came first.
    phases
        Seconds that its finished tasks spent in each phase, over all workers: ``"read"``, ``"map"``, ``"write"``,
        ``"fetch"``, ``"reduce"``, ``"merge"``, ``"commit"``.
    slowest_s, typical_s
        Seconds of the longest finished task, and the median (of at most 1,000 of them).
    """

    name: str
    done: int = 0
    total: int = 0
    running: int = 0
    failed: int = 0
    retried: int = 0
    records: int = 0
    bytes_in: int = 0
    seconds: float = 0.0
    state: str = "waiting"
    input_bytes: int | None = None
    records_out: int = 0
    bytes_out: int = 0
    phases: dict[str, float] = field(default_factory=dict)
    slowest_s: float = 0.0
    typical_s: float = 0.0

    @property
    def fraction(self) -> float:
        """Share of the stage that is done, 0 to 1: of its bytes where they are known, else of its tasks."""
        if self.state == "finished":
            return 1.0
        tasks = self.done / self.total if self.total else 0.0
        read = self.bytes_in / self.input_bytes if self.input_bytes else 0.0
        # A task counts as done only at its end, bytes only as they are read: the larger one is nearer the truth.
        return min(1.0, max(tasks, read))

    @property
    def records_per_s(self) -> float:
        """Records dealt with per second so far; 0 before any time has passed."""
        return self.records / self.seconds if self.seconds > 0 else 0.0

    @property
    def bytes_per_s(self) -> float:
        """Input bytes dealt with per second so far; 0 before any time has passed."""
        return self.bytes_in / self.seconds if self.seconds > 0 else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds this stage still needs at its speed so far; None while that would be a guess."""
        if self.state != "running" or self.seconds < 1 or not 0.02 < self.fraction < 1:
            return None
        return self.seconds * (1 - self.fraction) / self.fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """What one worker did over time.

    Attributes
    ----------
    worker
        Its name.
    cells
        One character for each ``Progress.bucket_s`` seconds since the job began, the kind that took most of them:
        ``m`` read and map, ``w`` shuffle write, ``f`` fetch, ``r`` reduce, ``c`` merge or commit, ``.`` nothing.
        Where an attempt failed it is ``x``, and where a later attempt ran ``t``, whatever else happened then.

    Examples
    --------
    >>> Lane(worker="1", cells="mmmwffrrc.").cells[3]
    'w'
    """

    worker: str
    cells: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerState:
    """A worker process as it was last heard of.

    Attributes
    ----------
    memory, peak_memory, memory_limit
        Resident bytes, the most that was seen, and the size beyond which it is restarted (None without a limit).
    scratch_bytes
        What this job's finished tasks have written there for other tasks to read.
    state
        ``"running"``, ``"paused"``, ``"closing"`` or another word of the cluster; ``"lost"`` once it has gone.
    """

    name: str
    memory: int = 0
    peak_memory: int = 0
    memory_limit: int | None = None
    scratch_bytes: int = 0
    state: str = "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """Something that happened, in words.

    Attributes
    ----------
    at_s
        Seconds since the job began.
    kind
        ``"retry"``, ``"worker"`` (lost, paused, new), ``"spill"``, ``"plan"`` (an adaptive choice), ``"failed"``
        or ``"cancel"``.
    text
        One sentence; names and errors of the user's are in it as they are, so displays must escape it.
    """

    at_s: float
    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Eta:
    """How long the whole job still needs, with the range in which that lies if the rest is like what has been done.

    >>> Eta(seconds=40.0, low_s=30.0, high_s=65.0).low_s
    30.0
    """

    seconds: float
    low_s: float
    high_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a job is.

    Attributes
    ----------
    state
        ``"planning"``, ``"running"``, ``"finished"``, ``"failed"``, ``"cancelled"`` or ``"interrupted"``.
    seconds
        Since the job began; its whole time once it ended.
    idle_s
        Seconds since a task last finished, or None before the first.
    notes
        What the driver changed in its plan, in words.
    failures
        Why tasks failed for good.
    lanes, bucket_s, lanes_left_out
        What each worker did over time, at most 32 of them and 240 buckets of ``bucket_s`` seconds; the number of
        workers beyond.
    workers
        Their memory and scratch space; the same ones as in ``lanes``, lost ones included.
    log, log_left_out
        The newest 200 things that happened, oldest first; how many came before.
    eta
        How long the job still needs, None while nobody can know.
    """

    job_id: str = ""
    name: str = ""
    state: str = "planning"
    stages: tuple[StageProgress, ...] = ()
    seconds: float = 0.0
    idle_s: float | None = None
    counters: Counters = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    error: str | None = None
    lanes: tuple[Lane, ...] = ()
    bucket_s: float = 0.0
    lanes_left_out: int = 0
    workers: tuple[WorkerState, ...] = ()
    log: tuple[LogLine, ...] = ()
    log_left_out: int = 0
    eta: Eta | None = None

    @property
    def is_running(self) -> bool:
        """Whether the job has not ended."""
        return self.state in {"planning", "running"}

    @property
    def fraction(self) -> float:
        """Share of the job that is done, each stage counting the same."""
        return sum(stage.fraction for stage in self.stages) / len(self.stages) if self.stages else 0.0
