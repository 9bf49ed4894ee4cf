"""Numbers of a run, per stage, and what the driver decided while it ran."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mrkernel.events import Evenness
from mrkernel.progress import Costs, History, Progress, Span, StageProgress, TaskTime
from mrkernel.render import progress_html, progress_text
from mrkernel.result.profile import Profile
from mrkernel.result.skew import Skew

if TYPE_CHECKING:
    from mrkernel.plots import RunPlot

__all__ = ["Report"]

_TYPES = {
    "worker": pa.string(), "stage": pa.string(), "kind": pa.string(), "state": pa.string(), "start_s": pa.float64(),
    "stop_s": pa.float64(),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a run went.

    Attributes
    ----------
    progress
        The last snapshot of its progress.
    history
        Who ran what when; :attr:`timeline` and :attr:`tasks` are its tables.
    part_rows
        Rows of each partition of the result that had some.
    skew
        Heavy keys and their share, and the slowest partition.
    costs
        What the workers' time went to, where the job ran with ``profile=True``; :attr:`profile` is its table.
    """

    progress: Progress
    history: History = field(default_factory=History, repr=False)
    part_rows: tuple[int, ...] = ()
    skew: Skew = field(default_factory=lambda: Skew(Evenness()), repr=False)
    costs: Costs | None = field(default=None, repr=False)

    @property
    def stages(self) -> tuple[StageProgress, ...]:
        """Tasks, records, bytes and seconds of each stage."""
        return self.progress.stages

    @property
    def seconds(self) -> float:
        """How long the whole run took."""
        return self.progress.seconds

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided while the job ran, in words."""
        return self.progress.notes

    @property
    def timeline(self) -> pa.Table:
        """What each worker did when: one row for each phase of each attempt, by worker and time.

        Columns are ``worker`` (its name), ``stage`` (``"map"``, ``"reduce 2"``, …), ``kind`` (``"map"`` with reading,
        ``"write"``, ``"fetch"``, ``"reduce"``, ``"merge"``, ``"commit"``), ``start_s`` and ``stop_s`` (seconds since
        the job began, on this machine's clock), ``task``, ``attempt`` (from 1), ``state`` (how the attempt ended:
        ``"finished"``, ``"failed"``, ``"lost"``, ``"cancelled"``) and ``n_tasks``. There are at most 20,000 rows:
        of more, neighbours of a worker are one row, of about ``n_tasks`` tasks of which ``task`` is the first.

        Examples
        --------
        >>> Report(progress=Progress()).timeline.column_names[:5]
        ['worker', 'stage', 'kind', 'start_s', 'stop_s']
        """
        return _table(Span, self.history.spans())

    @property
    def tasks(self) -> pa.Table:
        """One row for each finished task, by time; of more than 20,000, the slowest ones and a sample.

        Columns are ``worker``, ``stage``, ``task``, ``attempt``, ``start_s``, ``stop_s``, ``records_in``,
        ``records_out``, ``bytes_in`` and ``bytes_out``.
        """
        return _table(TaskTime, self.history.tasks())

    @property
    def profile(self) -> pa.Table:
        """What the time of all workers went to, if the job ran with ``profile=True``; else no rows.

        Columns are ``part`` (``"reading"``, ``"user code"``, ``"combine"``, ``"convert"``, ``"shuffle"``, ``"reduce"``,
        and ``"scheduling"``: starting tasks, workers that wait, attempts that were lost), ``seconds``, ``share`` (of
        all), and for lines of the user's own functions ``file``, ``line``, ``function`` and ``text``. Each second is in
        one row.
        Phases are measured; what was done in them is estimated from looks at the workers every few milliseconds.

        Examples
        --------
        >>> import mrkernel as mr
        >>> job = mr.Job(lambda n: (n % 10, n), sum)
        >>> profile = mr.run(job, range(100), executor="inline", profile=True).report.profile
        >>> round(sum(profile["share"].to_pylist()), 6)
        1.0
        """
        return Profile(self.costs).table()

    def plot(self) -> RunPlot:
        """Draw the run: what each worker did when, how even tasks, partitions and keys were, how fast input was read.

        Raises
        ------
        OptionError
            If the run has done nothing that could be drawn.
        """
        from mrkernel.plots import plot_run

        return plot_run(self.progress, timeline=self.timeline, tasks=self.tasks, part_rows=self.part_rows,
                        heavy=[(heavy.key, heavy.share) for heavy in self.skew.keys])  # fmt: skip

    def __repr__(self) -> str:
        text = progress_text(self.progress)
        return f"{text}\n{Profile(self.costs)!r}" if self.costs is not None else text

    def _repr_html_(self) -> str:
        html = progress_html(self.progress)
        return html + Profile(self.costs)._repr_html_() if self.costs is not None else html


def _table(kind: Any, rows: Sequence[Any]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else ([] for _ in kind._fields)
    return pa.table(
        {
            name: pa.array(column, _TYPES.get(name, pa.int64()))
            for name, column in zip(kind._fields, columns, strict=True)
        }
    )
