"""Row numbers that sort a plain column or dense codes; what is equal keeps its order."""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mrkernel.batches import as_arrow

__all__ = ["sort_codes", "sort_order"]

_WORD = 8
# Up to here Arrow's comparison sort is as quick (128 against 134 ns a row at 1,000 different words, 137 against 104 at
# 2,000).
_FEW = 1 << 10
# Up to here NumPy is as quick. To import Polars takes as long as what it saves of five million.
_MANY = 1 << 15


def sort_order(array: pa.Array) -> np.ndarray:
    """Row numbers that sort a plain column: None first, NaN last; equal values keep their order."""
    kind = array.type
    if pa.types.is_large_string(kind) or pa.types.is_large_binary(kind):
        if len(array) > _FEW and not array.null_count:
            return _text_order(array)
        return _arrow_order(array)
    if pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return _arrow_order(array)
    return _polars_order(array)


def sort_codes(codes: np.ndarray, n_groups: int) -> np.ndarray:
    """Stable order of dense codes: NumPy sorts 16-bit integers by radix, several times quicker than by merging."""
    if n_groups <= 1 << 16:
        return np.argsort(codes.astype(np.uint16), kind="stable")
    low = np.argsort((codes & 0xFFFF).astype(np.uint16), kind="stable")
    high = (codes >> 16)[low]
    kind = np.uint16 if n_groups <= 1 << 32 else np.int64
    return low[np.argsort(high.astype(kind), kind="stable")]


def _arrow_order(array: pa.Array) -> np.ndarray:
    # pyarrow's own way to NumPy imports pandas, a third of the first small job's time.
    rows = pc.array_sort_indices(array, null_placement="at_start")
    return np.frombuffer(rows.buffers()[1], np.uint64, len(rows)).astype(np.int64)


def _text_order(array: pa.Array) -> np.ndarray:
    """Sort by the first eight bytes that differ as integers, then only what is equal in those by the whole text.

    For 193,000 different words in a quarter of the time that Arrow and Polars need.
    """
    words = _words(array)
    order = _number_order(words)
    ordered = words[order]
    is_same = ordered[1:] == ordered[:-1]
    if is_same.any():
        is_tied = np.concatenate([is_same, [False]]) | np.concatenate([[False], is_same])
        # In row order, for a stable sort keeps that among equals.
        rows = np.sort(order[is_tied])
        tied = array.take(as_arrow(rows))
        order[is_tied] = rows[_arrow_order(tied)]
    return order


def _polars_order(array: pa.Array) -> np.ndarray:
    import polars as pl

    series = pl.from_arrow(array)
    assert isinstance(series, pl.Series)
    frame = series.to_frame("key").with_row_index("row").sort("key", nulls_last=False, maintain_order=True)
    return frame["row"].to_numpy().astype(np.int64)


def _number_order(numbers: np.ndarray) -> np.ndarray:
    """Row numbers that sort integers, equal ones in any order.

    Of 500,000 rows, 44 ns each by Polars, 90 by NumPy; 18 where they are some sorted stretches, as runs are.
    """
    if len(numbers) <= _MANY or "polars" not in sys.modules:
        return np.argsort(numbers)
    import polars as pl

    return pl.Series(numbers).arg_sort().to_numpy().astype(np.int64)


def _words(array: pa.Array) -> np.ndarray:
    """Eight bytes of each value as a big-endian integer, zeros after its end; what all begin with is left out."""
    _, offsets, data = array.buffers()
    starts = np.frombuffer(offsets, np.int64, len(array) + 1, array.offset * 8)
    held = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    # Windows of eight bytes at any place; room after the end for the last ones.
    padded = np.concatenate([held[starts[0] : starts[-1]], np.zeros(_WORD, np.uint8)])
    windows = np.lib.stride_tricks.as_strided(padded[:_WORD].view(">u8"), (len(padded) - _WORD + 1,), (1,))
    begins, ends = starts[:-1] - starts[0], starts[1:] - starts[0]
    while True:
        words = _clipped(windows[begins].astype(np.uint64), ends - begins)
        n_alike = _WORD - (int(words.min() ^ words.max()).bit_length() + 7) // _WORD
        if not n_alike or (begins == ends).all():
            return words
        begins = np.minimum(begins + n_alike, ends)


def _clipped(words: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The words with zeros beyond so many bytes."""
    # A shift by 64 bits is undefined, so what is empty is cleared apart.
    unused = ((_WORD - np.minimum(lengths, _WORD)) * 8).clip(max=63).astype(np.uint64)
    words = (words >> unused) << unused
    words[lengths == 0] = 0
    return words
