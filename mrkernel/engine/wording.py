"""Failures in words, for the one sentence that an error is."""

from __future__ import annotations

import dataclasses
import linecache

from mrkernel import errors
from mrkernel.engine.executor import AttemptLost, TaskCall
from mrkernel.engine.tasks import MapCall
from mrkernel.errors import MrkernelError, SourceError, TaskFailedError
from mrkernel.events import Failure
from mrkernel.io import Split

__all__ = ["failure_error", "failure_sentence", "lost_failure", "split_words", "with_source_lines"]


def with_source_lines(failure: Failure) -> Failure:
    """Fill in the text of lines that a worker cannot see: those of notebook cells live in this process only."""
    frames = tuple(
        frame
        if frame.text
        else dataclasses.replace(frame, text=linecache.getline(frame.filename, frame.lineno).strip())
        for frame in failure.frames
    )
    return dataclasses.replace(failure, frames=frames)


def failure_error(failure: Failure) -> MrkernelError:
    """The error to raise: the reader's own where the input cannot be read, TaskFailedError otherwise."""
    kind = getattr(errors, failure.error_type, None)
    if failure.function == "reader" and isinstance(kind, type) and issubclass(kind, SourceError):
        error = kind(failure.error_text, hint=failure.hint)
        error.failure = failure  # type: ignore[attr-defined]  # as a TaskFailedError has it, for displays
        return error
    return TaskFailedError(failure_sentence(failure), failure=failure, hint=failure.hint)


def split_words(split: Split) -> str:
    """The range that a split is, for messages."""
    return f"{split.unit} {split.start:,} to {split.stop:,}"


def failure_sentence(failure: Failure) -> str:
    """What failed, where, why, and the user's own line."""
    place = " of ".join(word for word in (failure.location, failure.source) if word)
    at = f" at {place}" if place else ""
    line = failure.frames[-1] if failure.frames else None
    where = f", in line {line.lineno} of {line.function}: {line.text}" if line and line.text else ""
    what = f"{failure.error_type}: {failure.error_text}" if failure.error_text else failure.error_type
    return f"{failure.function} failed{at}: {what}{where}"


def lost_failure(lost: AttemptLost, call: TaskCall | None) -> Failure:
    """The failure of a task whose workers died each time."""
    split = call.split if isinstance(call, MapCall) else None
    return Failure(
        stage=lost.stage,
        task=lost.task,
        function="mapper" if split else "reducer",
        error_type="WorkerLost",
        error_text=lost.reason,
        source=split.source if split else "",
        location=split_words(split) if split else "",
        hint="the function may crash the interpreter or need more memory than a worker has",
    )
