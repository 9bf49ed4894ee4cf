"""CSV and TSV: a header, then rows; types are inferred once, at planning, and are part of the source."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.csv as pacsv

from mrkernel.errors import OptionError, SourceReadError
from mrkernel.io.aside import sift
from mrkernel.io.base import Origin, RecordBlock, Split
from mrkernel.io.delimited_errors import InvalidRows, bad_row, bad_value, has_longer_rows, header_problem, wrong_length
from mrkernel.io.delimited_stream import RowBytes, SkippedRows
from mrkernel.io.filesource import Cut, Piece, byte_ranges, reading, whole_file
from mrkernel.io.locations import Entry
from mrkernel.io.schemas import arrow_types, check_columns, column_list, one_schema
from mrkernel.io.streams import UTF8, is_line_safe, line_blocks
from mrkernel.io.text import MOST_COUNTED, LineSource

__all__ = ["CsvSource", "TsvSource"]

_BLOCK_BYTES = 1 << 20


class CsvSource(LineSource):
    """Rows of CSV files.

    Parameters
    ----------
    delimiter, quote_char
        One character each; ``quote_char=None`` takes quotes literally.
    header
        Whether the first line names the columns; without it they are ``column_names`` or ``c1``, ``c2``, ….
    column_names
        Names to use instead of the header's.
    columns
        Columns to keep, in this order.
    types
        Types of some columns: Python types, Arrow types or names. The others are inferred from the first MB of
        the first file, and a later value that does not fit is an error with its row.
    null_values
        Texts that mean null, in columns of any type. By default the usual ones ("", "NA", "null", …) do, but not
        in columns of text.
    newlines_in_values
        Whether quoted values may hold line breaks. Each file is one split then.
    decimal_point
        "." or ",".
    union_by_name
        Whether files may lack columns that others have (null there).
    encoding, errors, compression, storage_options
        As for text.
    """

    record_name = "row"
    suffixes: ClassVar[tuple[str, ...]] = (".csv",)
    default_delimiter: ClassVar[str] = ","

    def __init__(self, *locations: str, delimiter: str | None = None, quote_char: str | None = '"', header: bool = True,
                 column_names: Sequence[str] | None = None, columns: Sequence[str] | None = None,
                 types: Mapping[str, Any] | None = None, null_values: Sequence[str] | None = None,
                 newlines_in_values: bool = False, decimal_point: str = ".", union_by_name: bool = False,
                 encoding: str = UTF8, errors: str = "strict", compression: str | None = "infer",
                 storage_options: Mapping[str, Any] | None = None) -> None:  # fmt: skip
        self.delimiter = self.default_delimiter if delimiter is None else delimiter
        for option, value in (("delimiter", self.delimiter), ("quote_char", quote_char or '"')):
            if len(value) != 1 or ord(value) > 127 or value in "\r\n":
                raise OptionError(f"{option}={value!r} is not one ASCII character", hint='for example ";" or "\\t"')
        self.quote_char = quote_char
        self.header = header
        self.column_names = tuple(column_names) if column_names is not None else None
        self.columns = column_list(columns)
        self.types = arrow_types(types)
        self.null_values = list(null_values) if null_values is not None else None
        self.newlines_in_values = newlines_in_values
        self.decimal_point = decimal_point
        self.union_by_name = union_by_name
        self._schema: pa.Schema | None = None
        self._heads: dict[str, tuple[tuple[str, ...], int]] = {}
        self._undecoded: dict[int, tuple[str, Exception]] = {}
        super().__init__(*locations, encoding=encoding, errors=errors, compression=compression,
                         storage_options=storage_options)  # fmt: skip

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_heads": {}}

    def schema(self) -> pa.Schema:
        """The columns and their types, inferred from the first MB."""
        if self._schema is None:
            self.plan()
        return self._schema

    def prepare(self, entries: list[Entry]) -> None:
        """Compare the headers of all files, and infer types from the first rows of the first."""
        self._heads = {}
        types: dict[str, pa.DataType] = {}
        schemas = []
        shared: dict[tuple[str, ...], tuple[str, ...]] = {}
        for entry in entries:
            with reading(entry.shown):
                names, end = self._head(entry, entry.path)
                # One tuple for all files: pickled once with a split that packs thousands of them.
                names = shared.setdefault(names, names)
                self._heads[entry.path] = names, end
                if names and not types.keys() >= set(names):
                    types = {**self._infer(entry, names, end), **types}
                if names:
                    kept = names if self.columns is None else [name for name in self.columns if name in names]
                    if not self.union_by_name:
                        check_columns(self.columns or (), names, entry.shown)
                    schemas.append((entry.shown, pa.schema([(name, types[name]) for name in kept])))
        whole = one_schema(schemas, union_by_name=self.union_by_name)
        if schemas:
            check_columns(self.types, list(types), self.name)
            check_columns(self.columns or (), whole.names, self.name)
        self._schema = pa.schema([whole.field(name) for name in self.columns or whole.names if name in whole.names])

    def unsplittable(self, entry: Entry) -> str:
        """Why a file is one split, in words; "" if it can be cut."""
        why = super().unsplittable(entry)
        return why or ("quoted line breaks cannot be told from rows" if self.newlines_in_values else "")

    def cut(self, entry: Entry, chunk_bytes: int) -> Iterable[Cut]:
        """Equal byte ranges after the header."""
        names, end = self._heads[entry.path]
        if not names:
            return
        why = self.unsplittable(entry)
        for cut in whole_file(entry, why) if why else byte_ranges(entry, chunk_bytes, end):
            yield Cut(start=cut.start, stop=cut.stop, size_bytes=cut.size_bytes, note=cut.note, extra=(names, end))

    def read_piece(self, piece: Piece) -> Iterator[pa.RecordBatch]:
        """Batches of about 1 MB of text."""
        schema, (_, end) = self.schema(), piece.extra
        options = self._convert_options(schema)
        if self.aside is not None:
            self.aside.begin(piece, lambda: self._rows_before(piece, piece.start))
        if self.newlines_in_values:
            with closing(RowBytes(self.blocks(piece, _BLOCK_BYTES), partial(self.to_utf8, piece), end)) as rows:
                yield from self._stream(piece, pa.PythonFile(rows, mode="r"), options)
            return
        for at, data in self.blocks(piece, _BLOCK_BYTES):
            offset, block = (at, data) if at >= end else (end, data[end - at :])
            if block:
                for table in self._tables(piece, offset, block, options):
                    yield from table.combine_chunks().to_batches()

    def locate(self, split: Split, block: RecordBlock, index: int) -> Origin:
        """File and row number, from 1 after the header; reads the file up to there."""
        piece = split.payload[block.file]
        if self.aside is not None:
            return self._origin_of_row(piece, self.aside.row_of(block.first + index))
        row = self._rows_before(piece, piece.start) + block.first + index
        return Origin(source=piece.shown, location=f"row {row + 1}", offset=row)

    def _head(self, entry: Entry, path: str) -> tuple[tuple[str, ...], int]:
        """Names of a file's columns, and where its rows begin; no names if the file is empty."""
        with closing(self.open_lines(path)) as stream:
            for at, block in line_blocks(stream, 0, None, 64 << 10):
                lines = block.lstrip(b"\r\n").splitlines(keepends=True)
                if not lines:
                    continue
                begin = at + len(block) - sum(map(len, lines))
                rows = csv.reader((self._decoded(entry, at, line) for line in lines), delimiter=self.delimiter,
                                  **self._quoting())  # fmt: skip
                fields = next(rows)
                names = self.column_names or (tuple(fields) if self.header else
                                              tuple(f"c{n + 1}" for n in range(len(fields))))  # fmt: skip
                if problem := header_problem(names, fields, is_read=self.column_names is None and self.header):
                    raise SourceReadError(f"cannot read {entry.shown}: {problem}",
                                          hint="say column_names=[…], or header=False if there is none")  # fmt: skip
                return names, begin + sum(map(len, lines[: rows.line_num])) if self.header else begin
        return (), 0

    def _infer(self, entry: Entry, names: tuple[str, ...], end: int) -> dict[str, pa.DataType]:
        """Types of a file's columns from its first block."""
        piece = Piece(entry.path, entry.shown, 0, 0, 0, entry.fingerprint, (names, end))
        for at, data in self.blocks(piece, _BLOCK_BYTES):
            block = data[max(0, end - at) :]
            if not block:
                continue
            options = self._convert_options(pa.schema([(n, t) for n, t in self.types.items() if n in names]))
            options.include_columns, options.include_missing_columns = [], False
            utf8 = self.to_utf8(piece, max(at, end), block)
            # Where rows are several lines, lines say nothing: the reader itself passes over what is no row.
            if self.aside is not None and not self.newlines_in_values:
                utf8 = self._readable(names, utf8, options)
            if not utf8.strip(b"\r\n"):
                continue
            if self.newlines_in_values:
                table = next(self._stream(piece, pa.BufferReader(utf8), options), None)
                if table is None:
                    continue
            else:
                table = self._parse(piece, max(at, end), utf8, options)
            if any(pa.types.is_binary(field.type) and field.name not in self.types for field in table.schema):
                self.text_of(piece, max(at, end), block)
            return {field.name: pa.string() if pa.types.is_null(field.type) else field.type for field in table.schema}
        return {name: self.types.get(name, pa.string()) for name in names}

    def _parse(self, piece: Piece, offset: int, block: bytes, options: pacsv.ConvertOptions) -> pa.Table:
        names = piece.extra[0]
        invalid = InvalidRows(len(names), self.delimiter, self.quote_char)
        try:
            return self._parsed(names, block, options, invalid)
        except pa.ArrowInvalid as error:
            if self.encoding == UTF8:
                self.text_of(piece, offset, block)
            if invalid.is_open:
                raise self._line_break(piece, offset) from None
            raise bad_value(piece.shown, names, error, invalid, self._rows_before(piece, offset)) from None

    def _parsed(
        self, names: tuple[str, ...], block: bytes, options: pacsv.ConvertOptions, invalid: InvalidRows
    ) -> pa.Table:
        """The rows of a block, or ArrowInvalid, for which ``invalid`` knows whether a quoted value is left open."""
        may_break = self.quote_char is not None and self.quote_char.encode() in block
        text = invalid.closing(block) if may_break else block
        # A look at all bytes at once takes a fiftieth of the parser's own look at each value, a third of its time.
        options.check_utf8 = not text.isascii()
        try:
            table = pacsv.read_csv(pa.BufferReader(text), self._read_options(names, len(text) + 1),
                                   self._parse_options(invalid), options)  # fmt: skip
        except pa.ArrowInvalid as error:
            if str(error) == "Empty CSV file":
                return pa.schema([(name, pa.null()) for name in names]).empty_table().select([])
            raise
        if invalid.is_open or (may_break and has_longer_rows(block, table.num_rows)):
            invalid.is_open = True
            raise pa.ArrowInvalid("a quoted value holds a line break")
        return table

    # -- rows set aside ----------------------------------------------------------------------------------------

    def _tables(self, piece: Piece, offset: int, block: bytes, options: pacsv.ConvertOptions) -> Iterator[pa.Table]:
        if self.aside is None:
            yield self._parse(piece, offset, self.to_utf8(piece, offset, block), options)
            return
        self._undecoded = {}
        utf8 = self.to_utf8(piece, offset, block)
        lines: list[bytes] = []
        rows: list[int] = []
        for number, line in enumerate(utf8.split(b"\n")):
            if number in self._undecoded:
                self._drop(piece, self.aside.n_rows, *self._undecoded[number])
                self.aside.n_rows += 1
            for row in _rows_of(line):
                lines.append(row)
                rows.append(self.aside.n_rows)
                self.aside.n_rows += 1
        for start, _, table, error in sift(lines, partial(self._parse_lines, piece.extra[0], options)):
            if table is not None:
                yield table
            elif error is not None:
                self._drop(piece, rows[start], lines[start].decode(UTF8, "backslashreplace").rstrip("\n"), error)

    def set_aside(self, piece: Piece, line: int, text: str, error: Exception) -> None:
        """Keep a line that is not in the encoding, and is empty in the text, until its row is known."""
        if self.newlines_in_values:
            super().set_aside(piece, line, text, error)
        else:
            self._undecoded[line] = text, error

    def _drop(self, piece: Piece, row: int, text: str, error: Exception) -> None:
        assert self.aside is not None
        self.aside.drop(row)
        self.aside.hand_over(text, error, partial(self._origin_of_row, piece, row))

    def _parse_lines(self, names: tuple[str, ...], options: pacsv.ConvertOptions, lines: Sequence[bytes]) -> pa.Table:
        invalid = InvalidRows(len(names), self.delimiter, self.quote_char)
        try:
            return self._parsed(names, b"".join(lines), options, invalid)
        except pa.ArrowInvalid as error:
            raise bad_row(names, error, invalid) from None

    def _readable(self, names: tuple[str, ...], block: bytes, options: pacsv.ConvertOptions) -> bytes:
        """Those lines of a block that are rows by themselves, whatever the types of other columns will be."""
        lines = _rows_of(block)
        as_text = pacsv.ConvertOptions(column_types={name: self.types.get(name, pa.string()) for name in names},
                                       decimal_point=self.decimal_point)  # fmt: skip
        as_text.null_values, as_text.strings_can_be_null = options.null_values, options.strings_can_be_null
        found = sift(lines, partial(self._parse_lines, names, as_text))
        return b"".join(line for start, stop, table, _ in found if table is not None for line in lines[start:stop])

    def _skip_row(self, piece: Piece, row: Any) -> None:
        """Set a row of a wrong length aside, in a file that is one piece."""
        self._drop(piece, row.number - 1, row.text, SourceReadError(f"the row has {wrong_length(row)}"))

    def _origin_of_row(self, piece: Piece, row: int) -> Origin:
        assert self.aside is not None
        if piece.start > MOST_COUNTED:
            return Origin(source=piece.shown, location=f"row {row + 1} after byte {piece.start}", offset=None)
        place = self.aside.absolute(row)
        return Origin(source=piece.shown, location=f"row {place + 1}", offset=place)

    def _stream(self, piece: Piece, rows: Any, options: pacsv.ConvertOptions) -> Iterator[pa.RecordBatch]:
        names = piece.extra[0]
        invalid = InvalidRows() if self.aside is None else SkippedRows(partial(self._skip_row, piece))
        try:
            yield from pacsv.open_csv(
                rows, self._read_options(names, 4 * _BLOCK_BYTES), self._parse_options(invalid), options
            )
        except pa.ArrowInvalid as error:
            if isinstance(invalid, SkippedRows) and invalid.stopped is not None:
                raise invalid.stopped from None
            if str(error) != "Empty CSV file":
                raise bad_value(piece.shown, names, error, invalid, 0) from None

    def _rows_before(self, piece: Piece, offset: int) -> int:
        """How many rows of a file start before an offset."""
        end = piece.extra[1]
        if offset <= end:
            return 0
        with closing(self.open_lines(piece.path)) as stream:
            if self.codec(piece.path) or not is_line_safe(self.encoding):
                blocks = (
                    (at, data[: offset - at]) for at, data in line_blocks(stream, 0, None, _BLOCK_BYTES) if at < offset
                )
                return sum(_n_rows(data[max(0, end - at) :]) for at, data in blocks)
            return sum(_n_rows(data) for _, data in line_blocks(stream, end, offset, _BLOCK_BYTES))

    def _line_break(self, piece: Piece, offset: int) -> SourceReadError:
        row = self._rows_before(piece, offset) + 1
        return SourceReadError(f"cannot read {piece.shown}: a quoted value at or after row {row} holds a line break",
                               hint="say newlines_in_values=True (each file is one split then)")  # fmt: skip

    def _decoded(self, entry: Entry, offset: int, block: bytes) -> str:
        return self.text_of(Piece(entry.path, entry.shown, 0, 0, 0, entry.fingerprint), offset, block)

    def to_utf8(self, piece: Piece, offset: int, block: bytes) -> bytes:
        """A block in UTF-8; what is UTF-8 already is checked by the parser."""
        if self.errors == "strict" and (self.encoding == UTF8 or not is_line_safe(self.encoding)):
            return block
        return self.text_of(piece, offset, block).encode(UTF8)

    def _quoting(self) -> dict[str, Any]:
        return {"quotechar": self.quote_char} if self.quote_char else {"quoting": csv.QUOTE_NONE}

    def _read_options(self, names: tuple[str, ...], block_size: int) -> pacsv.ReadOptions:
        return pacsv.ReadOptions(use_threads=False, column_names=list(names), block_size=block_size)

    def _parse_options(self, invalid: InvalidRows) -> pacsv.ParseOptions:
        return pacsv.ParseOptions(delimiter=self.delimiter, quote_char=self.quote_char or False,
                                  newlines_in_values=self.newlines_in_values, invalid_row_handler=invalid)  # fmt: skip

    def _convert_options(self, schema: pa.Schema) -> pacsv.ConvertOptions:
        options = pacsv.ConvertOptions(
            column_types=schema,
            decimal_point=self.decimal_point,
            include_columns=schema.names,
            include_missing_columns=self.union_by_name,
        )
        if self.null_values is not None:
            options.null_values, options.strings_can_be_null = self.null_values, True
        return options


class TsvSource(CsvSource):
    """Rows of tab-separated files; everything else as for CSV."""

    suffixes: ClassVar[tuple[str, ...]] = (".tsv", ".tab")
    default_delimiter: ClassVar[str] = "\t"


def _rows_of(block: bytes) -> list[bytes]:
    """The lines that are not empty, each with its end."""
    return [line + b"\n" for line in block.splitlines() if line]


def _n_rows(block: bytes) -> int:
    return sum(1 for line in block.splitlines() if line)
