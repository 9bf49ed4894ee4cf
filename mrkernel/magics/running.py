"""Waits for a job that a cell has started, by awaiting or by blocking, and shows how it ended."""

from __future__ import annotations

import asyncio
import linecache
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from mrkernel.cellspec import CellSpec
from mrkernel.config import format_duration, settings
from mrkernel.errors import JobInterruptedError, MrkernelError, OptionError, TaskFailedError
from mrkernel.events import Failure, Frame
from mrkernel.magics.view import JobView, display_mode, publish, publish_data
from mrkernel.plots import describe_plot, figure_png
from mrkernel.progress import Progress
from mrkernel.render import counters_html, counters_text, failure_html, failure_text, table_html, table_text
from mrkernel.session import JobHandle

__all__ = ["CellRun", "in_cell_terms", "show_result"]

# The first looks are quick so that a job on ten lines does not wait for its cell; later ones cost nothing.
_FIRST_LOOK_S, _LAST_LOOK_S = 0.005, 0.1
_STOP_S = 1.5
_CONTEXT_LINES = 2


class CellRun:
    """One job of one cell, from its start to what stays in the notebook."""

    def __init__(self, shell: Any, spec: CellSpec, handle: JobHandle) -> None:
        self._shell = shell
        self._spec = spec
        self._handle = handle
        self._view = JobView(display_mode(shell))

    def wait(self) -> None:
        """Block until the job ended, then show its result; an interrupt cancels the job."""
        try:
            for pause in self._looks():
                time.sleep(pause)
        except KeyboardInterrupt as error:
            raise self._interrupted(error) from None
        self._end()

    async def wait_async(self) -> None:
        """Do the same on the kernel's loop, which stays free for messages of the front end."""
        try:
            for pause in self._looks():
                await asyncio.sleep(pause)
        except (asyncio.CancelledError, KeyboardInterrupt) as error:
            # The kernel turns its interrupt signal into a cancellation while a cell awaits.
            raise self._interrupted(error) from None
        self._end()

    def follow(self) -> None:
        """Where someone watches, keep a display up to date while other cells run; errors stay with the handle."""
        if display_mode(self._shell) != "live":
            return
        self._view.open(self._progress())
        threading.Thread(target=self._follow, name=f"mrkernel-view-{self._handle.job_id}", daemon=True).start()

    def _follow(self) -> None:
        for pause in self._looks():
            time.sleep(pause)
        self._view.finish(self._progress())

    def _looks(self) -> Iterator[float]:
        """Seconds to wait before each further look at the job, until it has ended."""
        pause = _FIRST_LOOK_S
        while not self._handle.done():
            yield pause
            pause = min(_LAST_LOOK_S, pause * 1.5)
            self._view.update(self._progress())

    def _progress(self) -> Progress:
        # Before the driver has begun (the cluster may still start) only the handle knows the job's name.
        progress = self._handle.progress()
        return progress if progress.name else replace(progress, name=self._handle.name)

    def _end(self) -> None:
        self._view.finish(self._progress())
        try:
            result = self._handle.result()
        except TaskFailedError as error:
            self._show_failure(error, self._handle.progress().failures)
            raise
        if self._spec.output:
            self._shell.user_ns[self._spec.output] = result
        show_result(result, self._spec, has_pictures=display_mode(self._shell) != "terminal")

    def _interrupted(self, error: BaseException) -> BaseException:
        if isinstance(error, MrkernelError):
            return error
        self._handle.cancel(interrupted=True)
        self._handle.wait(_STOP_S)
        progress = self._progress()
        if progress.is_running:
            progress = replace(progress, state="interrupted")
        self._view.finish(progress)
        return JobInterruptedError(_stopped(progress))

    def _show_failure(self, error: TaskFailedError, failures: Sequence[Failure]) -> None:
        if error.failure is None:
            return
        failure, context = in_cell_terms(self._shell, error.failure)
        alike = [f for f in failures if f.error_type == failure.error_type]
        given: dict[str, Any] = {"more": max(0, len(alike) - 1), "context": context}
        publish(failure_html(failure, **given), failure_text(failure, **given))


def _stopped(progress: Progress) -> str:
    running = [stage for stage in progress.stages if stage.state not in {"waiting", "not run", "finished"}]
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
