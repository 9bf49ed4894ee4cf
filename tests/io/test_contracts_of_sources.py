"""Every built-in source keeps the contract that plugins are held to."""

from __future__ import annotations

import bz2
import gzip
import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from mrkernel import io
from mrkernel.testing import SourceContract

LINES = [
    "first",
    "",
    "  two words ",
    "naïve €",
    "x" * 500,
    "tab\there",
    "",
    "\x01\x0b\x0c\x1c\u2028",
    "mac\rline",
    "last",
]
ROWS = [{"name": f"n{n}", "count": n * 7, "ratio": n / 4} for n in range(60)]
ROWS[5]["name"] = 'comma, and "quotes"'
TABLE = pa.Table.from_pylist(ROWS)


class Text(SourceContract):
    records = LINES

    def row(self, record: Any) -> dict[str, Any]:
        return {"line": record}

    def make_empty(self, folder: Path) -> io.Source:
        (folder / "empty.txt").touch()
        return io.source(folder / "empty.txt")


class TestText(Text):
    def make_source(self, folder: Path) -> io.Source:
        (folder / "a.txt").write_bytes("\n".join(LINES).encode())
        return io.source(folder / "a.txt")


class TestTextWithCarriageReturns(Text):
    def make_source(self, folder: Path) -> io.Source:
        (folder / "a.txt").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(LINES).encode() + b"\r\n")
        return io.source(folder / "a.txt")


class TestTextInLatin1(Text):
    records = ("caf\xe9", "", "\x85 no line end")

    def make_source(self, folder: Path) -> io.Source:
        (folder / "a.txt").write_bytes("\n".join(self.records).encode("latin-1"))
        return io.source(folder / "a.txt", encoding="latin-1")


class TestTextInUtf16(Text):
    def make_source(self, folder: Path) -> io.Source:
        (folder / "a.txt").write_bytes("\n".join(LINES).encode("utf-16"))
        return io.source(folder / "a.txt", encoding="utf-16")


class TestManySmallTexts(Text):
    records = tuple(f"file {n} line {k}" for n in range(20) for k in range(n % 4))

    def make_source(self, folder: Path) -> io.Source:
        for n in range(20):
            (folder / f"{n:02d}.txt").write_text("\n".join(f"file {n} line {k}" for k in range(n % 4)))
        return io.source(folder)


class TestCompressedText(Text):
    def make_source(self, folder: Path) -> io.Source:
        data = "\n".join(LINES).encode()
        (folder / "a.txt.gz").write_bytes(gzip.compress(data[:50]) + gzip.compress(data[50:]))
        return io.source(folder / "a.txt.gz")

    def make_empty(self, folder: Path) -> io.Source:
        (folder / "empty.txt.bz2").write_bytes(bz2.compress(b""))
        return io.source(folder / "empty.txt.bz2")


class TestTextInAZip(Text):
    def make_source(self, folder: Path) -> io.Source:
        with zipfile.ZipFile(folder / "a.zip", "w") as archive:
            archive.writestr("in/a.txt", "\n".join(LINES))
        return io.source(f"zip://in/a.txt::file://{folder}/a.zip")


class TestCsv(SourceContract):
    records = ROWS

    def make_source(self, folder: Path) -> io.Source:
        TABLE.to_pandas().to_csv(folder / "a.csv", index=False)
        return io.source(folder / "a.csv", types={"ratio": float})

    def make_empty(self, folder: Path) -> io.Source:
        (folder / "empty.csv").touch()
        return io.source(folder / "empty.csv")


class TestTsvOfSeveralFiles(SourceContract):
    records = ROWS

    def make_source(self, folder: Path) -> io.Source:
        for n in range(3):
            TABLE.slice(n * 20, 20).to_pandas().to_csv(folder / f"{n}.tsv", index=False, sep="\t")
        return io.source(folder / "*.tsv", types={"ratio": float})

    def make_empty(self, folder: Path) -> io.Source:
        (folder / "empty.tsv").write_text("a\tb\n")
        return io.source(folder / "empty.tsv")


class TestCsvWithLineBreaks(SourceContract):
    records = tuple({"a": n, "b": f"line {n}\nand more"} for n in range(40))

    def make_source(self, folder: Path) -> io.Source:
        pd.DataFrame(self.records).to_csv(folder / "a.csv", index=False)
        return io.read_csv(folder / "a.csv", newlines_in_values=True)


class TestJsonLines(SourceContract):
    records = tuple({"a": n, "b": [n, n + 1], "c": {"d": f"é{n}"}} for n in range(50))

    def make_source(self, folder: Path) -> io.Source:
        (folder / "a.jsonl").write_text("\n\n".join(json.dumps(record, ensure_ascii=n % 2 == 0)
                                                  for n, record in enumerate(self.records)), "utf-8")  # fmt: skip
        return io.source(folder / "a.jsonl")

    def make_empty(self, folder: Path) -> io.Source:
        (folder / "empty.jsonl").write_text("\n\n")
        return io.source(folder / "empty.jsonl")


class TestParquet(SourceContract):
    records = ROWS

    def make_source(self, folder: Path) -> io.Source:
        pq.write_table(TABLE.slice(0, 40), folder / "a.parquet", row_group_size=7)
        pq.write_table(TABLE.slice(40), folder / "b.parquet")
        return io.source(folder)

    def make_empty(self, folder: Path) -> io.Source:
        pq.write_table(TABLE.slice(0, 0), folder / "a.parquet")
        return io.source(folder / "a.parquet")


class TestFoldersByValue(SourceContract):
    records = tuple({"name": row["name"], "count": row["count"], "kind": kind, "year": year}
                    for kind in (None, "a b", "c/d") for year in (2023, 2024) for row in ROWS[:5])  # fmt: skip

    def make_source(self, folder: Path) -> io.Source:
        table = pa.Table.from_pylist(list(self.records))
        sink = io.open_sink(folder / "out", format="csv", partition_by=["kind", "year"])
        sink.commit([sink.write_part(0, table.schema, table.to_batches())])
        return io.source(folder / "out")


class TestIpc(SourceContract):
    records = ROWS

    def make_source(self, folder: Path) -> io.Source:
        with pa.ipc.new_file(str(folder / "a.arrow"), TABLE.schema) as writer:
            writer.write_table(TABLE, max_chunksize=7)
        return io.source(folder / "a.arrow")

    def make_empty(self, folder: Path) -> io.Source:
        with pa.ipc.new_file(str(folder / "a.arrow"), TABLE.schema):
            pass
        return io.source(folder / "a.arrow")


class TestIpcStream(SourceContract):
    records = ROWS

    def make_source(self, folder: Path) -> io.Source:
        with pa.ipc.new_stream(str(folder / "a.arrows"), TABLE.schema) as writer:
            writer.write_table(TABLE, max_chunksize=7)
        return io.source(folder / "a.arrows")


class TestWholeFiles(SourceContract):
    records: ClassVar[Sequence[dict[str, str]]] = ()

    def make_source(self, folder: Path) -> io.Source:
        for n in range(9):
            (folder / f"{n}.html").write_text(f"<p>{n}\n" * n)
        type(self).records = tuple({"path": f"{folder}/{n}.html", "content": f"<p>{n}\n" * n} for n in range(9))
        return io.read_files(folder / "*.html")


class Objects(SourceContract):
    def make_source(self, folder: Path) -> io.Source:
        return io.as_source(self.records)

    def make_empty(self, folder: Path) -> io.Source:
        return io.as_source([])


class TestList(Objects):
    def make_source(self, folder: Path) -> io.Source:
        return io.as_source(list(self.records))

    records = tuple(f"word {n}" for n in range(50))


class TestListOfDicts(Objects):
    records = ROWS


class TestRange(Objects):
    records = range(3, 90, 4)

    def make_empty(self, folder: Path) -> io.Source:
        return io.as_source(range(0))


class TestGenerator(Objects):
    records = tuple(n * n for n in range(40))

    def make_source(self, folder: Path) -> io.Source:
        return io.as_source(n * n for n in range(40))

    def make_empty(self, folder: Path) -> io.Source:
        return io.as_source(iter(()))


class TestPandas(Objects):
    records = ROWS

    def make_source(self, folder: Path) -> io.Source:
        return io.as_source(pd.DataFrame(ROWS))

    def make_empty(self, folder: Path) -> io.Source:
        return io.as_source(pd.DataFrame({"a": []}))


class TestPolars(Objects):
    records = ROWS

    def make_source(self, folder: Path) -> io.Source:
        return io.as_source(pl.DataFrame(ROWS))

    def make_empty(self, folder: Path) -> io.Source:
        return io.as_source(pl.DataFrame())


class TestTable(Objects):
    records = ROWS

    def make_source(self, folder: Path) -> io.Source:
        return io.as_source(TABLE)

    def make_empty(self, folder: Path) -> io.Source:
        return io.as_source(TABLE.slice(0, 0))


class TestFunctions(SourceContract):
    records = tuple({"page": page, "n": n} for page in range(5) for n in range(page))

    def make_source(self, folder: Path) -> io.Source:
        def read(page: int) -> Iterator[dict[str, int]]:
            for n in range(page):
                yield {"page": page, "n": n}

        return io.custom(splits=lambda: range(5), read=read, name="pages")

    def make_empty(self, folder: Path) -> io.Source:
        return io.custom(splits=list, read=list)
