"""The ratios of a report as bars."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mrkernel.plots.look import COLOURS, GREY, new_figure

__all__ = ["draw"]

Bar = tuple[str, str, float, bool]


def draw(bars: Sequence[Bar], target: Path) -> None:
    """Bars of (workload, engine, times mrkernel's wall time, whether it is mrkernel) into a picture of any format.

    The scale is logarithmic: twice as fast and half as fast lie equally far from 1.
    """
    axes = new_figure(8.0, 0.8 + 0.24 * (len(bars) + len({bar[0] for bar in bars}))).add_subplot()
    places, labels, place, workload = [], [], 0.0, ""
    for title, engine, ratio, is_ours in bars:
        if title != workload:
            axes.text(1, place, title, transform=axes.get_yaxis_transform(), weight="bold", ha="right", va="center",
                      color=GREY)  # fmt: skip
            place, workload = place + 1, title
        axes.barh(place, ratio - 1, left=1, color=COLOURS[0] if is_ours or ratio >= 1 else COLOURS[1], height=0.7)
        axes.text(ratio, place, f" {ratio:.2f} ", va="center", ha="left" if ratio >= 1 else "right", size=7, color=GREY)
        places.append(place)
        labels.append(engine)
        place += 1
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g} ×")
    axes.axvline(1, color=GREY, linewidth=1)
    axes.set_yticks(places, labels, size=8)
    axes.set_ylim(place, -1)
    axes.margins(x=0.12)
    axes.set_xlabel("times mrkernel's wall time (right of 1: mrkernel is quicker)", color=GREY)
    axes.tick_params(colors=GREY)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    assert axes.figure is not None
    axes.figure.savefig(target, transparent=True)
