"""PySpark: its RDD interface, which runs plain Python functions on records as mrkernel does, and its data frames."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from datetime import date
from operator import add
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
from pyspark import __version__
from pyspark.sql import SparkSession
from pyspark.sql import functions as sf

from tests.benchmarks.contenders import Engine, from_dict

__all__ = ["index", "index_frame", "q1", "stations", "sums", "sums_frame", "words", "words_frame"]

LOOPBACK = "127.0.0.1"


def words(cores: int) -> Engine:
    """Word count: ``flatMap``, ``map``, ``reduceByKey``, as in Spark's own first example."""

    def work(lines: Any, parts: int) -> dict[str, int]:
        words = lines.flatMap(lambda line: line.split())
        return dict(words.map(lambda word: (word, 1)).reduceByKey(add, parts).collect())

    return _rdd(cores, work, from_dict)


def sums(cores: int) -> Engine:
    """Sum by key. The result goes to files, as mrkernel's does: to collect millions of pairs would take longer."""
    folder = tempfile.mkdtemp()

    def pair(line: str) -> tuple[str, int]:
        key, value = line.split(",")
        return key, int(value)

    def work(lines: Any, parts: int) -> str:
        shutil.rmtree(folder, ignore_errors=True)
        lines.map(pair).reduceByKey(add, parts).map(lambda sum_: f"{sum_[0]},{sum_[1]}").saveAsTextFile(folder)
        return folder

    def table(found: str) -> pa.Table:
        names = pacsv.ReadOptions(column_names=["key", "value"])
        files = [path for path in sorted(Path(found).glob("part-*")) if path.stat().st_size]
        return pa.concat_tables([pacsv.read_csv(path, names) for path in files])

    return _rdd(cores, work, table, clean=lambda: shutil.rmtree(folder, ignore_errors=True))


def stations(cores: int) -> Engine:
    """Lowest, mean and highest temperature of each station."""

    def measured(line: str) -> tuple[str, tuple[float, float, int, float]]:
        station, text = line.split(";")
        value = float(text)
        return station, (value, value, 1, value)

    def merged(one: Any, other: Any) -> Any:
        return min(one[0], other[0]), one[1] + other[1], one[2] + other[2], max(one[3], other[3])

    def work(lines: Any, parts: int) -> list[Any]:
        return lines.map(measured).reduceByKey(merged, parts).collect()

    def table(found: list[Any]) -> pa.Table:
        rows = [(station, low, total / n, high) for station, (low, total, n, high) in found]
        return pa.table(dict(zip(("station", "low", "mean", "high"), zip(*rows, strict=True), strict=True)))

    return _rdd(cores, work, table)


def index(cores: int) -> Engine:
    """For each word the lines that it is in."""

    def words_of(line: str) -> list[tuple[str, int]]:
        number, text = line.split("\t")
        return [(word, int(number)) for word in set(text.split())]

    def work(lines: Any, parts: int) -> dict[str, list[int]]:
        return dict(lines.flatMap(words_of).groupByKey(parts).mapValues(list).collect())

    return _rdd(cores, work, from_dict)


def q1(cores: int) -> Engine:
    """TPC-H's query 1 with Python functions over rows of Parquet."""
    session = _session(cores)
    columns = [f"l_{name}" for name in ("quantity", "extendedprice", "discount", "tax", "returnflag", "linestatus",
                                        "shipdate")]  # fmt: skip
    last_day = date(1998, 9, 2)

    def sums_of(row: Any) -> Any:
        price, discount = float(row.l_extendedprice), float(row.l_discount)
        reduced = price * (1 - discount)
        charge = reduced * (1 + float(row.l_tax))
        return (row.l_returnflag, row.l_linestatus), (float(row.l_quantity), price, reduced, charge, discount, 1)

    def run(path: str) -> list[Any]:
        rows = session.read.parquet(path).select(*columns).rdd.filter(lambda row: row.l_shipdate <= last_day)
        return rows.map(sums_of).reduceByKey(lambda one, other: tuple(map(add, one, other)), cores).collect()

    def table(found: list[Any]) -> pa.Table:
        rows = []
        for (flag, status), (quantity, price, reduced, charge, discount, n) in found:
            rows.append({
                "l_returnflag": flag, "l_linestatus": status, "sum_qty": quantity, "sum_base_price": price,
                "sum_disc_price": reduced, "sum_charge": charge, "avg_qty": quantity / n, "avg_price": price / n,
                "avg_disc": discount / n, "count_order": n,
            })  # fmt: skip
        return pa.Table.from_pylist(rows)

    return Engine(run=run, table=table, version=f"PySpark {__version__}", stop=session.stop)


def words_frame(cores: int) -> Engine:
    """Word count in Spark's own functions."""

    def query(session: Any, path: str) -> Any:
        words = session.read.text(path).select(sf.explode(sf.split("value", " ")).alias("word"))
        return words.groupBy("word").count()

    return _frame(cores, query)


def sums_frame(cores: int) -> Engine:
    """Sum by key in Spark's own functions."""

    def query(session: Any, path: str) -> Any:
        return session.read.csv(path, schema="key string, value long").groupBy("key").agg(sf.sum("value"))

    return _frame(cores, query)


def index_frame(cores: int) -> Engine:
    """For each word the lines that it is in, in Spark's own functions."""

    def query(session: Any, path: str) -> Any:
        lines = session.read.csv(path, sep="\t", quote="", schema="number long, text string")
        words = lines.select(sf.explode(sf.array_distinct(sf.split("text", " "))).alias("word"), "number")
        return words.groupBy("word").agg(sf.collect_list("number"))

    return _frame(cores, query)


def _session(cores: int) -> SparkSession:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["SPARK_LOCAL_IP"] = LOOPBACK
    builder = SparkSession.builder.master(f"local[{cores}]")
    options = {
        "spark.driver.memory": "4g",
        "spark.driver.maxResultSize": "0",
        "spark.driver.bindAddress": LOOPBACK,
        "spark.driver.host": LOOPBACK,
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": str(4 * cores),
    }
    for name, value in options.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def _rdd(
    cores: int,
    work: Callable[[Any, int], Any],
    table: Callable[[Any], pa.Table],
    clean: Callable[[], object] = lambda: None,
) -> Engine:
    """``work`` gets the lines of a file and how many parts to make."""
    session = _session(cores)
    parts = 4 * cores

    def stop() -> None:
        session.stop()
        clean()

    return Engine(run=lambda path: work(session.sparkContext.textFile(path, parts), parts), table=table,
                  version=f"PySpark {__version__}", stop=stop)  # fmt: skip


def _frame(cores: int, query: Callable[[Any, str], Any]) -> Engine:
    """A data frame, written as Parquet: mrkernel's result is in files too, and to collect millions takes longer."""
    session, folder = _session(cores), tempfile.mkdtemp()

    def run(path: str) -> str:
        query(session, path).write.mode("overwrite").parquet(folder)
        return folder

    def table(found: str) -> pa.Table:
        import pyarrow.parquet as pq

        return pa.concat_tables([pq.read_table(path) for path in sorted(Path(found).glob("*.parquet"))])

    def stop() -> None:
        session.stop()
        shutil.rmtree(folder, ignore_errors=True)

    return Engine(run=run, table=table, version=f"PySpark {__version__}", stop=stop)
