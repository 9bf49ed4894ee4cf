"""Waits for a job that a cell has started, by awaiting or by blocking, and shows how it ended."""

from __future__ import annotations

import asyncio
import linecache
import threading
import time
from dataclasses import dataclass, replace
from typing import Any

from IPython.display import publish_display_data

from mrkernel.cellspec import CellSpec
from mrkernel.config import format_duration, settings
from mrkernel.errors import JobInterruptedError, OptionError, TaskFailedError
from mrkernel.events import Failure, Frame
from mrkernel.magics.view import JobView, publish
from mrkernel.plots import describe_plot, figure_png
from mrkernel.progress import Progress
from mrkernel.render import counters_html, counters_text, failure_html, failure_text, table_html, table_text

__all__ = ["CellRun", "show_result"]

# The first looks are quick so that a job on ten lines does not wait for its cell; later ones cost nothing.
_FIRST_LOOK_S, _LAST_LOOK_S = 0.005, 0.1
_STOP_S = 1.5
_CONTEXT_LINES = 2


@dataclass(slots=True)
class CellRun:
    """One job of one cell, from submission to what stays in the notebook."""

    shell: Any
    spec: CellSpec
    handle: Any
    view: JobView

    def wait(self) -> None:
        """Block until the job ended, then show its result; an interrupt cancels the job."""
        pause = _FIRST_LOOK_S
        try:
            while not self.handle.done():
                time.sleep(pause)
                pause = min(_LAST_LOOK_S, pause * 1.5)
                self.view.update(self.handle.progress())
        except KeyboardInterrupt:
            raise self._interrupted() from None
        self._end()

    async def wait_async(self) -> None:
        """Do the same on the kernel's loop, which stays free for messages of the front end."""
        pause = _FIRST_LOOK_S
        try:
            while not self.handle.done():
                await asyncio.sleep(pause)
                pause = min(_LAST_LOOK_S, pause * 1.5)
                self.view.update(self.handle.progress())
        except (asyncio.CancelledError, KeyboardInterrupt):
            # The kernel turns its interrupt signal into a cancellation while a cell awaits.
            raise self._interrupted() from None
        self._end()

    def follow(self) -> None:
        """Keep the display up to date from a thread of its own; errors stay with the handle."""
        self.view.open(self.handle.progress())
        threading.Thread(target=self._follow, name=f"mrkernel-view-{self.handle.job_id}", daemon=True).start()

    def _follow(self) -> None:
        while not self.handle.done():
            time.sleep(_LAST_LOOK_S)
            self.view.update(self.handle.progress())
        self.view.finish(self.handle.progress())

    def _end(self) -> None:
        self.view.finish(self.handle.progress())
        try:
            result = self.handle.result()
        except TaskFailedError as error:
            self._show_failure(error)
            raise
        if self.spec.output:
            self.shell.user_ns[self.spec.output] = result
        show_result(result, self.spec)

    def _interrupted(self) -> JobInterruptedError:
        self.handle.cancel(interrupted=True)
        self.handle.wait(_STOP_S)
        progress = self.handle.progress()
        if progress.is_running:
            progress = replace(progress, state="interrupted")
        self.view.finish(progress)
        return JobInterruptedError(_stopped(progress))

    def _show_failure(self, error: TaskFailedError) -> None:
        if error.failure is None:
            return
        failure, context = in_cell_terms(self.shell, error.failure)
        alike = [f for f in self.handle.progress().failures if f.error_type == failure.error_type]
        given: dict[str, Any] = {"more": max(0, len(alike) - 1), "context": context}
        publish(failure_html(failure, **given), failure_text(failure, **given))


def _stopped(progress: Progress) -> str:
    running = [stage for stage in progress.stages if stage.state not in {"waiting", "finished"}]
    where = (
        f", in stage {running[-1].name} with {running[-1].done} of {running[-1].total} tasks done" if running else ""
    )
    return f"{progress.name} was interrupted after {format_duration(progress.seconds)}{where}; nothing was written"


def in_cell_terms(shell: Any, failure: Failure) -> tuple[Failure, list[tuple[int, str]]]:
    """The failure with cells named as the notebook names them (``Cell In[3]``), and the lines around its last frame."""
    frames, context = [], []
    for frame in failure.frames:
        named = shell.compile.format_code_name(frame.filename)
        context = _source_lines(frame, is_cell=bool(named))
        text = frame.text or next((line for number, line in context if number == frame.lineno), "")
        frames.append(replace(frame, filename=" ".join(named) if named else frame.filename, text=text))
    return replace(failure, frames=tuple(frames)), context


def _source_lines(frame: Frame, *, is_cell: bool) -> list[tuple[int, str]]:
    lines = linecache.getlines(frame.filename)
    if not 0 < frame.lineno <= len(lines):
        return []
    # A worker has no cell's source; and a file of another host may have this name here, with other content.
    if not (is_cell and not frame.text) and lines[frame.lineno - 1].strip() != frame.text.strip():
        return []
    first = max(1, frame.lineno - _CONTEXT_LINES)
    return [(n, lines[n - 1]) for n in range(first, min(len(lines), frame.lineno + _CONTEXT_LINES) + 1)]


def show_result(result: Any, spec: CellSpec) -> None:
    """Show the first rows, the counters, and a plot where one is wanted and possible."""
    current = settings(**{name: spec.settings[name] for name in ("limit",) if name in spec.settings})
    preview = result.preview(current.limit)
    if spec.output:
        preview = replace(preview, access=f"{spec.output}.to_pandas()")
    publish(table_html(preview), table_text(preview))
    if result.counters:
        publish(counters_html(result.counters), counters_text(result.counters))
    if spec.plot or (spec.plot is None and current.plot and result.num_rows > 1):
        _show_plot(result, is_asked_for=bool(spec.plot))


def _show_plot(result: Any, *, is_asked_for: bool) -> None:
    try:
        axes = result.plot()
    except OptionError:
        # Words cannot be plotted; that is worth an error only where a plot was asked for.
        if is_asked_for:
            raise
        return
    width, height = (int(inches * 72) for inches in axes.figure.get_size_inches())
    publish_display_data(
        {"image/png": figure_png(axes), "text/plain": describe_plot(axes)},
        metadata={"image/png": {"width": width, "height": height}},
    )
