"""progress_state says a progress in JSON, and stays small."""

from __future__ import annotations

import json

from mrkernel.progress import Eta, Lane, LogLine, Progress, StageProgress, WorkerState, progress_state

MAP = StageProgress(
    name="map", done=31, total=40, running=2, failed=1, retried=1, records=3_000_000, bytes_in=310_000_000,
    seconds=5.0, state="running", input_bytes=400_000_000,
)  # fmt: skip


def running(n_workers=2, n_cells=240, n_lines=3):
    return Progress(
        job_id="count-0a1b2c3d",
        name="count",
        state="running",
        seconds=5.0,
        idle_s=0.04,
        stages=(MAP, StageProgress(name="reduce")),
        lanes=tuple(Lane(worker=str(n), cells="mmmw" * (n_cells // 4)) for n in range(n_workers)),
        bucket_s=0.05,
        workers=tuple(WorkerState(name=str(n), memory=512 << 20, memory_limit=2 << 30) for n in range(n_workers)),
        log=tuple(LogLine(at_s=n, kind="retry", text=f"map task {n} runs again") for n in range(n_lines)),
        eta=Eta(seconds=4.04, low_s=3.0, high_s=9.26),
    )


def test_state_is_small_json():
    text = json.dumps(progress_state(running()), separators=(",", ":"))
    assert len(text) < 1500
    assert json.loads(text)["eta"] == [4.0, 3.0, 9.3]


def test_state_has_the_numbers_of_a_stage():
    assert progress_state(running())["stages"][0] == {
        "name": "map", "state": "running", "done": 31, "total": 40, "running": 2, "failed": 1, "retried": 1,
        "fraction": 0.775, "records": 3_000_000, "rate": 600_000, "bytes": 310_000_000, "byteRate": 62_000_000,
        "seconds": 5.0,
    }  # fmt: skip


def test_state_has_workers_lanes_and_log():
    state = progress_state(running(), kernel="Cancel works while the cell waits")
    assert state["workers"][1] == {"name": "1", "memory": 512 << 20, "limit": 2 << 30, "scratch": 0, "state": "running"}
    assert state["lanes"]["rows"][1] == ["1", "mmmw" * 60]
    assert state["log"][2] == [2, "retry", "map task 2 runs again"]
    assert state["kernel"] == "Cancel works while the cell waits"


def test_state_joins_cells_where_there_are_many_workers():
    lanes = progress_state(running(n_workers=32))["lanes"]
    assert {len(cells) for _, cells in lanes["rows"]} == {30}
    assert lanes["bucket"] == 0.4


def test_state_keeps_trouble_and_work_where_cells_are_joined():
    row = "x" * 2 + ".m" * 30 + "." * 40 + "mt" * 30
    lanes = tuple(Lane(worker=str(n), cells=row) for n in range(4))
    rows = progress_state(Progress(lanes=lanes, bucket_s=1.0))["lanes"]["rows"]
    assert rows[0] == ["0", "x" + "m" * 30 + "." * 20 + "t" * 30]


def test_state_cuts_long_texts_and_logs():
    line = LogLine(at_s=1.0, kind="retry", text="x" * 1000)
    state = progress_state(Progress(log=(line,) * 100, notes=("y" * 1000,) * 20))
    assert len(state["log"]) == 30
    assert len(state["log"][0][2]) == 300
    assert len(state["notes"]) == 8


def test_state_of_a_job_that_has_not_begun():
    state = progress_state(Progress())
    assert (state["state"], state["stages"], state["eta"], state["idle"]) == ("planning", [], None, None)
