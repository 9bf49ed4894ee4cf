"""How much memory pairs take while they are Python objects, so that few of them are held where they are large."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

__all__ = ["FIRST_PAIRS", "sampled_bytes"]

# As many are taken at once until their size is known.
FIRST_PAIRS = 16
_WEIGHED = 8


def sampled_bytes(values: Sequence[Any]) -> int:
    """About how much memory values take, judged by a few of them, without what they only refer to.

    >>> 4_000_000 < sampled_bytes([bytes(1_000_000)] * 4) < 4_001_000
    True
    """
    sample = values[:: -(-len(values) // _WEIGHED)] if values else ()
    return len(values) * sum(map(sys.getsizeof, sample)) // max(1, len(sample))
