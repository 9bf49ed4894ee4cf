"""What a job leaves: its rows where they are, numbers of the run, and views of both."""

from __future__ import annotations

from mrkernel.result.parts import PartsSource
from mrkernel.result.report import Report
from mrkernel.result.result import Result

__all__ = ["PartsSource", "Report", "Result"]
