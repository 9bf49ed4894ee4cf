"""logfmt, lines of ``key=value``, as an input and output format of mrkernel."""

from __future__ import annotations

from mrkernel_logfmt.lines import format_line, parse_line
from mrkernel_logfmt.reading import LogfmtSource
from mrkernel_logfmt.writing import LogfmtWriter

__all__ = ["LogfmtSource", "LogfmtWriter", "format_line", "parse_line"]
