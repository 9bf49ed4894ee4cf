"""mrkernel on its embedded cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

import mrkernel as mr
from tests.benchmarks.contenders import Engine

__all__ = ["arrow", "frame", "plain"]


def plain(cores: int) -> Engine:
    """A mapper as a beginner writes it."""

    def mapper(line: str) -> Iterator[tuple[str, int]]:
        for word in line.split():
            yield word, 1

    return _engine(mr.Job(mapper=mapper, reducer=sum), cores)


def arrow(cores: int) -> Engine:
    """A mapper over record batches, with pyarrow's own kernels."""

    def mapper(batch: pa.RecordBatch) -> pa.RecordBatch:
        words = pc.list_flatten(pc.ascii_split_whitespace(batch.column(0)))
        counted = pc.value_counts(words)
        return pa.record_batch([counted.field(0), counted.field(1)], names=["word", "n"])

    return _engine(mr.Job(mapper=mapper, reducer=sum), cores)


def frame(cores: int) -> Engine:
    """A mapper over polars frames."""

    def mapper(lines: pl.DataFrame) -> pl.DataFrame:
        words = lines.select(pl.nth(0).str.split(" ").explode().alias("word"))
        return words.group_by("word").len()

    return _engine(mr.Job(mapper=mapper, reducer=sum), cores)


def _engine(job: Any, cores: int) -> Engine:
    cluster = mr.cluster(workers=cores)

    def run(source: Any, **options: Any) -> pa.Table:
        return mr.run(job, source, **options).to_arrow()

    def pairs(table: pa.Table) -> Iterator[tuple[str, int]]:
        return zip(table.column(0).to_pylist(), table.column(1).to_pylist(), strict=True)

    return Engine(run=run, pairs=pairs, version=f"mrkernel {mr.__version__}", stop=cluster.close)
