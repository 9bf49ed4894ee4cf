"""The small fits that the cost model is made of."""

from __future__ import annotations

import numpy as np
import pytest

from mrkernel.tuning.fitting import makespan, non_negative, power_law


def test_costs_are_found_back_from_times_they_made() -> None:
    sizes = np.array([1e5, 1e6, 1e7, 5e6])
    times = 0.004 + 2e-8 * sizes
    assert non_negative([np.ones(4), sizes], times) == pytest.approx([0.004, 2e-8])


def test_no_cost_is_negative_even_where_that_would_fit_better() -> None:
    assert non_negative([[1, 1, 1], [1, 2, 3]], [3, 2, 1])[1] == 0


def test_two_columns_that_say_the_same_share_nothing() -> None:
    found = non_negative([[1, 1, 1], [10, 20, 30], [1, 2, 3]], [1, 2, 3])
    assert sum(value > 0 for value in found) == 1


def test_growth_of_combined_output_is_found_back() -> None:
    sizes = [1e4, 1e5, 1e6]
    factor, grows = power_law(sizes, [3 * size**0.6 for size in sizes])
    assert (factor, grows) == pytest.approx((3, 0.6))


def test_chunks_of_one_size_say_nothing_about_growth() -> None:
    assert power_law([100, 101, 99], [10, 9, 11])[1] == 1.0


@pytest.mark.parametrize(
    ("seconds", "workers", "end"), [([], 2, 0), ([1, 1, 1], 1, 3), ([3, 1, 1, 1], 2, 3), ([1, 1, 3], 2, 4)]
)
def test_makespan_takes_tasks_in_their_order(seconds: list[float], workers: int, end: float) -> None:
    assert makespan(seconds, workers) == end


def test_makespan_of_very_many_tasks_is_their_share() -> None:
    assert makespan([0.01] * 10_000, 4) == pytest.approx(25, rel=0.01)
