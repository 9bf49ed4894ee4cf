"""What a job's tasks have set aside and found of its keys, each task counted once, and when it is too much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from mrkernel.config import Settings
from mrkernel.engine.skew import StageSkew, evenness_of
from mrkernel.engine.tasks import KEPT, ErrorPolicy, TaskReport
from mrkernel.engine.wording import failure_sentence, with_source_lines
from mrkernel.errors import BadRecordsError
from mrkernel.events import BadRecords, Evenness, Failure
from mrkernel.render import bad_words

__all__ = ["Ledger"]

_COUNTS = ("total", "n_records", "n_bad_keys", "n_keys")

# Stage, task, place in the file, number in the report: these sort in input order.
_Position: TypeAlias = tuple[int, int, int, int]


def _was(bad: BadRecords) -> str:
    return "was" if bad.total == 1 else "were"


class Ledger:
    """Adds up the reports of one job; a task that runs again replaces what it said before."""

    def __init__(self, settings: Settings) -> None:
        self._policy = ErrorPolicy(mode=settings.on_error, limit=settings.error_limit)
        self._bad: dict[tuple[int, int], BadRecords] = {}
        self._stages: list[str] = []
        self._total = 0
        self._kept = _Kept(keeps_all=self._policy.mode == "collect")
        self._skew: dict[str, StageSkew] = {}

    def add(self, report: TaskReport) -> None:
        """Take the report of an attempt.

        Raises
        ------
        BadRecordsError
            If the tasks so far have set aside more records than the limit allows.
        """
        if report.stage not in self._stages:
            self._stages.append(report.stage)
        if report.keys is not None and not report.is_over_limit:
            self._skew.setdefault(report.stage, StageSkew(report.stage)).add(report.task, report.keys)
        bad = report.bad
        if bad is None:
            return
        place = (self._stages.index(report.stage), report.task)
        before = self._bad.get(place)
        if before is not None:
            self._total -= before.total
            self._kept.forget(place)
        self._bad[place] = replace(bad, kept=())
        self._total += bad.total
        self._kept.add(place, bad.kept)
        if isinstance(self._policy.limit, int) and self._total > self._policy.limit:
            raise self._too_many(self.bad_records(), "so far ")

    def close(self, stage: str) -> str:
        """What a finished stage has set aside, in words; "" if nothing.

        Raises
        ------
        BadRecordsError
            If that is a larger share of its records than the limit allows.
        """
        if stage not in self._stages:
            return ""
        found = self._summed(self._stages.index(stage))
        if self._policy.is_exceeded(found):
            raise self._too_many(found, "")
        return f"{stage}: {bad_words(found)} {_was(found)} set aside" if found.total else ""

    def bad_records(self) -> BadRecords:
        """All that was set aside."""
        return self._summed(None)

    def evenness(self) -> Evenness:
        """How even keys and partitions were."""
        return evenness_of(list(self._skew.values()))

    def _summed(self, stage: int | None) -> BadRecords:
        places = sorted(place for place in self._bad if stage is None or place[0] == stage)
        kinds: dict[str, int] = {}
        for place in places:
            for kind, count in self._bad[place].kinds.items():
                kinds[kind] = kinds.get(kind, 0) + count
        kept = [failure for position, failure in self._kept.in_order() if stage is None or position[0] == stage]
        sums = {name: sum(getattr(self._bad[place], name) for place in places) for name in _COUNTS}
        return BadRecords(**sums, kinds=kinds, kept=tuple(with_source_lines(one) for one in kept if one.kind in kinds))

    def _too_many(self, bad: BadRecords, when: str) -> BadRecordsError:
        limit = self._policy.limit
        allowed = f"{limit * 100:.6g} %" if isinstance(limit, float) else f"{limit:,}"
        first = (bad.kept or self.bad_records().kept)[0]
        return BadRecordsError(
            f"{bad_words(bad)} {when}{_was(bad)} bad, and error_limit allows {allowed}; "
            f"the first: {failure_sentence(first)}",
            failure=first,
            hint='mend the function or the input, or say error_limit="5%" or error_limit="none" to allow more',
        )


class _Kept:
    """The first records, if they are to be kept, and the first of each kind, whatever order tasks report in."""

    def __init__(self, *, keeps_all: bool) -> None:
        self._keeps_all = keeps_all
        self._first: list[tuple[_Position, Failure]] = []
        self._last: _Position | None = None
        # By stage and kind.
        self._by_kind: dict[tuple[int, str], tuple[_Position, Failure]] = {}

    def add(self, place: tuple[int, int], failures: Sequence[Failure]) -> None:
        """What a task has kept, in its order."""
        for number, failure in enumerate(failures):
            position = (*place, -1 if failure.offset is None else failure.offset, number)
            kind = (place[0], failure.kind)
            known = self._by_kind.get(kind)
            if known is None or position <= known[0]:
                self._by_kind[kind] = (position, failure)
            if self._keeps_all and (self._last is None or position < self._last):
                self._first.append((position, failure))
        # Sorting only when twice as many came as stay keeps the cost of each in bounds, however many tasks there are.
        if len(self._first) > 2 * KEPT:
            self._first = _lowest(self._first)
            self._last = self._first[-1][0]
        if len(self._by_kind) > 2 * KEPT:
            self._by_kind = {(one[0][0], one[1].kind): one for one in _lowest(list(self._by_kind.values()))}

    def forget(self, place: tuple[int, int]) -> None:
        """A task has run again, and tells anew."""
        self._first = [one for one in self._first if one[0][:2] != place]
        self._by_kind = {kind: one for kind, one in self._by_kind.items() if one[0][:2] != place}
        self._last = None

    def in_order(self) -> list[tuple[_Position, Failure]]:
        """All that is kept, in input order."""
        return sorted(dict([*_lowest(self._first), *_lowest(list(self._by_kind.values()))]).items(), key=_position)


def _lowest(found: list[tuple[_Position, Failure]]) -> list[tuple[_Position, Failure]]:
    return sorted(found, key=_position)[:KEPT]


def _position(found: tuple[_Position, Failure]) -> _Position:
    return found[0]
