"""mrkernel with Python functions that take one record at a time, as a beginner writes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

import mrkernel as mr
from tests.benchmarks.contenders import Engine
from tests.benchmarks.contenders.mapreduce import engine

__all__ = ["averaged", "index", "one_key", "q1", "stations", "sums", "words"]

Q1_COLUMNS = ("l_quantity", "l_extendedprice", "l_discount", "l_tax", "l_returnflag", "l_linestatus", "l_shipdate")
Pairs = Iterator[tuple[Any, Any]]


def words(cores: int) -> Engine:
    """Word count."""

    def mapper(line: str) -> Pairs:
        for word in line.split():
            yield word, 1

    return engine(mr.Job(mapper, sum), cores)


def sums(cores: int) -> Engine:
    """Sum by key."""

    def mapper(line: str) -> Pairs:
        key, value = line.split(",")
        yield key, int(value)

    return engine(mr.Job(mapper, sum), cores, read=mr.read_text)


def stations(cores: int) -> Engine:
    """Lowest, mean and highest temperature of each station."""

    def mapper(line: str) -> Pairs:
        station, temperature = line.split(";")
        yield station, float(temperature)

    return engine(mr.Job(mapper, {"low": mr.agg.min, "mean": mr.agg.mean, "high": mr.agg.max}), cores)


def index(cores: int) -> Engine:
    """For each word the lines that it is in."""

    def mapper(line: str) -> Pairs:
        number, text = line.split("\t")
        for word in set(text.split()):
            yield word, int(number)

    return engine(mr.Job(mapper, list), cores, read=mr.read_text)


def q1(cores: int) -> Engine:
    """TPC-H's query 1: sums of dicts."""
    last_day = date(1998, 9, 2)

    def mapper(line: dict[str, Any]) -> Pairs:
        if line["l_shipdate"] <= last_day:
            price, discount = float(line["l_extendedprice"]), float(line["l_discount"])
            reduced = price * (1 - discount)
            yield (
                (line["l_returnflag"], line["l_linestatus"]),
                {
                    "sum_qty": float(line["l_quantity"]),
                    "sum_base_price": price,
                    "sum_disc_price": reduced,
                    "sum_charge": reduced * (1 + float(line["l_tax"])),
                    "sum_disc": discount,
                    "count_order": 1,
                },
            )

    return engine(mr.Job(mapper, sum), cores, read=lambda path: mr.read_parquet(path, columns=Q1_COLUMNS),
                  finish=averaged)  # fmt: skip


def averaged(sums: pa.Table) -> pa.Table:
    """The answer of query 1 from the sums of each group."""
    keys = sums.column("key").combine_chunks().flatten()
    n = sums.column("count_order")
    found = {"l_returnflag": keys[0], "l_linestatus": keys[1]}
    found |= {name: sums.column(name) for name in ("sum_qty", "sum_base_price", "sum_disc_price", "sum_charge")}
    found |= {mean: pc.divide(sums.column(total), n) for mean, total in (
        ("avg_qty", "sum_qty"), ("avg_price", "sum_base_price"), ("avg_disc", "sum_disc"))}  # fmt: skip
    return pa.table({**found, "count_order": n})


def one_key(cores: int) -> Engine:
    """All values under one key, for a function that looks at each; a list of them would not fit into a worker."""

    def mapper(line: str) -> Pairs:
        yield "all", int(line)

    def reducer(key: str, values: Iterable[int]) -> dict[str, int]:
        n = total = 0
        for value in values:
            n += 1
            total += value
        return {"n": n, "total": total}

    return engine(mr.Job(mapper, reducer), cores, memory_limit="512 MiB",
                  finish=lambda table: pa.table({"n": table["n"], "total": table["total"]}))  # fmt: skip
