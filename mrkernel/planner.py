"""Job and settings to Plan: which splits, how many partitions, and why, before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mrkernel.chunking import choose_chunk_bytes
from mrkernel.config import Settings, counted, format_bytes
from mrkernel.errors import JobSpecError
from mrkernel.io import Source, Split
from mrkernel.job import Job
from mrkernel.joins import LEFT, RIGHT, JoinPlan, Sides, plan_join
from mrkernel.render import plan_html, plan_text

__all__ = [
    "SMALL_FUNCTION_ROWS",
    "Plan",
    "StepPlan",
    "make_plan",
    "plan_joining_step",
    "plan_partitions",
    "plan_step",
    "reduce_tasks",
]

# One task reduces so many rows of aggregates in well under a second; more are worth a shuffle (PERFORMANCE, 4.2.6).
SMALL_ROWS = 1_000_000
# Rows may be large, too: what one task holds beside others, and what it is worth starting another for.
SMALL_BYTES = 64 << 20
# Reducer functions may be slow: theirs are spread over the workers much earlier.
SMALL_FUNCTION_ROWS = 20_000
_ROWS_PER_TASK = 4_000_000
_BYTES_PER_TASK = 256 << 20
_FEW_PARTITIONS, _FEW_BYTES = 64, 1 << 30
_SMALL_INPUT = 4 << 20
# Each task opens all runs, whatever it reads of them: 25 µs for each.
_FIXED_TASKS, _FIXED_TASKS_PER_WORKER = 32, 8
_MAX_PARTITIONS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPlan:
    """How one step will run.

    Attributes
    ----------
    step
        Its number, from 0.
    chunk_bytes
        Target size of a split.
    n_partitions
        Into how many partitions map tasks sort their output; 0 without a shuffle.
    has_fixed_partitions
        True if the user chose their number (or a partitioner), so that each stays one part of the result.
    join
        How the two sides of the source are joined, where they are.
    joining
        The same for the step after such a join, if its map tasks join the rows that they map.
    """

    step: int
    source: Source
    splits: tuple[Split, ...]
    chunk_bytes: int
    n_partitions: int
    has_fixed_partitions: bool
    join: JoinPlan | None = None
    joining: JoinPlan | None = None

    def input_bytes(self) -> int | None:
        """Bytes of what is read, if that is known."""
        if self.joining is not None and isinstance(self.source, Sides):
            return self.source.of(self.joining.large).size_bytes()
        return self.source.size_bytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run is going to do; ``str(plan)`` explains it."""

    job: Job
    first: StepPlan
    settings: Settings
    n_workers: int

    def facts(self) -> list[tuple[str, str]]:
        """(what, how) in the order in which things happen."""
        splits = self.first.splits
        size = self.first.source.size_bytes()
        facts = [("input", f"{self.first.source.name}" + (f", {format_bytes(size)}" if size is not None else ""))]
        chosen = "given" if self.settings.chunk_size else "chosen from the input's size"
        facts.append(("chunk size", f"{format_bytes(self.first.chunk_bytes)} ({chosen})"))
        if self.first.join is not None:
            facts += _join_facts(self.first.join, self.first)
        for number, step in enumerate(self.job.steps):
            if step.join is not None:
                continue
            label = f" {number + 1}" if self.job.n_steps > 1 else ""
            before = "the joined rows" if number and self.job.steps[number - 1].join else "the step before"
            tasks = f"a task for each chunk of {before}" if number else counted(len(splits), "task")
            facts.append((f"map{label}", f"{tasks}: {_map_words(step)}"))
            if _has_shuffle(step):
                facts.append((f"combine{label}", _combine_words(step, self.settings)))
                facts.append((f"shuffle{label}", _shuffle_words(step, self.first)))
                facts.append((f"reduce{label}", _reduce_words(step)))
        facts.append(("workers", f"{self.n_workers}"))
        return facts

    def notes(self) -> list[str]:
        """What is worth knowing about the input: why a split could not be smaller."""
        found: dict[str, list[str]] = {}
        for split in self.first.splits:
            if split.note:
                found.setdefault(split.note, []).append(split.source)
        return [f"{sources[0]}{f' and {len(sources) - 1} more' if len(sources) > 1 else ''}: {note}"
                for note, sources in found.items()]  # fmt: skip

    def __str__(self) -> str:
        return plan_text(f"plan of {self.job.name}", self.facts(), self.notes())

    def _repr_html_(self) -> str:
        return plan_html(f"plan of {self.job.name}", self.facts(), self.notes())


def make_plan(job: Job, source: Source, settings: Settings, n_workers: int) -> Plan:
    """Plan a job over a source; reads what the source needs to be split, and no records.

    Raises
    ------
    SourceError
        If the source cannot be split.
    JobSpecError
        If the mapper and the source do not fit together.
    """
    first = job.steps[0]
    if first.mapper is None and not source.is_keyed and source.record_name == "line":
        raise JobSpecError(f"the job has no mapper, and {source.name} holds lines, not (key, value) pairs",
                           hint="define mapper(record) that yields pairs")  # fmt: skip
    if first.takes_pairs and first.mapper is not None and not source.is_keyed and source.record_name == "line":
        name = getattr(first.mapper, "__name__", "function")
        raise JobSpecError(
            f"the mapper {name} takes 2 arguments, and {source.name} holds lines",
            hint="write it as def mapper(record): two parameters are for the pairs of an earlier step or Result",
        )
    # Where none is left others are on their way, and no partition at all would be no shuffle.
    n_workers = max(1, n_workers)
    return Plan(job=job, first=plan_step(first, 0, source, settings, n_workers), settings=settings, n_workers=n_workers)


def plan_step(step: Job, number: int, source: Source, settings: Settings, n_workers: int) -> StepPlan:
    """Plan one step over its source."""
    size = source.size_bytes()
    chunk_bytes, splits = _splits(source, settings, n_workers)
    n_partitions, is_fixed = plan_partitions(step, settings, size, n_workers)
    return StepPlan(
        step=number, source=source, splits=splits, chunk_bytes=chunk_bytes, n_partitions=n_partitions,
        has_fixed_partitions=is_fixed, join=plan_join(step.join, source) if step.join is not None else None,
    )  # fmt: skip


def _splits(source: Source, settings: Settings, n_workers: int) -> tuple[int, tuple[Split, ...]]:
    """The splits, and the size that they were to have; for a join that of the larger side's."""
    if settings.chunk_size is None and isinstance(source, Sides):
        # Workers read one side after the other, so that each needs enough splits for all of them.
        chunks = {side: choose_chunk_bytes(source.of(side).size_bytes(), n_workers) for side in (LEFT, RIGHT)}
        return max(chunks.values()), tuple(source.splits_of(chunks))
    chunk_bytes = settings.chunk_size or choose_chunk_bytes(source.size_bytes(), n_workers)
    return chunk_bytes, tuple(source.splits(chunk_bytes))


def plan_joining_step(step: Job, number: int, before: StepPlan, settings: Settings, n_workers: int) -> StepPlan:
    """Plan the step after a join one side of which is sent whole: it reads the other side and joins what it reads."""
    join = before.join
    assert join is not None
    plan = StepPlan(
        step=number, source=before.source, chunk_bytes=before.chunk_bytes, joining=join, n_partitions=0,
        has_fixed_partitions=False, splits=tuple(split for split in before.splits if split.payload[0] == join.large),
    )  # fmt: skip
    n_partitions, is_fixed = plan_partitions(step, settings, plan.input_bytes(), n_workers)
    return replace(plan, n_partitions=n_partitions, has_fixed_partitions=is_fixed)


def plan_partitions(step: Job, settings: Settings, size: int | None, n_workers: int) -> tuple[int, bool]:
    """Into how many partitions a step's map output is sorted, and whether the user chose their number.

    >>> plan_partitions(Job(print, sum), Settings(reducers=8), 1000, 2)
    (8, True)
    """
    is_fixed = settings.reducers is not None or step.partitioner is not None
    if not _has_shuffle(step):
        return 0, is_fixed
    if step.sort == "key":
        return 1, is_fixed
    if settings.reducers is not None:
        return settings.reducers, is_fixed
    return n_workers if step.partitioner is not None else _partitions(size, n_workers), is_fixed


def _partitions(size: int | None, n_workers: int) -> int:
    """Enough that a partition of mostly different keys stays in the cache when it is reduced (PERFORMANCE, 2.4).

    A mapper may make gigabytes of a few records, so that a small input does not mean few. One worker alone has nobody
    to share with, and the hash of keys would load polars, half of a first small job's time.
    """
    if n_workers == 1 and size is not None and size <= _SMALL_INPUT:
        return 1
    return _FEW_PARTITIONS if size is None or size <= _FEW_BYTES else _MAX_PARTITIONS


def reduce_tasks(
    step: Job, plan: StepPlan, rows: Sequence[int], n_workers: int, *, n_bytes: int = 0
) -> list[tuple[int, ...]]:
    """The partitions of each reduce task, given the rows of each partition and the bytes of all; empty: all as one.

    >>> from mrkernel.job import Job
    >>> plan = StepPlan(step=0, source=None, splits=(), chunk_bytes=1, n_partitions=4, has_fixed_partitions=False)
    >>> reduce_tasks(Job(print, sum), plan, [5, 0, 5, 5], 2)
    [()]
    """
    total = sum(rows)
    if plan.has_fixed_partitions:
        most = max(_FIXED_TASKS, _FIXED_TASKS_PER_WORKER * n_workers)
        return _balanced(rows, most) if total and plan.n_partitions > most else [(n,) for n in range(plan.n_partitions)]
    if total <= (SMALL_ROWS if step.reduction is not None else SMALL_FUNCTION_ROWS) and n_bytes <= SMALL_BYTES:
        return [()]
    n_tasks = max(2 * n_workers, -(-total // _ROWS_PER_TASK), -(-n_bytes // _BYTES_PER_TASK))
    return _balanced(rows, n_tasks)


def _balanced(rows: Sequence[int], n_tasks: int) -> list[tuple[int, ...]]:
    """Neighbouring partitions in groups of about equal rows."""
    share = sum(rows) / n_tasks
    groups: list[tuple[int, ...]] = []
    current: list[int] = []
    held = 0
    for number, count in enumerate(rows):
        if current and held + count / 2 > share:
            groups.append(tuple(current))
            current, held = [], 0
        if count:
            current.append(number)
            held += count
    return [*groups, tuple(current)] if current else groups


def _join_facts(join: JoinPlan, plan: StepPlan) -> list[tuple[str, str]]:
    keys = ", ".join(key.left if key.left == key.right else f"{key.left} = {key.right}" for key in join.columns.keys)
    partitions = f"{counted(plan.n_partitions, 'partition')} by hash of the key"
    return [
        ("map", f"{counted(len(plan.splits), 'task')}: the rows of both sides"),
        ("join", f"{join.how}, on {keys}"),
        ("sides", join.reason),
        ("shuffle", partitions if join.small is None or not join.is_forced else "none"),
        ("columns", ", ".join(join.columns.schema.names)),
    ]


def _has_shuffle(step: Job) -> bool:
    return step.reducer is not None or step.sort is not None or step.join is not None


def _map_words(step: Job) -> str:
    if step.mapper is None:
        return "pairs as they are"
    kind = f"batches as {step.batch_kind}" if step.batch_kind else "records"
    return f"{getattr(step.mapper, '__name__', 'mapper')}, {kind}"


def _combine_words(step: Job, settings: Settings) -> str:
    if settings.combine is False:
        return "off"
    reduction = step.reduction
    if step.combiner is not None:
        return "with the given combiner"
    if reduction is None or not reduction.is_algebraic:
        return "none: the reducer needs all values of a key"
    return f"{reduction.label} inside map tasks" + ("" if settings.combine else ", dropped where it saves nothing")


def _shuffle_words(step: Job, plan: StepPlan) -> str:
    if step.sort == "key":
        return "sorted by key; ranges chosen from a sample of the map output"
    if plan.has_fixed_partitions:
        who = "the partitioner" if step.partitioner else "hash of the key"
        return f"{counted(plan.n_partitions, 'partition')} by {who}"
    return (
        f"{counted(plan.n_partitions, 'partition')} by hash of the key, or one merge if little is left after combining"
    )


def _reduce_words(step: Job) -> str:
    if step.reduction is not None:
        return step.reduction.label
    return getattr(step.reducer, "__name__", "reducer") if step.reducer is not None else "none: rows in key order"
