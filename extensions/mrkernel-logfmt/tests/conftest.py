"""Lets the tests run from a checkout, with or without ``pip install -e``."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

try:
    distribution("mrkernel-logfmt")
except PackageNotFoundError:
    sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
    from mrkernel_logfmt import LogfmtSource, LogfmtWriter

    from mrkernel.io import register

    register("logfmt", source=LogfmtSource, sink=LogfmtWriter, suffixes=LogfmtSource.suffixes)
