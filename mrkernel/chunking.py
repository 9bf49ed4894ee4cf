"""How big a split should be."""

from __future__ import annotations

__all__ = ["choose_chunk_bytes"]

_SMALLEST = 1 << 20
_LARGEST = 64 << 20


def choose_chunk_bytes(total_bytes: int | None, n_workers: int) -> int:
    """The target size of a split in bytes, for an input of this size.

    Three splits for each worker even out what tasks take; below 1 MiB a task costs more than it gains, above 64 MiB a
    lost task costs too much to repeat. Scheduling costs about 1.5 ms a task, which either bound keeps under 5 %. More
    than three are still as many for each worker, so that all end together.

    >>> choose_chunk_bytes(100_000_000, 2) // 1_000_000
    16
    >>> -(-690_000_000 // choose_chunk_bytes(690_000_000, 2))
    12
    """
    if total_bytes is None:
        return _LARGEST // 4
    n_workers = max(1, n_workers)
    rounds = max(3, -(-total_bytes // (_LARGEST * n_workers)))
    return max(_SMALLEST, -(-total_bytes // (rounds * n_workers)))
