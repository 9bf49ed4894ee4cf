"""Pure functions from plain data to HTML and text: tables, progress, failures, counters, plans.

The HTML stays readable with its styles and scripts stripped; every value is escaped; nothing here knows Jupyter.
"""

from __future__ import annotations

from mrkernel.render.counters import counters_html, counters_text
from mrkernel.render.failure import failure_html, failure_text
from mrkernel.render.line import ProgressLine, progress_line
from mrkernel.render.plan import plan_html, plan_text
from mrkernel.render.progress import progress_html, progress_text
from mrkernel.render.table import Preview, table_html, table_text
from mrkernel.render.values import value_text

__all__ = [
    "Preview",
    "ProgressLine",
    "counters_html",
    "counters_text",
    "failure_html",
    "failure_text",
    "plan_html",
    "plan_text",
    "progress_html",
    "progress_line",
    "progress_text",
    "table_html",
    "table_text",
    "value_text",
]
