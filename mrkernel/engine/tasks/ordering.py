"""The order in which a reducer function gets the values of a key, and sorted runs in pieces that fit the cache."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from mrkernel.batches import Column, decode_column, kind_of
from mrkernel.grouping import group, sort_token
from mrkernel.job import Job
from mrkernel.ordering import sort_codes

__all__ = ["sorted_pieces", "value_order"]

# Rows of a piece are joined, ordered and gathered, which takes three times its size.
_PIECE_BYTES = 4 << 20


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


def sorted_pieces(tables: Sequence[pa.Table]) -> Iterator[Sequence[pa.Table]]:
    """Tables that are each sorted by key, cut at keys of the longest, so that all rows of a key are in one piece.

    Whoever puts one piece after the other in order does so in the cache, in half of the time that all of them take.
    """
    count = sum(table.nbytes for table in tables) // _PIECE_BYTES
    if count < 2 or not _are_plain(tables):
        yield tables
        return
    longest = max((table.column(0) for table in tables), key=len)
    bounds = [longest[len(longest) * n // count].as_py() for n in range(1, count)]
    starts = [0] * len(tables)
    for bound in [*bounds, None]:
        piece = []
        for index, table in enumerate(tables):
            start, stop = starts[index], table.num_rows
            if bound is not None:
                stop = bisect_right(range(stop), bound, lo=start, key=partial(_key_at, table.column(0)))
            if stop > start:
                piece.append(table.slice(start, stop - start))
            starts[index] = stop
        if piece:
            yield piece


def _key_at(column: pa.ChunkedArray, row: int) -> Any:
    return column[row].as_py()


def _are_plain(tables: Sequence[pa.Table]) -> bool:
    """Whether keys compare in Python as they are sorted, and with each other."""
    fields = [table.schema.field(0) for table in tables]
    tests = (pa.types.is_large_string, pa.types.is_large_binary, pa.types.is_int64)
    is_one = len({field.type for field in fields}) == 1 and any(test(fields[0].type) for test in tests)
    return is_one and not any(map(kind_of, fields)) and not any(table.column(0).null_count for table in tables)
