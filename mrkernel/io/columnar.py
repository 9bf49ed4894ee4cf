"""What the sources of columnar files share: columns are chosen and schemas compared before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pyarrow as pa

from mrkernel.io.filesource import FileSource
from mrkernel.io.schemas import check_columns, column_list, one_schema, outside_schema

__all__ = ["ColumnarSource"]


class ColumnarSource(FileSource):
    """Rows of files that say themselves what columns they have.

    Parameters
    ----------
    columns
        Columns to read, in this order.
    union_by_name
        Whether files may lack columns that others have (null there). Without it such files are an error.
    compression, storage_options
        As for other files.
    """

    unit: ClassVar[str] = "rows"

    def __init__(
        self,
        *locations: str,
        columns: Sequence[str] | None = None,
        union_by_name: bool = False,
        compression: str | None = "infer",
        storage_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.columns = column_list(columns)
        self.union_by_name = union_by_name
        self._schema: pa.Schema | None = None
        super().__init__(*locations, compression=compression, storage_options=storage_options)

    def schema(self) -> pa.Schema:
        """The columns, as the files say."""
        if self._schema is None:
            self.plan()
        return self._schema

    def chosen(self, schema: pa.Schema, shown: str) -> pa.Schema:
        """Of a file's columns those to read."""
        schema = outside_schema(schema)
        if self.columns is None:
            return schema
        if not self.union_by_name:
            check_columns(self.columns, schema.names, shown)
        return pa.schema([schema.field(name) for name in self.columns if name in schema.names])

    def agree_on(self, schemas: Sequence[tuple[str, pa.Schema]]) -> None:
        """Make one schema of those of all files, or raise SchemaMismatchError."""
        self._schema = one_schema(schemas, union_by_name=self.union_by_name)
        if self.columns is not None and schemas:
            check_columns(self.columns, self._schema.names, self.name)
            self._schema = pa.schema([self._schema.field(name) for name in self.columns])
