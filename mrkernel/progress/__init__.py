"""Events folded into what a person wants to see: how much is done, how fast, how long still, and who does what."""

from mrkernel.progress.costs import Costs, LineCost
from mrkernel.progress.history import History, Span, TaskTime
from mrkernel.progress.snapshot import Eta, Lane, LogLine, Progress, StageProgress, WorkerState
from mrkernel.progress.state import progress_state
from mrkernel.progress.tracker import ProgressTracker

__all__ = [
    "Costs",
    "Eta",
    "History",
    "Lane",
    "LineCost",
    "LogLine",
    "Progress",
    "ProgressTracker",
    "Span",
    "StageProgress",
    "TaskTime",
    "WorkerState",
    "progress_state",
]
