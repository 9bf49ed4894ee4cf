"""The engines that are compared, one module for each; every workload is written as that engine's own users would.

A contender is a function ``start(cores)`` that gets everything ready and returns an :class:`Engine`. Its module is
imported in that engine's own process only. :mod:`tests.benchmarks.workloads` says which there are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

__all__ = ["Contender", "Engine", "from_dict", "lines_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A started engine.

    Attributes
    ----------
    run
        What is timed: ``run(source, **options)`` gives the answer.
    table
        The answer as an Arrow table with the columns of its workload, in any order of rows.
    prepare
        Makes of the source what ``run`` takes, before the clock starts.
    """

    run: Callable[..., Any]
    table: Callable[[Any], pa.Table]
    version: str
    prepare: Callable[[Any], Any] = lambda source: source
    stop: Callable[[], object] = lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """Where to find an engine and what it needs.

    Attributes
    ----------
    title
        What it is called in the table.
    start
        ``module:function`` inside this package.
    kind
        ``"plain"`` (Python functions on records) or ``"batch"``; only one kind is compared with itself.
    needs
        Packages outside the project's own environment, and ``java``.
    is_slow
        Warmed up on a tenth of the data instead of all of it, and too slow for others to stand still meanwhile.
    """

    title: str
    start: str
    kind: str
    needs: tuple[str, ...] = ()
    is_slow: bool = False

    @property
    def is_ours(self) -> bool:
        """Whether this is mrkernel."""
        return self.start.startswith("mapreduce")


def from_dict(answer: dict[Any, Any]) -> pa.Table:
    """A dict's keys and values as two columns."""
    return pa.table({"key": list(answer), "value": list(answer.values())})


def lines_of(orders: str) -> str:
    """The file of ``lineitem`` beside one of ``orders``."""
    path = Path(orders)
    return str(path.with_name(path.name.replace("orders", "lineitem")))
