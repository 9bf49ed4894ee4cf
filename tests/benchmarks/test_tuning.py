"""The tuner's benchmark works on small inputs; what it finds is judged on a quiet machine only."""

from __future__ import annotations

from pathlib import Path

import pytest

import mrkernel as mr
from tests.benchmarks.tuning import CASES, judge, main

pytestmark = [pytest.mark.benchmarks, pytest.mark.cluster]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_is_tuned_and_run_both_ways(case, cluster: mr.Cluster, tmp_path: Path) -> None:
    found = judge(case, tmp_path, scale=0.25, budget=5, turns=1)
    assert found.default_s > 0
    assert found.tuning.points
    assert case.name in str(found)


def test_case_that_there_is_not_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["tiny files", "huge row"])
    assert "there is no case huge row" in capsys.readouterr().err
