"""Where records come from and where results go: files, URLs, memory, and formats of your own."""

from __future__ import annotations

from mrkernel.io.aside import Aside, Unreadable
from mrkernel.io.base import Origin, Part, RecordBlock, Sink, Source, Split
from mrkernel.io.functions import custom
from mrkernel.io.opening import open_sink
from mrkernel.io.readers import read_csv, read_files, read_ipc, read_json, read_parquet, read_text
from mrkernel.io.registry import Format, LocationHint, as_source, files, formats, register, source
from mrkernel.io.writers import FormatWriter, OpenFile, TextFormatWriter

__all__ = [
    "Aside",
    "Format",
    "FormatWriter",
    "LocationHint",
    "OpenFile",
    "Origin",
    "Part",
    "RecordBlock",
    "Sink",
    "Source",
    "Split",
    "TextFormatWriter",
    "Unreadable",
    "as_source",
    "custom",
    "files",
    "formats",
    "open_sink",
    "read_csv",
    "read_files",
    "read_ipc",
    "read_json",
    "read_parquet",
    "read_text",
    "register",
    "source",
]
