"""Waits for a job that a cell has started, by awaiting or by blocking, and shows how it ended."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace
from typing import Any

from mrkernel.cellspec import CellSpec
from mrkernel.config import settings
from mrkernel.errors import OptionError
from mrkernel.magics.view import JobView, display_mode, publish, publish_data
from mrkernel.plots import describe_plot, figure_png
from mrkernel.render import counters_html, counters_text, table_html, table_text
from mrkernel.session import JobHandle, Waiting

__all__ = ["CellRun", "show_result"]


class CellRun:
    """One job of one cell, from its start to what stays in the notebook."""

    def __init__(self, shell: Any, spec: CellSpec, handle: JobHandle) -> None:
        self._shell = shell
        self._spec = spec
        self._handle = handle
        self._view = JobView(display_mode(shell)) if handle.plan.settings.progress else None
        self._waiting = Waiting(handle, self._view)

    def wait(self) -> None:
        """Block until the job ended, then show its result; an interrupt cancels the job."""
        self._waiting.block()
        self._show_result()

    async def wait_async(self) -> None:
        """Do the same on the kernel's loop, which stays free for messages of the front end."""
        try:
            for pause in self._waiting.looks():
                await asyncio.sleep(pause)
        except (asyncio.CancelledError, KeyboardInterrupt) as error:
            # The kernel turns its interrupt signal into a cancellation while a cell awaits.
            raise self._waiting.interrupted(error) from None
        self._waiting.show_end()
        self._show_result()

    def follow(self) -> None:
        """Where someone watches, keep a display up to date while other cells run; errors stay with the handle."""
        if self._view is None or display_mode(self._shell) != "live":
            return
        self._view.open(self._waiting.progress())
        threading.Thread(target=self._follow, name=f"mrkernel-view-{self._handle.job_id}", daemon=True).start()

    def _follow(self) -> None:
        for pause in self._waiting.looks():
            time.sleep(pause)
        self._waiting.show_end()

    def _show_result(self) -> None:
        result = self._handle.result()
        if self._spec.output:
            self._shell.user_ns[self._spec.output] = result
        show_result(result, self._spec, has_pictures=display_mode(self._shell) != "terminal")


def show_result(result: Any, spec: CellSpec, *, has_pictures: bool = True) -> None:
    """Show the first rows, the counters, and a plot where one is wanted and possible."""
    current = settings(**{name: spec.settings[name] for name in ("limit",) if name in spec.settings})
    preview = result.preview(current.limit)
    if spec.output:
        preview = replace(preview, access=f"{spec.output}.to_pandas()")
    publish(table_html(preview), table_text(preview))
    if result.counters:
        publish(counters_html(result.counters), counters_text(result.counters))
    # A terminal shows no pictures; there one is drawn only where it is asked for.
    if spec.plot or (has_pictures and spec.plot is None and current.plot and result.num_rows > 1):
        _show_plot(result, is_asked_for=bool(spec.plot))


def _show_plot(result: Any, *, is_asked_for: bool) -> None:
    try:
        axes = result.plot()
    except OptionError:
        # Words cannot be plotted; that is worth an error only where a plot was asked for.
        if is_asked_for:
            raise
        return
    width, height = (int(inches * 96) for inches in axes.figure.get_size_inches())
    publish_data(
        {"image/png": figure_png(axes), "text/plain": describe_plot(axes)},
        metadata={"image/png": {"width": width, "height": height}},
    )
