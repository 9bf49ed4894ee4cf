"""How many records were set aside, in words."""

from __future__ import annotations

from mrkernel.config import counted
from mrkernel.events import BadRecords

__all__ = ["bad_words"]


def bad_words(bad: BadRecords) -> str:
    """How many of how many are bad; "" if none.

    >>> bad_words(BadRecords(total=3, n_records=2000, n_bad_keys=1, n_keys=5))
    '2 of 2,000 records and 1 of 5 keys'
    """
    n_bad_records = bad.total - bad.n_bad_keys
    records = f"{n_bad_records:,} of {counted(bad.n_records, 'record')}" if n_bad_records else ""
    keys = f"{bad.n_bad_keys:,} of {counted(bad.n_keys, 'key')}" if bad.n_bad_keys else ""
    return " and ".join(filter(None, [records, keys]))
