"""Row groups of Parquet files by Polars, where it reads what Arrow would read.

Only for rows with decimals: Arrow decodes them one by one, Polars each different one once, a third to a quarter of the
time (benchmark q1). Numbers, times and most text are quicker by Arrow.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

__all__ = ["QuickGroups"]

# Fewer rows of a group, or at a time, are not worth a query; fewer rows of a file are not worth to import Polars for.
_FEW_ROWS, _FEW_IN_FILE = 1 << 15, 1 << 20
# Polars looks at all of a file's columns in each query: 18,000 of them took longer than to read two.
_MOST_CHUNKS = 4_000
# What starts a 32-bit number in Thrift's compact protocol, if it is the field after the last one.
_NEXT_INT = 0x15
_HEADER_BYTES = 32
# Polars takes these for several columns.
_PATTERN = re.compile(r"\*|\^.*\$", re.DOTALL)


class QuickGroups:
    """The row groups of a local file.

    Parameters
    ----------
    file
        The same file, opened by Arrow.
    columns
        Names of the columns to read, in this order.
    """

    def __init__(self, path: str, file: Any, columns: Sequence[str]) -> None:
        self._path, self._metadata = path, file.metadata
        self._schema = pa.schema([file.schema_arrow.field(name) for name in columns]).remove_metadata()
        self._numbers = {self._metadata.schema.column(n).path: n for n in range(self._metadata.num_columns)}
        is_worth = "polars" in sys.modules or self._metadata.num_rows >= _FEW_IN_FILE
        is_narrow = self._metadata.num_row_groups * self._metadata.num_columns <= _MOST_CHUNKS
        self._can_read = (
            is_worth
            and is_narrow
            and any(pa.types.is_decimal128(kind) for kind in self._schema.types)
            and all(map(self._is_alike, self._schema))
            and all(_has_known_zones(field.type) for field in file.schema_arrow)
        )
        self._scan: Any = None

    def batches(self, number: int, n_rows: int) -> Iterator[pa.RecordBatch]:
        """The first rows of a group, ``n_rows`` at a time.

        They end where Arrow is to read the rest: at once for what is not for Polars, else where something is wrong,
        which Arrow can tell.
        """
        group = self._metadata.row_group(number)
        # Polars looks at no checksums.
        if not self._can_read or min(group.num_rows, n_rows) < _FEW_ROWS or self._has_checksums(group):
            return
        first = sum(self._metadata.row_group(n).num_rows for n in range(number))
        for start in range(0, group.num_rows, n_rows):
            found = self._read(first + start, min(n_rows, group.num_rows - start))
            if found is None:
                self._can_read = False
                return
            yield from found.to_batches()

    def _read(self, first: int, count: int) -> pa.Table | None:
        import polars as pl

        try:
            if self._scan is None:
                scan = pl.scan_parquet(self._path, glob=False, hive_partitioning=False, use_statistics=False)
                self._scan = scan.select(self._schema.names)
            found = self._scan.slice(first, count).collect()
            table = found.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(self._schema)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError, pa.ArrowException, OSError):
            return None
        return table if table.num_rows == count else None

    def _is_alike(self, field: pa.Field) -> bool:
        """Whether both read a column to the same values."""
        if field.name not in self._numbers or _PATTERN.fullmatch(field.name):
            return False
        kind = field.type
        if pa.types.is_timestamp(kind):
            return str(self._metadata.schema.column(self._numbers[field.name]).physical_type) == "INT64"
        return any(test(kind) for test in _ALIKE)

    def _has_checksums(self, group: Any) -> bool:
        chunks = [group.column(self._numbers[name]) for name in self._schema.names]
        with open(self._path, "rb") as file:
            for chunk in chunks:
                file.seek(chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset)
                if _has_checksum(file.read(_HEADER_BYTES)):
                    return True
        return False


def _has_checksum(header: bytes) -> bool:
    """Whether a page's header has a checksum, or is not understood.

    Its fields are, in the specification of Apache Parquet: the page's kind, its two sizes, and if there is one the
    checksum, all of them 32-bit numbers.
    """
    at = 0
    for _ in range(3):
        if header[at : at + 1] != bytes([_NEXT_INT]):
            return True
        at += 1
        while at < len(header) and header[at] & 0x80:
            at += 1
        at += 1
    return header[at : at + 1] == bytes([_NEXT_INT]) or at >= len(header)


def _has_known_zones(kind: pa.DataType) -> bool:
    """Whether Polars knows all zones of a type; of any column, read or not, one that it does not know ends it."""
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        try:
            return bool(ZoneInfo(kind.tz).key)
        except (KeyError, ValueError, OSError):
            return False
    return all(_has_known_zones(kind.field(n).type) for n in range(kind.num_fields))


_ALIKE = (
    pa.types.is_integer,
    pa.types.is_boolean,
    pa.types.is_float32,
    pa.types.is_float64,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_date32,
    pa.types.is_decimal128,
)
