"""What can be shown as a picture: axes, or the several axes of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Drawing", "RunPlot"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlot:
    """The picture of a run; a notebook shows it as the last expression of a cell.

    Attributes
    ----------
    timeline, tasks, partitions, keys, throughput
        Axes of each part of the picture; None where the run was too short, or in too few pieces, to have it.
    description
        One line of text.
    alt
        What the picture shows, for a screen reader.
    """

    figure: Figure
    timeline: Axes | None
    tasks: Axes | None
    partitions: Axes | None
    keys: Axes | None
    throughput: Axes | None
    description: str
    alt: str

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Any:
        from mrkernel.plots.pictures import plot_bundle

        return plot_bundle(self)


Drawing: TypeAlias = "Axes | RunPlot"
