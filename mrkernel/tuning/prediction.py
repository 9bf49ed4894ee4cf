"""What a tuning says of one point, and how two points compared."""

from __future__ import annotations

from dataclasses import dataclass

from mrkernel.config import counted, format_bytes, format_duration
from mrkernel.tuning.choice import Choice, exact_size
from mrkernel.tuning.measured import Measured

__all__ = ["Comparison", "Prediction"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a run over the whole input is expected to take.

    Attributes
    ----------
    choice
        Chunk size, workers, partitions and combining; None leaves one to mrkernel.
    chunk_bytes
        The chunk size, chosen or mrkernel's own.
    seconds, low_s, high_s
        Time, and the band that nine of ten runs should lie in.
    memory_bytes
        The most that one worker process holds.
    map_s, reduce_s, overhead_s
        Parts of ``seconds``; ``overhead_s`` is what stages take beyond their tasks' work.
    n_tasks, n_reduces
        Map and reduce tasks.
    """

    choice: Choice
    chunk_bytes: int
    seconds: float
    low_s: float
    high_s: float
    memory_bytes: int
    map_s: float
    reduce_s: float
    overhead_s: float
    n_tasks: int
    n_reduces: int

    def __str__(self) -> str:
        return (
            f"{format_duration(self.seconds)} ({format_duration(self.low_s)} to {format_duration(self.high_s)}), "
            f"{format_bytes(self.memory_bytes)} for each worker, {counted(self.n_tasks, 'task')} of "
            f"{exact_size(self.chunk_bytes) if self.choice.chunk_size else format_bytes(self.chunk_bytes)}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The default and the advised point, run one after the other on the same share of the input."""

    default: Measured
    chosen: Measured

    @property
    def gain(self) -> float:
        """How many times as fast the chosen point was."""
        return self.default.seconds / self.chosen.seconds if self.chosen.seconds else 1.0

    def __str__(self) -> str:
        on = "the whole input" if self.chosen.share > 0.99 else f"{self.chosen.share:.0%} of the input"
        return (
            f"measured on {on}: {format_duration(self.default.seconds)} by default, "
            f"{format_duration(self.chosen.seconds)} so ({self.gain:.1f} × as fast)"
        )
