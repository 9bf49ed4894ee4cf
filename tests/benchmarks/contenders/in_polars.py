"""Polars' streaming engine."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.ipc

from tests.benchmarks.contenders import Engine, lines_of

__all__ = ["index", "join", "q1", "sort", "stations", "sums", "words"]

# No line of text holds this character, so a CSV reader that splits at it reads whole lines.
NEVER = "\x01"


def words(cores: int) -> Engine:
    """Word count."""

    def query(pl: Any, path: str) -> Any:
        words = _csv(pl, path, NEVER, "line").select(pl.col("line").str.split(" ").explode().alias("word"))
        return words.group_by("word").len()

    return _engine(cores, query)


def sums(cores: int) -> Engine:
    """Sum by key."""
    return _engine(cores, lambda pl, path: _csv(pl, path, ",", "key", "value").group_by("key").agg(pl.sum("value")))


def stations(cores: int) -> Engine:
    """Lowest, mean and highest temperature of each station."""

    def query(pl: Any, path: str) -> Any:
        value = pl.col("value")
        return _csv(pl, path, ";", "station", "value").group_by("station").agg(
            low=value.min(), mean=value.mean(), high=value.max()
        )  # fmt: skip

    return _engine(cores, query)


def index(cores: int) -> Engine:
    """For each word the lines that it is in."""

    def query(pl: Any, path: str) -> Any:
        lines = _csv(pl, path, "\t", "number", "text")
        words = lines.select(pl.col("text").str.split(" ").list.unique().alias("word"), "number").explode("word")
        return words.group_by("word").agg("number")

    return _engine(cores, query)


def q1(cores: int) -> Engine:
    """TPC-H's query 1."""

    def query(pl: Any, path: str) -> Any:
        quantity, price, discount, tax = (
            pl.col(f"l_{name}").cast(pl.Float64) for name in ("quantity", "extendedprice", "discount", "tax")
        )
        shipped = pl.scan_parquet(path).filter(pl.col("l_shipdate") <= date(1998, 9, 2))
        return shipped.group_by("l_returnflag", "l_linestatus").agg(
            sum_qty=quantity.sum(),
            sum_base_price=price.sum(),
            sum_disc_price=(price * (1 - discount)).sum(),
            sum_charge=(price * (1 - discount) * (1 + tax)).sum(),
            avg_qty=quantity.mean(),
            avg_price=price.mean(),
            avg_disc=discount.mean(),
            count_order=pl.len(),
        )

    return _engine(cores, query)


def join(cores: int) -> Engine:
    """The quantity that each customer has ordered."""

    def query(pl: Any, path: str) -> Any:
        lines, orders = pl.scan_parquet(lines_of(path)), pl.scan_parquet(path)
        joined = lines.join(orders, left_on="l_orderkey", right_on="o_orderkey")
        return joined.group_by("o_custkey").agg(pl.col("l_quantity").sum())

    return _engine(cores, query)


def sort(cores: int) -> Engine:
    """Records in the order of their keys, written to one Arrow file."""
    pl, folder = _polars(cores), tempfile.TemporaryDirectory()
    target = os.path.join(folder.name, "sorted.arrow")

    def run(path: str) -> str:
        pl.scan_ipc(path).sort("key").sink_ipc(target, engine="streaming")
        return target

    return Engine(run=run, table=lambda path: pa.ipc.open_file(path).read_all(), version=f"Polars {pl.__version__}",
                  stop=folder.cleanup)  # fmt: skip


def _polars(cores: int) -> Any:
    os.environ["POLARS_MAX_THREADS"] = str(cores)
    import polars as pl

    return pl


def _engine(cores: int, query: Callable[[Any, str], Any]) -> Engine:
    pl = _polars(cores)
    return Engine(run=lambda path: query(pl, path).collect(engine="streaming"), table=pl.DataFrame.to_arrow,
                  version=f"Polars {pl.__version__}")  # fmt: skip


def _csv(pl: Any, path: str, separator: str, *columns: str) -> Any:
    return pl.scan_csv(path, separator=separator, has_header=False, new_columns=list(columns), quote_char=None)
