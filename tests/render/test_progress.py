"""Progress as HTML and text, while running and ended."""

from __future__ import annotations

import io
import re

from mrkernel.progress import Progress, StageProgress
from mrkernel.render import ProgressLine, progress_html, progress_line, progress_text

RUNNING = Progress(
    name="count",
    state="running",
    seconds=3.2,
    stages=(
        StageProgress(
            name="map",
            done=3,
            total=8,
            running=2,
            retried=1,
            records=12345,
            bytes_in=10**7,
            seconds=3.0,
            state="running",
        ),
        StageProgress(name="reduce", total=4),
    ),
)
ENDED = Progress(
    name="count",
    state="finished",
    seconds=1.24,
    notes=("merged in a tree",),
    stages=(
        StageProgress(name="map", done=8, total=8, records=100, bytes_in=4_400_000, seconds=1.0, state="finished"),
    ),
)
EVIL = "<img src=x onerror=alert(1)>"


def test_running_html_has_a_labelled_progressbar_for_each_stage_begun():
    page = progress_html(RUNNING)
    assert page.count('role="progressbar"') == 1
    assert 'aria-label="map" aria-valuemin="0" aria-valuemax="100" aria-valuenow="37"' in page


def test_running_html_says_its_numbers_as_text():
    words = re.sub(r"<[^>]+>", " ", re.sub(r"<style>.*?</style>", "", progress_html(RUNNING), flags=re.DOTALL))
    for said in (
        "count: running for 3.2 s",
        "3/8",
        "12,345",
        "10.0 MB",
        "4,115 records/s",
        "5.0 s left",
        "2 running",
        "1 retried",
        "waiting",
    ):
        assert said in re.sub(r"\s+", " ", words)


def test_running_text_has_one_line_for_each_stage():
    lines = progress_text(RUNNING).split("\n")
    assert len(lines) == 4
    assert "██████░░░░░░░░░░" in lines[2]


def test_ended_text_is_compact_and_without_rates():
    assert progress_text(ENDED).split("\n") == [
        "count: finished in 1.2 s",
        "  stage  tasks  records    read  time",
        "  map      8/8      100  4.4 MB  1.0 s",
        "  merged in a tree",
    ]


def test_ended_html_has_no_bars():
    assert "progressbar" not in progress_html(ENDED)


def test_a_failed_stage_says_so_in_words():
    stage = StageProgress(name="map", done=1, total=8, state="failed", seconds=1.0)
    assert "1.0 s, failed" in progress_text(Progress(name="x", state="failed", stages=(stage,)))


def test_planning_is_said():
    assert progress_text(Progress(name="count")) == "count: starting"


def test_names_and_notes_are_escaped():
    stage = StageProgress(name=EVIL, done=1, total=8, state="running")
    page = progress_html(Progress(name=EVIL, state="running", stages=(stage,), notes=(EVIL,)))
    assert "<img" not in page


def test_line_fits_its_width():
    assert len(progress_line(RUNNING, width=60)) <= 60
    assert progress_line(RUNNING, width=200).startswith("count 3.2 s · map ██████░")


def test_terminal_line_is_replaced_in_place_and_closed_by_the_summary():
    stream = io.StringIO()
    line = ProgressLine(stream, is_terminal=True)
    line.update(RUNNING)
    line.update(RUNNING)
    line.close(ENDED)
    assert stream.getvalue().count("\rcount 3.2 s") == 1
    assert stream.getvalue().endswith(progress_text(ENDED) + "\n")


def test_log_gets_no_line_for_a_short_job_but_its_summary():
    stream = io.StringIO()
    line = ProgressLine(stream)
    line.update(RUNNING)
    line.close(ENDED)
    assert stream.getvalue() == progress_text(ENDED) + "\n"
