"""Shows a tuning while it runs, as the session shows jobs: a display in the notebook, a line in a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeAlias

from mrkernel.config import Settings
from mrkernel.errors import JobCancelledError, JobInterruptedError
from mrkernel.progress import Progress, StageProgress
from mrkernel.session.display import Controls, open_display

__all__ = ["Say", "telling"]

Say: TypeAlias = Callable[[int, int, str], None]


@contextmanager
def telling(
    name: str, given: Settings, say: Say | None, stop: Callable[[], None]
) -> Iterator[tuple[Say, Callable[[], None]]]:
    """What a tuning calls before each run, and what it calls often while one lasts.

    That is ``say`` and nothing, or a display of its own that ends with the block, whose Cancel button calls ``stop``.
    """
    if say is not None:
        yield say, lambda: None
        return
    display, began = open_display(given), time.monotonic()
    if isinstance(display, Controls):
        display.connect(stop)
    last = (0, 1, "")

    def progress(state: str, done: int, total: int, words: str = "") -> Progress:
        seconds = time.monotonic() - began
        stage = StageProgress(name="runs", done=done, total=total, running=int(state == "running"), seconds=seconds,
                              state=state)  # fmt: skip
        return Progress(name=f"tuning {name}", state=state, stages=(stage,), seconds=seconds,
                        notes=(words,) if words else ())  # fmt: skip

    def show(done: int, total: int, words: str) -> None:
        nonlocal last
        last = (done, total, words)
        look()

    def look() -> None:
        if display is not None:
            # A display that breaks must not take the tuning with it.
            with suppress(Exception):
                display.update(progress("running", *last))

    state = "failed"
    try:
        yield show, look
        state, last = "finished", (last[1], last[1], "")
    except JobInterruptedError:
        state = "interrupted"
        raise
    except JobCancelledError:
        state = "cancelled"
        raise
    finally:
        if display is not None:
            with suppress(Exception):
                display.finish(progress(state, *last[:2]))
            # What was measured later is not shown where the tuning was.
            display = None
