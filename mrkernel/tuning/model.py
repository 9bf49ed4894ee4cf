"""The cost model: what tasks, stages and memory take, fitted to runs of samples, and used for the whole input."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from mrkernel.config import Settings
from mrkernel.io import Source
from mrkernel.job import Job
from mrkernel.planner import StepPlan, plan_partitions, reduce_tasks
from mrkernel.tuning.choice import Choice
from mrkernel.tuning.fitting import makespan
from mrkernel.tuning.layout import Layout

__all__ = ["CostModel", "Estimate", "Output", "TaskCost"]

# A map task holds no more pairs than this before it writes them.
_BUFFER_BYTES = 64 << 20
_MERGE_FAN_IN = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCost:
    """Seconds that a task takes on one worker count.

    Attributes
    ----------
    fixed_s
        For each task, whatever it reads.
    per_byte_s, per_record_s, per_piece_s
        For each byte, record and opened file that it reads.
    overhead_s
        For each task, beside it: scheduling and reporting, on one of the workers.
    stage_s
        For the stage as a whole.
    """

    fixed_s: float = 0.0
    per_byte_s: float = 0.0
    per_record_s: float = 0.0
    per_piece_s: float = 0.0
    overhead_s: float = 0.0
    stage_s: float = 0.0

    def scaled(self, factor: float) -> TaskCost:
        """The same with dearer or cheaper work inside tasks."""
        return replace(self, fixed_s=self.fixed_s * factor, per_byte_s=self.per_byte_s * factor,
                       per_record_s=self.per_record_s * factor, per_piece_s=self.per_piece_s * factor)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a map task writes: ``factor · bytes ** grows`` bytes for each chunk, and what writing it costs.

    Attributes
    ----------
    rows_per_byte
        Rows of each byte that is written.
    map_factor
        Time of map tasks beside those of the usual combining.
    """

    factor: float = 0.0
    grows: float = 1.0
    rows_per_byte: float = 0.0
    map_factor: float = 1.0

    def written(self, n_bytes: Any) -> Any:
        """Bytes that tasks write that read these."""
        return self.factor * np.power(np.maximum(n_bytes, 1.0), self.grows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Predicted seconds of each part of a run, and what it needs.

    Attributes
    ----------
    overhead_s
        The part of ``map_s`` and ``reduce_s`` that no task uses: scheduling.
    memory_bytes
        Of one worker process.
    """

    outside_s: float
    map_s: float
    reduce_s: float
    rest_s: float
    overhead_s: float
    memory_bytes: int
    n_tasks: int
    n_reduces: int

    @property
    def seconds(self) -> float:
        """The whole run."""
        return self.outside_s + self.map_s + self.reduce_s + self.rest_s


@dataclass(frozen=True, slots=True, kw_only=True)
class CostModel:
    """Costs by number of workers, and what does not depend on it.

    Attributes
    ----------
    tasks
        Costs of map tasks by number of workers.
    reduces
        Costs of reduce tasks, by bytes of map output.
    outputs
        What map tasks write, by the setting ``combine``.
    outside_s
        Before, between and after the stages.
    rest_s, rest_per_byte_s
        Later steps: for the job, and for each byte of its input.
    memory
        Bytes of a worker: at rest, for each byte of its largest chunk, for each byte that it reduces.
    """

    job: Job
    source: Source
    tasks: dict[int, TaskCost]
    reduces: TaskCost
    outputs: dict[bool | None, Output]
    records_per_byte: float
    outside_s: float = 0.0
    rest_per_byte_s: float = 0.0
    rest_s: float = 0.0
    memory: tuple[float, float, float] = (0.0, 0.0, 0.0)
    settings: Settings = field(default_factory=Settings)

    def cost(self, workers: int) -> TaskCost:
        """Costs on so many workers: measured, or between those of the nearest numbers that were."""
        known = sorted(self.tasks)
        below = max((n for n in known if n <= workers), default=known[0])
        above = min((n for n in known if n >= workers), default=known[-1])
        low, high = self.tasks[below], self.tasks[above]
        part = (workers - below) / (above - below) if above > below else 0.0
        return TaskCost(**{f.name: getattr(low, f.name) * (1 - part) + getattr(high, f.name) * part
                           for f in fields(TaskCost)})  # fmt: skip

    def estimate(self, choice: Choice, layout: Layout) -> Estimate:
        """What a run over these chunks takes."""
        workers = choice.workers or max(self.tasks)
        cost, output = self.cost(workers), self.outputs.get(choice.combine, self.outputs[None])
        records = np.where(np.isnan(layout.rows), layout.n_bytes * self.records_per_byte, layout.rows)
        seconds = cost.fixed_s + output.map_factor * (
            cost.per_byte_s * layout.n_bytes + cost.per_record_s * records + cost.per_piece_s * layout.pieces
        )
        stage = _Stage(cost, workers)
        map_s = stage.run(seconds)
        reducing = _Stage(self.reduces, workers)
        merge_s, written = self._merged(choice, output, layout.n_bytes, reducing)
        parts = self._reduce_parts(choice, written, written * output.rows_per_byte, workers)
        reduce_s = reducing.run(self.reduces.fixed_s + self.reduces.per_byte_s * np.array(parts, float))
        return Estimate(
            outside_s=self.outside_s, map_s=map_s, reduce_s=merge_s + reduce_s,
            rest_s=self.rest_s + self.rest_per_byte_s * float(layout.n_bytes.sum()),
            overhead_s=stage.idle_s + reducing.idle_s,
            memory_bytes=self._memory_bytes(float(layout.n_bytes.max(initial=0)), max(parts, default=0.0)),
            n_tasks=len(layout), n_reduces=len(parts),
        )  # fmt: skip

    def _merged(self, choice: Choice, output: Output, n_bytes: Any, stage: _Stage) -> tuple[float, float]:
        """Seconds of the tree of merges that the driver puts before the reduce stage, and the bytes that it leaves."""
        step, seconds = self.job.steps[0], 0.0
        is_merged = step.reduction is not None and step.reduction.is_algebraic and step.sort is None
        written = output.written(n_bytes)
        while (
            is_merged
            and len(written) > _MERGE_FAN_IN
            and self._groups(choice, float(written.sum()) * output.rows_per_byte, 1) == [()]
        ):
            cuts = np.arange(0, len(written), _MERGE_FAN_IN)
            read = np.add.reduceat(written, cuts)
            seconds += stage.run(self.reduces.fixed_s + self.reduces.per_byte_s * read)
            n_bytes = np.add.reduceat(n_bytes, cuts)
            written = np.minimum(read, output.written(n_bytes))
        return seconds, float(written.sum())

    def _groups(self, choice: Choice, rows: float, workers: int) -> list[tuple[int, ...]]:
        """The partitions of each reduce task, by the planner's own rules; none without a reduce stage."""
        step = self.job.steps[0]
        given = self.settings.with_values(reducers=choice.reducers)
        n_partitions, is_fixed = plan_partitions(step, given, self.source.size_bytes(), workers)
        if not n_partitions:
            return []
        if step.sort == "key":
            n_partitions, is_fixed = (given.reducers, True) if given.reducers else (256, False)
        plan = StepPlan(step=0, source=self.source, splits=(), chunk_bytes=1, n_partitions=n_partitions,
                        has_fixed_partitions=is_fixed)  # fmt: skip
        return reduce_tasks(step, plan, [math.ceil(rows / n_partitions)] * n_partitions, workers)

    def _reduce_parts(self, choice: Choice, n_bytes: float, rows: float, workers: int) -> list[float]:
        """Bytes that each reduce task reads."""
        shares = [len(group) or 1 for group in self._groups(choice, rows, workers)]
        return [n_bytes * share / sum(shares) for share in shares]

    def _memory_bytes(self, chunk: float, reduced: float) -> int:
        base, per_chunk, per_reduce = self.memory
        return int(base + per_chunk * min(chunk, 4 * _BUFFER_BYTES) + per_reduce * reduced)


class _Stage:
    """The time of stages of some tasks, and how much of it the workers do not use."""

    def __init__(self, cost: TaskCost, workers: int) -> None:
        self._cost, self._workers = cost, workers
        self.idle_s = 0.0

    def run(self, seconds: Any) -> float:
        if not len(seconds):
            return 0.0
        total = self._cost.stage_s + makespan(seconds + self._cost.overhead_s, self._workers)
        self.idle_s += max(0.0, total - float(np.sum(seconds)) / self._workers)
        return total
