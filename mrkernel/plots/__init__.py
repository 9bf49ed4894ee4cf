"""Plain tables and the numbers of a run as matplotlib Axes, without pyplot's global state."""

from __future__ import annotations

from mrkernel.plots.columns import is_name, key_words
from mrkernel.plots.drawing import Drawing, RunPlot
from mrkernel.plots.pictures import figure_html, figure_png, figure_svg, plot_bundle
from mrkernel.plots.run import plot_run
from mrkernel.plots.table import KINDS, Kind, can_plot, plot_table
from mrkernel.plots.tuning import TunedPoint, TuningCurve, plot_tuning
from mrkernel.plots.wording import alt_text, describe_plot

__all__ = [
    "KINDS",
    "Drawing",
    "Kind",
    "RunPlot",
    "TunedPoint",
    "TuningCurve",
    "alt_text",
    "can_plot",
    "describe_plot",
    "figure_html",
    "figure_png",
    "figure_svg",
    "is_name",
    "key_words",
    "plot_bundle",
    "plot_run",
    "plot_table",
    "plot_tuning",
]
