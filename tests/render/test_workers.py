"""What workers did and what happened, as folded HTML."""

from __future__ import annotations

from mrkernel.progress import Lane, LogLine, Progress, WorkerState
from mrkernel.render import workers_html

LANES = (Lane(worker="worker-1", cells="mmmmwr"), Lane(worker="worker-2", cells="mx.t"))
WORKERS = (WorkerState(name="worker-1", memory=128_000_000, scratch_bytes=4_000),
           WorkerState(name="worker-2", state="lost"))  # fmt: skip
LOG = (LogLine(at_s=2.0, kind="worker", text="worker-2 was lost while it ran map task 3"),)
EVIL = "<img src=x onerror=alert(1)>"


def test_workers_are_folded_with_letters_that_are_explained():
    page = workers_html(Progress(lanes=LANES, workers=WORKERS, bucket_s=0.5, log=LOG))
    assert page.startswith("<details><summary>workers over time, and what happened</summary>")
    assert "<code>mmmmwr</code>" in page
    assert "<code>mx·t</code>" in page
    assert "worker-2 (lost)" in page
    assert "128.0 MB" in page
    assert (
        "one letter for each 0.5 s: m read and map, w shuffle write, r reduce, x failed, t retried, · waiting" in page
    )
    assert "worker-2 was lost while it ran map task 3" in page


def test_long_lanes_are_cut_alike_and_keep_failures():
    lanes = (Lane(worker="1", cells="m" * 100 + "x" + "m" * 99), Lane(worker="2", cells="m" * 40))
    page = workers_html(Progress(lanes=lanes, bucket_s=1.0))
    assert "one letter for each 4.0 s" in page
    assert f"<code>{'m' * 25}x{'m' * 24}</code>" in page
    assert f"<code>{'m' * 10}</code>" in page


def test_nothing_to_tell_is_nothing():
    assert workers_html(Progress()) == ""


def test_names_and_words_are_escaped():
    page = workers_html(Progress(lanes=(Lane(worker=EVIL, cells="m"),), bucket_s=1.0,
                                 log=(LogLine(at_s=0.0, kind="failed", text=EVIL),)))  # fmt: skip
    assert "<img" not in page
