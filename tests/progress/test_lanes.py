"""A lane shows what a worker did, in 240 cells however long it took."""

from __future__ import annotations

from mrkernel.progress.lanes import LaneBoard, lane_kind


def test_a_cell_shows_what_took_most_of_it():
    board = LaneBoard()
    board.add("a", "m", 0.0, 0.13)
    board.add("a", "w", 0.13, 0.15)
    board.add("a", "f", 0.15, 0.16)
    board.add("a", "r", 0.16, 0.2)
    assert board.cells("a", 0.199) == "mmmr"


def test_a_worker_that_did_little_in_a_cell_waited():
    board = LaneBoard()
    board.add("a", "m", 0.0, 0.01)
    board.add("a", "m", 0.05, 0.065)
    assert board.cells("a", 0.149) == ".m."


def test_failed_and_repeated_attempts_are_seen_however_short():
    board = LaneBoard()
    board.add("a", "m", 0.0, 0.15)
    board.add("a", "x", 0.02, 0.021)
    board.add("a", "t", 0.06, 0.061)
    assert board.cells("a", 0.149) == "xtm"


def test_cells_double_their_width_and_keep_what_they_showed():
    board = LaneBoard()
    board.add("a", "m", 0.0, 6.0)
    board.add("a", "r", 6.0, 12.5)
    cells = board.cells("a", 12.5)
    assert board.bucket_s == 0.1
    assert cells == "m" * 60 + "r" * 65


def test_a_day_is_240_cells():
    board = LaneBoard()
    for hour in range(24):
        board.add("a", "mr"[hour % 2], hour * 3600.0, hour * 3600.0 + 1800)
    cells = board.cells("a", 24 * 3600.0)
    assert 120 < len(cells) <= 240
    assert set(cells) == set("mr.")


def test_what_runs_is_laid_over_the_cells_that_nobody_reported_yet():
    board = LaneBoard()
    board.add("a", "w", 0.0, 0.05)
    assert board.cells("a", 0.249, running=[("m", 0.1)]) == "w.mmm"
    assert board.cells("a", 0.249, running=[("t", 0.1)]) == "w.ttt"


def test_a_report_replaces_what_was_laid_over():
    board = LaneBoard()
    assert board.cells("a", 0.149, running=[("r", 0.0)]) == "rrr"
    board.add("a", "f", 0.0, 0.149)
    assert board.cells("a", 0.149) == "fff"


def test_a_lane_under_another_name_joins_the_one_with_that_name():
    board = LaneBoard()
    board.add("127.0.0.1:4001", "m", 0.0, 0.05)
    board.add("worker-1", "r", 0.05, 0.1)
    board.rename("127.0.0.1:4001", "worker-1")
    assert board.workers == ("worker-1",)
    assert board.cells("worker-1", 0.099) == "mr"


def test_stages_have_the_kind_of_what_they_do():
    assert [lane_kind(word) for word in ("map", "map 2", "reduce", "merge level 2", "save", "write", "fetch")] == [
        "m", "m", "r", "c", "c", "w", "f",
    ]  # fmt: skip
