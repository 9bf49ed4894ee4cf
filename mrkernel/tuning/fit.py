"""Fits the cost model to runs, and says how well it foretells those that it has not seen."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mrkernel.config import Settings
from mrkernel.io import Source
from mrkernel.job import Job
from mrkernel.tuning.fitting import makespan, non_negative, power_law
from mrkernel.tuning.layout import Layout
from mrkernel.tuning.measured import Measured, StageSeen, TaskSeen
from mrkernel.tuning.model import CostModel, Output, TaskCost

__all__ = ["fit", "held_out_errors", "layout_of", "place_error"]

# What no clock and no scheduler can tell apart from nothing.
_SHORTEST_S = 0.002
_ENOUGH_SIZES = 3
# How far off, as a share, every task may be.
_NOISE = 0.1
# Of the weighing by distance; it moves little after that.
_ROUNDS = 4


def fit(job: Job, source: Source, runs: Sequence[Measured], settings: Settings) -> CostModel:
    """The cost model of a job on an input, from runs of samples of it."""
    usual = [run for run in runs if run.choice.combine is None] or list(runs)
    ended = _ended(runs)
    outputs: dict[bool | None, Output] = {None: _output(usual)}
    for combine in (True, False):
        chosen = [run for run in runs if run.choice.combine is combine]
        if chosen:
            outputs[combine] = _output(chosen, beside=usual)
    tasks = [task for run in runs for task in run.maps.tasks]
    n_bytes = sum(task.n_bytes for task in tasks)
    rest = _line([run.n_bytes for run in ended], [run.rest_s for run in ended])
    return CostModel(
        job=job, source=source, settings=settings, outputs=outputs,
        tasks=_map_costs(usual),
        reduces=_reduce_cost(ended),
        records_per_byte=sum(task.records for task in tasks) / n_bytes if n_bytes else 0.0,
        outside_s=float(np.median([run.outside_s for run in ended])) if ended else 0.0,
        rest_s=rest[0], rest_per_byte_s=rest[1], memory=_memory(ended),
    )  # fmt: skip


def held_out_errors(job: Job, source: Source, runs: Sequence[Measured], settings: Settings) -> list[float]:
    """How far off the model is for each run that it was not fitted to, as log(measured / predicted)."""
    errors = []
    for held in _ended(runs):
        others = [run for run in runs if run is not held]
        if any(run.choice.workers == held.choice.workers and run.choice.combine is None for run in others):
            predicted = fit(job, source, others, settings).estimate(held.choice, layout_of(held)).seconds
            errors.append(math.log((held.seconds + _SHORTEST_S) / (predicted + _SHORTEST_S)))
    return errors


def place_error(runs: Sequence[Measured]) -> float:
    """Relative standard error of the cost of a byte, from how much it differs between the places of the sample."""
    largest = max(runs, key=lambda run: run.n_bytes * run.is_full, default=None)
    if largest is None:
        return 0.0
    costs = np.array([task.seconds / task.n_bytes for task in largest.maps.tasks if task.n_bytes > 0])
    if len(costs) < 2 or costs.mean() <= 0:
        return 0.5 if largest.share < 1 else 0.0
    return float(costs.std(ddof=1) / costs.mean() * math.sqrt((1 - largest.share) / len(costs)))


def layout_of(run: Measured) -> Layout:
    """The chunks that a run has read."""
    tasks = run.maps.tasks
    return Layout(np.array([t.n_bytes for t in tasks], float), np.array([t.pieces for t in tasks], float),
                  np.array([t.records for t in tasks], float))  # fmt: skip


def _ended(runs: Sequence[Measured]) -> list[Measured]:
    """Runs whose times are those of whole runs; the first looks only where there is nothing better."""
    ended = [run for run in runs if run.has_ended and run.maps.tasks]
    return [run for run in ended if run.is_full] or ended


def _map_costs(runs: Sequence[Measured]) -> dict[int, TaskCost]:
    """Costs by number of workers: all of them where most runs were made, for others how much dearer the work is."""
    groups: dict[int, list[Measured]] = {}
    for run in runs:
        groups.setdefault(int(run.choice.workers or 1), []).append(run)
    most = max(groups, key=lambda workers: (len(groups[workers]), workers))
    base = _map_cost(groups[most], most)
    costs = {most: base}
    for workers, group in groups.items():
        if workers != most:
            ratios = [sum(t.seconds for t in run.maps.tasks) / max(_work_s(base, run), 1e-9) for run in group]
            costs[workers] = base.scaled(float(np.median(ratios)))
    return costs


def _work_s(cost: TaskCost, run: Measured) -> float:
    """Seconds that a run's tasks would take at these costs."""
    return sum(
        cost.fixed_s + cost.per_byte_s * t.n_bytes + cost.per_record_s * t.records + cost.per_piece_s * t.pieces
        for t in run.maps.tasks
    )


def _map_cost(runs: Sequence[Measured], workers: int) -> TaskCost:
    full = [run for run in runs if run.is_full]
    # The first looks read more than they use, but tell a task's own cost from that of its records.
    looked = runs if len({run.choice.chunk_size for run in full}) < _ENOUGH_SIZES else full
    tasks = [task for run in looked for task in run.maps.tasks]
    seconds = [task.seconds for task in tasks]
    columns: list[list[float]] = [[1.0] * len(tasks), [t.n_bytes for t in tasks], [t.records for t in tasks],
                                  [t.pieces for t in tasks]]  # fmt: skip
    # Each run says as much as any other: a hundred small tasks must not outvote two large ones.
    counts = [float(len(run.maps.tasks)) for run in looked for _ in run.maps.tasks]
    fixed, per_byte, per_record, per_piece = _steady(columns, seconds, counts)
    overhead = _overhead([run.maps for run in _ended(runs)], workers)
    return TaskCost(fixed_s=fixed, per_byte_s=per_byte, per_record_s=per_record, per_piece_s=per_piece,
                    overhead_s=overhead[1], stage_s=overhead[0])  # fmt: skip


def _steady(columns: Sequence[Sequence[float]], seconds: Sequence[float], counts: Sequence[float]) -> list[float]:
    """A fit of times that a few disturbed tasks do not bend: each weighs the less the further it is off.

    Parameters
    ----------
    counts
        For each task, how many its run had.
    """
    # A task of a second may be 10 % off, one of a millisecond must not be off by as much.
    relative = np.array([1 / (s + _SHORTEST_S) for s in seconds])
    found, off = [0.0] * len(columns), np.ones(len(seconds))
    for _ in range(_ROUNDS):
        found = non_negative(columns, seconds, relative / np.sqrt(np.array(counts) * off))
        predicted = np.array(columns, float).T @ np.array(found)
        off = np.maximum(np.abs(predicted - np.array(seconds)) * relative, _NOISE)
    return found


def _reduce_cost(runs: Sequence[Measured]) -> TaskCost:
    tasks: list[TaskSeen] = []
    sizes: list[float] = []
    for run in runs:
        read = sum(task.n_bytes for task in run.reduces.tasks)
        written = sum(task.bytes_out for task in run.maps.tasks)
        # Files and tables in memory differ in size; predictions know the files. Merged ones are smaller anyway.
        scale = written / read if read and "merge" not in run.stages else 1.0
        tasks += run.reduces.tasks
        sizes += [task.n_bytes * scale for task in run.reduces.tasks]
    seconds = [task.seconds for task in tasks]
    fixed, per_byte = _line(sizes, seconds, [1 / (s + _SHORTEST_S) for s in seconds])
    overheads = [_overhead([run.reduces], run.choice.workers or 1)[0] for run in runs if run.reduces.tasks]
    return TaskCost(fixed_s=fixed, per_byte_s=per_byte, stage_s=float(np.median(overheads)) if overheads else 0.0)


def _overhead(stages: Sequence[StageSeen], workers: int) -> tuple[float, float]:
    """(for the stage, for each task on its worker): what stages took beyond their tasks."""
    seen = [stage for stage in stages if stage.tasks and stage.seconds]
    beyond = [max(0.0, stage.seconds - makespan([t.seconds for t in stage.tasks], workers)) for stage in seen]
    per_worker = [len(stage.tasks) / workers for stage in seen]
    stage_s, task_s = _line(per_worker, beyond)
    return stage_s, task_s


def _output(runs: Sequence[Measured], beside: Sequence[Measured] = ()) -> Output:
    tasks = [task for run in runs for task in run.maps.tasks]
    factor, grows = power_law([task.n_bytes for task in tasks], [task.bytes_out for task in tasks])
    ended = [run for run in runs if run.has_ended and run.rows_shuffled]
    rows = sum(run.rows_shuffled for run in ended)
    written = sum(task.bytes_out for run in ended for task in run.maps.tasks)
    return Output(factor=factor, grows=grows, rows_per_byte=rows / written if written else 0.0,
                  map_factor=_slower(runs, beside))  # fmt: skip


def _slower(runs: Sequence[Measured], beside: Sequence[Measured]) -> float:
    """How much longer map tasks of some runs take than those of others with the same chunk size and workers."""
    factors = [
        _per_byte(run) / _per_byte(other)
        for run in runs for other in beside
        if (run.choice.chunk_size, run.choice.workers) == (other.choice.chunk_size, other.choice.workers)
        and _per_byte(other) > 0
    ]  # fmt: skip
    return float(np.median(factors)) if factors else 1.0


def _per_byte(run: Measured) -> float:
    n_bytes = sum(task.n_bytes for task in run.maps.tasks)
    return sum(task.seconds for task in run.maps.tasks) / n_bytes if n_bytes else 0.0


def _memory(runs: Sequence[Measured]) -> tuple[float, float, float]:
    seen = [run for run in runs if run.memory_bytes]
    if not seen:
        return 0.0, 0.0, 0.0
    chunks = [max((task.n_bytes for task in run.maps.tasks), default=0.0) for run in seen]
    reduced = [sum(t.bytes_out for t in run.maps.tasks) / max(1, len(run.reduces.tasks)) for run in seen]
    reduced = [size if run.reduces.tasks else 0.0 for size, run in zip(reduced, seen, strict=True)]
    base, chunk, reduce = non_negative([[1.0] * len(seen), chunks, reduced], [run.memory_bytes for run in seen])
    return base, chunk, reduce


def _line(x: Sequence[float], y: Sequence[float], weights: Sequence[float] | None = None) -> tuple[float, float]:
    if not len(x):
        return 0.0, 0.0
    constant, slope = non_negative([[1.0] * len(x), x], y, weights)
    return constant, slope
