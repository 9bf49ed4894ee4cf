"""The engines that are compared: one word count each, in the way that engine's own users would write it.

A contender is a function ``start(cores)`` that gets everything ready and returns an :class:`Engine`. Its module is
imported in that engine's own process only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["CONTENDERS", "Contender", "Engine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A started engine: ``run(path, **options)`` is what is timed; ``pairs(answer)`` are words and counts."""

    run: Callable[..., Any]
    pairs: Callable[[Any], Iterable[tuple[str, int]]]
    version: str
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
        ``"per record"`` (plain Python functions on lines) or ``"vectorised"``; only one kind is compared with itself.
    needs
        Packages outside the project's own environment, and ``java``.
    is_slow
        Warmed up on a tenth of the data instead of all of it.
    """

    title: str
    start: str
    kind: str
    needs: tuple[str, ...] = ()
    is_slow: bool = False


CONTENDERS = {
    "mrkernel": Contender(title="mrkernel, plain mapper and sum", start="mapreduce:plain", kind="per record"),
    "mrkernel-pyarrow": Contender(title="mrkernel, pyarrow mapper", start="mapreduce:arrow", kind="vectorised"),
    "mrkernel-polars": Contender(title="mrkernel, polars mapper", start="mapreduce:frame", kind="vectorised"),
    "counter": Contender(title="one process, Counter", start="plain:counter", kind="per record"),
    "pool": Contender(title="multiprocessing.Pool by hand", start="plain:pool", kind="per record"),
    "polars": Contender(title="Polars", start="native:in_polars", kind="vectorised"),
    "duckdb": Contender(title="DuckDB", start="native:in_duckdb", kind="vectorised", needs=("duckdb", "pyarrow")),
    "pyspark": Contender(title="PySpark RDD", start="spark:rdd", kind="per record", needs=("pyspark", "java")),
    "dask-bag": Contender(title="dask.bag", start="bag:frequencies", kind="per record", is_slow=True),
}
