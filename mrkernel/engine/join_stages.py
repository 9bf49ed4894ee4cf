"""The stages of a join: one side is read and sent whole while the other is, or both are shuffled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mrkernel.config import counted, format_bytes
from mrkernel.engine.calls import CallMaker
from mrkernel.engine.shuffle import Run
from mrkernel.engine.stages import Stage, stage_name
from mrkernel.errors import OptionError
from mrkernel.job import Job
from mrkernel.joins import JoinPlan
from mrkernel.planner import StepPlan

__all__ = ["JoinStages", "join_stage_names"]


def join_stage_names(join: JoinPlan, *, is_followed: bool) -> Iterator[str]:
    """What the stages of a join are expected to be; a step that follows may join the rows where it maps them."""
    if join.small is None:
        yield from ("map", "reduce")
        return
    yield f"map {join.small}"
    if not is_followed:
        yield f"map {join.large}"


class JoinStages:
    """Runs the stages of one join for the driver.

    Parameters
    ----------
    run_stage
        The driver's: runs calls as a stage of that name.
    say
        Told what is decided on the way.
    """

    def __init__(
        self, calls: CallMaker, run_stage: Callable[..., Stage], say: Callable[[str], None], n_workers: int
    ) -> None:
        self._calls, self._run_stage, self._say, self._n_workers = calls, run_stage, say, n_workers

    def run(self, step: Job, plan: StepPlan, folder: str, *, is_followed: bool) -> list[Run] | Stage:
        """The joined rows; or, if one side can be sent whole to the map tasks of a step that follows, that side.

        Raises
        ------
        OptionError
            If a side must be sent whole that is too large for it.
        """
        join = plan.join
        assert join is not None
        if join.small is None:
            self._say(join.reason)
            maps = self._map(plan, stage_name("map", plan.step), None)
            return self._reduced(step, plan, [maps], folder, maps)
        small = self._map(plan, f"map {join.small}", join.small)
        runs = small.runs()
        n_bytes, n_rows = sum(run.n_bytes for run in runs), sum(run.n_rows for run in runs)
        measured = f"the {join.small} side, {counted(n_rows, 'row')} and {format_bytes(n_bytes)} in memory,"
        needed = join.bytes_for(n_bytes, n_rows)
        if needed <= join.most_bytes:
            self._say(f"no shuffle: {measured} is sent whole to each worker")
            if is_followed:
                self._say("the next step's map tasks join its rows, which are never written")
                return small
            calls = self._calls.joins(plan, f"map {join.large}", small, folder)
            size = plan.source.of(join.large).size_bytes()  # type: ignore[attr-defined]  # a join's source are its Sides
            return self._run_stage(f"map {join.large}", calls, input_bytes=size, maps=small).runs()
        too_much = (
            f"{measured} would take {format_bytes(needed)} in each worker, more than {format_bytes(join.most_bytes)}"
        )
        if join.is_forced:
            raise OptionError(f"broadcast is on, but {too_much}: half of its memory",
                              hint="leave broadcast out, or give workers more memory_limit")  # fmt: skip
        self._say(f"both sides shuffled: {too_much}")
        large = self._map(plan, f"map {join.large}", join.large)
        # Files of two stages that are lost cannot run again one by one: the step does.
        return self._reduced(step, plan, [small, large], folder, None)

    def _map(self, plan: StepPlan, name: str, side: str | None) -> Stage:
        source = plan.source if side is None else plan.source.of(side)  # type: ignore[attr-defined]  # as above
        return self._run_stage(name, self._calls.side(plan, name, side), input_bytes=source.size_bytes())

    def _reduced(
        self, step: Job, plan: StepPlan, sources: Sequence[Stage], folder: str, maps: Stage | None
    ) -> list[Run]:
        calls = self._calls.reduces(step, plan, sources, folder, self._n_workers)
        size = sum(run.n_bytes for source in sources for run in source.runs())
        return self._run_stage(stage_name("reduce", plan.step), calls, input_bytes=size, maps=maps).runs()
