"""Numbers of a run, per stage, and what the driver decided while it ran."""

from __future__ import annotations

from dataclasses import dataclass

from mrkernel.progress import Progress, StageProgress
from mrkernel.render import progress_html, progress_text

__all__ = ["Report"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How a run went.

    Attributes
    ----------
    progress
        The last snapshot of its progress.
    """

    progress: Progress

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

    def __repr__(self) -> str:
        return progress_text(self.progress)

    def _repr_html_(self) -> str:
        return progress_html(self.progress)
