"""Engines that run no Python for each record. Each import is inside: the two live in different environments."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from tests.benchmarks.contenders import Engine

__all__ = ["in_duckdb", "in_polars"]

# No line of text holds this character, so a CSV reader that splits at it reads whole lines.
NEVER = "\x01"


def in_polars(cores: int) -> Engine:
    """Polars' streaming engine."""
    os.environ["POLARS_MAX_THREADS"] = str(cores)
    import polars as pl

    def run(path: str) -> pl.DataFrame:
        lines = pl.scan_csv(path, separator=NEVER, has_header=False, new_columns=["line"], quote_char=None)
        words = lines.select(pl.col("line").str.split(" ").explode().alias("word"))
        return words.group_by("word").len().collect(engine="streaming")

    return Engine(run=run, pairs=pl.DataFrame.iter_rows, version=f"Polars {pl.__version__}")


def in_duckdb(cores: int) -> Engine:
    """DuckDB in SQL."""
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"SET threads = {cores}")
    connection.execute("SET preserve_insertion_order = false")

    def run(path: str) -> Any:
        lines = (
            f"read_csv('{path}', sep = '{NEVER}', header = false, quote = '', escape = '', auto_detect = false, "
            "strict_mode = false, columns = {'line': 'VARCHAR'})"
        )
        words = f"SELECT unnest(string_split(line, ' ')) AS word FROM {lines}"
        return connection.execute(f"SELECT word, count(*) AS n FROM ({words}) GROUP BY word").to_arrow_table()

    def pairs(table: Any) -> Iterator[tuple[str, int]]:
        return zip(table.column(0).to_pylist(), table.column(1).to_pylist(), strict=True)

    return Engine(run=run, pairs=pairs, version=f"DuckDB {duckdb.__version__}", stop=connection.close)
