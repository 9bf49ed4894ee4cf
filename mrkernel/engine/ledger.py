"""What a job's tasks have set aside and found of its keys, each task counted once, and when it is too much."""

from __future__ import annotations

from dataclasses import replace

from mrkernel.config import Settings
from mrkernel.engine.skew import StageSkew, evenness_of
from mrkernel.engine.tasks import KEPT, ErrorPolicy, TaskReport
from mrkernel.engine.wording import failure_sentence, with_source_lines
from mrkernel.errors import BadRecordsError
from mrkernel.events import BadRecords, Evenness, Failure
from mrkernel.render import bad_words

__all__ = ["Ledger"]

_COUNTS = ("total", "n_records", "n_bad_keys", "n_keys")


def _was(bad: BadRecords) -> str:
    return "was" if bad.total == 1 else "were"


class Ledger:
    """Adds up the reports of one job; a task that runs again replaces what it said before."""

    def __init__(self, settings: Settings) -> None:
        self._policy = ErrorPolicy(mode=settings.on_error, limit=settings.error_limit)
        self._bad: dict[tuple[int, int], BadRecords] = {}
        self._stages: list[str] = []
        self._total = self._n_kept = 0
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
        self._bad[place] = bad
        self._total += bad.total - (before.total if before else 0)
        self._n_kept += len(bad.kept) - (len(before.kept) if before else 0)
        if self._n_kept > 2 * KEPT:
            self._prune()
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
        kept: list[Failure] = []
        for place in places:
            for kind, count in self._bad[place].kinds.items():
                kinds[kind] = kinds.get(kind, 0) + count
            kept += self._bad[place].kept
        if self._policy.mode == "skip":
            kept = list({failure.kind: failure for failure in reversed(kept)}.values())[::-1]
        sums = {name: sum(getattr(self._bad[place], name) for place in places) for name in _COUNTS}
        return BadRecords(**sums, kinds=kinds, kept=tuple(map(with_source_lines, kept[:KEPT])))

    def _prune(self) -> None:
        """Drop what cannot be among the first records any more, whatever tasks are still to come."""
        left = KEPT
        for place in sorted(self._bad):
            bad = self._bad[place]
            self._bad[place] = replace(bad, kept=bad.kept[:left])
            left -= len(self._bad[place].kept)
        self._n_kept = KEPT - left

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
