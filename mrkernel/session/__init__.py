"""run() and submit(): wire source, plan, executor and listeners together, and hand out the result."""

from __future__ import annotations

from mrkernel.session.handle import JobHandle
from mrkernel.session.running import explain, run, submit

__all__ = ["JobHandle", "explain", "run", "submit"]
