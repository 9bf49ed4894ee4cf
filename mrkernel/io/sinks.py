"""FileSink: results as files of any format, all or nothing."""

from __future__ import annotations

import copy
import os
import shutil
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any, BinaryIO, cast
from urllib.parse import quote

import pyarrow as pa

from mrkernel.batches import decode_column
from mrkernel.errors import MrkernelError, OptionError, SinkError, ValueTypeError
from mrkernel.io.base import Part, Sink
from mrkernel.io.locations import file_suffix, is_url, local_path
from mrkernel.io.partitioned import NULL_FOLDER
from mrkernel.io.remote_targets import RemoteTarget
from mrkernel.io.schemas import check_columns
from mrkernel.io.targets import LocalFile, LocalFolder, Target
from mrkernel.io.writers import FormatWriter, OpenFile

__all__ = ["FileSink", "partition_value"]

_MAX_NAME = 200
_MAX_OPEN = 64
_SINGLE = "single file"


class FileSink(Sink):
    """Output as one file, or as a folder of ``part-00000.…`` files and ``_SUCCESS``.

    Parameters
    ----------
    target
        A path or URL. One that ends in a suffix of the format is a single file, any other a folder.
    writer
        The format.
    overwrite
        Replace what is there, once the new output is whole.
    append
        Add parts to a folder.
    single_file
        One file or a folder, if the target's name does not tell.
    partition_by
        Columns that become folders ``column=value``, with percent-encoded values, instead of columns of the files.
    storage_options
        What fsspec needs for a URL.
    """

    def __init__(self, target: str, writer: FormatWriter, *, overwrite: bool = False, append: bool = False,
                 single_file: bool | None = None, partition_by: str | Sequence[str] | None = None,
                 storage_options: Mapping[str, Any] | None = None) -> None:  # fmt: skip
        path = target if is_url(target) else local_path(target)
        if single_file is None:
            single_file = writer.is_single or (file_suffix(path) in writer.suffixes and not path.endswith("/")
                                               and not (append or os.path.isdir(path)))  # fmt: skip
        self.partition_by = [partition_by] if isinstance(partition_by, str) else list(partition_by or ())
        for option, is_given in (
            ("overwrite", overwrite and append),
            ("partition_by", single_file and self.partition_by),
        ):
            if is_given:
                other = "append=True" if option == "overwrite" else "a single file"
                raise OptionError(f"{option} and {other} exclude each other", hint="leave one out")
        if single_file and append:
            raise OptionError("append needs a folder", hint=f"write to a folder, not to the file {target}")
        if writer.is_single and not single_file:
            raise OptionError("one JSON object is a single file", hint='write format="jsonl" to a folder')
        self.writer = writer
        self._check_stopped: Callable[[], None] = _go_on
        self.is_single = bool(single_file)
        self.place: Target
        if is_url(target):
            self.place = RemoteTarget(path, overwrite=overwrite, append=append, is_file=self.is_single,
                                      storage_options=storage_options)  # fmt: skip
        else:
            kind = LocalFile if self.is_single else LocalFolder
            self.place = kind(path.rstrip("/") or "/", overwrite=overwrite, append=append)

    @property
    def name(self) -> str:
        return self.place.name

    def check(self) -> None:
        """Raise TargetExistsError or SinkError if this could not be written."""
        with self._wording("write"):
            self.place.check([self.writer.suffix])

    def write_part(self, index: int, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Part:
        """Write one part under a temporary name.

        Raises
        ------
        ValueTypeError
            If the format cannot hold a column.
        OptionError
            If a column of ``partition_by`` is not there.
        SinkError
            If it cannot be written, for example since the disk is full.
        """
        return self._write(index, schema, batches, is_whole=not self.is_single)

    def write_whole(self, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Part:
        """The same for all rows: a single file is complete then, where :meth:`commit` would join parts."""
        return self._write(0, schema, batches, is_whole=True)

    def _write(self, index: int, schema: pa.Schema, batches: Iterable[pa.RecordBatch], *, is_whole: bool) -> Part:
        check_columns(self.partition_by, schema.names, "the result")
        kept = pa.schema([field for field in schema if field.name not in self.partition_by])
        self.writer.check_schema(kept)
        files = _PartFiles(self, index, kept, is_whole=is_whole)
        with self._wording("write"), closing(files):
            n_rows = 0
            for batch in batches:
                n_rows += batch.num_rows
                for folder, rows in self._by_folder(batch):
                    files.write(folder, rows if rows.schema.equals(kept) else rows.cast(kept))
            if not files.written and not self.partition_by:
                files.write("", None)
            files.finish()
        return Part(
            index=index,
            path=files.written[0][0] if files.written else "",
            n_rows=n_rows,
            n_bytes=files.n_bytes,
            extra={"files": files.written, "schema": kept, "is_whole": is_whole},
        )

    def commit(self, parts: Sequence[Part]) -> list[str]:
        """Make the output visible and return the final paths. Parts without rows leave no file, but for one."""
        ordered = sorted(parts, key=lambda part: part.index)
        kept = [part for part in ordered if part.n_rows] or ordered[:1]
        schema = next((part.extra["schema"] for part in kept), pa.schema([]))
        with self._wording("finish"):
            if self.is_single:
                is_whole = len(kept) == 1 and kept[0].extra["is_whole"]
                files = [(kept[0].path if is_whole else self._merged(kept, schema), "", "")]
            else:
                files = [(path, folder, f"part-{number:05d}{f'-{n}' if n else ''}{self.writer.suffix}")
                         for number, part in enumerate(kept)
                         for path, folder, n in part.extra["files"]]  # fmt: skip
            return self.place.publish(files, self.writer.suffix)

    def stoppable(self, check: Callable[[], None]) -> FileSink:
        """Joining parts to one large file may take long; to rename what is written does not."""
        other = copy.copy(self)
        other._check_stopped = check  # noqa: SLF001  # another of this very class
        return other

    def abort(self) -> None:
        """Remove every temporary name this sink has written, in any process."""
        with self._wording("clean up"):
            self.place.abort()

    def _merged(self, parts: Sequence[Part], schema: pa.Schema) -> str:
        fragments = [path for part in parts for path, _, _ in part.extra["files"]]
        path = self.place.temporary(0, self.writer.suffix)
        with closing(self.place.create(path)) as file:
            self.writer.merge(file, schema, self._opened(fragments))
            self.place.sync(file)
        self._check_stopped()
        return path

    def _opened(self, paths: Sequence[str]) -> Iterator[BinaryIO]:
        for path in paths:
            with closing(self.place.open(path)) as file:
                yield cast("BinaryIO", _Watched(file, self._check_stopped))

    def _by_folder(self, batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
        if not self.partition_by:
            yield "", batch
            return
        columns = [(name, decode_column(batch.column(name), batch.schema.field(name))) for name in self.partition_by]
        rows: dict[str, list[int]] = {}
        for number in range(batch.num_rows):
            folder = "/".join(
                f"{quote(name, safe='')}={partition_value(values[number], name)}" for name, values in columns
            )
            rows.setdefault(folder, []).append(number)
        rest = batch.drop_columns(self.partition_by)
        for folder, numbers in rows.items():
            yield folder, rest if len(numbers) == batch.num_rows else rest.take(pa.array(numbers))

    @contextmanager
    def _wording(self, verb: str) -> Iterator[None]:
        try:
            yield
        except MrkernelError:
            raise
        except (OSError, pa.ArrowException) as error:
            raise SinkError(f"cannot {verb} {self.name}: {error}{self._space()}") from error

    def _space(self) -> str:
        folder = os.path.dirname(os.path.abspath(self.place.path))
        if isinstance(self.place, RemoteTarget) or not os.path.isdir(folder):
            return ""
        return f" ({shutil.disk_usage(folder).free:,} bytes are free in {folder})"


class _PartFiles:
    """The files of one part: one, or one for each folder of ``partition_by``."""

    def __init__(self, sink: FileSink, index: int, schema: pa.Schema, *, is_whole: bool) -> None:
        self._sink, self._is_whole = sink, is_whole
        self._index = index
        self._schema = schema
        self._open: OrderedDict[str, tuple[str, BinaryIO, OpenFile]] = OrderedDict()
        self.written: list[tuple[str, str, int]] = []
        self.n_bytes = 0

    def write(self, folder: str, batch: pa.RecordBatch | None) -> None:
        """Add rows to the file of a folder; the file that was used longest ago makes room for a new one."""
        if folder not in self._open:
            if len(self._open) >= _MAX_OPEN:
                self._finish(next(iter(self._open)))
            path = self._sink.place.temporary(self._index, self._sink.writer.suffix)
            file = self._sink.place.create(path)
            number = sum(1 for _, other, _ in self.written if other == folder)
            self.written.append((path, folder, number))
            # Registered before the format's own start, which may fail, so that the file is closed in any case.
            self._open[folder] = (path, file, _Nothing())
            self._open[folder] = (
                path,
                file,
                self._sink.writer.open(file, self._schema, is_whole=self._is_whole),
            )
        self._open.move_to_end(folder)
        if batch is not None:
            self._open[folder][2].write(batch)

    def finish(self) -> None:
        """Complete all files and bring them to disk."""
        while self._open:
            self._finish(next(iter(self._open)))

    def close(self) -> None:
        """After a failure: close and remove what was written."""
        if self._open:
            for _, file, writer in self._open.values():
                # Its file is removed: whether the format can still end it well does not matter.
                with suppress(Exception):
                    writer.close()
                file.close()
            for path, _, _ in self.written:
                self._sink.place.remove(path)

    def _finish(self, folder: str) -> None:
        _, file, writer = self._open[folder]
        writer.close()
        self._sink.place.sync(file)
        self.n_bytes += file.tell()
        file.close()
        del self._open[folder]


class _Nothing:
    def write(self, batch: pa.RecordBatch) -> None:
        """Never called."""

    def close(self) -> None:
        """Nothing to finish."""


def partition_value(value: Any, column: str) -> str:
    """A value as a folder's name: no separator, dot-dot or NUL can come of it.

    >>> partition_value("../x", "key"), partition_value(None, "key")
    ('..%2Fx', '__HIVE_DEFAULT_PARTITION__')
    """
    if value is None:
        return NULL_FOLDER
    if isinstance(value, (bytes, list, dict, set, frozenset, tuple)):
        raise ValueTypeError(
            f"partition_by: column {column!r} holds {type(value).__name__}, which cannot name a folder",
            hint="use a column of text, numbers or dates",
        )
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    try:
        name = quote(text, safe=" ")
    except UnicodeEncodeError:
        raise ValueTypeError(f"partition_by: column {column!r} holds {value!r}, which is no valid text") from None
    if len(name) > _MAX_NAME:
        raise ValueTypeError(f"partition_by: column {column!r} holds {text[:40]!r}…, too long for a folder's name",
                             hint="use a column of short values")  # fmt: skip
    return name


class _Watched:
    """A file that looks whether to go on before each read, whatever format reads it."""

    def __init__(self, file: BinaryIO, check: Callable[[], None]) -> None:
        self._file, self._check = file, check

    def read(self, size: int = -1) -> bytes:
        self._check()
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _go_on() -> None:
    """Nobody stops this."""
