"""JSON Lines: one JSON value on each line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.json as pajson

from mrkernel.errors import SourceReadError
from mrkernel.io.aside import sift
from mrkernel.io.base import RecordBlock
from mrkernel.io.filesource import Piece, reading
from mrkernel.io.locations import Entry
from mrkernel.io.schemas import arrow_types, column_list
from mrkernel.io.streams import UTF8
from mrkernel.io.text import BATCH_BYTES, RECORD_BYTES, LineSource

__all__ = ["JsonLinesSource"]

_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # not in typeshed; raw_decode costs twice as much


class JsonLinesSource(LineSource):
    """Values of JSON Lines files; empty lines are skipped.

    Single records are what Python's ``json`` gives: integers of any size, values of mixed types. Batches have the
    columns that the first MB of the first file that has any shows; text that looks like a time stays text.

    Parameters
    ----------
    columns
        Keys to keep, in this order; a record without one has None there.
    types
        Types of some columns of the batches, also of columns that the first MB does not show.
    encoding, errors, compression, storage_options
        As for text.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson", ".json")

    def __init__(self, *locations: str, columns: Sequence[str] | None = None, types: Mapping[str, Any] | None = None,
                 encoding: str = UTF8, errors: str = "strict", compression: str | None = "infer",
                 storage_options: Mapping[str, Any] | None = None) -> None:  # fmt: skip
        self.columns = column_list(columns)
        self.types = arrow_types(types)
        self._schema: pa.Schema | None = None
        self._is_inferred = False
        super().__init__(*locations, encoding=encoding, errors=errors, compression=compression,
                         storage_options=storage_options)  # fmt: skip

    def schema(self) -> pa.Schema | None:
        """Columns that the first MB shows; None if its values have no one type."""
        if not self._is_inferred:
            self.plan()
        return self._schema

    def prepare(self, entries: list[Entry]) -> None:
        """Infer the columns of batches; what no Arrow type holds is no error until batches are asked for."""
        self._schema, self._is_inferred = pa.schema(list(self.types.items())), True
        for entry in entries:
            piece = Piece(entry.path, entry.shown, 0, 0, 0, entry.fingerprint)
            with reading(entry.shown):
                first = next(((at, block) for at, block in self.blocks(piece, BATCH_BYTES) if block.strip()), None)
            if first is not None:
                self._schema = self._infer(self._inferable(piece, *first))
                return

    def read_piece(self, piece: Piece) -> Iterator[pa.RecordBatch]:
        """Batches of about 1 MB of text.

        Raises
        ------
        SourceReadError
            If a value does not fit the columns that were inferred, naming the line.
        """
        schema = self.schema()
        if schema is None:
            raise SourceReadError(f"cannot make batches of {piece.shown}: its first values have no one Arrow type",
                                  hint="use a mapper of single records, or say types={…}")  # fmt: skip
        chosen = schema if self.columns is None else pa.schema([schema.field(name) for name in self.columns])
        ignored = "ignore" if self.columns is not None else "error"
        for offset, block in self.blocks(piece, BATCH_BYTES):
            utf8 = self.text_of(piece, offset, block).encode(UTF8)
            if not utf8.strip():
                continue
            options = pajson.ParseOptions(explicit_schema=chosen, unexpected_field_behavior=ignored)
            if self.aside is not None:
                yield from self._sifted(piece, utf8.decode().split("\n"), options, chosen.names)
                continue
            try:
                table = _parse(utf8, options)
            except pa.ArrowInvalid as error:
                raise self._misfit(piece, offset, utf8.decode(), schema, error) from None
            if table.num_rows != sum(map(self.is_record, utf8.splitlines())):
                # Arrow accepts several values on a line, and one value on several: the answer would depend on splits.
                self._decode(piece, offset, utf8.decode().split("\n"))
            yield from table.select(chosen.names).combine_chunks().to_batches()

    def read_piece_records(self, piece: Piece) -> Iterator[RecordBlock]:
        """Values of about 256 kB of lines; ``first`` is the byte offset of the first in its file."""
        keys = self.columns
        for offset, block in self.blocks(piece, RECORD_BYTES):
            lines = self.text_of(piece, offset, block).split("\n")
            records = self._decode(piece, offset, lines)
            if keys is not None:
                records = [{key: record.get(key) for key in keys} if isinstance(record, dict) else record
                           for record in records]  # fmt: skip
            if records:
                yield RecordBlock(records, offset, len(block))

    def is_record(self, line: bytes) -> bool:
        """Empty lines hold no record."""
        return bool(line.strip())

    def _decode(self, piece: Piece, offset: int, lines: list[str]) -> list[Any]:
        records: list[Any] = []
        append = records.append
        numbers: list[int] | None = None if self.aside is None else []
        for number, line in enumerate(lines):
            try:
                value, end = _scan(line, 0)
                if end != len(line):
                    value = json.loads(line)
            except (StopIteration, ValueError, RecursionError):
                if not line or line.isspace():
                    continue
                try:
                    value = json.loads(line)
                except (ValueError, RecursionError) as error:
                    if self.aside is None:
                        raise self._broken(piece, offset, number, line, error) from None
                    self.set_aside(piece, number, line, _not_json(error))
                    continue
            append(value)
            if numbers is not None:
                numbers.append(number)
        if self.aside is not None and numbers is not None:
            self.aside.keep(numbers)
        return records

    def _sifted(
        self, piece: Piece, lines: list[str], options: pajson.ParseOptions, names: list[str]
    ) -> Iterator[pa.RecordBatch]:
        """Batches of all lines that fit; the others are set aside."""
        assert self.aside is not None
        numbers = [number for number, line in enumerate(lines) if line.strip()]
        filled = [lines[number] for number in numbers]
        for start, stop, table, error in sift(filled, partial(_parse_lines, options)):
            if error is not None:
                self.set_aside(piece, numbers[start], filled[start], error)
            elif table is not None:
                self.aside.keep(numbers[start:stop])
                yield from table.select(names).combine_chunks().to_batches()

    def _broken(self, piece: Piece, offset: int, number: int, line: str, error: Exception) -> SourceReadError:
        what = str(error) if isinstance(error, ValueError) else "it is nested too deeply"
        place = self.line_number(piece, offset) + number
        hint = "each line must be one JSON value; mend or remove the line"
        if place == 1 and line.lstrip()[:1] in {"[", "{"}:
            hint = "one JSON value on each line is expected; read a JSON document with mr.read_files and json.loads"
        return SourceReadError(f"cannot read {piece.shown}: line {place} is not JSON: {what}: {line[:60]!r}", hint=hint)

    def _inferable(self, piece: Piece, offset: int, block: bytes) -> str:
        """The lines to infer columns from: where lines may be set aside, those that are JSON and of the given types."""
        text = self.text_of(piece, offset, block)
        if self.aside is None:
            return text
        lines = [line for line in text.split("\n") if _is_json(line)]
        given = pajson.ParseOptions(
            explicit_schema=pa.schema(list(self.types.items())), unexpected_field_behavior="ignore"
        )
        found = sift(lines, partial(_parse_lines, given)) if self.types else [(0, len(lines), None, None)]
        return "\n".join(line for start, stop, _, error in found if error is None for line in lines[start:stop])

    def _infer(self, text: str) -> pa.Schema | None:
        try:
            data = text.encode(UTF8)
            found = _parse(data, pajson.ParseOptions(explicit_schema=pa.schema(list(self.types.items())))).schema
        except pa.ArrowInvalid:
            return None
        schema = pa.schema([(field.name, self.types.get(field.name, _plain(field.type))) for field in found])
        for column in self.columns or ():
            if column not in schema.names:
                schema = schema.append(pa.field(column, pa.string()))
        return schema

    def _misfit(
        self, piece: Piece, offset: int, text: str, schema: pa.Schema, error: pa.ArrowInvalid
    ) -> SourceReadError:
        """Name the line: single records first, for what is no JSON, then halves of halves as batches."""
        lines = text.split("\n")
        self._decode(piece, offset, lines)
        options = pajson.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error")
        first, cause = 0, error
        while len(lines) > 1:
            half = len(lines) // 2
            found = _problem("\n".join(lines[:half]), options)
            if found is None:
                first, lines = first + half, lines[half:]
                found = _problem("\n".join(lines), options)
            else:
                lines = lines[:half]
            cause = found or cause
        place = self.line_number(piece, offset) + first
        return SourceReadError(
            f"cannot read {piece.shown}: line {place} does not fit the columns of the first lines: {cause}",
            hint="use a mapper of single records, or say types={…} for the column",
        )


def _parse(data: bytes, options: pajson.ParseOptions) -> pa.Table:
    return pajson.read_json(
        pa.BufferReader(data), pajson.ReadOptions(use_threads=False, block_size=len(data) + 1), options
    )


def _parse_lines(options: pajson.ParseOptions, lines: Sequence[str]) -> pa.Table:
    """One row for each line, or SourceReadError."""
    try:
        table = _parse("\n".join(lines).encode(UTF8), options)
    except pa.ArrowInvalid as error:
        problem = str(error)
    else:
        if table.num_rows == len(lines):
            return table
        problem = "there is not one value on each line"
    if len(lines) == 1:
        try:
            json.loads(lines[0])
        except (ValueError, RecursionError) as error:
            raise _not_json(error) from None
    raise SourceReadError(f"the line does not fit the columns of the first lines: {problem}",
                          hint="use a mapper of single records, or say types={…} for the column")  # fmt: skip


def _not_json(error: Exception) -> SourceReadError:
    what = str(error) if isinstance(error, ValueError) else "it is nested too deeply"
    return SourceReadError(f"the line is not JSON: {what}")


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _problem(text: str, options: pajson.ParseOptions) -> pa.ArrowInvalid | None:
    data = text.encode(UTF8)
    try:
        if data.strip():
            _parse(data, options)
    except pa.ArrowInvalid as error:
        return error
    return None


def _plain(kind: pa.DataType) -> pa.DataType:
    """An inferred type without guesses: text that looks like a time is text, and so is what was only null."""
    if pa.types.is_timestamp(kind) or pa.types.is_null(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(_plain(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _plain(field.type)) for field in kind])
    return kind
