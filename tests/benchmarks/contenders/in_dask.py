"""dask's own collections, on worker processes of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dask
import dask.bag as db
import dask.dataframe as dd
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
from distributed import Client, LocalCluster

from tests.benchmarks.contenders import Engine, from_dict, lines_of

__all__ = ["join_frame", "shuffle_frame", "shuffle_frame_big", "sums_frame", "words"]

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


def shuffle_frame(cores: int) -> Engine:
    """Records to the partition that the hash of their key says, and what each partition holds, as Arrow finds it."""
    return _shuffled(cores)


def shuffle_frame_big(cores: int) -> Engine:
    """The same in workers that together hold half of the records."""
    return _shuffled(cores, memory_limit="1 GB")


def _shuffled(cores: int, **options: Any) -> Engine:
    client, stop = _client(cores, **options)

    def run(path: str) -> Any:
        with pa.memory_map(path) as file:
            n_batches = pa.ipc.open_file(file).num_record_batches
            at_once = max(1, round(n_batches * BLOCK_BYTES / file.size()))
        ranges = [range(start, min(start + at_once, n_batches)) for start in range(0, n_batches, at_once)]
        records = dd.from_map(_records, ranges, path=path, meta=_records(range(1), path=path).head(0))
        counts = records.shuffle(on="key", shuffle_method="p2p").map_partitions(_counted, meta=_COUNTS)
        return counts.compute(scheduler=client).sum()

    def table(found: Any) -> pa.Table:
        return pa.table({name: [int(found[name])] for name in _COUNTS})

    return Engine(run=run, table=table, version=f"dask {dask.__version__}", stop=stop)


_COUNTS = {"n": "int64", "keys": "int64", "payload_bytes": "int64"}


def _records(batches: range, path: str) -> pd.DataFrame:
    """Some record batches of a file, its text in Arrow's form."""
    with pa.memory_map(path) as file:
        reader = pa.ipc.open_file(file)
        table = pa.Table.from_batches([reader.get_batch(number) for number in batches])
        return table.to_pandas(types_mapper={pa.string(): pd.StringDtype("pyarrow")}.get)


def _counted(records: pd.DataFrame) -> pd.DataFrame:
    lengths = pc.sum(pc.binary_length(pa.array(records["payload"])))
    found = {"n": len(records), "keys": records["key"].sum(), "payload_bytes": lengths.as_py() or 0}
    return pd.DataFrame([found], dtype="int64")


def _client(cores: int, **options: Any) -> tuple[Client, Callable[[], None]]:
    cluster = LocalCluster(n_workers=cores, threads_per_worker=1, processes=True, dashboard_address=None, **options)
    client = Client(cluster)

    def stop() -> None:
        client.close()
        cluster.close()

    return client, stop
