"""TPC-H's table ``lineitem``: the columns without free text, drawn as the specification says.

https://www.tpc.org/tpch/ (version 3.0.1, clause 4.2.3). A scale factor of 1 has about 6 million rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks import answers
from tests.benchmarks.answers import Digest
from tests.benchmarks.data import store
from tests.benchmarks.data.store import SEED

__all__ = ["COLUMNS", "LAST_DAY", "MONEY", "ORDERS", "arrow_column", "blocks", "lineitem"]

ORDERS, PARTS, SUPPLIERS = 1_500_000, 200_000, 10_000
BLOCK_ORDERS = 100_000
_EPOCH = date(1970, 1, 1)
FIRST_ORDER, LAST_ORDER = (date(1992, 1, 1) - _EPOCH).days, (date(1998, 8, 2) - _EPOCH).days
TODAY = (date(1995, 6, 17) - _EPOCH).days
LAST_DAY = (date(1998, 9, 2) - _EPOCH).days
MONEY = pa.decimal128(15, 2)
SCHEMA = pa.schema({
    "l_orderkey": pa.int64(), "l_partkey": pa.int64(), "l_suppkey": pa.int64(), "l_linenumber": pa.int32(),
    "l_quantity": MONEY, "l_extendedprice": MONEY, "l_discount": MONEY, "l_tax": MONEY,
    "l_returnflag": pa.string(), "l_linestatus": pa.string(), "l_shipdate": pa.date32(), "l_receiptdate": pa.date32(),
})  # fmt: skip
# The answer of query 1, in the order of the specification.
COLUMNS = ("l_returnflag", "l_linestatus", "sum_qty", "sum_base_price", "sum_disc_price", "sum_charge", "avg_qty",
           "avg_price", "avg_disc", "count_order")  # fmt: skip


def lineitem(rows: int) -> Path:
    """About so many rows as a Parquet file; money is ``decimal(15, 2)``, as the specification asks."""

    def write(part: Path) -> Digest:
        scale = rows / (4 * ORDERS)
        sums: dict[tuple[str, str], np.ndarray] = {}
        with pq.ParquetWriter(part, SCHEMA) as file:
            for block in blocks(scale):
                columns = {field.name: arrow_column(block[field.name], field) for field in SCHEMA}
                file.write_table(pa.table(columns, SCHEMA))
                _add(sums, block)
        return answers.groups(_answer(sums))

    return store.answered(f"lineitem-{SEED}-{rows}.parquet", write)


def blocks(scale: float) -> Iterator[dict[str, Any]]:
    """Arrays by column; money in cents, dates in days. ``o_orderdate`` and ``lines``, their number, are of orders."""
    rng = np.random.default_rng(SEED)
    orders = max(1, round(ORDERS * scale))
    parts, suppliers = max(1, round(PARTS * scale)), max(1, round(SUPPLIERS * scale))
    for first in range(0, orders, BLOCK_ORDERS):
        lines = rng.integers(1, 8, min(BLOCK_ORDERS, orders - first))
        n = int(lines.sum())
        dates = rng.integers(FIRST_ORDER, LAST_ORDER + 1, len(lines))
        ordered = np.repeat(dates, lines)
        part = rng.integers(1, parts + 1, n)
        quantity = rng.integers(1, 51, n)
        shipped = ordered + rng.integers(1, 122, n)
        received = shipped + rng.integers(1, 31, n)
        numbers = np.arange(n) - np.repeat(np.cumsum(lines) - lines, lines) + 1
        yield {
            "lines": lines, "o_orderdate": dates,
            "l_orderkey": np.repeat(np.arange(first, first + len(lines)) + 1, lines),
            "l_partkey": part, "l_suppkey": rng.integers(1, suppliers + 1, n), "l_linenumber": numbers,
            "l_quantity": quantity * 100,
            "l_extendedprice": quantity * (90_000 + part // 10 % 20_001 + 100 * (part % 1000)),
            "l_discount": rng.integers(0, 11, n), "l_tax": rng.integers(0, 9, n),
            "l_returnflag": np.where(received <= TODAY, np.where(rng.random(n) < 0.5, "R", "A"), "N"),
            "l_linestatus": np.where(shipped > TODAY, "O", "F"), "l_shipdate": shipped, "l_receiptdate": received,
        }  # fmt: skip


def arrow_column(values: np.ndarray, field: pa.Field) -> pa.Array:
    """Values of a block as the column of a table."""
    if field.type == MONEY:
        # 128 bits of cents: the low half, and its sign.
        cents = np.column_stack([values, values >> 63]).astype(np.int64)
        return pa.Array.from_buffers(MONEY, len(values), [None, pa.py_buffer(np.ascontiguousarray(cents))])
    return pa.array(values.astype(np.int32) if pa.types.is_date(field.type) else values).cast(field.type)


def _add(sums: dict[tuple[str, str], np.ndarray], block: dict[str, Any]) -> None:
    kept = block["l_shipdate"] <= LAST_DAY
    for flag in "ANR":
        for status in "FO":
            of = kept & (block["l_returnflag"] == flag) & (block["l_linestatus"] == status)
            quantity, price, discount, tax = (block[name][of] / 100 for name in (
                "l_quantity", "l_extendedprice", "l_discount", "l_tax"))  # fmt: skip
            reduced = price * (1 - discount)
            found = [quantity.sum(), price.sum(), reduced.sum(), (reduced * (1 + tax)).sum(), discount.sum(), of.sum()]
            if found[-1]:
                sums[flag, status] = sums.get((flag, status), 0) + np.array(found, float)


def _answer(sums: dict[tuple[str, str], np.ndarray]) -> pa.Table:
    rows = [
        (*letters, quantity, price, reduced, charge, quantity / n, price / n, discount / n, int(n))
        for letters, (quantity, price, reduced, charge, discount, n) in sums.items()
    ]
    return pa.table(dict(zip(COLUMNS, zip(*rows, strict=True), strict=True)))
