"""Names of formats, and from what a user hands over to a Source or Sink."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pyarrow as pa

from mrkernel.errors import FormatError, OptionError
from mrkernel.io.base import Source
from mrkernel.io.locations import expand, file_suffix, safe_name

__all__ = ["Format", "LocationHint", "as_source", "check_options", "files", "find_format", "format_of", "formats",
           "load_class", "register", "source"]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format by name.

    Attributes
    ----------
    name
        What ``format=`` takes.
    source, sink
        Where its classes are, as "module:class"; or the classes; None if it cannot be read, or written.
    suffixes
        File suffixes that stand for it.
    description
        A few words for help and completion.
    """

    name: str
    source: str | type | None = None
    sink: str | type | None = None
    suffixes: tuple[str, ...] = ()
    description: str = ""


class LocationHint(UserWarning):
    """A list of strings is taken as records, but all of them name files."""


_BUILT_IN = (
    Format(name="text", source="mrkernel.io.text:TextSource", sink="mrkernel.io.write_text:TextWriter",
           suffixes=(".txt", ".log", ".md", ".text", ""), description="one record for each line"),
    Format(name="csv", source="mrkernel.io.delimited:CsvSource", sink="mrkernel.io.write_text:CsvWriter",
           suffixes=(".csv",), description="comma-separated values with a header"),
    Format(name="tsv", source="mrkernel.io.delimited:TsvSource", sink="mrkernel.io.write_text:TsvWriter",
           suffixes=(".tsv", ".tab"), description="tab-separated values with a header"),
    Format(name="jsonl", source="mrkernel.io.jsonl:JsonLinesSource", sink="mrkernel.io.write_text:JsonLinesWriter",
           suffixes=(".jsonl", ".ndjson", ".json"), description="one JSON value on each line"),
    Format(name="json", sink="mrkernel.io.write_text:JsonObjectWriter", suffixes=(".json",),
           description="one JSON object of keys and values"),
    Format(name="parquet", source="mrkernel.io.parquet:ParquetSource", sink="mrkernel.io.write_columnar:ParquetWriter",
           suffixes=(".parquet", ".pq"), description="Apache Parquet"),
    Format(name="ipc", source="mrkernel.io.ipc:IpcSource", sink="mrkernel.io.write_columnar:IpcWriter",
           suffixes=(".arrow", ".feather", ".ipc", ".arrows"), description="Arrow IPC, Feather"),
    Format(name="files", source="mrkernel.io.whole:WholeFileSource", description="each file is one record"),
)  # fmt: skip
_registered: dict[str, Format] = {item.name: item for item in _BUILT_IN}
_ALIASES = {"ndjson": "jsonl", "json lines": "jsonl", "arrow": "ipc", "feather": "ipc", "txt": "text"}


def register(name: str, *, source: type | None = None, sink: type | None = None, suffixes: Iterable[str] = (),
             description: str = "") -> None:  # fmt: skip
    """Add a format in this process; packages use the entry points ``mrkernel.sources`` and ``mrkernel.sinks``.

    ``source`` is called with locations and the options as keywords, ``sink`` with a target and keywords.

    Raises
    ------
    OptionError
        If a built-in format has this name.
    """
    if any(item.name == name for item in _BUILT_IN):
        raise OptionError(f"the format {name!r} is built in", hint="choose another name")
    _registered[name] = Format(name=name, source=source, sink=sink, suffixes=tuple(suffixes), description=description)


def formats() -> list[Format]:
    """All formats, built in, registered and installed, by name.

    >>> [item.name for item in formats()][:3]
    ['csv', 'files', 'ipc']
    """
    return sorted({**_plugins(), **_registered}.values(), key=lambda item: item.name)


def find_format(name: str) -> Format:
    """The format of that name.

    Raises
    ------
    FormatError
        If there is none; the hint names the nearest.
    """
    key = _ALIASES.get(name.lower(), name.lower())
    found = _registered.get(key) or _plugins().get(key)
    if found is None:
        known = [item.name for item in formats()]
        close = get_close_matches(key, [*known, *_ALIASES], n=1)
        raise FormatError(
            f"there is no format {name!r}",
            hint=f"did you mean {close[0]!r}?" if close else f"formats are {', '.join(known)}",
        )
    return found


def format_of(path: str, *, writing: bool = False) -> Format:
    """The format that a file's suffix stands for.

    Raises
    ------
    FormatError
        If no format has this suffix.
    """
    suffix = file_suffix(path)
    for item in formats():
        if suffix in item.suffixes and (item.sink if writing else item.source):
            return item
    raise FormatError(f"cannot tell the format of {safe_name(path)} from its suffix {suffix!r}",
                      hint='say which it is, for example format="text" or format="csv"')  # fmt: skip


def source(location: str | Path, *, format: str | None = None, **options: Any) -> Source:
    """Open a file, folder, glob or URL as a source.

    The suffix tells the format (a compression suffix is looked through), unless ``format`` says it.

    Raises
    ------
    SourceNotFoundError
        If there is nothing at the location.
    FormatError
        For an unknown format, a suffix that tells none, or a folder of several formats.
    OptionError
        For an option that the format does not have.

    Examples
    --------
    >>> source("books/*.txt", encoding="latin-1")  # doctest: +SKIP
    """
    return files(location, format=format, **options)


def files(*locations: str | Path, format: str | None = None, **options: Any) -> Source:
    """Open several locations of one format as one source, in the order given.

    Raises
    ------
    SourceNotFoundError, FormatError, OptionError
        As for :func:`source`.

    Examples
    --------
    >>> files("2023.csv", "2024/*.csv")  # doctest: +SKIP
    """
    if not locations:
        raise OptionError("no location was given", hint='for example mr.files("a.txt", "b/*.txt")')
    places = [_text(place) for place in locations]
    chosen = find_format(format) if format else _one_format(places, options.get("storage_options"))
    if chosen.source is None:
        raise FormatError(f"the format {chosen.name!r} can be written, not read", hint='JSON is read by format="jsonl"')
    return _build(load_class(chosen.source), chosen.name, places, options)


def as_source(obj: Any, **options: Any) -> Source:
    """What a job reads: a Source as it is, a location opened, or data of this process.

    Strings and paths are locations, a list of ``Path`` are several. A pandas or polars DataFrame and Arrow data
    are tables; any other iterable holds records, also when they are strings. A generator is walked once, when the
    job is planned. An object with a method ``__mrkernel_source__()`` gives its own source.

    Raises
    ------
    OptionError
        For what cannot be a source.

    Warns
    -----
    LocationHint
        If all records are strings that name existing files.
    """
    if isinstance(obj, Source):
        return obj
    if hasattr(obj, "__mrkernel_source__"):
        own: Source = obj.__mrkernel_source__()
        return own
    if isinstance(obj, (str, Path)):
        return source(obj, **options)
    if isinstance(obj, (list, tuple)) and obj and all(isinstance(item, Path) for item in obj):
        return files(*obj, **options)
    if options:
        raise OptionError(f"data of this process takes no options, and {', '.join(options)} was given",
                          hint="options such as format= are for files")  # fmt: skip
    return _in_memory(obj)


def _in_memory(obj: Any) -> Source:
    from mrkernel.io.memory import ObjectSource, StreamSource, TableSource, frame_table

    package, kind = type(obj).__module__.split(".")[0], type(obj).__name__
    if isinstance(obj, (pa.Table, pa.RecordBatch)):
        return TableSource(pa.table(obj) if isinstance(obj, pa.Table) else pa.Table.from_batches([obj]), name=kind)
    if package == "pandas" and kind == "DataFrame":
        return TableSource(frame_table(obj), name=kind)
    if package == "polars" and kind in {"DataFrame", "LazyFrame"}:
        import polars as pl

        frame = obj.collect() if kind == "LazyFrame" else obj
        return TableSource(frame.to_arrow(compat_level=pl.CompatLevel.oldest()), name=kind)
    if isinstance(obj, (pa.Array, pa.ChunkedArray)):
        return ObjectSource(obj.to_pylist(), name=kind)
    if isinstance(obj, (list, tuple, range)):
        if obj and isinstance(obj[0], str):
            _hint_at_files(obj)
        return ObjectSource(obj, name=kind)
    if isinstance(obj, (bytes, bytearray, Mapping)) or not isinstance(obj, Iterable):
        if hasattr(obj, "__arrow_c_stream__"):
            return TableSource(pa.table(obj), name=kind)
        hint = "hand over .items() or a list of dicts" if isinstance(obj, Mapping) else "a path, a frame or an iterable"
        raise OptionError(f"an object of type {kind} cannot be the input of a job", hint=hint)
    if hasattr(obj, "__arrow_c_stream__") and not hasattr(obj, "__len__"):
        return TableSource(pa.table(obj), name=kind)
    return StreamSource(obj, name=kind)


def _hint_at_files(records: Any) -> None:
    if len(records) <= 1000 and all(isinstance(item, str) and 0 < len(item) < 1000 and "\n" not in item
                                    and os.path.isfile(item) for item in records):  # fmt: skip
        warnings.warn(
            LocationHint(
                f"the {type(records).__name__} holds {len(records)} strings that all name files; they are "
                "taken as records. Hint: use mr.files(...) to read the files"
            ),
            stacklevel=4,
        )


def _text(place: str | Path) -> str:
    if not isinstance(place, (str, os.PathLike)):
        raise OptionError(f"a location is a str or Path, not {type(place).__name__}")
    return os.fspath(place)


def _one_format(places: list[str], storage_options: Mapping[str, Any] | None) -> Format:
    found: dict[str, tuple[Format, str]] = {}
    for place in places:
        for entry in expand(place, storage_options):
            chosen = format_of(entry.path)
            found.setdefault(chosen.name, (chosen, entry.shown))
    if len(found) > 1:
        (first, a), (second, b), *_ = found.values()
        raise FormatError(f"the files are of several formats: {a} is {first.name}, {b} is {second.name}",
                          hint=f'use a glob such as *{first.suffixes[0]}, or say format="{first.name}"')  # fmt: skip
    return next(iter(found.values()))[0]


def load_class(where: str | type) -> Any:
    """The class that a Format's ``source`` or ``sink`` stands for."""
    if not isinstance(where, str):
        return where
    module, name = where.split(":")
    return getattr(import_module(module), name)


def check_options(kind: Any, name: str, options: Mapping[str, Any], ignored: Iterable[str] = ()) -> None:
    """Raise OptionError for a keyword that ``kind`` does not take, naming the nearest."""
    parameters = inspect.signature(kind).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in set(ignored)]
    for option in options:
        if option not in known:
            close = get_close_matches(option, known, n=1)
            raise OptionError(
                f"the format {name!r} has no option {option!r}",
                hint=f"did you mean {close[0]!r}?" if close else f"its options are {', '.join(known)}",
            )


def _build(kind: Any, name: str, places: list[str], options: Mapping[str, Any]) -> Source:
    check_options(kind, name, options)
    if len(places) == 1 and "columns" in inspect.signature(kind).parameters:
        from mrkernel.io.filesource import FileSource
        from mrkernel.io.partitioned import PartitionedSource, folder_columns

        added = folder_columns(places[0], expand(places[0], options.get("storage_options")))
        if added and issubclass(kind, FileSource):
            chosen = options.get("columns")
            of_files = [name for name in chosen or () if name not in added]
            inner = {**options, "columns": of_files or None} if chosen else options
            return PartitionedSource(kind(*places, **inner), places[0], added, chosen=chosen)
    made: Source = kind(*places, **options)
    return made


@lru_cache(maxsize=1)
def _plugins() -> dict[str, Format]:
    """Formats of installed packages: an entry point's name is the format's, its value the class."""
    found: dict[str, dict[str, Any]] = {}
    for group, role in (("mrkernel.sources", "source"), ("mrkernel.sinks", "sink")):
        for point in entry_points(group=group):
            kind = point.load()
            item = found.setdefault(point.name, {"suffixes": ()})
            item[role] = kind
            item["suffixes"] = tuple(dict.fromkeys([*item["suffixes"], *getattr(kind, "suffixes", ())]))
            item["description"] = (inspect.getdoc(kind) or "").split("\n")[0]
    return {name: Format(name=name, **item) for name, item in found.items()}
