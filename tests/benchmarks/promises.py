"""What is promised of a workload, and whether the medians of a run keep it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Protocol

__all__ = ["Limit", "Promise", "Ratio", "Series", "Verdict"]

_SPELLED = {"wall_s": "time", "cpu_s": "CPU", "peak_bytes": "memory"}


@dataclass(slots=True)
class Series:
    """The runs of one engine.

    Attributes
    ----------
    peak_bytes
        Most memory that all its processes held at once while it warmed up, without what they share.
    worker_bytes
        Most that one of its processes but the first was resident with at once.
    """

    name: str
    title: str
    kind: str
    version: str
    ready_s: float
    peak_bytes: int = 0
    worker_bytes: int = 0
    walls_s: list[float] = field(default_factory=list)
    cpus_s: list[float] = field(default_factory=list)

    @property
    def wall_s(self) -> float:
        """Median wall seconds."""
        return median(self.walls_s)

    @property
    def cpu_s(self) -> float:
        """Median CPU seconds of all processes."""
        return median(self.cpus_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A promise and what was measured; ``is_kept`` is None where it was not measured as it was promised."""

    text: str
    limit: str
    measured: str
    is_kept: bool | None


class Promise(Protocol):
    """One line of the table of promises."""

    def judge(
        self, series: Mapping[str, Series], titles: Mapping[str, str], absent: Mapping[str, str]
    ) -> Verdict | None:
        """What became of it; None if the run did not ask for the engines that it is about.

        ``titles`` are those of all engines of the workload, ``absent`` says why some of them have no series.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """The quickest of ``ours`` against the quickest of ``peers``, by ``of``.

    Attributes
    ----------
    at_least
        How many times ours the peer takes, at least.
    at_most
        How many times the peer's it takes, at most; one of the two is given.
    """

    ours: Sequence[str]
    peers: Sequence[str]
    of: str = "wall_s"
    at_least: float = 0.0
    at_most: float = 0.0

    def judge(
        self, series: Mapping[str, Series], titles: Mapping[str, str], absent: Mapping[str, str]
    ) -> Verdict | None:
        """See :class:`Promise`."""
        text = f"{_either(self.ours, titles)} against {_either(self.peers, titles)}"
        what = _SPELLED[self.of]
        limit = f"at least {self.at_least:g} × as good" if self.at_least else f"at most {self.at_most:.3g} × the {what}"
        if self.at_least and self.of == "wall_s":
            limit = f"at least {self.at_least:g} × as fast"
        ours, theirs = (min((getattr(series[name], self.of) for name in names if name in series), default=None)
                        for names in (self.ours, self.peers))  # fmt: skip
        if ours is None or theirs is None:
            return _unmeasured(text, limit, (*self.ours, *self.peers), series, absent, ours is None)
        times = theirs / ours if self.at_least else ours / theirs
        kept = times >= self.at_least if self.at_least else times <= self.at_most
        alone = [titles[name] for name in self.peers if name in absent]
        measured = f"{times:.2f} ×" + (f" (without {', '.join(alone)})" if alone else "")
        return Verdict(
            text=text, limit=limit, measured=measured, is_kept=False if not kept else None if alone else True
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A most for one engine: seconds, or bytes."""

    text: str
    engine: str
    of: str
    at_most: float

    def judge(
        self, series: Mapping[str, Series], titles: Mapping[str, str], absent: Mapping[str, str]
    ) -> Verdict | None:
        """See :class:`Promise`."""
        limit = f"at most {self._spelled(self.at_most)}"
        if self.engine not in series:
            return _unmeasured(self.text, limit, (self.engine,), series, absent, ours_is_absent=True)
        value = getattr(series[self.engine], self.of)
        return Verdict(text=self.text, limit=limit, measured=self._spelled(value), is_kept=value <= self.at_most)

    def _spelled(self, value: float) -> str:
        return f"{value / 1e6:.0f} MB" if self.of.endswith("bytes") else f"{value:.2g} s"


def _either(names: Sequence[str], titles: Mapping[str, str]) -> str:
    titled = [titles[name] for name in names]
    return titled[0] if len(titled) == 1 else f"the quicker of {' and '.join(titled)}"


def _unmeasured(text: str, limit: str, names: Sequence[str], series: Mapping[str, Series], absent: Mapping[str, str],
                ours_is_absent: bool) -> Verdict | None:  # fmt: skip
    """A promise is not dropped because an engine is: mrkernel's that failed is broken, a peer's is left open."""
    reasons = [absent[name] for name in names if name in absent and name not in series]
    if not reasons:
        return None
    return Verdict(
        text=text, limit=limit, measured=reasons[0].splitlines()[0], is_kept=False if ours_is_absent else None
    )
