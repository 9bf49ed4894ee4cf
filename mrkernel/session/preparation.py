"""From a job to its driver: folders and a plan at once, the cluster when it is up."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mrkernel.config import Settings
from mrkernel.engine import Driver, InlineExecutor, Outcome, Run
from mrkernel.events import Listener
from mrkernel.io import Aside, Source
from mrkernel.job import Job
from mrkernel.planner import Plan, make_plan
from mrkernel.progress import Progress
from mrkernel.result import Errors, PartsSource, Report, Result, Skew
from mrkernel.result.parts import PartFile
from mrkernel.session.folders import Folders
from mrkernel.session.handle import JobHandle

if TYPE_CHECKING:
    from mrkernel.cluster import Cluster
    from mrkernel.engine.executor import Executor

__all__ = ["Preparation", "expected_workers"]


class Preparation:
    """Everything a job needs before its driver starts: folders and a plan at once, the cluster when it is up."""

    def __init__(self, job: Job, given: Settings, executor: str, cluster: Cluster | None, packed: bytes) -> None:
        self._job, self._given, self._packed = job, given, packed
        self._is_inline = executor == "inline"
        self._place = cluster
        self._job_id = f"{re.sub(r'[^A-Za-z0-9]+', '-', job.name)[:20]}-{secrets.token_hex(4)}"
        self._folders = Folders(given, self._job_id)

    def start(self, origin: Source, listeners: Sequence[Listener], sink: Any) -> JobHandle:
        """Plan the job and start its run; what fails before that leaves nothing behind."""
        try:
            source = origin.localized(self._folders.input())
            if self._given.on_error != "raise":
                # What cannot be parsed must not keep types from being inferred either.
                source = source.setting_aside(Aside())
            plan = make_plan(self._job, source, self._given, self._expected_workers())
        except BaseException:
            self._folders.discard()
            raise
        handle = JobHandle(self._job_id, plan, listeners)
        finish = partial(self._finish, planned=tuple(plan.facts()), empty=self._empty(plan))
        handle.start(lambda: self._driver(plan, handle), finish, self._folders.discard_input, sink)
        return handle

    def _expected_workers(self) -> int:
        """How many workers there will be; the embedded cluster may still be starting."""
        if self._is_inline:
            return 1
        return self._place.n_workers_lately if self._place is not None else expected_workers(self._given)

    @property
    def _is_remote(self) -> bool:
        # Workers on other machines write in folders of their own; their results are brought here.
        return self._place is not None and not self._place.is_local

    def _driver(self, plan: Plan, handle: JobHandle) -> Driver:
        if not self._is_inline and self._place is None:
            from mrkernel.cluster import default

            self._place = default(self._given)
        executor = self._executor(plan.n_workers)
        self._send(plan.first.source)
        if self._is_remote:
            scratch, results = self._job_id, f"{self._job_id}/result"
        else:
            scratch = self._folders.scratch(self._place.scratch_dir if self._place else None)
            results = self._folders.results()

        def as_next_source(runs: list[Run]) -> Source:
            source = PartsSource(_part_files(executor.bring(runs)), label="the step before")
            self._send(source)
            return source

        return Driver(plan, executor, job=self._packed, job_id=self._job_id, scratch=scratch, results=results,
                      emit=handle.emit_from_driver, as_source=as_next_source)  # fmt: skip

    def _executor(self, width: int) -> Executor:
        if self._place is None:
            return InlineExecutor(memory_bytes=self._given.memory_limit)
        from mrkernel.engine import DaskExecutor

        home = self._folders.results() if self._is_remote else None
        return DaskExecutor(self._place.client, self._job_id, self._place, home=home, workers=self._place.addresses,
                            width=width)  # fmt: skip

    def _send(self, source: Source) -> None:
        """Copy what only this machine has to the hosts of remote workers."""
        if self._is_remote and self._place is not None:
            from mrkernel.engine import send_file

            for path in source.local_files():
                send_file(self._place.client, path)

    def _empty(self, plan: Plan) -> pa.Table | None:
        """The result where it has no rows; None for what those of any job look like."""
        if plan.first.join is not None and self._job.n_steps == 1:
            return plan.first.join.columns.schema.empty_table()
        reduction = self._job.reduction
        return reduction.empty() if reduction is not None else None

    def _finish(
        self, outcome: Outcome, progress: Progress, *, planned: tuple[tuple[str, str], ...], empty: pa.Table | None
    ) -> Result:
        return Result(_part_files(outcome.parts), name=self._job.name, counters=outcome.counters,
                      report=Report(progress=progress, skew=Skew(outcome.evenness)), limit=self._given.limit,
                      errors=Errors(outcome.bad), empty=empty,
                      place=None if self._is_remote else self._place, planned=planned)  # fmt: skip


def expected_workers(given: Settings) -> int:
    """How many workers a plan reckons with: those asked for, those that run, or as many as would be started."""
    from mrkernel.cluster import current, limits

    running = current()
    return given.workers or (running.n_workers_lately if running is not None else limits.worker_count())


def _part_files(runs: list[Run]) -> tuple[PartFile, ...]:
    return tuple(PartFile(path=run.path, n_rows=run.n_rows, n_bytes=run.n_bytes) for run in runs)
