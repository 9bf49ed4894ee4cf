"""What many calls have in common, sent to the cluster once and to each worker once, instead of in each call.

Ten thousand files, or the runs of ten thousand map tasks, would make each call a message of a megabyte. What is large
becomes the result of a dask task: workers hand it on among themselves, and it is made again where it is lost.
"""

from __future__ import annotations

import itertools
import pickle
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mrkernel.engine.executor import TaskCall
from mrkernel.engine.tasks import JoinCall, MapCall, ReduceCall

__all__ = ["Shared", "Sharing", "restored", "unpacked"]

# Another dask task takes some ms once; 10,000 calls with so much in each take a second longer to send.
_LEAST_BYTES = 8 << 10
# A call has four such things at most; those of steps before are not needed any more.
_MOST_KNOWN = 16


@dataclass(frozen=True, slots=True)
class Shared:
    """Stands in a call for what its worker gets under ``key``."""

    key: str


class Sharing:
    """Takes out of the calls of one job what is large and the same in many.

    Parameters
    ----------
    hold
        Given a key and a content, makes a task of the cluster whose result :func:`unpacked` makes of the content.
    dumps
        Pickles like ``pickle.dumps``.
    prefix
        Of the keys.
    """

    def __init__(self, hold: Callable[[str, bytes], Any], dumps: Callable[[Any], bytes], prefix: str) -> None:
        self._hold, self._dumps, self._prefix = hold, dumps, prefix
        # By identity; each is kept, so that no other can have it.
        self._known: dict[int, tuple[Any, Shared | None]] = {}
        self.held: dict[str, Any] = {}
        self._numbers = itertools.count()

    def lightened(self, calls: Sequence[TaskCall]) -> tuple[list[TaskCall], dict[str, Any]]:
        """The calls without what is large, and the futures of what they lack by its key."""
        light: list[TaskCall] = []
        needed: dict[str, Any] = {}
        for call in calls:
            changes: dict[str, Any] = {
                name: found for name in _common(call) if (found := self._shared(getattr(call, name)))
            }
            needed |= {one.key: self.held[one.key] for one in changes.values()}
            light.append(replace(call, **changes) if changes else call)
        return light, needed

    def _shared(self, value: Any) -> Shared | None:
        if id(value) not in self._known:
            content, found = self._dumps(value), None
            if len(content) > _LEAST_BYTES:
                found = Shared(f"{self._prefix}-{next(self._numbers)}")
                self.held[found.key] = self._hold(found.key, zlib.compress(content, 1))
            self._known[id(value)] = (value, found)
            if len(self._known) > _MOST_KNOWN:
                # The cluster keeps what tasks still wait for.
                _, oldest = self._known.pop(next(iter(self._known)))
                if oldest is not None:
                    del self.held[oldest.key]
        return self._known[id(value)][1]


def _common(call: TaskCall) -> tuple[str, ...]:
    names = ["job", *(["join"] if call.join is not None else [])]
    if isinstance(call, MapCall):
        names.append("source")
    if isinstance(call, (JoinCall, ReduceCall)):
        names.append("runs")
    return tuple(names)


def unpacked(content: bytes) -> Any:
    """What a call lacks, of the content that was sent."""
    return pickle.loads(zlib.decompress(content))


def restored(call: TaskCall, found: Mapping[str, Any]) -> TaskCall:
    """A call as it was, of a light one and what it lacks."""
    lacking = {name: found[one.key] for name in _common(call) if isinstance(one := getattr(call, name), Shared)}
    return replace(call, **lacking) if lacking else call
