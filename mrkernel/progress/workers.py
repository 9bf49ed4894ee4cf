"""The workers of a job: names for their addresses, memory, scratch space, and who is gone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from mrkernel.events import WorkerSample
from mrkernel.progress.snapshot import WorkerState

__all__ = ["Workers"]

_PAUSED = "paused"


class Workers:
    """Folds samples of workers.

    A worker that was restarted has a new address and its old name; to people it is the same worker.

    Examples
    --------
    >>> workers = Workers()
    >>> workers.sample([WorkerSample(worker="tcp://127.0.0.1:4001", name="worker-1", memory=100)])
    []
    >>> workers.name("tcp://127.0.0.1:4001"), workers.name("tcp://10.0.0.7:4002")
    ('worker-1', '10.0.0.7:4002')
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._samples: dict[str, WorkerSample] = {}
        self._peaks: dict[str, int] = {}
        self._scratch: dict[str, int] = {}
        self._gone: set[str] = set()
        self._unnamed: set[str] = set()
        self._is_first = True

    def name(self, address: str) -> str:
        """What people call the worker at an address."""
        name = self._names.get(address)
        if name is None:
            self._unnamed.add(address)
            return _short(address)
        return name

    def newly_named(self) -> Iterator[tuple[str, str]]:
        """Names given by :meth:`name` so far that have become known to be others."""
        for address in sorted(self._unnamed & set(self._names)):
            self._unnamed.discard(address)
            if _short(address) != self._names[address]:
                yield _short(address), self._names[address]

    @property
    def n_running(self) -> int:
        """Workers that were there in the last sample; 1 before the first."""
        return max(1, len(self._samples))

    def sample(self, workers: Sequence[WorkerSample]) -> list[str]:
        """Take a sample; what is new since the last one, in words."""
        before, self._samples = self._samples, {one.worker: one for one in workers}
        told: list[str] = []
        for one in workers:
            self._names[one.worker] = one.name
            self._peaks[one.name] = max(self._peaks.get(one.name, 0), one.memory)
        for address in before:
            if address not in self._samples:
                said = self.lose(address)
                told += [said] if said else []
        for one in workers:
            known = before.get(one.worker)
            if known is None and not self._is_first:
                has_left = any(self._names.get(address) == one.name for address in self._gone)
                self._gone.discard(one.worker)
                told.append(f"{one.name} was started again" if has_left else f"{one.name} has joined")
            if one.state == _PAUSED and (known is None or known.state != _PAUSED):
                share = f": it holds {one.memory / one.memory_limit:.0%} of its limit" if one.memory_limit else ""
                told.append(f"{one.name} takes no new tasks until it has more free memory{share}")
        self._is_first = self._is_first and not workers
        return told

    def lose(self, address: str) -> str | None:
        """The worker at an address has gone; that in words, or None if it was said before."""
        name = self.name(address)
        self._samples.pop(address, None)
        if address in self._gone:
            return None
        self._gone.add(address)
        return f"{name} was lost"

    def wrote(self, address: str, n_bytes: int) -> None:
        """A task has left so many bytes on a worker's disk, or they are no longer there."""
        if n_bytes:
            self._scratch[address] = self._scratch.get(address, 0) + n_bytes

    def order(self, others: Iterable[str]) -> list[str]:
        """All names and these, as people would order them."""
        return sorted({*self._names.values(), *others}, key=_natural)

    def states(self) -> tuple[WorkerState, ...]:
        """Every worker that was ever sampled."""
        latest = {one.name: one for one in self._samples.values()}
        scratch: dict[str, int] = {}
        for address, n_bytes in self._scratch.items():
            scratch[self.name(address)] = scratch.get(self.name(address), 0) + n_bytes
        states = []
        for name in sorted(set(self._names.values()), key=_natural):
            one = latest.get(name)
            states.append(
                WorkerState(
                    name=name,
                    memory=one.memory if one else 0,
                    peak_memory=self._peaks.get(name, 0),
                    memory_limit=one.memory_limit if one else None,
                    scratch_bytes=scratch.get(name, 0),
                    state=one.state if one else "lost",
                )
            )
        return tuple(states)


def _short(address: str) -> str:
    return address.partition("://")[2] or address


@lru_cache(maxsize=10_000)
def _natural(name: str) -> tuple[tuple[int, str], ...]:
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name))
