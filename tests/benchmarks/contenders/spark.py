"""PySpark's RDD interface, which runs plain Python functions on records as mrkernel does."""

from __future__ import annotations

import os
import sys
from operator import add

from pyspark import __version__
from pyspark.sql import SparkSession

from tests.benchmarks.contenders import Engine

__all__ = ["rdd"]

LOOPBACK = "127.0.0.1"


def rdd(cores: int) -> Engine:
    """``flatMap``, ``map``, ``reduceByKey``, as in Spark's own first example."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["SPARK_LOCAL_IP"] = LOOPBACK
    builder = SparkSession.builder.master(f"local[{cores}]")
    options = {
        "spark.driver.memory": "4g",
        "spark.driver.maxResultSize": "0",
        "spark.driver.bindAddress": LOOPBACK,
        "spark.driver.host": LOOPBACK,
        "spark.ui.enabled": "false",
    }
    for name, value in options.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    context = session.sparkContext
    context.setLogLevel("ERROR")
    parts = 4 * cores

    def run(path: str) -> dict[str, int]:
        words = context.textFile(path, parts).flatMap(lambda line: line.split())
        return dict(words.map(lambda word: (word, 1)).reduceByKey(add, parts).collect())

    return Engine(run=run, pairs=dict.items, version=f"PySpark {__version__}", stop=session.stop)
