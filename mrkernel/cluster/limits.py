"""How many worker processes, and how much memory each: what this process and its container may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

from mrkernel.config import format_bytes
from mrkernel.errors import OptionError

__all__ = ["check_memory_limit", "memory_per_worker", "total_memory", "usable_cores", "worker_count"]

GIB = 1 << 30
SMALL_CONTAINER = 4 * GIB
# A container's limit also holds the notebook server and the kernel (200 to 250 MB, RECIPES on Binder's 2 GB), so
# two workers may have 0.6 of it; a machine has swap and other room.
SMALL_SHARE, SMALL_TOTAL, LARGE_TOTAL = 0.3, 0.6, 0.75
# A worker with pandas, pyarrow and polars counts 95 MB before it holds data. Below the lower number it would be
# restarted for ever; below the other there is little room for a batch.
LEAST_MEMORY_LIMIT, LEAST_WORKER_MEMORY = 150 << 20, 300 << 20


def usable_cores(root: Path = Path("/sys/fs/cgroup")) -> int:
    """Cores that this process may use: CPU affinity, and a container's quota rounded up."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _cpu_quota(root)
    return max(1, min(count, math.ceil(quota))) if quota else max(1, count)


def total_memory(root: Path = Path("/sys/fs/cgroup")) -> tuple[int, bool]:
    """Bytes that processes here may use together, and whether a container or ``MEM_LIMIT`` set that limit."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [_number(root / "memory.max"), _number(root / "memory" / "memory.limit_in_bytes"), _environment_limit()]
    # A cgroup without a limit reads "max" (v2) or a number beyond any memory (v1).
    limit = min((value for value in limits if value and value < machine), default=None)
    return (machine, False) if limit is None else (limit, True)


def worker_count(root: Path = Path("/sys/fs/cgroup")) -> int:
    """One worker for each usable core, fewer where memory would not do."""
    total, is_limited = total_memory(root)
    share = SMALL_TOTAL if is_limited and total < SMALL_CONTAINER else LARGE_TOTAL
    return max(1, min(usable_cores(root), int(total * share // LEAST_WORKER_MEMORY)))


def memory_per_worker(workers: int, root: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes for each of so many workers: 0.3 of a small container's limit at most, else an equal share of 0.75."""
    total, is_limited = total_memory(root)
    if is_limited and total < SMALL_CONTAINER:
        return int(min(SMALL_SHARE * total, SMALL_TOTAL * total / workers))
    return int(LARGE_TOTAL * total / workers)


def check_memory_limit(limit: int) -> None:
    """Raise an OptionError for a limit that no worker process can keep."""
    if limit < LEAST_MEMORY_LIMIT:
        raise OptionError(f"memory_limit = {format_bytes(limit)} is too little for a worker process",
                          hint=f"give at least {LEAST_MEMORY_LIMIT >> 20} MiB")  # fmt: skip


def _cpu_quota(root: Path) -> float | None:
    try:
        quota, period = (root / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        pass
    quota_v1, period_v1 = _number(root / "cpu" / "cpu.cfs_quota_us"), _number(root / "cpu" / "cpu.cfs_period_us")
    return quota_v1 / period_v1 if quota_v1 and period_v1 and quota_v1 > 0 else None


def _environment_limit() -> int | None:
    # JupyterHub says here what the container or process may use.
    try:
        return int(float(os.environ["MEM_LIMIT"]))
    except (KeyError, ValueError):
        return None


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None
