"""mrkernel with functions that take a batch of records at a time."""

from __future__ import annotations

import os
import tempfile
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc

import mrkernel as mr
from tests.benchmarks.contenders import Engine, lines_of
from tests.benchmarks.contenders.mapreduce import engine
from tests.benchmarks.contenders.mapreduce_plain import Q1_COLUMNS, averaged

__all__ = [
    "handed_over",
    "index",
    "join",
    "q1",
    "shuffle",
    "shuffle_big",
    "sort",
    "stations",
    "sums",
    "words_arrow",
    "words_frame",
]


def words_arrow(cores: int) -> Engine:
    """Word count with pyarrow's own functions."""

    def mapper(batch: pa.RecordBatch) -> pa.RecordBatch:
        words = pc.list_flatten(pc.ascii_split_whitespace(batch.column(0)))
        counted = pc.value_counts(words)
        return pa.record_batch([counted.field(0), counted.field(1)], names=["word", "n"])

    return engine(mr.Job(mapper, sum), cores)


def words_frame(cores: int) -> Engine:
    """Word count over polars frames."""

    def mapper(lines: pl.DataFrame) -> pl.DataFrame:
        words = lines.select(pl.nth(0).str.split(" ").explode().alias("word"))
        return words.group_by("word").len()

    return engine(mr.Job(mapper, sum), cores)


def sums(cores: int) -> Engine:
    """Sum by key: rows are keys and values already."""
    return engine(mr.Job(_rows, sum), cores, read=lambda path: _csv(path, ",", ["key", "value"]))


def stations(cores: int) -> Engine:
    """Lowest, mean and highest temperature of each station."""
    job = mr.Job(_rows, {"low": mr.agg.min, "mean": mr.agg.mean, "high": mr.agg.max})
    return engine(job, cores, read=lambda path: _csv(path, ";", ["station", "temperature"]))


def index(cores: int) -> Engine:
    """For each word the lines that it is in."""

    def mapper(lines: pl.DataFrame) -> pl.DataFrame:
        words = pl.col("text").str.split(" ").list.unique()
        return lines.select(word=words, number="number").explode("word")

    return engine(mr.Job(mapper, list), cores, read=lambda path: _csv(path, "\t", ["number", "text"]))


def q1(cores: int) -> Engine:
    """TPC-H's query 1: sums of each batch, then sums of these."""

    def mapper(lines: pl.DataFrame) -> pl.DataFrame:
        price, discount, tax = (pl.col(f"l_{name}").cast(float) for name in ("extendedprice", "discount", "tax"))
        shipped = lines.filter(pl.col("l_shipdate") <= date(1998, 9, 2))
        return shipped.group_by("l_returnflag", "l_linestatus").agg(
            sum_qty=pl.col("l_quantity").cast(float).sum(),
            sum_base_price=price.sum(),
            sum_disc_price=(price * (1 - discount)).sum(),
            sum_charge=(price * (1 - discount) * (1 + tax)).sum(),
            sum_disc=discount.sum(),
            count_order=pl.len(),
        )

    job = mr.Job(mapper, sum, key=("l_returnflag", "l_linestatus"))
    return engine(job, cores, read=lambda path: mr.read_parquet(path, columns=Q1_COLUMNS), finish=averaged)


def sort(cores: int) -> Engine:
    """Records in the order of their keys, written to one Arrow file."""
    cluster, folder = mr.cluster(workers=cores), tempfile.TemporaryDirectory()
    target = os.path.join(folder.name, "sorted.arrow")

    def run(path: str, **settings: Any) -> str:
        mr.run(mr.Job(_rows, sort="key"), path, save=target, overwrite=True, progress=False, **settings)
        return target

    def stop() -> None:
        cluster.close()
        folder.cleanup()

    return Engine(run=run, table=lambda path: pa.ipc.open_file(path).read_all(), version=f"mrkernel {mr.__version__}",
                  stop=stop)  # fmt: skip


def join(cores: int) -> Engine:
    """The quantity that each customer has ordered: a join, and a job over its rows that sums."""
    cluster = mr.cluster(workers=cores)

    def mapper(rows: pa.RecordBatch) -> pa.RecordBatch:
        # Quantities are whole numbers in a column of money.
        quantity = pc.cast(rows.column("l_quantity"), pa.int64())
        return pa.record_batch([rows.column("o_custkey"), quantity], names=["o_custkey", "quantity"])

    def run(path: str, **settings: Any) -> pa.Table:
        lines = mr.read_parquet(lines_of(path), columns=["l_orderkey", "l_quantity"])
        orders = mr.read_parquet(path, columns=["o_orderkey", "o_custkey"])
        result = mr.join(
            lines, orders, left_on="l_orderkey", right_on="o_orderkey", columns=["o_custkey", "l_quantity"],
            then=mr.Job(mapper, sum), progress=False, **settings,
        )  # fmt: skip
        return result.to_arrow()

    return Engine(run=run, table=lambda table: table, version=f"mrkernel {mr.__version__}", stop=cluster.close)


def shuffle(cores: int) -> Engine:
    """Records to the partition that the hash of their key says, and what each partition holds.

    Beyond moving, map tasks hash keys, and reduce tasks join the pieces of a partition into one Arrow array, whose keys
    and lengths the one call of the reducer adds up. The partition's number travels along, which is 8 bytes a record.
    """
    return _shuffled(cores, parts=16)


def shuffle_big(cores: int) -> Engine:
    """The same in workers that together hold half of the records; partitions of 65 MB, which fit without spilling."""
    return _shuffled(cores, parts=64, memory_limit="1 GB")


def _shuffled(cores: int, *, parts: int, **options: Any) -> Engine:
    cluster = mr.cluster(workers=cores, **options)

    def mapper(records: pa.RecordBatch) -> pa.RecordBatch:
        keys = records.column("key")
        # Knuth's multiplicative hash, whose upper bits depend on all bits of the key; the product wraps around.
        mixed = keys.to_numpy().view(np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(32)
        part = (mixed % np.uint64(parts)).view(np.int64)
        return pa.record_batch({"part": part, "key": keys, "payload": records.column("payload")})

    def reducer(part: int, records: Any) -> dict[str, int]:
        rows = records.array
        lengths = pc.sum(pc.binary_length(rows.field("payload")))
        return {"n": len(rows), "keys": pc.sum(rows.field("key")).as_py(), "payload_bytes": lengths.as_py()}

    def own(part: int, partitions: int) -> int:
        return part % partitions

    def run(path: str, **settings: Any) -> pa.Table:
        job = mr.Job(mapper, reducer, partitioner=own)
        return mr.run(job, path, reducers=parts, progress=False, **settings).to_arrow()

    return Engine(run=run, table=_totals, version=f"mrkernel {mr.__version__}", stop=cluster.close)


def _totals(found: pa.Table) -> pa.Table:
    return pa.table({name: [pc.sum(found[name]).as_py()] for name in ("n", "keys", "payload_bytes")})


def handed_over(cores: int) -> Engine:
    """A result on the workers' disks, made beforehand, that becomes an Arrow table here, with every value read once."""
    cluster = mr.cluster(workers=cores)

    def run(result: mr.Result) -> pa.Table:
        table = result.to_arrow()
        # A memory map alone would have read nothing yet.
        for column in table.columns:
            pc.sum(column)
        return table

    return Engine(run=run, table=lambda table: table, version=f"mrkernel {mr.__version__}", stop=cluster.close,
                  prepare=lambda path: mr.run(mr.Job(_rows), path, progress=False))  # fmt: skip


def _rows(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch


def _csv(path: str, delimiter: str, names: list[str]) -> Any:
    return mr.read_csv(path, delimiter=delimiter, header=False, quote_char=None, column_names=names)
