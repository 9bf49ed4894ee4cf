"""How even a run was: heavy keys, and the slowest partition."""

from __future__ import annotations

from dataclasses import dataclass

from mrkernel.config import counted, format_duration
from mrkernel.events import Evenness, HeavyKey, SlowPartition
from mrkernel.render import skew_html, skew_text

__all__ = ["Skew"]


@dataclass(frozen=True, slots=True)
class Skew:
    """How even a run was.

    ``keys`` are those with a hundredth of the mapped pairs or more, before they were combined, the heaviest first;
    their numbers are estimates, too low by a thousandth of all pairs at most where pairs were counted, and from a
    sample otherwise. ``slowest`` is the partition that took longest.

    Examples
    --------
    >>> import mrkernel as mr
    >>> job = mr.Job(lambda n: (n % 10 and 1, n), len)
    >>> [(heavy.key, heavy.share) for heavy in mr.run(job, range(100), executor="inline").report.skew.keys]
    [('1', 0.9), ('0', 0.1)]
    """

    evenness: Evenness

    @property
    def keys(self) -> tuple[HeavyKey, ...]:
        """Heavy keys, the heaviest first, at most 20."""
        return self.evenness.keys

    @property
    def slowest(self) -> SlowPartition | None:
        """The partition that took longest; None without a reduce stage."""
        return self.evenness.slowest

    def __bool__(self) -> bool:
        return bool(self.keys) or self.slowest is not None

    def __repr__(self) -> str:
        return skew_text(self._rows(), self._note())

    def _repr_html_(self) -> str:
        return skew_html(self._rows(), self._note())

    def _rows(self) -> list[tuple[str, str, str, str]]:
        return [(heavy.key, f"{heavy.share:.1%}", f"{heavy.n_pairs:,}", heavy.stage) for heavy in self.keys]

    def _note(self) -> str:
        slow = self.slowest
        if slow is None:
            return ""
        where = "all partitions as one" if slow.partition is None else f"partition {slow.partition}"
        key = f", its heaviest key {slow.key}" if slow.key else ""
        return (
            f"slowest: {where} of {slow.stage}, task {slow.task}: {format_duration(slow.seconds)} for "
            f"{counted(slow.n_rows, 'row')} ({slow.share:.1%}){key}; a partition of the middle task took "
            f"{format_duration(slow.median_s)}"
        )
