"""Exceptions as plain records: what raised, where in the user's code, and at which record."""

from __future__ import annotations

import linecache
import os
import reprlib
import sys
import sysconfig
import traceback
from types import TracebackType
from typing import Any

from mrkernel.errors import KeyTypeError, MrkernelError, SourceError, ValueTypeError
from mrkernel.events import Failure, Frame

__all__ = ["describe_failure", "failing_place", "full_traceback", "raised_in", "short_repr", "whole_text"]

_MAX_FRAMES = 20
_MAX_TEXT = 2_000
_MAX_RECORD = 4_000
_MAX_TRACEBACK = 20_000
_OURS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def raised_in(error: BaseException) -> str:
    """The file of the code that raised, "" if that is not known."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else trace.tb_frame.f_code.co_filename


def short_repr(value: Any, limit: int = 200) -> str:
    """A repr of at most about ``limit`` characters that never raises.

    >>> short_repr("x" * 1000, 20)
    "'xxxxxxx...xxxxxxxx'"
    """
    try:
        if type(value) is int or (type(value) is str and len(value) < limit):
            # Ten times quicker than reprlib: reports name many keys.
            text = repr(value)
            if len(text) <= limit:
                return text
        shortener = reprlib.Repr()
        shortener.maxstring = shortener.maxother = limit
        shortener.maxlist = shortener.maxtuple = shortener.maxdict = shortener.maxset = 12
        return shortener.repr(value)[: 2 * limit]
    except Exception as error:  # noqa: BLE001  # a user's __repr__ may raise anything
        return f"<{type(value).__name__} whose repr raised {type(error).__name__}>"


def whole_text(record: Any) -> str:
    """A record as text: a line as it is, else its repr; at most 4,000 characters."""
    if isinstance(record, str):
        return record if len(record) <= _MAX_RECORD else f"{record[: _MAX_RECORD - 1]}…"
    shortener = reprlib.Repr()
    shortener.maxstring = shortener.maxother = shortener.maxlong = _MAX_RECORD
    shortener.maxlist = shortener.maxtuple = shortener.maxdict = shortener.maxset = _MAX_RECORD // 4
    try:
        text = shortener.repr(record)
    except Exception:  # noqa: BLE001  # a user's __repr__ may raise anything
        return short_repr(record)
    return text if len(text) <= _MAX_RECORD else f"{text[: _MAX_RECORD - 1]}…"


def failing_place(error: BaseException) -> str:
    """File and line of the user's own code that an exception came from, or ""; cheaper than its frames."""
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, StopIteration):
        error = error.__cause__
    found = ""
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if not name.startswith(_OURS) and not name.startswith(_LIBRARIES):
            found = f"{name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found


def describe_failure(error: BaseException, stage: str, task: int, at: Any) -> Failure:
    """The record of an exception; nothing in it can fail to pickle or grow without bound."""
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, StopIteration):
        # Python turns a StopIteration that leaves a generator into this; the cause has the user's line.
        error = error.__cause__
    ours = error if isinstance(error, MrkernelError) else None
    frames = _user_frames(error.__traceback__)
    origin = _origin(at)
    record = short_repr(at.record) if at.has_record else short_repr(at.key) if at.has_key else ""
    # Reading may fail by bad luck, also in a source of the user's own; a mapper's own error would come again.
    transient = isinstance(error, (OSError, MemoryError)) and ours is None and (not frames or at.function == "reader")
    return Failure(
        stage=stage,
        task=task,
        function=at.function or "reader",
        error_type=type(error).__name__,
        error_text=_text(error),
        source=getattr(origin, "source", ""),
        location=f"key {record}" if at.has_key and origin is None else getattr(origin, "location", ""),
        offset=getattr(origin, "offset", None),
        record=record,
        frames=frames,
        hint=ours.hint if ours is not None else None,
        is_user_error=not transient or isinstance(error, (KeyTypeError, ValueTypeError, SourceError)),
        partition=at.partition,
    )


def full_traceback(error: BaseException) -> str:
    """What Python itself would print; of a deep one the outermost and the innermost lines."""
    # A RecursionError has a thousand frames, and each costs a look at its file.
    text = "".join(traceback.TracebackException.from_exception(error, limit=-_MAX_FRAMES * 2, compact=True).format())
    half = _MAX_TRACEBACK // 2
    return text if len(text) <= _MAX_TRACEBACK else f"{text[: half - 2]}\n…\n{text[-half + 1 :]}"


def _text(error: BaseException) -> str:
    try:
        text = error.message if isinstance(error, MrkernelError) else str(error)
    except Exception as broken:  # noqa: BLE001  # a user's __str__ may raise anything
        text = f"(its text raised {type(broken).__name__})"
    return text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 1]}…"


def _origin(at: Any) -> Any:
    try:
        return at.origin() if at.origin is not None else None
    except Exception:  # noqa: BLE001  # finding the place must never hide the failure itself
        return None


def _user_frames(trace: TracebackType | None) -> tuple[Frame, ...]:
    """Frames that are neither ours nor a library's, unless the error came from a library that the user called."""
    # Walking by hand bounds the work for a RecursionError's thousand frames.
    limit = sys.getrecursionlimit()
    found = [entry for entry in traceback.extract_tb(trace, limit=limit) if not entry.filename.startswith(_OURS)]
    users = [
        entry for entry in found if not entry.filename.startswith(_LIBRARIES) and entry.filename != "<frozen runpy>"
    ]
    kept = users if len(users) <= _MAX_FRAMES else [*users[:2], *users[-(_MAX_FRAMES - 2) :]]
    return tuple(
        Frame(
            filename=entry.filename,
            lineno=entry.lineno or 0,
            function=entry.name,
            text=(entry.line or linecache.getline(entry.filename, entry.lineno or 0)).strip(),
        )
        for entry in kept
    )
