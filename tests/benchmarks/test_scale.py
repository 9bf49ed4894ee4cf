"""The simulation drives the real planner and driver; what they cost is judged on a quiet machine only."""

from __future__ import annotations

import pytest

from tests.benchmarks.scale import main, simulate

pytestmark = pytest.mark.benchmarks


def test_simulated_job_runs_every_task_once() -> None:
    cost, outcome, tracker = simulate(3_000, n_workers=50)
    stages = tracker.snapshot().stages
    assert [(stage.state, stage.done, stage.total, stage.retried) for stage in stages] == [
        ("finished", 3_000, 3_000, 0),
        ("finished", cost.n_tasks - 3_000, cost.n_tasks - 3_000, 0),
    ]
    assert len(outcome.parts) == cost.n_tasks - 3_000
    assert cost.n_partitions == 256
    assert cost.call_bytes < 10_000
    assert cost.simulated_s > 3_000 / 50


def test_costs_are_compared_with_the_smallest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["500", "1000", "--workers", "20"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "500 splits" in first
    assert first.count("(1.00 × linear)") == 2
    assert "1,000 splits" in second
