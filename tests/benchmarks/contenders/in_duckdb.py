"""DuckDB in SQL."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.contenders import Engine, lines_of

__all__ = ["index", "join", "q1", "sort", "stations", "sums", "words"]

# No line of text holds this character, so a CSV reader that splits at it reads whole lines.
NEVER = "\x01"


def words(cores: int) -> Engine:
    """Word count."""
    lines = _csv(NEVER, line="VARCHAR")
    return _engine(
        cores, f"SELECT word, count(*) FROM (SELECT unnest(string_split(line, ' ')) AS word FROM {lines}) GROUP BY word"
    )


def sums(cores: int) -> Engine:
    """Sum by key."""
    rows = _csv(",", key="VARCHAR", value="BIGINT")
    return _engine(cores, f"SELECT key, sum(value)::BIGINT FROM {rows} GROUP BY key")


def stations(cores: int) -> Engine:
    """Lowest, mean and highest temperature of each station."""
    rows = _csv(";", station="VARCHAR", value="DOUBLE")
    return _engine(cores, f"SELECT station, min(value), avg(value), max(value) FROM {rows} GROUP BY station")


def index(cores: int) -> Engine:
    """For each word the lines that it is in."""
    lines = _csv("\t", number="BIGINT", text="VARCHAR")
    words = f"SELECT number, unnest(list_distinct(string_split(text, ' '))) AS word FROM {lines}"
    return _engine(cores, f"SELECT word, list(number) FROM ({words}) GROUP BY word")


def q1(cores: int) -> Engine:
    """TPC-H's query 1."""
    return _engine(
        cores,
        """
        SELECT l_returnflag, l_linestatus, sum(l_quantity) AS sum_qty, sum(l_extendedprice) AS sum_base_price,
               sum(l_extendedprice * (1 - l_discount)) AS sum_disc_price,
               sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) AS sum_charge,
               avg(l_quantity) AS avg_qty, avg(l_extendedprice) AS avg_price, avg(l_discount) AS avg_disc,
               count(*) AS count_order
        FROM read_parquet('{path}') WHERE l_shipdate <= DATE '1998-09-02' GROUP BY l_returnflag, l_linestatus
        """,
    )


def join(cores: int) -> Engine:
    """The quantity that each customer has ordered."""
    return _engine(
        cores,
        """
        SELECT o_custkey, sum(l_quantity)::BIGINT FROM read_parquet('{lines}') JOIN read_parquet('{path}')
        ON l_orderkey = o_orderkey GROUP BY o_custkey
        """,
    )


def sort(cores: int) -> Engine:
    """Records in the order of their keys, written to one Parquet file: it writes no Arrow files, and reads none."""
    connection, folder = _connection(cores), tempfile.TemporaryDirectory()
    target = os.path.join(folder.name, "sorted.parquet")

    def run(path: str) -> str:
        records = Path(path).with_suffix(".parquet")
        connection.execute(
            f"COPY (SELECT * FROM '{records}' ORDER BY key) TO '{target}' (FORMAT parquet, COMPRESSION uncompressed)"
        )
        return target

    def stop() -> None:
        connection.close()
        folder.cleanup()

    return Engine(run=run, table=pq.read_table, version=f"DuckDB {duckdb.__version__}", stop=stop)


def _connection(cores: int) -> Any:
    connection = duckdb.connect()
    connection.execute(f"SET threads = {cores}")
    connection.execute("SET preserve_insertion_order = false")
    return connection


def _engine(cores: int, query: str) -> Engine:
    """A query with ``{path}`` where the file belongs, and ``{lines}`` where that of the lines of orders does."""
    connection = _connection(cores)

    def run(path: str) -> pa.Table:
        return connection.execute(query.replace("{path}", path).replace("{lines}", lines_of(path))).to_arrow_table()

    return Engine(run=run, table=lambda table: table, version=f"DuckDB {duckdb.__version__}", stop=connection.close)


def _csv(separator: str, **columns: str) -> str:
    named = ", ".join(f"'{name}': '{kind}'" for name, kind in columns.items())
    return (
        f"read_csv('{{path}}', sep = '{separator}', header = false, quote = '', escape = '', auto_detect = false, "
        f"strict_mode = false, columns = {{{named}}})"
    )
