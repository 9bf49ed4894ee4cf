"""Worker processes: the embedded cluster outside the kernel, and connections to other clusters."""

from __future__ import annotations

from mrkernel.cluster.choice import cluster, connect, current, default, embedded, prestart
from mrkernel.cluster.handle import Cluster, WorkerInfo

__all__ = ["Cluster", "WorkerInfo", "cluster", "connect", "current", "default", "embedded", "prestart"]
