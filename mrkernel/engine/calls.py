"""The calls of a job's tasks: what each attempt is told to do."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mrkernel.engine.executor import TaskCall
from mrkernel.engine.ranges import key_ranges
from mrkernel.engine.shuffle import Run
from mrkernel.engine.stages import Calls, Stage, stage_name
from mrkernel.engine.tasks import ErrorPolicy, JoinCall, MapCall, MergeCall, ReduceCall
from mrkernel.io import Split
from mrkernel.job import Job
from mrkernel.planner import Plan, StepPlan, reduce_tasks

__all__ = ["CallMaker", "readable"]

# Sums of so few rows take about two milliseconds, the way to a worker and back eight.
_LIGHT_ROWS, _LIGHT_BYTES, _LIGHT_RUNS = 1 << 12, 256 << 10, 64


def readable(*stages: Stage) -> tuple[Run, ...]:
    """What stages have written, as the tasks need it that read it."""
    return tuple(run.bare() for stage in stages for run in stage.runs())


class CallMaker:
    """Makes the calls of one job.

    Parameters
    ----------
    job
        The pickled job.
    scratch
        Folder for shuffle files.
    """

    def __init__(self, plan: Plan, *, job: bytes, job_id: str, scratch: str) -> None:
        self._settings = plan.settings
        self._job, self._job_id, self._scratch = job, job_id, scratch
        self._errors = ErrorPolicy(mode=plan.settings.on_error, limit=plan.settings.error_limit)

    def _common(self, plan: StepPlan, stage: str, folder: str) -> dict[str, Any]:
        return {"job_id": self._job_id, "stage": stage, "attempt": 1, "job": self._job, "step": plan.step,
                "folder": folder, "errors": self._errors, "is_profiled": self._settings.profile,
                "join": plan.join}  # fmt: skip

    def maps(self, plan: StepPlan, folder: str, small: Stage | None = None) -> Calls:
        """One call for each split; without a shuffle they write the step's result to ``folder``.

        ``small`` is the side of a join which the rows of the splits are joined with before they are mapped.
        """
        has_shuffle = plan.n_partitions > 0
        common = {
            **self._common(plan, stage_name("map", plan.step), self._scratch if has_shuffle else folder),
            "source": plan.source, "n_partitions": plan.n_partitions, "has_shuffle": has_shuffle,
            "combine": self._settings.combine,
        }  # fmt: skip
        if small is not None:
            common |= {"join": plan.joining, "runs": readable(small)}
        kind = MapCall if small is None else JoinCall

        def make(task: int) -> MapCall:
            return kind(**common, task=task, split=plan.splits[task])

        return Calls(len(plan.splits), make)

    def side(self, plan: StepPlan, stage: str, side: str | None) -> Calls:
        """One call for each split of one side of a join, or of both, to write its rows by partition."""
        common = {**self._common(plan, stage, self._scratch), "n_partitions": plan.n_partitions, "combine": None}
        splits = _splits(plan, side)

        def make(task: int) -> MapCall:
            return MapCall(**common, task=task, source=plan.source, split=splits[task], has_shuffle=True)

        return Calls(len(splits), make)

    def joins(self, plan: StepPlan, stage: str, small: Stage, folder: str) -> Calls:
        """One call for each split of the side that is not sent whole, to join it with the other, which is."""
        assert plan.join is not None
        common = {**self._common(plan, stage, folder), "n_partitions": 0, "combine": None, "runs": readable(small)}
        splits = _splits(plan, plan.join.large)

        def make(task: int) -> JoinCall:
            return JoinCall(**common, task=task, source=plan.source, split=splits[task], has_shuffle=False)

        return Calls(len(splits), make)

    def merges(self, plan: StepPlan, stage: str, groups: Sequence[tuple[Run, ...]]) -> list[TaskCall]:
        """One call for each group of runs."""
        common = self._common(plan, stage, self._scratch)
        return [
            MergeCall(**common, task=number, runs=group, n_partitions=plan.n_partitions)
            for number, group in enumerate(groups)
        ]

    def reduces(
        self, step: Job, plan: StepPlan, sources: Sequence[Stage], folder: str, n_workers: int
    ) -> list[TaskCall]:
        """One call for each range of keys, or for each group of partitions, of what stages have written."""
        common = {**self._common(plan, stage_name("reduce", plan.step), folder), "runs": readable(*sources)}
        if step.sort == "key":
            runs = [run for source in sources for run in source.runs()]
            ranges = enumerate(self._ranges(step, plan, runs, n_workers))
            return [ReduceCall(**common, task=n, partitions=(), lower=low, upper=up) for n, (low, up) in ranges]
        n_bytes = sum(run.n_bytes for run in common["runs"])
        # A stage that has written nothing does not know of partitions.
        rows = np.sum([source.rows for source in sources if source.runs()], axis=0, dtype=np.int64)
        groups = reduce_tasks(step, plan, np.atleast_1d(rows).tolist(), n_workers, n_bytes=n_bytes)
        is_light = groups == [()] and self._is_light(step, common["runs"], int(rows.sum()), n_bytes)
        if is_light:
            # All that is left to do, so that whoever does it need not load the user's functions.
            common |= {"job": pickle.dumps(Job(None, step.reducer)), "step": 0}
        return [
            ReduceCall(**common, task=number, partitions=group, keeps_apart=plan.has_fixed_partitions,
                       is_light=is_light)
            for number, group in enumerate(groups)
        ]  # fmt: skip

    def _is_light(self, step: Job, runs: Sequence[Run], n_rows: int, n_bytes: int) -> bool:
        is_ours = step.reduction is not None and step.reduction.is_own and step.setup is None and step.teardown is None
        is_little = n_rows <= _LIGHT_ROWS and n_bytes <= _LIGHT_BYTES and len(runs) <= _LIGHT_RUNS
        return is_ours and is_little

    def _ranges(self, step: Job, plan: StepPlan, runs: Sequence[Run], n_workers: int) -> Iterator[tuple[Any, Any]]:
        total = sum(run.n_rows for run in runs)
        like_partitions = replace(plan, n_partitions=256, has_fixed_partitions=False)
        n_bytes = sum(run.n_bytes for run in runs)
        groups = reduce_tasks(step, like_partitions, [-(-total // 256)] * 256, n_workers, n_bytes=n_bytes)
        yield from key_ranges(runs, self._settings.reducers or len(groups))


def _splits(plan: StepPlan, side: str | None) -> list[Split]:
    return [split for split in plan.splits if side in {None, split.payload[0]}]
