"""Waits for a job that a cell has started, by awaiting or by blocking, and shows how it ended."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from mrkernel.cellspec import CellSpec
from mrkernel.config import settings
from mrkernel.errors import MrkernelError, OptionError
from mrkernel.magics.failures import in_cell_words
from mrkernel.magics.results import has_widgets, publish_live
from mrkernel.magics.view import JobView, display_mode, publish, publish_data
from mrkernel.plots import plot_bundle
from mrkernel.render import counters_html, counters_text, table_html, table_text
from mrkernel.result import Profile
from mrkernel.session import JobHandle, Saved, Waiting

__all__ = ["CellRun", "show_result"]

_SAVED_NOTE = "a saved notebook shows how far it was when the notebook was saved"


class CellRun:
    """One job of one cell, from its start to what stays in the notebook."""

    def __init__(self, shell: Any, spec: CellSpec, handle: JobHandle) -> None:
        self._shell = shell
        self._spec = spec
        self._handle = handle
        note = f"submitted at {time.strftime('%Y-%m-%d %H:%M:%S')}; {_SAVED_NOTE}" if spec.background else ""
        self._view = JobView(display_mode(shell), note=note) if handle.plan.settings.progress else None
        self._has_left = False
        self._waiting = Waiting(handle, self._view)

    def wait(self) -> None:
        """Block until the job ended, then show its result; an interrupt cancels the job."""
        self._waiting.block()
        self._show_result()

    async def wait_async(self) -> JobHandle | None:
        """Do the same on the kernel's loop, which stays free for messages of the front end.

        The handle of a job that its user sends to the background, else None.
        """
        if self._view is not None:
            self._view.await_presses(leave=self._leave)
        try:
            for pause in self._waiting.looks():
                await asyncio.sleep(pause)
                if self._has_left and not self._handle.done():
                    return self._continue()
        except (asyncio.CancelledError, KeyboardInterrupt) as error:
            # The kernel turns its interrupt signal into a cancellation while a cell awaits.
            raise await self._interrupted(error) from None
        self._waiting.show_end()
        with in_cell_words():
            self._show_result()
        return None

    async def _interrupted(self, error: BaseException) -> BaseException:
        """Stop the job after an interrupt, with the loop free; the error to raise."""
        if isinstance(error, MrkernelError):
            return error
        with _further_interrupts() as heard:
            try:
                for pause in self._waiting.stopping():
                    await asyncio.sleep(pause)
                    if heard:
                        self._waiting.force()
                        break
            except asyncio.CancelledError:
                self._waiting.force()
        return self._waiting.stopped()

    def _leave(self) -> None:
        self._has_left = True

    def _continue(self) -> JobHandle:
        """Go on in the background, in the display that is there."""
        if self._view is not None:
            self._view.end_wait("continues in the background")
        threading.Thread(target=self._follow, name=f"mrkernel-view-{self._handle.job_id}", daemon=True).start()
        return self._handle

    def follow(self) -> None:
        """Where someone watches, keep a display up to date while other cells run; errors stay with the handle."""
        if self._view is None or display_mode(self._shell) != "live":
            return
        self._view.await_presses()
        self._view.open(self._waiting.progress())
        threading.Thread(target=self._follow, name=f"mrkernel-view-{self._handle.job_id}", daemon=True).start()

    def _follow(self) -> None:
        for pause in self._waiting.looks():
            time.sleep(pause)
        progress = self._waiting.progress()
        if self._handle.saved is not None:
            progress = replace(progress, notes=(*progress.notes, str(self._handle.saved)))
        self._waiting.show_end(progress)

    def _show_result(self) -> None:
        result = self._handle.result()
        if self._spec.output:
            self._shell.user_ns[self._spec.output] = result
        mode = display_mode(self._shell)
        show_result(result, self._spec, saved=self._handle.saved, has_pictures=mode != "terminal",
                    is_live=mode == "live" and has_widgets())  # fmt: skip
        if profile := Profile(result.report.costs, named=self._named):
            publish(profile._repr_html_(), repr(profile))

    def _named(self, filename: str) -> str:
        """What the notebook calls a file: ``Cell In[3]``, or its name without folders."""
        return " ".join(self._shell.compile.format_code_name(filename) or (os.path.basename(filename),))


@contextmanager
def _further_interrupts() -> Iterator[list[int]]:
    """Signals that come meanwhile: of a cell that awaits, the kernel hears the first interrupt and no other."""
    heard: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield heard
        return
    before = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        yield heard
    finally:
        signal.signal(signal.SIGINT, before)


def show_result(
    result: Any, spec: CellSpec, *, saved: Saved | None = None, has_pictures: bool = True, is_live: bool = False
) -> None:
    """Show the first rows, what was written where, the counters, and a plot where one is wanted and possible."""
    current = settings(**{name: spec.settings[name] for name in ("limit",) if name in spec.settings})
    preview = replace(result.preview(current.limit), written=str(saved or ""))
    if spec.output:
        note = result.errors.summary(f"{spec.output}.errors")
        preview = replace(preview, access=f"{spec.output}.to_pandas()", note=note)
    # A terminal shows no pictures; there one is drawn only where it is asked for.
    is_plotted = spec.plot or (has_pictures and spec.plot is None and current.plot and result.num_rows > 1)
    if is_live:
        publish_live(
            result, preview, is_plotted=bool(is_plotted), plots_first=bool(spec.plot), plot_kind=spec.plot_kind
        )
    else:
        publish(table_html(preview), table_text(preview))
        if result.counters:
            publish(counters_html(result.counters), counters_text(result.counters))
    if is_plotted:
        _show_plot(result, spec.plot_kind, is_asked_for=bool(spec.plot))


def _show_plot(result: Any, kind: str | None, *, is_asked_for: bool) -> None:
    try:
        axes = result.plot(kind=kind)
    except OptionError:
        # Words cannot be plotted; that is worth an error only where a plot was asked for.
        if is_asked_for:
            raise
        return
    data, metadata = plot_bundle(axes)
    publish_data(data, metadata=metadata)
