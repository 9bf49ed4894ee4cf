"""dask's own collections, on worker processes of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask
import dask.bag as db
import dask.dataframe as dd
import pyarrow as pa
from distributed import Client, LocalCluster

from tests.benchmarks.contenders import Engine, from_dict, lines_of

__all__ = ["join_frame", "sums_frame", "words"]

BLOCK_BYTES = 16_000_000


def words(cores: int) -> Engine:
    """Word count with ``read_text`` and ``frequencies``, as in dask's own first example."""
    client, stop = _client(cores)

    def run(path: str) -> dict[str, int]:
        words = db.read_text(path, blocksize=BLOCK_BYTES).map(str.split).flatten()
        return dict(words.frequencies().compute(scheduler=client))

    return Engine(run=run, table=from_dict, version=f"dask {dask.__version__}", stop=stop)


def sums_frame(cores: int) -> Engine:
    """Sum by key with a data frame."""
    client, stop = _client(cores)

    def run(path: str) -> Any:
        rows = dd.read_csv(path, header=None, names=["key", "value"], blocksize=BLOCK_BYTES)
        return rows.groupby("key")["value"].sum(split_out=4 * cores).compute(scheduler=client)

    def table(found: Any) -> pa.Table:
        return pa.table({"key": pa.array(found.index), "value": pa.array(found)})

    return Engine(run=run, table=table, version=f"dask {dask.__version__}", stop=stop)


def join_frame(cores: int) -> Engine:
    """The quantity that each customer has ordered, with ``merge``; a partition is a row group, else there is one."""
    client, stop = _client(cores)

    def read(path: str, *columns: str) -> Any:
        frame = dd.read_parquet(path, columns=list(columns), split_row_groups=True, dtype_backend="pyarrow")
        # Decimals are no numbers for NumPy, which is quicker to merge and sum.
        return frame.astype("int64")

    def run(path: str) -> Any:
        lines = read(lines_of(path), "l_orderkey", "l_quantity")
        joined = lines.merge(read(path, "o_orderkey", "o_custkey"), left_on="l_orderkey", right_on="o_orderkey")
        return joined.groupby("o_custkey")["l_quantity"].sum().compute(scheduler=client)

    def table(found: Any) -> pa.Table:
        return pa.table({"o_custkey": pa.array(found.index), "quantity": pa.array(found)})

    return Engine(run=run, table=table, version=f"dask {dask.__version__}", stop=stop)


def _client(cores: int) -> tuple[Client, Callable[[], None]]:
    cluster = LocalCluster(n_workers=cores, threads_per_worker=1, processes=True, dashboard_address=None)
    client = Client(cluster)

    def stop() -> None:
        client.close()
        cluster.close()

    return client, stop
