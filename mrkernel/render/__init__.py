"""Pure functions from plain data to HTML and text: tables, progress, failures, counters, plans.

The HTML stays readable with its styles and scripts stripped; every value is escaped; nothing here knows Jupyter.
"""

from __future__ import annotations

from mrkernel.render.bad_records import bad_words
from mrkernel.render.cluster import (
    ClusterPicture,
    Link,
    RunningTask,
    WorkerPicture,
    cluster_html,
    cluster_text,
)
from mrkernel.render.counters import counters_html, counters_text
from mrkernel.render.failure import failure_html, failure_text
from mrkernel.render.line import ProgressLine, progress_line
from mrkernel.render.plan import plan_html, plan_text
from mrkernel.render.profile import profile_html, profile_text
from mrkernel.render.progress import progress_html, progress_text
from mrkernel.render.skew import skew_html, skew_text
from mrkernel.render.table import Preview, table_html, table_text
from mrkernel.render.tuning import NumberTable, tuning_html, tuning_text
from mrkernel.render.values import value_text
from mrkernel.render.walkthrough import walkthrough_html, walkthrough_text
from mrkernel.render.workers import workers_html

__all__ = [
    "ClusterPicture",
    "Link",
    "NumberTable",
    "Preview",
    "ProgressLine",
    "RunningTask",
    "WorkerPicture",
    "bad_words",
    "cluster_html",
    "cluster_text",
    "counters_html",
    "counters_text",
    "failure_html",
    "failure_text",
    "plan_html",
    "plan_text",
    "profile_html",
    "profile_text",
    "progress_html",
    "progress_line",
    "progress_text",
    "skew_html",
    "skew_text",
    "table_html",
    "table_text",
    "tuning_html",
    "tuning_text",
    "value_text",
    "walkthrough_html",
    "walkthrough_text",
    "workers_html",
]
