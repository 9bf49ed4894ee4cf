"""From a target and options to a sink."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from mrkernel.errors import FormatError, OptionError
from mrkernel.io.base import Sink
from mrkernel.io.locations import compression_of, file_suffix
from mrkernel.io.registry import check_options, find_format, format_of, load_class
from mrkernel.io.sinks import FileSink
from mrkernel.io.writers import FormatWriter

__all__ = ["open_sink"]


def open_sink(
    target: str | os.PathLike[str] | Sink,
    *,
    format: str | None = None,
    overwrite: bool = False,
    append: bool = False,
    single_file: bool | None = None,
    partition_by: str | Sequence[str] | None = None,
    **options: Any,
) -> Sink:
    """Where a result goes: a file or folder, local or a URL.

    A target with a suffix is one file of that format (``counts.csv``, ``counts.csv.gz``, ``counts.json``); one
    without is a folder of parts, of Parquet if ``format`` does not say otherwise. Nothing can be seen before the
    whole output is there; an existing target is an error unless ``overwrite`` or ``append`` is said.

    Parameters
    ----------
    target
        A path or URL, or a Sink, which is returned as it is.
    format
        "parquet", "ipc", "csv", "tsv", "jsonl", "json" (one object of keys and values), "text", or a registered one.
    overwrite
        Replace the target once the new output is whole.
    append
        Add parts to a folder. A reader may see some of the new parts before all are there.
    single_file
        Write one file, or a folder, whatever the target's name says.
    partition_by
        Columns that become folders ``column=value``.
    options
        Options of the format: ``compression``, ``delimiter``, …, and ``storage_options`` for a URL.

    Raises
    ------
    FormatError, OptionError
        For an unknown format or option.

    Examples
    --------
    >>> open_sink("counts.csv").name
    'counts.csv'
    """
    if isinstance(target, Sink):
        return target
    if not isinstance(target, (str, os.PathLike)):
        raise OptionError(f"a target is a str or Path, not {type(target).__name__}")
    place = os.fspath(target)
    suffix = file_suffix(place)
    chosen = find_format(format) if format else format_of(place, writing=True) if suffix else find_format("parquet")
    if chosen.sink is None:
        raise FormatError(f"the format {chosen.name!r} can be read, not written", hint='for example format="parquet"')
    kind = load_class(chosen.sink)
    general = {"overwrite": overwrite, "append": append, "single_file": single_file, "partition_by": partition_by}
    if not issubclass(kind, FormatWriter):
        given = {name: value for name, value in general.items() if value}
        check_options(kind, chosen.name, {**given, **options})
        made: Sink = kind(place, **given, **options)
        return made
    storage_options = options.pop("storage_options", None)
    codec = compression_of(place)
    if codec and "compression" not in options:
        options["compression"] = codec
    check_options(kind, chosen.name, options)
    return FileSink(place, kind(**options), overwrite=overwrite, append=append, single_file=single_file,
                    partition_by=partition_by, storage_options=storage_options)  # fmt: skip
