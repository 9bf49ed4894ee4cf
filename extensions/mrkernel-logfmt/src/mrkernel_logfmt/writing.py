"""Writing logfmt: rows as lines; mrkernel does the files."""

from __future__ import annotations

import pyarrow as pa

from mrkernel.errors import ValueTypeError
from mrkernel.io import TextFormatWriter
from mrkernel_logfmt.lines import format_line

__all__ = ["LogfmtWriter"]


class LogfmtWriter(TextFormatWriter):
    """Lines of ``key=value``; values become their text, missing ones are left out.

    Parameters
    ----------
    compression
        "gzip", "bz2", "zstd" or "lz4".
    """

    suffixes = (".logfmt",)

    def check_schema(self, schema: pa.Schema) -> None:
        """Columns must be keys."""
        try:
            format_line(dict.fromkeys(schema.names))
        except ValueError as error:
            raise ValueTypeError(f"cannot write logfmt: {error}", hint="rename the column") from None

    def rows(self, batch: pa.RecordBatch) -> bytes:
        """Lines of UTF-8."""
        lines = [format_line({key: None if value is None else str(value) for key, value in row.items()})
                 for row in batch.to_pylist()]  # fmt: skip
        return "".join(f"{line}\n" for line in lines).encode()
