"""The benchmarks themselves work: each runs once on a little data, and the report judges rightly."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet
import pytest

import mrkernel as mr
from tests.benchmarks import __main__ as command
from tests.benchmarks import answers, measure, process
from tests.benchmarks.answers import is_same
from tests.benchmarks.contenders import Engine, lines_of
from tests.benchmarks.data import store
from tests.benchmarks.data import text as texts
from tests.benchmarks.peers import environments
from tests.benchmarks.promises import Limit, Ratio, Series, Verdict
from tests.benchmarks.report import Found, Report, verdicts
from tests.benchmarks.serve import start
from tests.benchmarks.workloads import WORKLOADS

pytestmark = pytest.mark.benchmarks

# Enough for several splits of one mrkernel's job, in rows or in bytes of text.
TINY = {"rows": 2_000, "bytes": 20_000}
# The same jobs as others with more data.
BIG = {workload for workload, about in WORKLOADS.items() if about.small is None}
# Those of this environment; dask's clusters and processes of their own take seconds each.
OWN = [
    (workload, name)
    for workload, about in WORKLOADS.items()
    for name, contender in about.contenders.items()
    if workload not in BIG
    and not contender.start.startswith("in_dask")
    and all(need != "java" and find_spec(need) for need in contender.needs)
]


@pytest.fixture(autouse=True)
def _small_world(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Little data, made once for all tests, in a folder of its own: what `make bench` has cached stays as it is."""
    base = tmp_path_factory.getbasetemp()
    monkeypatch.setattr(store, "CACHE", base / "benchmark-data")
    monkeypatch.setattr(texts, "DISTINCT", 20_000)
    monkeypatch.setattr(measure, "_SETTLE_S", 0)
    monkeypatch.setattr(process, "LOGS", base / "benchmark-logs")


def _silent(text: str) -> None:
    del text


def _series(**walls_s: float) -> dict[str, Series]:
    return {
        name.replace("_", "-"): Series(name.replace("_", "-"), name, "plain", "1.0", 0.1, 100, 10, [wall], [wall])
        for name, wall in walls_s.items()
    }


def _started(workload: str, name: str, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An engine in this process, mrkernel on the cluster of all tests."""
    # That of all tests, which jobs run on by themselves, stays open.
    monkeypatch.setattr(mr, "cluster", lambda **options: SimpleNamespace(close=lambda: None))
    monkeypatch.setenv("POLARS_MAX_THREADS", "2")
    return start(workload, name, 2)


def test_text_has_the_size_and_the_form_it_promises() -> None:
    text = texts.text_file(300_000).read_text("utf-8")
    assert 299_800 < len(text.encode()) <= 300_000
    assert text.endswith("\n")
    assert "  " not in text
    assert all(line == line.strip() and line for line in text.splitlines())
    assert [word for word, _ in Counter(text.split()).most_common(3)] == ["the", "and", "of"]


@pytest.mark.parametrize("workload", [name for name in WORKLOADS if name not in BIG | {"1brc-batch"}])
def test_data_is_the_same_every_time(workload: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    about = WORKLOADS[workload]
    make, answer = measure._function(about.data), measure._function(about.answer)
    first = make(TINY[about.unit])
    monkeypatch.setattr(store, "CACHE", tmp_path)
    again = make(TINY[about.unit])
    assert first.read_bytes() == again.read_bytes()
    assert answer(first) == answer(again)


def test_query_1_reads_what_the_specification_draws() -> None:
    """Its qualification answer has these shares of rows: A-F and R-F 25 % each, N-O 49 %, N-F 0.6 %."""
    rows = pa.parquet.read_table(measure._function("lineitem:lineitem")(50_000))
    letters = Counter(zip(rows["l_returnflag"].to_pylist(), rows["l_linestatus"].to_pylist(), strict=True))
    shares = {"".join(pair): count / len(rows) for pair, count in letters.items()}
    assert shares == pytest.approx({"AF": 0.247, "RF": 0.247, "NO": 0.5, "NF": 0.0065}, abs=0.01)
    assert 45_000 < len(rows) < 55_000


def test_join_reads_the_orders_that_the_lines_belong_to() -> None:
    path = measure._function("orders:orders")(50_000)
    orders, lines = pa.parquet.read_table(path), pa.parquet.read_table(lines_of(str(path)))
    key = orders["o_orderkey"].to_pylist()
    assert key == list(range(1, len(orders) + 1)) == sorted(set(lines["l_orderkey"].to_pylist()))
    assert all(customer % 3 for customer in orders["o_custkey"].to_pylist())
    first = [line for line in lines.slice(0, 7).to_pylist() if line["l_orderkey"] == 1]
    prices = [line["l_extendedprice"] * (1 - line["l_discount"]) * (1 + line["l_tax"]) for line in first]
    # Clause 4.2.3 adds what is charged for each line, in whole cents.
    assert float(orders["o_totalprice"][0].as_py()) == pytest.approx(float(sum(prices)), abs=0.01 * len(first))
    assert all(1 <= (line["l_shipdate"] - orders["o_orderdate"][0].as_py()).days <= 121 for line in first)


@pytest.mark.parametrize(
    ("digest", "right", "wrong"),
    [
        (answers.counts, [("a", 1), ("b", 2)], [("a", 2), ("b", 1)]),
        (answers.keyed, [("k01", 3), ("k02", 4)], [("k01", 2), ("k02", 5)]),
        (answers.summed, [(1, 3), (2, 4)], [(1, 4), (2, 3)]),
        (
            answers.stations,
            [("a", 1.0, 2.0, 3.0), ("b", 0.0, 0.5, 1.0)],
            [("a", 1.0, 2.001, 3.0), ("b", 0.0, 0.5, 1.0)],
        ),
        (answers.postings, [("a", [1, 2]), ("b", [3])], [("a", [1, 3]), ("b", [2])]),
        (answers.groups, [("A", "F", 1.5, 2), ("N", "O", 2.5, 1)], [("A", "F", 2.5, 2), ("N", "O", 1.5, 1)]),
    ],
)
def test_digest_sees_a_wrong_answer_and_ignores_the_order(digest, right, wrong) -> None:
    def found(rows):
        return digest(
            pa.table([list(column) for column in zip(*rows, strict=True)], names=list("abcd")[: len(rows[0])])
        )

    assert is_same(found(right[::-1]), found(right))
    assert not is_same(found(wrong), found(right))
    assert not is_same(found(right[:1]), found(right))


def test_digest_of_a_sort_sees_the_order() -> None:
    rows = pa.table({"key": ["a", "b", "c"], "payload": [f"{n:012}…" for n in (2, 0, 1)]})
    assert answers.ordered(rows) == {"rows": 3, "check": 2}
    assert answers.ordered(rows.take([1, 0, 2])) != answers.ordered(rows)


@pytest.mark.cluster
@pytest.mark.parametrize(("workload", "name"), OWN)
def test_engine_gives_the_right_answer(workload, name, cluster, monkeypatch) -> None:
    about = WORKLOADS[workload]
    source = measure._function(about.data)(TINY[about.unit])
    engine = _started(workload, name, monkeypatch)
    try:
        found = engine.run(engine.prepare(str(source)))
        assert is_same(about.digest(engine.table(found)), measure._function(about.answer)(source))
    finally:
        engine.stop()


@pytest.mark.cluster
def test_engines_take_turns_and_leave_no_process_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = []
    close = process.EngineProcess.close
    monkeypatch.setattr(process.EngineProcess, "close", lambda self: (close(self), closed.append(self.left_behind)))
    pythons = dict.fromkeys(("pool", "mrkernel-batch", "dask-frame"), Path(sys.executable))
    found = measure.in_turns("sums", pythons, size=2_000, repeat=2, cores=2, say=_silent)
    assert found.failed == {}
    assert closed == [[], [], []]
    for series in found.series.values():
        assert len(series.walls_s) == len(series.cpus_s) == 2
        assert series.wall_s > 0
        assert series.peak_bytes > 1e6


@pytest.mark.cluster
def test_command_measures_and_writes_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--scale", "0.0006", "--repeat", "1", "--splits", "20", "--small-runs", "2", "--big-size", "80kB"]
    names = ["words", "loop", "counter", "ten-lines", "splits", "import", "memory"]
    assert command.main([*arguments, "--only", *names, "--no-judge", "--no-install", "--out", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "benchmarks.json").read_text("utf-8"))
    assert len(found["promises"]) == 5
    assert [series["name"] for series in found["workloads"]["words"]["series"]] in [
        ["counter", "loop"],
        ["loop", "counter"],
    ]
    assert "word count, 0.06 MB" in (tmp_path / "benchmarks.md").read_text("utf-8")
    assert "a job on ten lines" in capsys.readouterr().out


def test_report_draws_the_ratios(tmp_path: Path) -> None:
    measured = measure.Measured(series=_series(mrkernel=2.0, pool=3.0, polars=1.0))
    report = Report({}, {}, [Found(workload="words", size=5_000, measured=measured, missing={})])
    assert "](benchmarks.svg)" in report.write(tmp_path).read_text("utf-8")
    picture = (tmp_path / "benchmarks.svg").read_text("utf-8")
    # Letters are drawn as outlines, each text named in a comment.
    assert all(f"<!-- {text} -->" in picture for text in ("word count", "pool", " 1.50 "))


@pytest.mark.cluster
def test_first_cell_and_a_later_cluster_are_timed() -> None:
    first_s, later_s = measure.cold_start(repeat=1, cores=1, say=_silent, unread=0)
    assert first_s > 0
    assert later_s > 0


@pytest.mark.parametrize(
    ("only", "workloads", "single"),
    [
        ([], [name for name in WORKLOADS if name not in BIG], ["ten-lines", "splits", "import", "cold"]),
        (["sums"], ["sums"], []),
        (["sums", "duckdb"], ["sums"], []),
        (["duckdb"], [name for name in WORKLOADS if name not in BIG], []),
        (["import"], [], ["import"]),
    ],
)
def test_only_selects_workloads_engines_and_single_measurements(only, workloads, single) -> None:
    options = command._options(["--only", *only] if only else [])
    assert (options.workloads, options.single) == (workloads, single)
    assert ("polars" in options.engines) is ("duckdb" not in only)


def test_full_run_has_everything() -> None:
    options = command._options(["--full"])
    assert (options.workloads, options.single) == (list(WORKLOADS), list(command.SINGLE))


def test_engine_that_fails_is_named_with_the_end_of_its_log() -> None:
    message = r"(?s)counter has ended; .*No such file or directory: 'nowhere'"
    with (
        process.EngineProcess("words", "counter", Path(sys.executable), cores=2) as engine,
        pytest.raises(process.EngineError, match=message),
    ):
        engine.run("nowhere")


def test_engine_that_does_not_answer_in_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WORKLOADS, "words", replace(WORKLOADS["words"], timeout_s=0.001))
    found = measure.in_turns("words", {"loop": Path(sys.executable)}, size=5_000, repeat=1, cores=2, say=_silent)
    assert found.failed["loop"].startswith("loop did not answer in 0.001 s")


def test_wrong_answer_takes_an_engine_out_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = process.EngineProcess.digest

    def wrong_loop(engine: process.EngineProcess) -> answers.Digest:
        return {"distinct": 1} if engine.name == "loop" else digest(engine)

    monkeypatch.setattr(process.EngineProcess, "digest", wrong_loop)
    pythons = dict.fromkeys(("loop", "counter"), Path(sys.executable))
    found = measure.in_turns("words", pythons, size=5_000, repeat=1, cores=2, say=_silent)
    assert list(found.series) == ["counter"]
    assert found.wrong == {"loop"}
    report = Report({}, {}, [Found(workload="words", size=5_000, measured=found, missing={})])
    assert "word count: one process, a dict in a loop was left out: loop gave a wrong answer" in report.markdown()
    assert not report.is_kept


def test_missing_peer_is_reported_and_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.benchmarks.peers.PEERS", tmp_path / "peers")
    contenders = WORKLOADS["words"].contenders
    chosen = {name: contenders[name] for name in ("counter", "duckdb")}
    pythons, missing = environments(chosen, may_install=False, say=_silent)
    assert list(pythons) == ["counter"]
    assert missing["duckdb"].startswith("duckdb, pyarrow not installed")
    report = Report({}, {}, [Found(workload="words", size=1, measured=measure.Measured(), missing=missing)])
    assert "**DuckDB was left out: duckdb, pyarrow not installed" in report.markdown()


@pytest.mark.parametrize(
    ("walls_s", "absent", "kept"),
    [
        ({"mrkernel": 2.0, "pool": 3.0}, {}, True),
        ({"mrkernel": 2.0, "pool": 2.1}, {}, False),
        ({"mrkernel": 2.0}, {"pool": "it broke"}, None),
        ({"pool": 2.0}, {"mrkernel": "it broke"}, False),
    ],
)
def test_promise_of_a_speed_is_judged_by_medians(walls_s, absent, kept) -> None:
    promise = Ratio(ours=("mrkernel",), peers=("pool",), at_least=1.1)
    assert promise.judge(_series(**walls_s), {"mrkernel": "ours", "pool": "theirs"}, absent).is_kept is kept


@pytest.mark.parametrize(
    ("walls_s", "absent", "kept"),
    [
        ({"ours_a": 1.4, "ours_b": 9.0, "duckdb": 1.0, "polars": 2.0}, {}, True),
        ({"ours_a": 1.6, "duckdb": 1.0, "polars": 2.0}, {}, False),
        ({"ours_a": 1.6, "duckdb": 1.0}, {"polars": "it broke"}, False),
        ({"ours_a": 1.4, "duckdb": 1.0}, {"polars": "it broke"}, None),
    ],
)
def test_promise_against_the_quicker_of_two_needs_both(walls_s, absent, kept) -> None:
    promise = Ratio(ours=("ours-a", "ours-b"), peers=("polars", "duckdb"), at_most=1.5)
    titles = {"ours-a": "A", "ours-b": "B", "polars": "Polars", "duckdb": "DuckDB"}
    verdict = promise.judge(_series(**walls_s), titles, absent)
    assert verdict.is_kept is kept
    assert verdict.text == "the quicker of A and B against the quicker of Polars and DuckDB"


def test_promise_about_engines_that_nobody_asked_for_is_left_out() -> None:
    assert Ratio(ours=("mrkernel",), peers=("pool",), at_least=1).judge(_series(pool=1.0), {
        "mrkernel": "ours", "pool": "theirs"}, {}) is None  # fmt: skip


@pytest.mark.parametrize(("most", "kept"), [(10, True), (9, False)])
def test_promise_of_memory_is_judged(most: int, kept: bool) -> None:
    verdict = Limit(text="a worker", engine="mrkernel", of="worker_bytes", at_most=most).judge(
        _series(mrkernel=1), {}, {}
    )
    assert verdict.is_kept is kept


@pytest.mark.parametrize(("size", "kept"), [(200_000_000, False), (1_000_000, None)])
def test_promise_is_judged_with_as_much_data_as_it_is_about(size: int, kept: bool | None) -> None:
    slow = measure.Measured(series={"mrkernel-batch": _series(mrkernel_batch=0.3)["mrkernel-batch"]})
    (verdict,) = verdicts(Found(workload="result", size=size, measured=slow, missing={}))
    assert verdict.is_kept is kept
    assert verdict.measured == ("0.3 s" if kept is False else "0.3 s, with 1 MB")


def test_every_promise_is_about_contenders_of_its_workload() -> None:
    for workload in WORKLOADS.values():
        for promise in workload.promises:
            names = [promise.engine] if isinstance(promise, Limit) else [*promise.ours, *promise.peers]
            assert set(names) <= set(workload.contenders)


def test_broken_promise_shows_in_report_and_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Verdict(text="import mrkernel", limit="under 0.5 s", measured="0.90 s", is_kept=False)
    monkeypatch.setattr(command, "_single", lambda options: [broken])
    arguments = ["--only", "import", "--out", str(tmp_path)]
    assert command.main(arguments) == 1
    assert "| import mrkernel | under 0.5 s | 0.90 s   | NO   |" in (tmp_path / "benchmarks.md").read_text("utf-8")
    assert command.main([*arguments, "--no-judge"]) == 0
