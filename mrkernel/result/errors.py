"""What a job has set aside, as a table: where each bad record is, what it was, and what went wrong."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mrkernel.batches import python_rows
from mrkernel.events import BadRecords, Failure
from mrkernel.render import Preview, bad_words, table_html, table_text

if TYPE_CHECKING:
    import pandas as pd

    from mrkernel.io import Sink

__all__ = ["Errors"]

_SCHEMA = pa.schema(
    [("stage", pa.string()), ("function", pa.string()), ("source", pa.string()), ("location", pa.string()),
     ("offset", pa.int64()), ("key", pa.string()), ("record", pa.string()), ("exception", pa.string()),
     ("traceback", pa.string()), ("count", pa.int64())]
)  # fmt: skip


class Errors:
    """Records that were set aside, in input order: a table of them, and how many there were of each kind.

    With ``on_error="collect"`` the first 1,000 and one of each other kind are kept, with ``"skip"`` one of each kind;
    all are counted. Exceptions of one type from one line of one function are a kind.

    Attributes
    ----------
    total
        How many records and keys were set aside.

    Examples
    --------
    >>> import mrkernel as mr
    >>> job = mr.Job(lambda text: (int(text) % 2, 1), sum)
    >>> result = mr.run(job, ["1", "2", "three"], executor="inline", on_error="collect")
    >>> print(result.errors.summary())
    1 of 3 records was set aside
    >>> [row["record"] for row in result.errors]
    ['three']
    """

    def __init__(self, bad: BadRecords | None = None) -> None:
        self._bad = bad or BadRecords()

    @property
    def total(self) -> int:
        """How many records and keys were set aside."""
        return self._bad.total

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Those that were kept, as failure cards show them."""
        return self._bad.kept

    def __len__(self) -> int:
        """How many were kept: rows of the table."""
        return len(self._bad.kept)

    def __bool__(self) -> bool:
        return self.total > 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The rows as dicts."""
        return iter(self.to_arrow().to_pylist())

    def to_arrow(self) -> pa.Table:
        """The table.

        ``offset`` counts bytes in text and rows elsewhere, ``traceback`` has the user's own frames, and ``count`` is
        how many there were of the row's kind.
        """
        return pa.Table.from_pylist([self._row(failure) for failure in self._bad.kept], schema=_SCHEMA)

    def to_pandas(self) -> pd.DataFrame:
        """The table as a pandas DataFrame."""
        frame: pd.DataFrame = self.to_arrow().to_pandas()
        return frame

    def _row(self, failure: Failure) -> dict[str, Any]:
        text = f": {failure.error_text}" if failure.error_text else ""
        return {
            "stage": failure.stage, "function": failure.function, "source": failure.source,
            "location": failure.location, "offset": failure.offset, "key": failure.key, "record": failure.record,
            "exception": f"{failure.error_type}{text}", "traceback": _traceback(failure),
            "count": self._bad.kinds.get(failure.kind, 1),
        }  # fmt: skip

    def summary(self, access: str = "") -> str:
        """How many of how many were set aside, in words; "" if none was."""
        if not self:
            return ""
        verb = "was" if self.total == 1 else "were"
        return f"{bad_words(self._bad)} {verb} set aside" + (access and f": {access}")

    def write(
        self, target: str | os.PathLike[str], *, format: str | None = None, overwrite: bool = False, **options: Any
    ) -> list[str]:
        """Write the table to a file or folder, as ``Result.write`` does, and return the paths.

        Raises
        ------
        TargetExistsError
            If the target exists and ``overwrite`` was not said.
        """
        from mrkernel.io import open_sink

        sink = open_sink(target, format=format, overwrite=overwrite, **options)
        sink.check()
        return self.write_to(sink)

    def write_to(self, sink: Sink) -> list[str]:
        """Write the table to a sink that was checked."""
        try:
            part = sink.write_part(0, _SCHEMA, iter(self.to_arrow().to_batches()))
            return list(sink.commit([part]))
        except BaseException:
            with suppress(OSError):
                sink.abort()
            raise

    def preview(self, n: int = 10) -> Preview:
        """The first rows, for a display: without what is empty in all of them."""
        table = self.to_arrow()
        names = [name for name in table.schema.names if name != "traceback" and any(table.column(name).to_pylist())]
        shown = table.select(names).slice(0, n)
        return Preview(
            columns=tuple(names), types=tuple(str(field.type) for field in shown.schema), rows=python_rows(shown),
            n_rows=len(self), n_columns=len(names), note=self.summary(),
        )  # fmt: skip

    def __repr__(self) -> str:
        return table_text(self.preview()) if self else "no record was set aside"

    def _repr_html_(self) -> str:
        return table_html(self.preview()) if self else "<p>no record was set aside</p>"


def _traceback(failure: Failure) -> str:
    return "\n".join(
        f'File "{frame.filename}", line {frame.lineno}, in {frame.function}\n  {frame.text}' for frame in failure.frames
    )
