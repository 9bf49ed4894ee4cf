"""TPC-H's table ``orders``: those that the lines of ``lineitem`` belong to, the columns without free text.

https://www.tpc.org/tpch/ (version 3.0.1, clause 4.2.3), but for keys without gaps.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks import answers
from tests.benchmarks.answers import Digest
from tests.benchmarks.data import store
from tests.benchmarks.data.lineitem import MONEY, ORDERS, arrow_column, blocks, lineitem
from tests.benchmarks.data.store import SEED

__all__ = ["orders"]

CUSTOMERS = 150_000
PRIORITIES = np.array(["1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW"])
SCHEMA = pa.schema({
    "o_orderkey": pa.int64(), "o_custkey": pa.int64(), "o_orderstatus": pa.string(), "o_totalprice": MONEY,
    "o_orderdate": pa.date32(), "o_orderpriority": pa.string(), "o_shippriority": pa.int32(),
})  # fmt: skip


def orders(rows: int) -> Path:
    """The orders of about so many lines as a Parquet file, and beside it ``lineitem-…`` with these.

    Its answer is the quantity that each customer has ordered.
    """
    lineitem(rows)

    def write(part: Path) -> Digest:
        scale = rows / (4 * ORDERS)
        # Of its own, so that lines are the same whether or not their orders are written.
        rng = np.random.default_rng((SEED, 1))
        # A third of all customers, those whose key is a multiple of 3, has no orders.
        customers = max(3, round(CUSTOMERS * scale))
        quantities = np.zeros(customers + 1, np.int64)
        with pq.ParquetWriter(part, SCHEMA) as file:
            for block in blocks(scale):
                drawn = rng.integers(0, customers - customers // 3, len(block["lines"]))
                columns = _columns(block, customer=drawn // 2 * 3 + drawn % 2 + 1, rng=rng)
                file.write_table(pa.table({f.name: arrow_column(columns[f.name], f) for f in SCHEMA}, SCHEMA))
                of_line = np.repeat(columns["o_custkey"], block["lines"])
                pieces = np.bincount(of_line, weights=block["l_quantity"] // 100, minlength=customers + 1)
                quantities += pieces.astype(np.int64)
        having = np.flatnonzero(quantities)
        return answers.summed(pa.table({"o_custkey": having, "quantity": quantities[having]}))

    return store.answered(f"orders-{SEED}-{rows}.parquet", write)


def _columns(block: dict[str, Any], *, customer: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Arrays by column for the orders of some lines; money in cents, dates in days."""
    lines = block["lines"]
    starts = np.cumsum(lines) - lines
    price, tax, discount = (block[f"l_{name}"] for name in ("extendedprice", "tax", "discount"))
    n_open = np.add.reduceat((block["l_linestatus"] == "O").astype(np.int64), starts)
    return {
        "o_orderkey": block["l_orderkey"][starts], "o_custkey": customer,
        "o_orderstatus": np.where(n_open == lines, "O", np.where(n_open == 0, "F", "P")),
        "o_totalprice": np.add.reduceat(price * (100 + tax) * (100 - discount) // 10_000, starts),
        "o_orderdate": block["o_orderdate"], "o_orderpriority": PRIORITIES[rng.integers(0, 5, len(lines))],
        "o_shippriority": np.zeros(len(lines), np.int32),
    }  # fmt: skip
