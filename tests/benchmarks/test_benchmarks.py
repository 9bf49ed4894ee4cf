"""The benchmarks themselves work: each runs once on a little text, and the report judges rightly."""

from __future__ import annotations

import json
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.benchmarks import __main__ as command
from tests.benchmarks import data, measure, process
from tests.benchmarks.contenders import CONTENDERS
from tests.benchmarks.peers import environments
from tests.benchmarks.report import Promise, Report, speed_promises
from tests.benchmarks.serve import digest

pytestmark = pytest.mark.benchmarks

# Those of this environment; the command's own test runs mrkernel with its plain mapper.
OWN = [
    name
    for name, contender in CONTENDERS.items()
    if name != "mrkernel" and all(need != "java" and find_spec(need) for need in contender.needs)
]


@pytest.fixture(autouse=True)
def _small_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Little data in a folder of its own: what `make bench` has cached stays as it is."""
    monkeypatch.setattr(data, "CACHE", tmp_path / "data")
    monkeypatch.setattr(data, "DISTINCT", 20_000)
    monkeypatch.setattr(process, "LOGS", tmp_path / "logs")


def _silent(text: str) -> None:
    del text


def _series(**walls_s: float) -> list[measure.Series]:
    return [measure.Series(name.replace("_", "-"), "1.0", 0.1, [wall], [wall]) for name, wall in walls_s.items()]


def test_text_has_the_size_and_the_form_it_promises() -> None:
    text = data.text_file(300_000).read_text("utf-8")
    assert 299_800 < len(text.encode()) <= 300_000
    assert text.endswith("\n")
    assert "  " not in text
    assert all(line == line.strip() and line for line in text.splitlines())
    assert [word for word, _ in Counter(text.split()).most_common(3)] == ["the", "and", "of"]


def test_text_is_the_same_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = data.text_file(100_000).read_bytes()
    monkeypatch.setattr(data, "CACHE", tmp_path / "again")
    assert data.text_file(100_000).read_bytes() == first


def test_digest_sees_a_wrong_count_and_ignores_the_order() -> None:
    right = digest([("a", 1), ("b", 2)])
    assert digest([("b", 2), ("a", 1)]) == right
    assert digest([("a", 2), ("b", 1)]) != right
    assert digest([("a", 3)]) != right


@pytest.mark.cluster
@pytest.mark.parametrize("name", OWN)
def test_engine_counts_the_words(name: str) -> None:
    """Each engine of this environment starts, gives the right answer and leaves no process behind."""
    text = data.text_file(50_000)
    with process.EngineProcess(name, Path(sys.executable), cores=2, timeout_s=120) as engine:
        wall_s, cpu_s = engine.run(str(text))
        assert engine.digest() == data.expected(text)
    assert wall_s > 0
    assert cpu_s >= 0
    assert engine.left_behind == []


@pytest.mark.cluster
def test_command_measures_and_writes_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--size", "60kB", "--repeat", "1", "--splits", "20", "--small-runs", "2", "--big-size", "80kB"]
    names = ["mrkernel", "counter", "ten-lines", "splits", "import", "memory"]
    assert command.main([*arguments, "--only", *names, "--no-judge", "--no-install", "--out", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "benchmarks.json").read_text("utf-8"))
    assert len(found["promises"]) == 5
    assert "mrkernel, plain mapper and sum" in (tmp_path / "benchmarks.md").read_text("utf-8")
    assert "a job on ten lines" in capsys.readouterr().out


def test_engine_that_fails_is_named_with_the_end_of_its_log() -> None:
    message = r"(?s)counter has ended; .*No such file or directory: 'nowhere'"
    with (
        process.EngineProcess("counter", Path(sys.executable), cores=2) as engine,
        pytest.raises(process.EngineError, match=message),
    ):
        engine.run("nowhere")


def test_wrong_answer_ends_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "expected", lambda path: {"distinct": 1, "total": 1, "check": 1})
    with pytest.raises(measure.WrongAnswerError, match="counter counted"):
        measure.word_count({"counter": Path(sys.executable)}, size_bytes=5_000, repeat=1, cores=2, say=_silent)


def test_missing_peer_is_reported_and_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.benchmarks.peers.PEERS", tmp_path / "peers")
    pythons, missing = environments(["counter", "duckdb"], may_install=False, say=_silent)
    assert list(pythons) == ["counter"]
    assert missing["duckdb"].startswith("duckdb, pyarrow not installed")
    report = Report({}, {}, missing=missing)
    assert "**DuckDB was left out: duckdb, pyarrow not installed" in report.markdown()


@pytest.mark.parametrize(
    ("walls_s", "kept"),
    [
        ({"mrkernel": 2.0, "counter": 3.0}, [True]),
        ({"mrkernel": 2.0, "counter": 1.9}, [False]),
        ({"mrkernel": 2.0, "pyspark": 5.1, "dask_bag": 29.0}, [True, False]),
        ({"mrkernel_pyarrow": 1.4, "mrkernel_polars": 9.0, "duckdb": 1.0, "polars": 2.0}, [True]),
        ({"mrkernel_pyarrow": 1.6, "duckdb": 1.0}, [False]),
        ({"counter": 1.0, "duckdb": 1.0}, []),
    ],
)
def test_promises_are_judged_by_medians(walls_s: dict[str, float], kept: list[bool]) -> None:
    assert [promise.is_kept for promise in speed_promises(_series(**walls_s))] == kept


def test_broken_promise_shows_in_report_and_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        command, "_single", lambda options: [Promise("import mrkernel", "under 0.5 s", "0.90 s", False)]
    )
    arguments = ["--only", "import", "--out", str(tmp_path)]
    assert command.main(arguments) == 1
    assert "| import mrkernel | under 0.5 s | 0.90 s   | NO   |" in (tmp_path / "benchmarks.md").read_text("utf-8")
    assert command.main([*arguments, "--no-judge"]) == 0
