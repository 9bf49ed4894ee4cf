"""Progress on one line of a terminal, or as a few lines in a log."""

from __future__ import annotations

import shutil
import time
from typing import TextIO

from mrkernel.config import counted, format_bytes, format_duration
from mrkernel.progress import Progress
from mrkernel.render.progress import headline, progress_text
from mrkernel.render.values import cut, display_width, printable

__all__ = ["ProgressLine", "progress_line"]

LOG_EVERY_S = 10.0


def progress_line(progress: Progress, *, width: int = 80) -> str:
    """The job on one line of at most ``width`` columns: state, the current stage, its bar and numbers."""
    active = [stage for stage in progress.stages if stage.state == "running"]
    if not active:
        return cut(headline(progress), width)
    stage = active[-1]
    full = round(stage.fraction * 16)
    parts = [f"{cut(printable(progress.name or 'job'), 24)} {format_duration(progress.seconds)}"]
    parts.append(f"{stage.name} {'█' * full}{'░' * (16 - full)} {stage.done}/{stage.total}")
    if stage.eta_s is not None:
        parts.append(f"{format_duration(stage.eta_s)} left")
    if stage.records:
        parts.append(counted(stage.records, "record"))
    if stage.bytes_in and stage.seconds >= 0.5:
        parts.append(f"{format_bytes(stage.bytes_per_s)}/s")
    return cut(" · ".join(parts), width)


class ProgressLine:
    """Writes a job's progress to a stream: one line in place on a terminal, else a line every 10 s.

    Parameters
    ----------
    stream
        Where to write, usually ``sys.stderr``.
    is_terminal
        Whether the line may be overwritten; None asks the stream.
    """

    def __init__(self, stream: TextIO, *, is_terminal: bool | None = None) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty() if is_terminal is None else is_terminal
        self._shown = ""
        self._last_line_s = time.monotonic()

    def update(self, progress: Progress) -> None:
        """Show this state, if it differs from what is on screen, or if a line is due in a log."""
        if self._is_terminal:
            self._replace(progress_line(progress, width=shutil.get_terminal_size().columns - 1))
        elif time.monotonic() - self._last_line_s >= LOG_EVERY_S:
            self._last_line_s = time.monotonic()
            self._stream.write(progress_line(progress, width=200) + "\n")
            self._stream.flush()

    def close(self, progress: Progress) -> None:
        """Replace the line by the summary of the ended job."""
        self.clear()
        self._stream.write(progress_text(progress) + "\n")
        self._stream.flush()

    def clear(self) -> None:
        """Take the line off a terminal."""
        if self._is_terminal:
            self._replace("")

    def _replace(self, line: str) -> None:
        if line == self._shown:
            return
        rest = max(0, display_width(self._shown) - display_width(line))
        self._stream.write("\r" + line + " " * rest + ("\r" if not line else ""))
        self._stream.flush()
        self._shown = line
