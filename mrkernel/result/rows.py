"""Any row of a result by its number, read from the memory-mapped files of its parts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import pyarrow as pa
from pyarrow import ipc

from mrkernel.batches import Column, concat_columns, kind_of
from mrkernel.errors import MrkernelError
from mrkernel.result.parts import PartFile

__all__ = ["Rows", "type_words"]


class Rows:
    """The rows of some parts, numbered from 0 in their order. Files are opened when first needed.

    Methods may be called from any thread: what two of them open at once is open twice, and read only.
    """

    def __init__(self, parts: Sequence[PartFile], *, empty: pa.Schema | None = None) -> None:
        self._parts = [part for part in parts if part.n_rows]
        self._empty = pa.schema([]) if empty is None else empty
        self._starts = [0, *accumulate(part.n_rows for part in self._parts)]
        self._files: dict[int, _File] = {}

    def __len__(self) -> int:
        return self._starts[-1]

    def schemas(self) -> list[pa.Schema]:
        """The schema of each part that has rows; of the empty result where none has."""
        return [self._file(part).schema for part in range(len(self._parts))] or [self._empty]

    def names(self) -> list[str]:
        """Columns of all parts, in the order in which they first occur."""
        return list(dict.fromkeys(name for schema in self.schemas() for name in schema.names))

    def fields(self, name: str) -> list[pa.Field]:
        """The different fields that a column has, None's own type left out if there is any other."""
        found = {str((field.type, kind_of(field))): field for schema in self.schemas() if name in schema.names
                 for field in [schema.field(name)]}  # fmt: skip
        typed = [field for field in found.values() if not pa.types.is_null(field.type)]
        return typed or list(found.values())

    def column(self, start: int, stop: int, name: str) -> Column:
        """A column's values in some rows; where parts differ in its type, as objects."""
        pieces = list(self._pieces(start, stop, name))
        if not pieces:
            return pa.nulls(0), pa.field(name, pa.null())
        return concat_columns(pieces, name)

    def columns_of_rows(self, numbers: Sequence[int], name: str) -> list[Column]:
        """A column's values in the rows of these numbers, in their order, as few pieces as that takes, not copied."""
        pieces: list[Column] = []
        first = last = -1
        for number in [*numbers, -1]:
            if first >= 0 and number == last + 1:
                last = number
                continue
            if first >= 0:
                pieces += self._pieces(first, last + 1, name)
            first = last = number
        return pieces

    def one(self, number: int, name: str) -> Column:
        """A column's value in one row."""
        return next(self._pieces(number, number + 1, name))

    def _pieces(self, start: int, stop: int, name: str) -> Iterator[Column]:
        part = bisect_right(self._starts, start) - 1
        while start < stop:
            first, end = self._starts[part], min(stop, self._starts[part + 1])
            yield from self._file(part).pieces(start - first, end - first, name)
            start = end
            part += 1

    def _file(self, part: int) -> _File:
        if part not in self._files:
            self._files[part] = _File(self._parts[part].path)
        return self._files[part]


class _File:
    """One part: its batches are read when first needed, and cost address space only."""

    def __init__(self, path: str) -> None:
        try:
            self._reader = ipc.open_file(pa.memory_map(path))
            self._batches = [self._reader.get_batch(n) for n in range(self._reader.num_record_batches)]
        except (OSError, pa.ArrowInvalid) as error:
            raise MrkernelError(f"cannot read rows of a result: its file is gone ({error})",
                                hint="run the job again") from None  # fmt: skip
        self.schema: pa.Schema = self._reader.schema
        self._starts = [0, *accumulate(batch.num_rows for batch in self._batches)]

    def pieces(self, start: int, stop: int, name: str) -> Iterator[Column]:
        index = self.schema.get_field_index(name)
        if index < 0:
            yield pa.nulls(stop - start), pa.field(name, pa.null())
            return
        number = bisect_right(self._starts, start) - 1
        while start < stop:
            first, end = self._starts[number], min(stop, self._starts[number + 1])
            if end > start:
                yield self._batches[number].column(index).slice(start - first, end - start), self.schema.field(index)
            start = end
            number += 1


def type_words(fields: Sequence[pa.Field]) -> str:
    """A column's type in words, as displays say it.

    >>> type_words([pa.field("key", pa.large_string())])
    'string'
    """
    kinds = {_one_type(field) for field in fields}
    return kinds.pop() if len(kinds) == 1 else "Python objects"


def _one_type(field: pa.Field) -> str:
    words: dict[str, Any] = {"object": "Python objects", "tuple": "tuple", "dict": "dict"}
    return str(words.get(kind_of(field), str(field.type).replace("large_", "")))
