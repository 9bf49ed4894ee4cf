"""What a job leaves: its rows where they are, numbers of the run, and views of both."""

from __future__ import annotations

from mrkernel.result.errors import Errors
from mrkernel.result.paging import Page, Paging
from mrkernel.result.parts import PartsSource
from mrkernel.result.plotting import can_plot_rows
from mrkernel.result.profile import Profile
from mrkernel.result.report import Report
from mrkernel.result.result import Result
from mrkernel.result.skew import Skew

__all__ = ["Errors", "Page", "Paging", "PartsSource", "Profile", "Report", "Result", "Skew", "can_plot_rows"]
