"""run() and submit(): wire source, plan, executor and listeners together, and hand out the result."""

from __future__ import annotations

from mrkernel.session.display import Pace
from mrkernel.session.handle import JobHandle
from mrkernel.session.joining import join, join_job
from mrkernel.session.running import explain, run, submit
from mrkernel.session.saving import Saved
from mrkernel.session.waiting import Waiting

__all__ = ["JobHandle", "Pace", "Saved", "Waiting", "explain", "join", "join_job", "run", "submit"]
