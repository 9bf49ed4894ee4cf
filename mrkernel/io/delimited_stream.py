"""CSV files that are read as one stream, because quoted values may hold line breaks."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

from mrkernel.io.delimited_errors import InvalidRows

__all__ = ["RowBytes", "SkippedRows"]


class SkippedRows(InvalidRows):
    """Hands rows of a wrong length over, and goes on.

    Attributes
    ----------
    stopped
        What handing over raised. Arrow forgets what its callback raises.
    """

    def __init__(self, hand_over: Callable[[Any], None]) -> None:
        super().__init__()
        self._hand_over = hand_over
        self.stopped: Exception | None = None

    def __call__(self, row: Any) -> str:
        """Hand the row over; stop if that raised."""
        try:
            self._hand_over(row)
        except Exception as error:  # noqa: BLE001  # the reader raises it
            self.stopped = error
            return "error"
        return "skip"


class RowBytes(io.RawIOBase):
    """The bytes of a file after its header, in UTF-8, as a file object for Arrow's streaming reader.

    Parameters
    ----------
    blocks
        The file's bytes, each block with its offset.
    to_utf8
        Makes UTF-8 of what stands at an offset.
    end
        Where the header ends.
    """

    def __init__(self, blocks: Iterator[tuple[int, bytes]], to_utf8: Callable[[int, bytes], bytes], end: int) -> None:
        super().__init__()
        self._blocks, self._to_utf8, self._end = blocks, to_utf8, end
        self._rest = b""

    def readable(self) -> bool:
        """True."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes; all that is at hand if ``size`` is negative."""
        while not self._rest:
            at, data = next(self._blocks, (0, b""))
            if not data:
                return b""
            start = max(at, self._end)
            self._rest = self._to_utf8(start, data[start - at :]) if start - at < len(data) else b""
        taken, self._rest = (self._rest, b"") if size < 0 else (self._rest[:size], self._rest[size:])
        return taken
