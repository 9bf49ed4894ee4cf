"""Where an attempt's time goes, by looking at its thread every few milliseconds; only where a job is profiled."""

from __future__ import annotations

import os
import sys
import sysconfig
import threading
import time
from collections import defaultdict
from types import CodeType, FrameType, TracebackType
from typing import Any, Self

from mrkernel.engine.phases import PhaseClock
from mrkernel.events import Samples
from mrkernel.job import Job

__all__ = ["Sampler"]

# A thread that holds the interpreter lock gives it up after 5 ms, so that more looks would not come sooner.
_INTERVAL_S = 0.005
# Of more lines of the user's own, the rest counts without them: a report stays small.
_MOST_LINES = 200
# A recursion may be a thousand frames deep; what matters is near its end.
_MOST_FRAMES = 200
_OURS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
_LIBRARIES = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")})
# What the user's functions call of ours: its time is theirs.
_CALLED = "taskcontext"
_BASE = "engine/tasks/attempt"
# What our outermost module with an entry here is for; joining columns is part of the combining that asks for it.
_PARTS = {
    "agg": "combine", "batches": "convert", "engine/shuffle": "shuffle", "engine/tasks/calling": "convert",
    "engine/tasks/combining": "combine", "engine/tasks/foreign": "convert", "engine/tasks/parts": "convert",
    "engine/tasks/tallying": "combine", "grouping": "combine", "io": "reading", "ordering": "shuffle",
    "partition": "shuffle",
}  # fmt: skip
_OF_PHASE = {"read": "reading", "map": "combine", "merge": "combine", "reduce": "reduce"}
_NOWHERE = ("", 0, "")
_Place = tuple[str, int, str]


class Sampler:
    """Looks at the thread that makes it, from another one, while a ``with`` block runs.

    Parameters
    ----------
    clock
        Knows the phase that the attempt is in.
    """

    def __init__(self, clock: PhaseClock) -> None:
        self._clock = clock
        self._thread = threading.get_ident()
        self._own: frozenset[str] = frozenset()
        self._done = threading.Event()
        self._seconds: defaultdict[tuple[str, str, str, int, str], float] = defaultdict(float)
        self._looking = threading.Thread(target=self._look, name="mrkernel profile", daemon=True)

    def know(self, step: Job) -> None:
        """The files of this step's functions are the user's, wherever they lie."""
        codes = (code for _, function in step.functions() for code in _codes(function))
        self._own = frozenset(code.co_filename for code in codes if not code.co_filename.startswith(_OURS))

    def __enter__(self) -> Self:
        self._looking.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._looking.join()

    def samples(self) -> Samples:
        """Seconds of each part in each phase, and of the user's code by line."""
        kept: Samples = {}
        for number, (what, seconds) in enumerate(sorted(self._seconds.items(), key=lambda item: -item[1])):
            phase, part, *_ = what
            place = what if number < _MOST_LINES else (phase, part, *_NOWHERE)
            kept[place] = kept.get(place, 0.0) + seconds
        return kept

    def _look(self) -> None:
        last = time.monotonic()
        while not self._done.wait(_INTERVAL_S):
            # A dict of all threads' frames is what Python has for this.
            frame = sys._current_frames().get(self._thread)
            now = time.monotonic()
            if frame is not None:
                phase = self._clock.kind
                part, place = self._classified(frame, phase)
                self._seconds[phase, part, *place] += now - last
            # A frame that is kept would keep all that its function knows.
            del frame
            last = now

    def _classified(self, frame: FrameType, phase: str) -> tuple[str, _Place]:
        """The part of the job that a thread is at, and for the user's own code its innermost line."""
        users: _Place | None = None
        modules: list[str] = []
        at: FrameType | None = frame
        for _ in range(_MOST_FRAMES):
            if at is None:
                break
            name = at.f_code.co_filename
            if name.startswith(_OURS):
                module = name[len(_OURS) :].removesuffix(".py").replace(os.sep, "/")
                if users is not None or module == _BASE:
                    break
                if module != _CALLED:
                    modules.append(module)
            elif users is None and not modules and self._is_users(name):
                users = name, at.f_lineno, at.f_code.co_name
            at = at.f_back
        return ("user code", users) if users is not None else (_part(modules, phase), _NOWHERE)

    def _is_users(self, name: str) -> bool:
        return name in self._own or not (name.startswith((*_LIBRARIES, "<frozen")) or name == "<string>")


def _part(modules: list[str], phase: str) -> str:
    """What our own code is doing, from its modules, the innermost first."""
    usual = _OF_PHASE.get(phase, "shuffle")
    if phase not in {"map", "reduce"}:
        return usual
    if not modules:
        # The job's functions are being unpacked, with all that they import.
        return "scheduling"
    known = (_PARTS.get(start) for module in reversed(modules) for start in (module, module.partition("/")[0]))
    part = next((part for part in known if part), usual)
    return "reduce" if phase == "reduce" and part == "combine" else part


def _codes(function: Any) -> list[CodeType]:
    """The code of a function, or of a class's methods."""
    found = vars(function).values() if isinstance(function, type) else [function]
    return [code for one in found if (code := getattr(one, "__code__", None)) is not None]
