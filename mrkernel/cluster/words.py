"""What an owner says to its cluster's server process."""

from __future__ import annotations

__all__ = ["CLOSE", "LEAVE"]

# "End now, whatever runs", and "I end; end too when nothing runs any more".
CLOSE, LEAVE = b"close\n", b"leave\n"
