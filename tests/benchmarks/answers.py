"""What identifies an answer, whichever engine gave it: a few numbers that no wrong or missing row leaves as they are.

Each function takes the answer as an Arrow table, its columns in the order that the workload says, its rows in any. It
needs nothing but pyarrow, because it runs in the engines' own processes.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "Digest",
    "columns",
    "counts",
    "groups",
    "is_same",
    "keyed",
    "numbers",
    "ordered",
    "postings",
    "stations",
    "summed",
]

Digest = dict[str, float]
# Sums of floats depend on their order from the 12th digit or so.
_FLOAT_ERROR = 1e-9


def is_same(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    """Whether two digests are equal, floats but for the order in which they were added."""
    return one.keys() == other.keys() and all(
        math.isclose(value, other[name], rel_tol=_FLOAT_ERROR)
        if isinstance(value, float) or isinstance(other[name], float)
        else value == other[name]
        for name, value in one.items()
    )


def columns(table: pa.Table) -> list[pa.ChunkedArray]:
    """The columns of a table, text in the one type that every function of pyarrow takes."""
    return [
        column.cast(pa.large_string())
        if pa.types.is_string(column.type) or pa.types.is_string_view(column.type)
        else column
        for column in table.columns
    ]


def counts(table: pa.Table) -> Digest:
    """Words and how often each occurs.

    >>> counts(pa.table({"word": ["a", "b"], "n": [1, 2]})) == counts(pa.table({"word": ["b", "a"], "n": [2, 1]}))
    True
    """
    words, n = (column.to_pylist() for column in columns(table))
    check = sum(zlib.crc32(word.encode()) * count for word, count in zip(words, n, strict=True))
    return {"distinct": len(words), "total": sum(n), "check": check % 2**53}


def keyed(table: pa.Table) -> Digest:
    """Keys such as ``k000000001234`` and their sums; by squares, errors of two sums do not make up for each other."""
    keys, sums = columns(table)
    return _sums(pc.utf8_slice_codeunits(keys, 1).cast(pa.int64()), sums)


def summed(table: pa.Table) -> Digest:
    """The same for keys that are whole numbers."""
    keys, sums = (column.cast(pa.int64()) for column in table.columns)
    return _sums(keys, sums)


def _sums(keys: pa.ChunkedArray, sums: pa.ChunkedArray) -> Digest:
    # The product wraps around at 64 bits, and so does the sum: any order gives the same.
    check = pc.sum(pc.multiply(pc.add(keys, 1), pc.multiply(sums, sums)))
    return {"distinct": len(keys), "total": pc.sum(sums).as_py(), "check": check.as_py()}


def stations(table: pa.Table) -> Digest:
    """Names with the lowest, mean and highest temperature of each."""
    rows = list(zip(*(column.to_pylist() for column in columns(table)), strict=True))
    weights = [zlib.crc32(name.encode()) % 1000 + 1 for name, *_ in rows]
    found = {"stations": len(rows)}
    for position, what in enumerate(("low", "mean", "high"), start=1):
        found[what] = math.fsum(weight * row[position] for weight, row in zip(weights, rows, strict=True))
    return found


def postings(table: pa.Table) -> Digest:
    """Words, and for each the numbers of the lines that hold it."""
    words, lines = columns(table)
    check = total = 0
    for word, numbers in zip(words.to_pylist(), lines.to_pylist(), strict=True):
        check += zlib.crc32(word.encode()) * sum(numbers)
        total += len(numbers)
    return {"distinct": len(words), "total": total, "check": check % 2**53}


def ordered(table: pa.Table) -> Digest:
    """Records whose payload begins with the number of 12 digits that they had in the input, now in order."""
    _, payload = columns(table)
    numbers = pc.utf8_slice_codeunits(payload, 0, 12).cast(pa.int64())
    positions = pa.chunked_array([pa.array(range(len(table)), pa.int64())])
    return {"rows": len(table), "check": pc.sum(pc.multiply(positions, numbers)).as_py() or 0}


def groups(table: pa.Table) -> Digest:
    """Two columns of one letter each, and for each pair of letters several numbers."""
    rows = table.to_pylist()
    names = table.column_names
    weights = [zlib.crc32((row[names[0]] + row[names[1]]).encode()) % 1000 + 1 for row in rows]
    found: Digest = {"groups": len(rows)}
    for name in names[2:]:
        found[name] = math.fsum(weight * float(row[name]) for weight, row in zip(weights, rows, strict=True))
    return found


def numbers(table: pa.Table) -> Digest:
    """Any columns of whole numbers: how many rows, and the sum of each column."""
    sums = {name: pc.sum(table.column(name)).as_py() for name in table.column_names}
    return {"rows": len(table), **sums}
