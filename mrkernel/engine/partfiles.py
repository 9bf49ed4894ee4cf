"""Files of results: Arrow's IPC format in batches of 64 k rows, written as the rows come."""

from __future__ import annotations

import os
from collections.abc import Iterable

import pyarrow as pa
from pyarrow import ipc

from mrkernel.engine.phases import phase
from mrkernel.engine.shuffle import IPC_OPTIONS

__all__ = ["PartFile", "write_batches"]

_ROWS_PER_BATCH = 1 << 16


class PartFile:
    """A new IPC file that takes tables of one schema, in batches of at most 64 k rows."""

    def __init__(self, path: str, schema: pa.Schema) -> None:
        self.path, self._schema = path, schema
        self._rows = 0
        self._file = pa.OSFile(path, "wb")
        self._writer = ipc.new_file(self._file, schema, options=IPC_OPTIONS)

    def takes(self, table: pa.Table) -> bool:
        """Whether a table's columns are the same, with what their metadata says of them."""
        return bool(self._schema.equals(table.schema, check_metadata=True))

    @phase("commit")
    def write(self, table: pa.Table) -> None:
        """Add rows."""
        self._writer.write_table(table, max_chunksize=_ROWS_PER_BATCH)
        self._rows += table.num_rows

    @phase("commit")
    def close(self) -> tuple[int, int]:
        """End the file; returns its rows and bytes."""
        try:
            self._writer.close()
        finally:
            self._file.close()
        return self._rows, os.path.getsize(self.path)


def write_batches(tables: Iterable[pa.Table], path: str) -> tuple[int, int]:
    """Write tables of one schema, of which there is at least one, to a new IPC file; returns rows and bytes."""
    first, *others = tables
    file = PartFile(path, first.schema)
    for table in (first, *others):
        file.write(table)
    return file.close()
