"""What all tasks of a stage found of its keys, added up in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from mrkernel.events import Evenness, HeavyKey, KeyShares, SlowPartition

__all__ = ["StageSkew", "evenness_of"]

_HEAVY = 0.01
_MOST_KEYS = 4000
_SHOWN = 20


class StageSkew:
    """Adds up one stage; a task that runs again is not counted again."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        # A mark for each task that was added: a byte, where a set takes 50.
        self._tasks = bytearray()
        self._heavy: dict[str, int] = {}
        self._n_pairs = 0
        self._partition_s: list[float] = []
        self._slowest: SlowPartition | None = None

    def add(self, task: int, found: KeyShares) -> None:
        """What a task found."""
        if task >= len(self._tasks):
            self._tasks.extend(bytes(task + 1 - len(self._tasks)))
        if self._tasks[task]:
            return
        self._tasks[task] = 1
        self._n_pairs += found.n_pairs
        for key, count in found.heavy.items():
            self._heavy[key] = self._heavy.get(key, 0) + count
        if len(self._heavy) > _MOST_KEYS:
            self._heavy = dict(sorted(self._heavy.items(), key=lambda item: -item[1])[: _MOST_KEYS // 2])
        if found.slowest is not None:
            self._partition_s.append(found.partition_s)
            if self._slowest is None or found.slowest.seconds > self._slowest.seconds:
                self._slowest = found.slowest

    def has_all_of(self, other: StageSkew) -> bool:
        """Whether all pairs of the other stage came here, and were looked at."""
        return bool(self._heavy) and self._n_pairs == other._n_pairs

    def heavy_keys(self) -> list[HeavyKey]:
        """The heavy keys, the heaviest first."""
        found = [
            HeavyKey(stage=self.stage, key=key, share=min(1.0, count / self._n_pairs), n_pairs=count)
            for key, count in self._heavy.items()
            if count >= _HEAVY * self._n_pairs
        ]
        return sorted(found, key=lambda heavy: (-heavy.share, heavy.key))[:_SHOWN]

    def slowest(self) -> SlowPartition | None:
        """The partition that took longest, among the others."""
        if self._slowest is None:
            return None
        share = self._slowest.n_rows / self._n_pairs if self._n_pairs else 0.0
        return replace(self._slowest, median_s=median(self._partition_s), share=share)


def evenness_of(stages: Sequence[StageSkew]) -> Evenness:
    """How even a job was: keys of each step, and its slowest partition.

    A reduce stage knows its groups exactly. Where nothing was combined they are what its map stage has estimated.
    """
    by_name = {stage.stage: stage for stage in stages}
    keys: list[HeavyKey] = []
    for stage in stages:
        if stage.stage.startswith("map"):
            reduced = by_name.get(stage.stage.replace("map", "reduce", 1))
            keys += reduced.heavy_keys() if reduced is not None and reduced.has_all_of(stage) else stage.heavy_keys()
    keys.sort(key=lambda heavy: -heavy.share)
    slow = [found for stage in stages if (found := stage.slowest()) is not None]
    return Evenness(keys=tuple(keys[:_SHOWN]), slowest=max(slow, key=lambda found: found.seconds, default=None))
