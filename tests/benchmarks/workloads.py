"""What is measured beside other engines: each workload with its data, its contenders, and what is promised of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from tests.benchmarks import answers
from tests.benchmarks.contenders import Contender
from tests.benchmarks.promises import Limit, Promise, Ratio

__all__ = ["WORKLOADS", "Workload"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One job on one kind of data.

    Attributes
    ----------
    unit
        What ``size`` counts: ``"bytes"`` or ``"rows"``.
    size
        Of the data that the promises are about.
    small
        Of the data of a quick run, which judges nothing if it is less; None leaves the workload out of quick runs.
    data
        ``module:function`` in ``tests.benchmarks.data`` that makes a file of a size. A name, because the engines'
        own environments lack what it needs.
    answer
        ``module:function`` that finds the right answer for such a file.
    digest
        What identifies an answer.
    timeout_s
        How long to wait for one answer of an engine.
    """

    title: str
    unit: str
    size: int
    small: int | None
    data: str
    digest: Callable[[pa.Table], answers.Digest]
    contenders: dict[str, Contender]
    promises: tuple[Promise, ...]
    answer: str = "store:expected"
    timeout_s: float = 900.0


_POLARS = partial(Contender, title="Polars", kind="batch")
_DUCKDB = partial(Contender, title="DuckDB", kind="batch", needs=("duckdb", "pyarrow"))
_RDD = partial(Contender, title="PySpark RDD", kind="plain", needs=("pyspark", "pyarrow", "java"))
_SPARK = partial(Contender, title="Spark DataFrame", kind="batch", needs=("pyspark", "pyarrow", "java"))
_POOL = partial(Contender, title="multiprocessing.Pool by hand", kind="plain")
_PLAIN = partial(Contender, title="mrkernel, plain functions", kind="plain")
_BATCH = partial(Contender, title="mrkernel, batch functions", kind="batch")
_DASK = partial(Contender, title="dask.dataframe", kind="batch")

_OURS, _OURS_BATCH, _NATIVE = ("mrkernel",), ("mrkernel-batch",), ("polars", "duckdb")
_WORDS_BATCH = ("mrkernel-pyarrow", "mrkernel-polars")


def _faster(than: str, times: float, ours: tuple[str, ...] = _OURS) -> Ratio:
    return Ratio(ours=ours, peers=(than,), at_least=times)


def _words_batch() -> dict[str, Contender]:
    return {
        "mrkernel-pyarrow": _BATCH(title="mrkernel, pyarrow mapper", start="mapreduce_batch:words_arrow"),
        "mrkernel-polars": _BATCH(title="mrkernel, polars mapper", start="mapreduce_batch:words_frame"),
        "polars": _POLARS(start="in_polars:words"),
        "duckdb": _DUCKDB(start="in_duckdb:words"),
    }


WORKLOADS = {
    "words": Workload(
        title="word count",
        unit="bytes",
        size=100_000_000,
        small=100_000_000,
        data="text:text_file",
        answer="text:word_counts",
        digest=answers.counts,
        contenders={
            "mrkernel": _PLAIN(title="mrkernel, plain mapper and sum", start="mapreduce_plain:words"),
            "loop": Contender(title="one process, a dict in a loop", start="plain:words_loop", kind="plain"),
            "counter": Contender(title="one process, Counter", start="plain:words_counter", kind="plain"),
            "pool": _POOL(start="plain:words_pool"),
            "pyspark": _RDD(start="spark:words"),
            "dask-bag": Contender(title="dask.bag", start="in_dask:words", kind="plain", is_slow=True),
            **_words_batch(),
            "spark-frame": _SPARK(start="spark:words_frame"),
        },
        promises=(
            _faster("pool", 1.1),
            _faster("counter", 1.5),
            _faster("pyspark", 3.3),
            _faster("dask-bag", 20),
            Ratio(ours=_OURS, peers=("loop",), of="cpu_s", at_most=1.2),
            Ratio(ours=_WORDS_BATCH, peers=_NATIVE, at_most=1.4),
            _faster("spark-frame", 4, _WORDS_BATCH),
        ),
    ),
    "words-1gb": Workload(
        title="word count, 1 GB",
        unit="bytes",
        size=1_000_000_000,
        small=None,
        data="text:text_file",
        answer="text:word_counts",
        digest=answers.counts,
        contenders=_words_batch(),
        promises=(Ratio(ours=_WORDS_BATCH, peers=_NATIVE, at_most=1.05),),
    ),
    "sums": Workload(
        title="sum by key",
        unit="rows",
        size=20_000_000,
        small=2_000_000,
        data="rows:keyed_rows",
        digest=answers.keyed,
        contenders={
            "mrkernel": _PLAIN(start="mapreduce_plain:sums"),
            "pool": _POOL(start="plain:sums_pool"),
            "pyspark": _RDD(start="spark:sums"),
            "mrkernel-batch": _BATCH(start="mapreduce_batch:sums"),
            "polars": _POLARS(start="in_polars:sums"),
            "duckdb": _DUCKDB(start="in_duckdb:sums"),
            "spark-frame": _SPARK(start="spark:sums_frame"),
            "dask-frame": _DASK(start="in_dask:sums_frame"),
        },
        promises=(
            _faster("pool", 4),
            _faster("pyspark", 6),
            _faster("spark-frame", 2.5),
            _faster("polars", 1.05, _OURS_BATCH),
            _faster("duckdb", 1.8, _OURS_BATCH),
            _faster("spark-frame", 8, _OURS_BATCH),
            _faster("dask-frame", 8, _OURS_BATCH),
            Ratio(ours=_OURS_BATCH, peers=("polars",), of="peak_bytes", at_most=0.5),
        ),
    ),
    "1brc": Workload(
        title="1BRC",
        unit="rows",
        size=10_000_000,
        small=1_000_000,
        data="rows:station_rows",
        digest=answers.stations,
        contenders={
            "mrkernel": _PLAIN(start="mapreduce_plain:stations"),
            "pool": _POOL(start="plain:stations_pool"),
            "pyspark": _RDD(start="spark:stations"),
        },
        promises=(_faster("pool", 1), _faster("pyspark", 3)),
    ),
    "1brc-batch": Workload(
        title="1BRC, batches",
        unit="rows",
        size=50_000_000,
        small=10_000_000,
        data="rows:station_rows",
        digest=answers.stations,
        contenders={
            "mrkernel-batch": _BATCH(start="mapreduce_batch:stations"),
            "polars": _POLARS(start="in_polars:stations"),
            "duckdb": _DUCKDB(start="in_duckdb:stations"),
        },
        promises=(Ratio(ours=_OURS_BATCH, peers=_NATIVE, at_most=1.1),),
    ),
    "index": Workload(
        title="inverted index",
        unit="bytes",
        size=100_000_000,
        small=10_000_000,
        data="text:numbered_lines",
        digest=answers.postings,
        contenders={
            "mrkernel": _PLAIN(start="mapreduce_plain:index"),
            "pool": _POOL(start="plain:index_pool"),
            "pyspark": _RDD(start="spark:index"),
            "mrkernel-batch": _BATCH(start="mapreduce_batch:index"),
            "polars": _POLARS(start="in_polars:index"),
            "duckdb": _DUCKDB(start="in_duckdb:index"),
            "spark-frame": _SPARK(start="spark:index_frame"),
        },
        promises=(
            _faster("pool", 1.7),
            _faster("pyspark", 2.8),
            Ratio(ours=_OURS_BATCH, peers=("polars",), at_most=1.15),
            _faster("duckdb", 1.2, _OURS_BATCH),
            _faster("spark-frame", 8, _OURS_BATCH),
        ),
    ),
    "sort": Workload(
        title="sort to a file",
        unit="rows",
        size=10_000_000,
        small=1_000_000,
        data="records:sort_records",
        digest=answers.ordered,
        contenders={
            "mrkernel-batch": _BATCH(start="mapreduce_batch:sort"),
            "polars": _POLARS(start="in_polars:sort"),
            "duckdb": _DUCKDB(start="in_duckdb:sort"),
        },
        promises=(
            _faster("polars", 1.25, _OURS_BATCH),
            _faster("duckdb", 1.7, _OURS_BATCH),
            Ratio(ours=_OURS_BATCH, peers=("polars",), of="peak_bytes", at_most=1 / 3),
            Ratio(ours=_OURS_BATCH, peers=("duckdb",), of="peak_bytes", at_most=1 / 3),
        ),
    ),
    "q1": Workload(
        title="TPC-H query 1",
        unit="rows",
        size=12_000_000,
        small=600_000,
        data="lineitem:lineitem",
        digest=answers.groups,
        contenders={
            "mrkernel": _PLAIN(start="mapreduce_plain:q1"),
            "pyspark": _RDD(start="spark:q1"),
            "mrkernel-batch": _BATCH(start="mapreduce_batch:q1"),
            "polars": _POLARS(start="in_polars:q1"),
            "duckdb": _DUCKDB(start="in_duckdb:q1"),
        },
        promises=(_faster("pyspark", 3), Ratio(ours=_OURS_BATCH, peers=("polars",), at_most=1.2)),
    ),
    "join": Workload(
        title="join with orders, sum by customer",
        unit="rows",
        size=12_000_000,
        small=1_200_000,
        data="orders:orders",
        digest=answers.summed,
        contenders={
            "mrkernel-batch": _BATCH(start="mapreduce_batch:join"),
            "polars": _POLARS(start="in_polars:join"),
            "duckdb": _DUCKDB(start="in_duckdb:join"),
            "dask-frame": _DASK(start="in_dask:join_frame"),
        },
        promises=(
            Ratio(ours=_OURS_BATCH, peers=("duckdb",), at_most=1.3),
            _faster("polars", 1, _OURS_BATCH),
            _faster("dask-frame", 5, _OURS_BATCH),
        ),
    ),
    "shuffle": Workload(
        title="shuffle",
        unit="rows",
        size=6_400_000,
        small=1_600_000,
        data="records:keyed_records",
        digest=answers.numbers,
        contenders={
            "mrkernel-batch": _BATCH(start="mapreduce_batch:shuffle"),
            "dask-frame": _DASK(start="in_dask:shuffle_frame"),
        },
        promises=(
            Limit(text="590 MB, at 1.2 GB/s", engine="mrkernel-batch", of="wall_s", at_most=0.49),
            Ratio(ours=_OURS_BATCH, peers=("dask-frame",), of="cpu_s", at_most=1 / 8),
        ),
    ),
    "shuffle-big": Workload(
        title="shuffle, 3.7 GB in workers of 1 GB",
        unit="rows",
        size=40_000_000,
        small=None,
        data="records:keyed_records",
        digest=answers.numbers,
        contenders={
            "mrkernel-batch": _BATCH(start="mapreduce_batch:shuffle_big"),
            "dask-frame": _DASK(start="in_dask:shuffle_frame_big", is_slow=True),
        },
        promises=(
            Limit(text="3.7 GB, at 0.5 GB/s", engine="mrkernel-batch", of="wall_s", at_most=7.4),
            _faster("dask-frame", 2, _OURS_BATCH),
            Limit(text="all processes together", engine="mrkernel-batch", of="peak_bytes", at_most=600e6),
        ),
        timeout_s=300.0,
    ),
    "result": Workload(
        title="result to the notebook",
        unit="bytes",
        size=200_000_000,
        small=200_000_000,
        data="rows:two_columns",
        digest=answers.numbers,
        contenders={"mrkernel-batch": _BATCH(start="mapreduce_batch:handed_over")},
        promises=(Limit(text="200 MB of result, each value read", engine="mrkernel-batch", of="wall_s", at_most=0.2),),
    ),
    "one-key": Workload(
        title="one key, function reducer",
        unit="rows",
        size=20_000_000,
        small=1_000_000,
        data="rows:one_column",
        digest=answers.numbers,
        contenders={"mrkernel": _PLAIN(start="mapreduce_plain:one_key")},
        promises=(
            Limit(text="a worker of 512 MiB with 20 M values of one key", engine="mrkernel", of="worker_bytes",
                  at_most=512 << 20),
        ),
    ),
}  # fmt: skip
