"""``mr.tune`` on real jobs: what it measures, what it advises, and that its advice holds."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from html import escape as html_escape
from pathlib import Path
from typing import Any

import pytest

import mrkernel as mr
from mrkernel import config
from mrkernel.cluster import limited
from mrkernel.io import Source, as_source
from mrkernel.plots import alt_text
from mrkernel.progress import Progress
from mrkernel.tuning import Choice, summary
from mrkernel.tuning.fitting import makespan
from mrkernel.tuning.measured import Measured, StageSeen
from mrkernel.tuning.rig import Rig

RECORDS = [f"record {n:03}" for n in range(80)]


def _slow(record: str) -> Iterator[tuple[str, int]]:
    time.sleep(0.02)
    yield record[-1], 1


SLOW = mr.Job(_slow, sum, name="slow")
QUICK = mr.Job(lambda record: (record[-1], 1), sum, name="quick")
WORDS = mr.Job(lambda line: [(word, 1) for word in line.split()], sum, name="words")


@pytest.fixture(scope="module")
def slow(_cluster_closed_at_the_end: None) -> mr.Tuning:
    """A mapper that waits 20 ms for each of 80 records, which are one chunk by default."""
    mr.cluster(workers=2)
    return mr.tune(SLOW, RECORDS, budget=12)


@pytest.fixture
def modelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are real, but their times are those of an undisturbed machine of two workers: 20 ms of wait a record."""
    run = Rig._run

    def timed(
        rig: Rig, choice: Choice, source: Source, limit_s: float | None, **options: Any
    ) -> tuple[Measured, mr.Result | None]:
        measured, result = run(rig, choice, source, None, **options)
        workers = choice.workers or rig.n_workers
        stages = {}
        for name, stage in measured.stages.items():
            each_s = 0.02 if name == "map" else 1e-6
            tasks = [replace(task, seconds=0.003 + each_s * task.records) for task in stage.tasks]
            stages[name] = StageSeen(seconds=0.01 + makespan([task.seconds for task in tasks], workers), tasks=tasks)
        seconds = 0.03 + sum(stage.seconds for stage in stages.values())
        choice = replace(measured.choice, workers=workers)
        measured = replace(measured, choice=choice, stages=stages, seconds=seconds, idle_share=0.95)
        return replace(measured, cpu_s=0.05 * measured.task_s), result

    monkeypatch.setattr(Rig, "_run", timed)
    monkeypatch.setattr(Rig, "n_workers", 2)


@pytest.fixture(scope="module")
def words() -> mr.Tuning:
    """A job that is tuned in this process."""
    return mr.tune(WORDS, ["to be or not to be"] * 200, budget=1, executor="inline")


@pytest.fixture
def _clean_settings() -> Iterator[None]:
    yield
    config.use_session(chunk_size=None, reducers=None, combine=None)


@pytest.mark.usefixtures("modelled")
def test_slow_records_in_one_chunk_are_worth_smaller_chunks() -> None:
    tuning = mr.tune(QUICK, RECORDS, budget=8, executor="inline")
    assert tuning.advice.startswith("--chunk-size")
    assert tuning.default.n_tasks == 1
    assert tuning.best.n_tasks >= 2
    assert tuning.default.seconds > 1.6 * tuning.best.seconds
    assert tuning.default.seconds == pytest.approx(0.06 + 80 * 0.02, rel=0.1)
    # The advice was compared with the default before it was given.
    assert tuning.comparison is not None
    assert tuning.comparison.gain > 1.6
    assert "× as fast" in tuning.reason
    assert any("use the processor for only 5% of their time" in note for note in tuning.notes)
    assert any("more workers than cores help, such as --workers 8" in note for note in tuning.notes)


@pytest.mark.usefixtures("modelled")
def test_default_that_uses_all_workers_is_left() -> None:
    tuning = mr.tune(QUICK, RECORDS, budget=2, executor="inline", chunk_size=400)
    assert tuning.advice == "leave it"


@pytest.mark.cluster
def test_measuring_the_best_point_runs_all_of_the_input_for_real(slow: mr.Tuning) -> None:
    n_points = len(slow.points)
    measured, result = slow.measure()
    assert dict(result) == {str(digit): 8 for digit in range(10)}
    assert len(slow.points) == n_points + 1
    assert measured.share == pytest.approx(1)
    # The wait alone; a busy machine may take longer.
    assert measured.seconds > 0.75


@pytest.mark.usefixtures("modelled")
def test_prediction_knows_fewer_workers_and_more_partitions() -> None:
    tuning = mr.tune(QUICK, RECORDS, budget=4, executor="inline")
    small = tuning.best.chunk_bytes
    two, one = tuning.predict(chunk_size=small), tuning.predict(chunk_size=small, workers=1)
    assert one.seconds > 1.5 * two.seconds
    assert tuning.predict(partitions=8).n_reduces == 8
    assert two.low_s < two.seconds < two.high_s
    assert two.memory_bytes > 50e6


@pytest.mark.usefixtures("modelled")
def test_default_has_all_workers_whichever_numbers_were_measured() -> None:
    tuning = mr.tune(QUICK, RECORDS, budget=1, executor="inline", workers=[1])
    assert {run.choice.workers for run in tuning.points if run.is_full} >= {1}
    small = tuning.best.chunk_bytes
    assert tuning.predict(chunk_size=small).seconds == tuning.predict(chunk_size=small, workers=2).seconds
    assert summary(tuning)["workers"] == [1, 2]


@pytest.mark.cluster
@pytest.mark.usefixtures("_clean_settings")
def test_applying_changes_the_next_run_and_can_be_taken_back(slow: mr.Tuning) -> None:
    assert slow.apply() == slow.advice.replace("leave it", "")
    assert config.settings().chunk_size == slow.best.choice.chunk_size
    assert len(mr.explain(SLOW, RECORDS).first.splits) == slow.best.n_tasks
    config.use_session(chunk_size=None)
    assert len(mr.explain(SLOW, RECORDS).first.splits) == 1


@pytest.mark.cluster
@pytest.mark.usefixtures("_clean_settings")
def test_applying_a_chosen_point_gives_the_text_to_paste(slow: mr.Tuning) -> None:
    assert slow.apply(chunk_size="24 MiB", partitions=12) == '--chunk-size "24 MiB" --reducers 12'
    assert config.settings().reducers == 12


@pytest.mark.usefixtures("_clean_settings")
def test_what_a_point_leaves_open_is_as_the_user_has_set_it(words: mr.Tuning) -> None:
    config.use_session(chunk_size="8 MiB", combine=False)
    words.apply(chunk_size="24 MiB", partitions=3)
    words.apply(chunk_size="48 MiB", combine=True)
    assert config.session_values() == {"chunk_size": 48 << 20, "combine": True}
    words.apply(partitions=5)
    assert config.session_values() == {"chunk_size": "8 MiB", "combine": False, "reducers": 5}
    config.use_session(reducers=6)
    words.apply_choice(Choice())
    assert config.session_values() == {"chunk_size": "8 MiB", "combine": False, "reducers": 6}


@pytest.mark.usefixtures("_clean_settings")
def test_measuring_what_a_point_leaves_open_takes_nothing_that_was_applied_meanwhile(words: mr.Tuning) -> None:
    words.apply(chunk_size="24 MiB", partitions=7, combine=False)
    handles: list[mr.JobHandle] = []
    words.measure_choice(Choice(), started=handles.append)
    words.measure_choice(Choice(reducers=2), started=handles.append)
    found = [handle.plan.settings for handle in handles]
    assert [(given.reducers, given.combine) for given in found] == [(None, None), (2, None)]
    assert found[0].chunk_size == words.default.chunk_bytes
    words.apply_choice(Choice())


@pytest.mark.cluster
def test_measuring_uses_the_cluster_that_there_is_then(slow: mr.Tuning, monkeypatch: pytest.MonkeyPatch) -> None:
    other = limited(mr.cluster(), 1)
    monkeypatch.setattr("mrkernel.cluster.default", lambda given: other)
    measured, _ = slow.measure(chunk_size=slow.best.chunk_bytes)
    assert measured.choice.workers == 1


class _Display:
    """What was shown of a tuning: its words, and None when it ended."""

    def __init__(self) -> None:
        self.shown: list[str | None] = []

    def update(self, progress: Progress) -> None:
        self.shown += progress.notes

    def finish(self, progress: Progress) -> None:
        self.shown.append(None)


def test_display_moves_while_a_sample_runs_and_ends_with_the_tuning(monkeypatch: pytest.MonkeyPatch) -> None:
    display = _Display()
    monkeypatch.setattr("mrkernel.tuning.telling.open_display", lambda given: display)
    monkeypatch.setattr("mrkernel.tuning.rig._LOOK_S", 0.01)
    tuning = mr.tune(SLOW, RECORDS[:20], budget=1, executor="inline")
    assert display.shown.count(display.shown[0]) >= 3
    tuning.measure()
    assert display.shown.index(None) == len(display.shown) - 1


@pytest.mark.cluster
def test_display_says_it_all_without_scripts(slow: mr.Tuning) -> None:
    html = slow._repr_mimebundle_()["text/html"]
    text = repr(slow)
    for shown in (html, text):
        assert html_escape(slow.advice) in shown or slow.advice in shown
        assert "predicted for the whole input" in shown
        assert "memory/worker" in shown
    assert "<script" not in html
    assert html.count("<img") == 1


@pytest.mark.cluster
def test_summary_for_the_page_is_small_json(slow: mr.Tuning) -> None:
    state = json.loads(json.dumps(summary(slow)))
    assert len(json.dumps(state)) < 60_000
    axes = len(state["workers"]) * len(state["reducers"]) * len(state["combine"])
    assert [len(points) for points in state["points"]] == [axes] * len(state["chunkSizes"])
    assert state["chunkSizes"] == sorted(state["chunkSizes"])


@pytest.mark.cluster
def test_plot_shows_time_memory_and_idle_workers(slow: mr.Tuning) -> None:
    axes = slow.plot()
    assert [panel.get_ylabel() for panel in axes.figure.axes] == ["time (s)", "memory (MB)", "idle (%)"]
    assert axes.get_title(loc="left") == "tuning of slow"
    assert alt_text(axes).startswith("Line chart “tuning of slow”: time (s) by chunk size; times: default 1.0 MB, ")


def test_settings_that_are_right_are_left_alone() -> None:
    tuning = mr.tune(WORDS, ["to be or not to be"] * 200, budget=4, executor="inline")
    assert tuning.advice == "leave it"
    assert tuning.best.choice == tuning.default.choice
    assert tuning.apply() == ""


def test_input_is_read_from_many_places_within_the_time(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("a b c\n" * 200_000)
    began = time.monotonic()
    tuning = mr.tune(WORDS, str(tmp_path / "one.txt"), budget=3, executor="inline")
    assert time.monotonic() - began < 15
    assert any(run.is_full for run in tuning.points)
    assert tuning.default.seconds > 0


def test_settings_that_are_given_stay_as_they_are() -> None:
    tuning = mr.tune(WORDS, ["to be or not to be"] * 200, budget=2, executor="inline", reducers=3, combine=False)
    assert tuning.forecasts.reducers == [None]
    assert tuning.forecasts.combine == [None]
    assert tuning.default.n_reduces == 3


@pytest.mark.parametrize(
    ("name", "line", "broken"), [("n.csv", "7,x\n", "7,x,y\n"), ("n.jsonl", '{"n": 7}\n', '{"n": \n')]
)
def test_lines_that_a_run_sets_aside_do_not_stop_its_tuning(tmp_path: Path, name: str, line: str, broken: str) -> None:
    (tmp_path / name).write_text("n,text\n" * name.endswith("csv") + line * 50 + broken + line * 50)
    job = mr.Job(lambda row: (row["n"], 1), sum)
    tuning = mr.tune(job, str(tmp_path / name), budget=0.5, executor="inline", on_error="skip")
    _, result = tuning.measure()
    assert dict(result) == {7: 100}
    assert len(result.errors) == 1


def test_job_that_fails_fails_as_it_always_does() -> None:
    with pytest.raises(mr.errors.TaskFailedError, match="invalid literal for int"):
        mr.tune(mr.Job(lambda line: (int(line), 1), sum), ["1", "x"] * 50, budget=2, executor="inline")


@pytest.mark.cluster
def test_record_that_takes_longer_than_the_time_is_an_error_that_says_so(cluster: mr.Cluster) -> None:
    def endless(record: str) -> None:
        time.sleep(60)

    with pytest.raises(mr.errors.MrkernelError, match=r"cannot tune endless: none of 1 task .* ended within 1\.0 s"):
        mr.tune(mr.Job(endless, sum), ["a", "b"], budget=1)


def test_stopped_rig_cancels_what_runs() -> None:
    rig = Rig(WORDS, as_source(["to be"] * 50), None, {}, given=config.Settings())
    rig.stop.set()
    with pytest.raises(mr.errors.JobCancelledError, match="the tuning of words was cancelled; nothing was changed"):
        rig.sample(Choice(chunk_size=100), n_splits=2)


def test_interrupt_while_a_sample_runs_names_the_tuning(tmp_path: Path) -> None:
    begun, over = tmp_path / "begun", threading.Event()

    def interrupting(line: str) -> None:
        begun.touch()
        time.sleep(4)

    def interrupt() -> None:
        while not begun.exists():
            time.sleep(0.01)
        # As a terminal does it: what the main thread waits in is interrupted too.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        # Python may be in the midst of a finalizer, which swallows it: a person presses again.
        if not over.wait(3):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(mr.errors.JobInterruptedError, match="the tuning of interrupting was interrupted"):
        mr.tune(mr.Job(interrupting), ["to be"] * 2, budget=10, executor="inline")
    over.set()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": "soon"}, "budget = 'soon' cannot be used"),
        ({"executor": "moon"}, "executor = 'moon' cannot be used"),
        ({"executor": "inline", "workers": [1, 2, 4]}, r"workers = \[2, 4\]: inline, there is 1"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(mr.errors.OptionError, match=message):
        mr.tune(WORDS, ["a"], **options)


@pytest.mark.cluster
def test_more_workers_than_there_are_are_refused_and_it_is_said_how_to_start_them(cluster: mr.Cluster) -> None:
    with pytest.raises(mr.errors.OptionError, match=r"workers = \[8, 16\]: the cluster has 2") as caught:
        mr.tune(WORDS, ["a"], workers=[2, 8, 16], cluster=cluster)
    assert caught.value.hint == "mr.cluster(workers=16) starts more"


def test_what_is_no_job_is_refused() -> None:
    with pytest.raises(mr.errors.JobSpecError, match="a job is needed, not a function"):
        mr.tune(_slow, ["a"])
