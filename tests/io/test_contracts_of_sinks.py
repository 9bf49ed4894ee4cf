"""Every built-in sink keeps the contract that plugins are held to."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, ClassVar

from mrkernel import io
from mrkernel.testing import SinkContract
from mrkernel.testing.sources import read_all


class Files(SinkContract):
    options: ClassVar[dict[str, Any]] = {}

    def make_sink(self, target: Path, *, overwrite: bool = False) -> io.Sink:
        return io.open_sink(target, overwrite=overwrite, **self.options)

    def read(self, target: Path) -> list[dict[str, Any]]:
        if target.is_dir():
            assert (target / "_SUCCESS").exists()
        return read_all(io.source(target), 1 << 20)


class TestParquetFolder(Files):
    pass


class TestParquetFile(Files):
    target_name = "out.parquet"


class TestIpcFolder(Files):
    options: ClassVar = {"format": "ipc", "compression": "zstd"}


class TestIpcFile(Files):
    target_name = "out.arrow"


class TestCsvFolder(Files):
    options: ClassVar = {"format": "csv"}


class TestCsvFile(Files):
    target_name = "out.csv"


class TestCompressedCsvFile(Files):
    target_name = "out.csv.gz"


class TestTsvFile(Files):
    target_name = "out.tsv"


class TestJsonLinesFolder(Files):
    options: ClassVar = {"format": "jsonl", "compression": "gzip"}


class TestJsonLinesFile(Files):
    target_name = "out.jsonl"


class TestTextFile(Files):
    target_name = "out.txt"

    def read(self, target: Path) -> list[dict[str, Any]]:
        pairs = [line.split("\t") for line in read_all(io.source(target), 1 << 20)]
        return [{"key": key, "value": int(value)} for key, value in pairs]


class TestJsonObject(Files):
    target_name = "out.json"

    def read(self, target: Path) -> list[dict[str, Any]]:
        return [{"key": key, "value": value} for key, value in json.loads(target.read_text()).items()]


class TestPartitionedFolder(Files):
    options: ClassVar = {"format": "csv", "partition_by": "key"}

    def read(self, target: Path) -> list[dict[str, Any]]:
        assert (target / "_SUCCESS").exists()
        names = sorted(name for name in os.listdir(target) if name != "_SUCCESS")
        return [
            {"key": name.removeprefix("key="), **row}
            for name in names
            for row in read_all(io.source(target / name), 1000)
        ]
