"""Worker processes: the embedded cluster outside the kernel, and connections to other clusters."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from mrkernel.cluster.choice import cluster, connect, current, default, embedded, leave, prestart
from mrkernel.cluster.handle import Cluster, WorkerInfo
from mrkernel.cluster.limited import limited
from mrkernel.cluster.status import picture

__all__ = [
    "Cluster",
    "WorkerInfo",
    "cluster",
    "connect",
    "current",
    "default",
    "embedded",
    "leave",
    "limited",
    "picture",
    "prestart",
]


class _CallableModule(ModuleType):
    """Python binds this module to ``mrkernel.cluster`` whenever it is imported: ``mr.cluster(…)`` calls the module."""

    def __call__(self, workers: int | str | Any = None, **options: Any) -> Cluster:
        return cluster(workers, **options)


sys.modules[__name__].__class__ = _CallableModule
