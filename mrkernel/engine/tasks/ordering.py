"""The order in which a reducer function gets the values of a key."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from mrkernel.batches import Column, decode_column, kind_of
from mrkernel.grouping import group, sort_token
from mrkernel.job import Job
from mrkernel.ordering import sort_codes

__all__ = ["value_order"]


def value_order(step: Job, value: Column, codes: np.ndarray, n_groups: int) -> np.ndarray:
    """Row numbers by key, then by value (or by the user's sort key of the value)."""
    array, field = value
    if step.sort_values is True and not pa.types.is_nested(array.type) and not kind_of(field):
        by_value = group(value).order()
    else:
        values = decode_column(array, field)
        token = step.sort_values if callable(step.sort_values) else sort_token
        by_value = np.array(sorted(range(len(values)), key=lambda row: token(values[row])), np.int64)
    rows: np.ndarray = by_value[sort_codes(codes[by_value], n_groups)]
    return rows
