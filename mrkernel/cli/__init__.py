"""The ``mrkernel`` command: the same jobs from a terminal."""

from __future__ import annotations

from mrkernel.cli.command import main

__all__ = ["main"]
