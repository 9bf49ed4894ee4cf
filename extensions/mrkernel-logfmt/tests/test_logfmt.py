"""logfmt keeps mrkernel's contracts, and is found by suffix and by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from mrkernel_logfmt import LogfmtSource, format_line, parse_line

from mrkernel import io
from mrkernel.errors import SourceReadError, ValueTypeError
from mrkernel.testing import SinkContract, SourceContract


class TestLogfmtSource(SourceContract):
    records = tuple(
        {"at": f"10:{n:02d}", "level": "info" if n % 3 else None, "msg": f'disk "{n}" = full\n'} for n in range(40)
    )

    def make_source(self, folder: Path) -> io.Source:
        (folder / "a.logfmt").write_text("\n".join(map(format_line, self.records)))
        return io.source(folder / "a.logfmt", columns=["at", "level", "msg"])

    def make_empty(self, folder: Path) -> io.Source:
        (folder / "empty.logfmt").touch()
        return io.source(folder / "empty.logfmt", columns=["at"])


class TestLogfmtFile(SinkContract):
    target_name = "out.logfmt"

    def make_sink(self, target: Path, *, overwrite: bool = False) -> io.Sink:
        return io.open_sink(target, overwrite=overwrite)

    def read(self, target: Path) -> list[dict[str, Any]]:
        source = io.source(target)
        return [{"key": record["key"], "value": int(record["value"])} for split in source.splits(1 << 20)
                for block in source.read_records(split) for record in block.records]  # fmt: skip


class TestLogfmtFolder(TestLogfmtFile):
    target_name = "out"

    def make_sink(self, target: Path, *, overwrite: bool = False) -> io.Sink:
        return io.open_sink(target, format="logfmt", overwrite=overwrite)


def test_format_is_listed() -> None:
    assert "logfmt" in [item.name for item in io.formats()]


def test_bad_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.logfmt").write_text('a=1\nb="open\n')
    source = LogfmtSource(str(tmp_path / "a.logfmt"))
    with pytest.raises(
        SourceReadError, match=r"a\.logfmt: line 2, column 1 is no key=value pair: 'b=\"open'\nHint: mend"
    ):
        [list(source.read_records(split)) for split in source.splits(100)]


def test_batches_need_columns(tmp_path: Path) -> None:
    (tmp_path / "a.logfmt").write_text("a=1\n")
    source = LogfmtSource(str(tmp_path / "a.logfmt"))
    with pytest.raises(SourceReadError, match=r"each line may have other keys\nHint: say columns="):
        list(source.read(source.splits(100)[0]))


def test_column_that_is_no_key_is_refused(tmp_path: Path) -> None:
    sink = io.open_sink(tmp_path / "out.logfmt")
    with pytest.raises(ValueTypeError, match=r"cannot write logfmt: 'two words' cannot be a key"):
        sink.write_part(0, pa.schema([("two words", pa.int64())]), [])


@pytest.mark.parametrize(
    "record", [{"a": "1"}, {"a": "", "b": "x y"}, {"a": 'q"q', "b": "back\\slash"}, {"a": "é\n\t"}, {"a": "="}]
)
def test_line_is_read_as_it_was_written(record: dict[str, str]) -> None:
    assert parse_line(format_line(record)) == record
