"""Small combined outputs of map tasks are merged in a tree, so that a reduce task does not open thousands of files."""

from __future__ import annotations

from collections.abc import Callable

from mrkernel.engine.calls import CallMaker
from mrkernel.engine.stages import Stage, stage_name, total_bytes
from mrkernel.job import Job
from mrkernel.planner import StepPlan, reduce_tasks

__all__ = ["merged"]

_FAN_IN = 32


def merged(
    step: Job,
    plan: StepPlan,
    stage: Stage,
    calls: CallMaker,
    run_stage: Callable[..., Stage],
    say: Callable[[str], None],
) -> Stage:
    """The map stage itself, or the last one of those that have merged what it wrote.

    Parameters
    ----------
    run_stage
        The driver's: runs calls as a stage of that name.
    say
        Told what is decided.
    """
    level, runs = 0, stage.runs()
    while (
        step.reduction is not None
        and step.reduction.is_algebraic
        and step.sort is None
        and not plan.has_fixed_partitions
        and len(runs) > _FAN_IN
        and reduce_tasks(step, plan, stage.rows.tolist(), 1, n_bytes=total_bytes(runs)) == [()]
    ):
        groups = [tuple(runs[start : start + _FAN_IN]) for start in range(0, len(runs), _FAN_IN)]
        if level == 0:
            say(f"merging {len(runs):,} small outputs in a tree: {stage.rows.sum():,} rows are left")
        name = stage_name("merge", plan.step) + (f" level {level + 1}" if level else "")
        stage = run_stage(name, calls.merges(plan, name, groups), input_bytes=total_bytes(runs))
        level, runs = level + 1, stage.runs()
    return stage
