"""What can be chosen for a run, and how it is written on a magic's line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Choice", "exact_size", "round_size"]

_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One point: settings by their names; None leaves a choice to mrkernel.

    >>> Choice(chunk_size=24 << 20, reducers=12).options
    '--chunk-size "24 MiB" --reducers 12'
    """

    chunk_size: int | None = None
    workers: int | None = None
    reducers: int | None = None
    combine: bool | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What is chosen, as keyword arguments of ``mr.run``."""
        values = {"chunk_size": self.chunk_size, "workers": self.workers, "reducers": self.reducers,
                  "combine": self.combine}  # fmt: skip
        return {name: value for name, value in values.items() if value is not None}

    @property
    def options(self) -> str:
        """The same as text to paste after ``%%mapreduce``; empty where nothing is chosen."""
        words = []
        if self.chunk_size is not None:
            words.append(f'--chunk-size "{exact_size(self.chunk_size)}"')
        if self.reducers is not None:
            words.append(f"--reducers {self.reducers}")
        if self.workers is not None:
            words.append(f"--workers {self.workers}")
        if self.combine is not None:
            words.append(f"--combine {'on' if self.combine else 'off'}")
        return " ".join(words)


def exact_size(number: int) -> str:
    """A size that reads well and is exactly this one, as options take it.

    >>> exact_size(24 << 20), exact_size(1536), exact_size(1000)
    ('24 MiB', '1.5 KiB', '1000 B')
    """
    for unit, name in _UNITS:
        if number >= unit and number * 2 % unit == 0:
            return f"{number / unit:g} {name}"
    return f"{number} B"


def round_size(number: float) -> int:
    """The nearest power of two, or one and a half times one: sizes that people remember.

    >>> round_size(1_000_000), round_size(1_500_000), round_size(700)
    (1048576, 1572864, 768)
    """
    power = 1 << max(0, int(max(1.0, number)).bit_length() - 1)
    near = (power, power * 3 // 2, power * 2)
    return max(1, min(near, key=lambda size: abs(size - number)))
