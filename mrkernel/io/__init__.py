"""Where records come from and where results go: files, URLs, memory, and formats of your own."""

from __future__ import annotations

from mrkernel.io.base import Origin, Part, RecordBlock, Sink, Source, Split
from mrkernel.io.registry import Format, LocationHint, as_source, files, formats, register, source

__all__ = [
    "Format",
    "LocationHint",
    "Origin",
    "Part",
    "RecordBlock",
    "Sink",
    "Source",
    "Split",
    "as_source",
    "files",
    "formats",
    "register",
    "source",
]
