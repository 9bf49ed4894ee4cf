"""What one attempt sets aside: counted by kind, the first kept whole, stopped where the limit is reached."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from mrkernel.engine.tasks.failures import describe_failure, failing_place, whole_text
from mrkernel.events import BadRecords, Failure

__all__ = ["KEPT", "ErrorLimitReached", "ErrorPolicy", "SettingAside"]

# Records that a job keeps whole, beside one of each kind. Each task keeps so many, since nobody knows before the end
# which are the first.
KEPT = 1000
_MOST_KINDS = 200
_OTHERS = "others"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPolicy:
    """What a bad record does.

    Attributes
    ----------
    mode
        ``"raise"``, ``"skip"`` or ``"collect"``.
    limit
        How many a job may set aside: a number, a share of the records, or None for any number.
    """

    mode: str = "raise"
    limit: int | float | None = None

    @property
    def is_tolerant(self) -> bool:
        """Whether bad records are set aside."""
        return self.mode != "raise"

    def is_exceeded(self, bad: BadRecords) -> bool:
        """Whether so many bad records are too many; a share is judged when all records were seen."""
        if self.limit is None:
            return False
        allowed = self.limit * (bad.n_records + bad.n_keys) if isinstance(self.limit, float) else self.limit
        return bad.total > allowed


class ErrorLimitReached(Exception):  # noqa: N818  # a signal inside an attempt, not an error of anybody's
    """One attempt has set more aside than the whole job may."""


class SettingAside:
    """Takes the bad records of one attempt.

    Parameters
    ----------
    at
        What the attempt is at, as for the failure that would end it.

    Attributes
    ----------
    n_seen
        How many records, or keys, the attempt has come to.
    """

    def __init__(self, policy: ErrorPolicy, stage: str, task: int, at: Any) -> None:
        self._policy = policy
        self._stage, self._task, self._at = stage, task, at
        self._total = 0
        self._kinds: dict[str, int] = {}
        self._kept: list[Failure] = []
        self._n_kept: dict[str, int] = {}
        self.n_seen = 0

    def take(self, error: Exception) -> None:
        """Set aside what the attempt is at.

        Raises
        ------
        MemoryError
            The one given: it says nothing about the record, and may pass.
        ErrorLimitReached
            If these are too many.
        """
        if isinstance(error, MemoryError):
            raise error
        self._total += 1
        at = self._at
        kind = f"{at.function} {type(error).__name__} {failing_place(error)}"
        if kind not in self._kinds and len(self._kinds) >= _MOST_KINDS:
            kind = _OTHERS
        is_new = kind not in self._kinds
        self._kinds[kind] = self._kinds.get(kind, 0) + 1
        # A reader comes to the end of its block before the mapper begins it: each keeps the first that it meets.
        n_kept = self._n_kept.get(at.function, 0)
        if is_new or (self._policy.mode == "collect" and n_kept < KEPT):
            self._n_kept[at.function] = n_kept + 1
            self._kept.append(self._described(error, kind))
        if isinstance(self._policy.limit, int) and self._total > self._policy.limit:
            raise ErrorLimitReached

    def _described(self, error: Exception, kind: str) -> Failure:
        at = self._at
        failure = describe_failure(error, self._stage, self._task, at)
        record = whole_text(at.record) if at.has_record else ""
        return replace(failure, record=record, key=failure.record if at.has_key else failure.key, kind=kind)

    def report(self) -> BadRecords:
        """What was set aside."""
        is_map = self._stage.startswith("map")
        seen = {"n_records": self.n_seen} if is_map else {"n_bad_keys": self._total, "n_keys": self.n_seen}
        return BadRecords(total=self._total, kinds=dict(self._kinds), kept=tuple(self._kept), **seen)

    def first(self) -> Failure:
        """The first record that was set aside."""
        return self._kept[0]
