"""Writing text, CSV, JSON Lines, and one JSON object.

JSON has fewer types than Python. Dates and times become ISO 8601 text, Decimals and UUIDs their text, tuples and
sets lists, durations seconds; bytes, NaN and infinities are errors, not guesses.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import uuid
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, BinaryIO, ClassVar

import pyarrow as pa
import pyarrow.csv as pacsv

from mrkernel.batches import decode_column, kind_of
from mrkernel.config import counted
from mrkernel.errors import OptionError, ValueTypeError
from mrkernel.io.writers import TextFormatWriter

__all__ = ["CsvWriter", "JsonLinesWriter", "JsonObjectWriter", "TextWriter", "TsvWriter", "to_json", "to_text"]


class TextWriter(TextFormatWriter):
    """Lines: the row's values as text, with tabs between them. A value must not hold a tab or line break."""

    suffixes: ClassVar[tuple[str, ...]] = (".txt", ".text", ".log")

    def rows(self, batch: pa.RecordBatch) -> bytes:
        """Lines of UTF-8."""
        columns = [[to_text(value, field.name) for value in values] for field, values in _decoded(batch)]
        for field, values in zip(batch.schema, columns, strict=True):
            bad = next((value for value in values if "\n" in value or "\t" in value), None)
            if bad is not None:
                raise ValueTypeError(f"column {field.name!r} holds {bad[:40]!r}, which a line of text cannot",
                                     hint="write csv or jsonl instead")  # fmt: skip
        return "".join("\t".join(row) + "\n" for row in zip(*columns, strict=True)).encode()


class CsvWriter(TextFormatWriter):
    """CSV with a header. Lists, tuples and dicts are written as JSON; bytes are an error.

    Parameters
    ----------
    delimiter
        One character.
    compression
        "gzip", "bz2", "zstd" or "lz4".
    """

    suffixes: ClassVar[tuple[str, ...]] = (".csv",)
    default_delimiter: ClassVar[str] = ","

    def __init__(self, *, delimiter: str | None = None, compression: str | None = None) -> None:
        super().__init__(compression=compression)
        self.delimiter = self.default_delimiter if delimiter is None else delimiter
        if len(self.delimiter) != 1 or ord(self.delimiter) > 127 or self.delimiter in '"\r\n':
            raise OptionError(f"delimiter={delimiter!r} is not one ASCII character", hint='for example ";"')

    def head(self, schema: pa.Schema) -> bytes:
        """The header."""
        out = io.StringIO()
        csv.writer(out, delimiter=self.delimiter, lineterminator="\n").writerow(schema.names)
        return out.getvalue().encode() if schema.names else b""

    def rows(self, batch: pa.RecordBatch) -> bytes:
        """Rows, quoted where needed."""
        columns = [
            column
            if _is_csv_type(field)
            else pa.array(
                [None if value is None else to_text(value, field.name) for value in decode_column(column, field)],
                pa.string(),
            )
            for column, field in zip(batch.columns, batch.schema, strict=True)
        ]
        out = io.BytesIO()
        pacsv.write_csv(
            pa.record_batch(columns, names=batch.schema.names),
            out,
            pacsv.WriteOptions(include_header=False, delimiter=self.delimiter),
        )
        return bytes(out.getbuffer())


class TsvWriter(CsvWriter):
    """Tab-separated values with a header; everything else as for CSV."""

    suffixes: ClassVar[tuple[str, ...]] = (".tsv", ".tab")
    default_delimiter: ClassVar[str] = "\t"


class JsonLinesWriter(TextFormatWriter):
    """One JSON object on each line, with the columns as keys."""

    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson")

    def rows(self, batch: pa.RecordBatch) -> bytes:
        """Lines of JSON."""
        names, columns = batch.schema.names, [values for _, values in _decoded(batch)]
        if not names:
            return b"{}\n" * int(batch.num_rows)
        rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        try:
            return "".join([f"{_encode(row)}\n" for row in rows]).encode()
        except (TypeError, ValueError, RecursionError):
            for field, values in zip(batch.schema, columns, strict=True):
                for value in values:
                    to_json(value, field.name)
            raise


class JsonObjectWriter(TextFormatWriter):
    """One JSON object ``{key: value, …}`` of a result of two columns, for small results.

    Keys that are not text are written as JSON does it (``1`` as ``"1"``); two keys with one text are an error.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".json",)
    is_single: ClassVar[bool] = True
    separator: ClassVar[bytes] = b",\n"

    def check_schema(self, schema: pa.Schema) -> None:
        """Two columns, no more."""
        if len(schema) != 2:
            raise ValueTypeError(
                f"one JSON object has keys and values, "
                f"and the result has {counted(len(schema), 'column')}: {', '.join(schema.names)}",
                hint='write format="jsonl" instead',
            )

    def head(self, schema: pa.Schema) -> bytes:
        """The opening brace."""
        return b"{\n"

    def tail(self) -> bytes:
        """The closing brace."""
        return b"\n}\n"

    def rows(self, batch: pa.RecordBatch) -> bytes:
        """Pairs, one on each line."""
        (key_field, keys), (value_field, values) = _decoded(batch)
        pairs = [f"{_encode(key if isinstance(key, str) else to_json(key, key_field.name))}: "
                 f"{to_json(value, value_field.name)}" for key, value in zip(keys, values, strict=True)]  # fmt: skip
        return ",\n".join(pairs).encode()

    def merge(self, file: BinaryIO, schema: pa.Schema, fragments: Iterable[BinaryIO]) -> None:
        """Braces around all pairs, after a look for keys that occur twice."""
        bodies = [fragment.read() for fragment in fragments]
        json.loads(b"{" + b",".join(body for body in bodies if body) + b"}", object_pairs_hook=_refuse_doubles)
        super().merge(file, schema, map(io.BytesIO, bodies))


def to_json(value: Any, column: str) -> str:
    """A value as JSON text.

    Raises
    ------
    ValueTypeError
        Naming the column, for what JSON cannot hold.
    """
    return _json_in(value, column, "JSON")


def _json_in(value: Any, column: str, place: str) -> str:
    try:
        return _encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueTypeError(f"column {column!r} holds {value!r:.60}, which {place} cannot: {error}",
                             hint="write parquet instead, or make it text or a number first") from None  # fmt: skip


def _default(value: Any) -> Any:
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, (Decimal, uuid.UUID)):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(
            value, key=lambda item: (type(item).__name__, item if isinstance(item, (str, int, float)) else repr(item))
        )
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written there")


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_default).encode


def _refuse_doubles(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise ValueTypeError(f"two keys of the result have one JSON text, {key!r}",
                                 hint='write format="jsonl", which keeps their types')  # fmt: skip
        seen.add(key)


def _decoded(batch: pa.RecordBatch) -> list[tuple[pa.Field, list[Any]]]:
    return [(field, decode_column(column, field)) for column, field in zip(batch.columns, batch.schema, strict=True)]


def to_text(value: Any, column: str) -> str:
    """A value in a cell of text: itself if it is text, ISO for dates, else JSON.

    Raises
    ------
    ValueTypeError
        Naming the column, for bytes and what JSON cannot hold.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, (int, float, Decimal, uuid.UUID)) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        raise ValueTypeError(f"column {column!r} holds bytes, which text cannot",
                             hint="write parquet instead, or decode them first")  # fmt: skip
    return _json_in(value, column, "text")


def _is_csv_type(field: pa.Field) -> bool:
    kind = field.type
    is_plain = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return not kind_of(field) and (is_plain or is_text or pa.types.is_date32(kind) or pa.types.is_null(kind))
