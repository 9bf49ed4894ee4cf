"""The driver: takes a plan and an executor, runs the stages, speaks only in events."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count

from mrkernel.config import counted
from mrkernel.engine.calls import CallMaker, readable
from mrkernel.engine.executor import AttemptLost, AttemptStarted, Executor, Message, News, TaskCall
from mrkernel.engine.join_stages import JoinStages, join_stage_names
from mrkernel.engine.joining import joined_in_key_order
from mrkernel.engine.ledger import Ledger
from mrkernel.engine.merging import merged
from mrkernel.engine.shuffle import LostRunError, Run
from mrkernel.engine.stages import (
    Stage,
    failing_too,
    news_event,
    stage_finished,
    stage_name,
    task_finished,
    total_bytes,
)
from mrkernel.engine.tasks import JoinCall, ReduceCall, TaskReport
from mrkernel.engine.wording import failure_error, lost_failure, with_source_lines
from mrkernel.errors import ClusterError, JobCancelledError
from mrkernel.events import (
    BadRecords,
    Counters,
    Evenness,
    Event,
    Failure,
    JobFinished,
    JobStarted,
    PlanChanged,
    StageStarted,
    TaskFailed,
    TaskRetried,
    TaskStarted,
)
from mrkernel.io import Source
from mrkernel.job import Job
from mrkernel.planner import SMALL_FUNCTION_ROWS, Plan, StepPlan, plan_joining_step, plan_step

__all__ = ["Driver", "Outcome"]

_POLL_S, _SHORT_POLL_S = 0.1, 0.01
_BACK_OFF_S = 0.2
# For running attempts to stop by themselves; another second brings the next workers.
_GRACE_S = 1.5


@dataclass(slots=True)
class Outcome:
    """What a finished run leaves: the result's parts in order, counters, what was set aside, and how even it was."""

    parts: list[Run] = field(default_factory=list)
    counters: Counters = field(default_factory=dict)
    bad: BadRecords = field(default_factory=BadRecords)
    evenness: Evenness = field(default_factory=Evenness)


class Driver:
    """Runs one job.

    Parameters
    ----------
    plan
        What to run.
    executor
        Where; the driver stops it at the end.
    job
        The pickled job.
    job_id
        Its identity in events and file names.
    scratch
        Folder for shuffle files, removed at the end.
    results
        Folder for the parts of the result.
    emit
        Called with every event, from the thread that calls :meth:`run`.
    as_source
        Makes the parts of one step the source of the next.
    """

    def __init__(
        self,
        plan: Plan,
        executor: Executor,
        *,
        job: bytes,
        job_id: str,
        scratch: str,
        results: str,
        emit: Callable[[Event], None],
        as_source: Callable[[list[Run]], Source],
    ) -> None:
        self._plan, self._executor = plan, executor
        self._job_id = job_id
        self._scratch, self._results = scratch, results
        self._calls = CallMaker(plan, job=job, job_id=job_id, scratch=scratch)
        self._ledger = Ledger(plan.settings)
        self._emit, self._as_source = emit, as_source
        self._stop = threading.Event()
        self._stopped_as = "cancelled"
        self._counters: Counters = {}
        self._messages: deque[Message] = deque()
        # When, a number that keeps calls from being compared, and what to start then.
        self._later: list[tuple[float, int, TaskCall]] = []
        self._number = count()
        self._started = time.perf_counter()

    def stop(self, state: str = "cancelled", *, is_forced: bool = False) -> None:
        """Ask the run to end as ``"cancelled"`` or ``"interrupted"``; may be called from any thread, or a signal.

        Attempts have a moment to stop by themselves before their workers are replaced, none if it is forced. A run
        that has ended can still be forced while they have that moment.
        """
        if not self._stop.is_set():
            self._stopped_as = state
            self._stop.set()
        self._executor.hurry(is_forced=is_forced)

    def run(self) -> Outcome:
        """Run the plan; returns when the result is whole.

        Raises
        ------
        TaskFailedError, SourceError
            If a task failed for good: in the user's functions, or because the input cannot be read.
        JobCancelledError
            If :meth:`stop` was called.
        ClusterError
            If the cluster went away.
        """
        self._started = time.perf_counter()
        state, error = "failed", None
        self._emit(JobStarted(job_id=self._job_id, name=self._plan.job.name, stages=tuple(self._stage_names())))
        try:
            parts = self._ordered(self._executor.bring(self._run_steps()))
            state = "finished"
            return Outcome(
                parts=parts, counters=self._counters, bad=self._ledger.bad_records(), evenness=self._ledger.evenness()
            )
        except JobCancelledError:
            state = self._stopped_as
            raise
        except BaseException as caught:
            error = str(caught)
            raise
        finally:
            self._executor.stop(grace_s=_GRACE_S, say=self._say)
            self._executor.remove(self._scratch)
            if state != "finished":
                self._executor.remove(self._results)
            seconds = time.perf_counter() - self._started
            self._emit(
                JobFinished(job_id=self._job_id, state=state, seconds=seconds, counters=self._counters, error=error)
            )

    def _ordered(self, parts: list[Run]) -> list[Run]:
        last, settings = self._plan.job, self._plan.settings
        is_by_hash = last.reducer is not None and last.sort is None and last.partitioner is None
        return joined_in_key_order(parts) if is_by_hash and settings.reducers is None else parts

    def _stage_names(self) -> Iterator[str]:
        if self._plan.first.join is not None:
            yield from join_stage_names(self._plan.first.join, is_followed=self._plan.job.n_steps > 1)
        for number, step in enumerate(self._plan.job.steps):
            if step.join is not None:
                continue
            yield stage_name("map", number)
            if step.reducer is not None or step.sort is not None:
                yield stage_name("reduce", number)

    def _run_steps(self) -> list[Run]:
        plan, given = self._plan.first, []  # type: StepPlan, list[Run] | Stage
        for number, step in enumerate(self._plan.job.steps):
            if number:
                plan = self._next_plan(step, number, plan, given)
            folder = self._results if number == self._plan.job.n_steps - 1 else self._scratch
            given = self._run_step(step, plan, folder, given if isinstance(given, Stage) else None)
        assert not isinstance(given, Stage)
        return given

    def _next_plan(self, step: Job, number: int, before: StepPlan, given: list[Run] | Stage) -> StepPlan:
        settings, n_workers = self._plan.settings, self._executor.n_workers
        if isinstance(given, Stage):
            return plan_joining_step(step, number, before, settings, n_workers)
        return plan_step(step, number, self._as_source(given), settings, n_workers)

    def _run_step(self, step: Job, plan: StepPlan, folder: str, small: Stage | None) -> list[Run] | Stage:
        """The step's result; of a join that the next step's map tasks make, the side that is sent whole (``small``)."""
        counters = dict(self._counters)
        for _ in range(self._plan.settings.attempts):
            try:
                return self._try_step(step, plan, folder, small)
            except LostRunError:
                self._counters = dict(counters)
                self._say("files between its stages were lost; the step runs again")
        raise ClusterError(f"the job {self._plan.job.name} lost files between its stages "
                           f"{self._plan.settings.attempts} times",
                           hint="see whether something cleans the scratch folder")  # fmt: skip

    def _try_step(self, step: Job, plan: StepPlan, folder: str, small: Stage | None) -> list[Run] | Stage:
        if plan.join is not None:
            stages = JoinStages(self._calls, self._run_stage, self._say, self._executor.n_workers)
            return stages.run(step, plan, folder, is_followed=plan.step < self._plan.job.n_steps - 1)
        maps = self._calls.maps(plan, folder, small)
        stage = self._run_stage(stage_name("map", plan.step), maps, input_bytes=plan.input_bytes(), maps=small)
        self._say(*stage.notes)
        if not plan.n_partitions:
            return stage.runs()
        last = merged(step, plan, stage, self._calls, self._run_stage, self._say)
        reduces = self._calls.reduces(step, plan, [last], folder, self._executor.n_workers)
        n_rows = int(last.rows.sum())
        is_one = [call.partitions for call in reduces if isinstance(call, ReduceCall)] == [()]
        # Of fewer nobody expects a shuffle.
        if plan.n_partitions > 1 and is_one and n_rows > SMALL_FUNCTION_ROWS:
            self._say(f"no shuffle: {n_rows:,} rows are left after the map stage, one task reduces them")
        size = total_bytes(last.runs())
        # Map tasks can run again one by one as long as the reduce tasks read their files and not merged ones.
        maps_again = stage if last is stage else None
        return self._run_stage(stage_name("reduce", plan.step), reduces, input_bytes=size, maps=maps_again).runs()

    # -- stages ------------------------------------------------------------------------------------------------

    def _run_stage(
        self, name: str, calls: Sequence[TaskCall], *, input_bytes: int | None = None, maps: Stage | None = None
    ) -> Stage:
        """Run the calls; ``maps`` is the stage whose tasks run again when their files are lost."""
        stage = Stage(name, calls)
        self._later.clear()
        self._emit(StageStarted(job_id=self._job_id, stage=name, n_tasks=len(calls), input_bytes=input_bytes))
        while stage.n_done < len(calls):
            if self._stop.is_set():
                raise JobCancelledError(
                    f"the job {self._plan.job.name} was {self._stopped_as} in its {name} stage "
                    f"after {stage.n_done:,} of {counted(len(calls), 'task')}"
                )
            if stage.n_given < len(calls) and stage.n_running <= self._executor.ahead // 2:
                self._executor.start(stage.give(self._executor.ahead - stage.n_running))
            self._start_due()
            self._messages.extend(self._executor.poll(_POLL_S if not self._later else _SHORT_POLL_S))
            # What an attempt says that was told to stop is no failure.
            while self._messages and not self._stop.is_set():
                self._handle(self._messages.popleft(), stage, maps)
        self._emit(stage_finished(self._job_id, stage))
        self._say(*filter(None, [self._ledger.close(name)]))
        return stage

    def _handle(self, message: Message, stage: Stage, maps: Stage | None) -> None:
        if isinstance(message, News):
            self._emit(news_event(self._job_id, message))
            return
        if message.stage not in {stage.name, maps.name if maps is not None else stage.name}:
            # Of a stage that is over: an attempt too many, or one of a step that runs again.
            return
        # While reduce tasks wait, map tasks whose files were lost run again and may fail or be lost themselves.
        owner = maps if maps is not None and message.stage == maps.name else stage
        if isinstance(message, AttemptStarted):
            self._on_started(message, stage)
        elif isinstance(message, AttemptLost):
            self._on_lost(message, owner)
        elif message.failure is not None:
            self._on_failure(message.failure, message, owner)
        elif message.lost:
            # What maps again may have lost its own input, a side of a join.
            if maps is None or message.stage == maps.name:
                raise LostRunError(message.lost)
            self._on_lost_files(message, stage, maps)
        elif message.stage != stage.name and maps is not None:
            self._on_map_again(message, stage, maps)
        elif message.stage == stage.name:
            self._on_finished(message, stage)

    def _on_started(self, message: AttemptStarted, stage: Stage) -> None:
        if message.stage != stage.name:
            return
        attempt, planned = stage.start(message.task)
        if attempt > planned:
            self._emit(TaskRetried(job_id=self._job_id, stage=message.stage, task=message.task, attempt=attempt,
                                   reason="worker lost"))  # fmt: skip
        self._emit(TaskStarted(job_id=self._job_id, stage=message.stage, task=message.task, attempt=attempt,
                               worker=message.worker))  # fmt: skip

    def _on_finished(self, report: TaskReport, stage: Stage) -> None:
        if stage.is_done(report.task):
            return
        stage.finish(report)
        self._ledger.add(report)
        for name, amount in report.counters.items():
            self._counters[name] = self._counters.get(name, 0) + amount
        self._emit(task_finished(self._job_id, report, stage, scratch=self._scratch))

    def _on_failure(self, failure: Failure, report: TaskReport, stage: Stage) -> None:
        if report.is_over_limit:
            self._ledger.add(report)
        failure = with_source_lines(failure)
        call = stage.call(report.task)
        if not failure.is_user_error and call is not None and report.attempt < self._plan.settings.attempts:
            self._again(call, stage, f"{failure.error_type}: {failure.error_text}", wait_s=_BACK_OFF_S * report.attempt)
            return
        self._emit(TaskFailed(job_id=self._job_id, stage=report.stage, task=report.task, failure=failure))
        for other in failing_too(self._executor, self._messages):
            self._emit(TaskFailed(job_id=self._job_id, stage=other.stage, task=other.task,
                                  failure=with_source_lines(other)))  # fmt: skip
        raise failure_error(failure)

    def _on_lost(self, message: AttemptLost, stage: Stage) -> None:
        call = stage.call(message.task)
        if not message.is_fatal and call is not None and message.attempt < self._plan.settings.attempts:
            self._again(call, stage, message.reason, wait_s=_BACK_OFF_S)
            return
        if "connection" in message.reason:
            raise ClusterError(f"the job {self._plan.job.name} lost its cluster: {message.reason}",
                               hint="run it again; the embedded cluster starts anew")  # fmt: skip
        failure = lost_failure(message, call)
        self._emit(TaskFailed(job_id=self._job_id, stage=message.stage, task=message.task, failure=failure))
        raise failure_error(failure)

    def _again(self, call: TaskCall, stage: Stage, reason: str, *, wait_s: float = 0.0) -> None:
        again = dataclasses.replace(call, attempt=call.attempt + 1)
        stage.change(again)
        self._emit(
            TaskRetried(job_id=self._job_id, stage=call.stage, task=call.task, attempt=again.attempt, reason=reason)
        )
        if wait_s:
            heappush(self._later, (time.monotonic() + wait_s, next(self._number), again))
        else:
            self._executor.start([again])

    def _start_due(self) -> None:
        """Start the attempts that were to wait a moment; what runs meanwhile does not wait with them."""
        now = time.monotonic()
        due = []
        while self._later and self._later[0][0] <= now:
            due.append(heappop(self._later)[2])
        if due:
            self._executor.start(due)
        elif self._later:
            # An executor without anything to do returns at once.
            self._stop.wait(_SHORT_POLL_S)

    def _on_lost_files(self, report: TaskReport, stage: Stage, maps: Stage) -> None:
        """Run exactly the map tasks again whose files are gone; the reduce task follows when they are back."""
        call = stage.call(report.task)
        if not isinstance(call, (JoinCall, ReduceCall)) or report.attempt < call.attempt:
            return
        for task in report.lost:
            writer = maps.call(task)
            # Another reduce task may have said so before, and the new files may be there already.
            if writer is not None and maps.is_done(task) and task not in maps.mended:
                if writer.attempt >= self._plan.settings.attempts:
                    raise ClusterError(f"the job {self._plan.job.name} lost the shuffle file of its {maps.name} task "
                                       f"{task} {writer.attempt} times",
                                       hint="see whether something cleans the scratch folder")  # fmt: skip
                maps.lose(task)
                self._again(writer, maps, "shuffle file lost")

    def _on_map_again(self, report: TaskReport, stage: Stage, maps: Stage) -> None:
        if report.stage != maps.name or maps.is_done(report.task):
            return
        maps.finish_again(report)
        self._emit(task_finished(self._job_id, report, maps, scratch=self._scratch))
        if maps.n_done < maps.n_tasks:
            return
        maps.mended.clear()
        runs = readable(maps)
        for call in list(stage.unfinished()):
            if isinstance(call, (JoinCall, ReduceCall)):
                fresh = dataclasses.replace(call, runs=runs)
                stage.change(fresh)
                if call.task < stage.n_given:
                    self._again(fresh, stage, "shuffle file lost")

    def _say(self, *notes: str) -> None:
        for note in notes:
            self._emit(PlanChanged(job_id=self._job_id, reason=note))
