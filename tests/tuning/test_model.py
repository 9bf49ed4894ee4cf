"""The cost model gives back the costs that made its runs, and foretells runs that it has not seen."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest

import mrkernel as mr
from mrkernel.config import Settings
from mrkernel.io import as_source
from mrkernel.tuning import Choice, Measured
from mrkernel.tuning.fit import fit, held_out_errors, place_error
from mrkernel.tuning.fitting import makespan
from mrkernel.tuning.layout import Layout
from mrkernel.tuning.measured import StageSeen, TaskSeen
from mrkernel.tuning.model import CostModel

WORDS = mr.Job(lambda line: [(word, 1) for word in line.split()], sum, name="words")
SIZE = 100_000_000
FIXED_S, PER_BYTE_S, OVERHEAD_S, OUTSIDE_S = 0.005, 2e-8, 0.002, 0.03


def _run(
    chunk: int, workers: int = 2, *, n_tasks: int = 20, combine: bool | None = None, slower: float = 1.0
) -> Measured:
    """A run as it would be if the costs above were the truth."""
    factor = slower * (2.0 if combine is False else 1.0)
    written = 0.5 * chunk if combine is False else 40 * chunk**0.5
    one = TaskSeen(seconds=FIXED_S + factor * PER_BYTE_S * chunk, n_bytes=chunk, records=chunk / 50, bytes_out=written)
    maps = StageSeen(seconds=makespan([one.seconds + OVERHEAD_S] * n_tasks, workers), tasks=[one] * n_tasks)
    read = written * n_tasks
    reduce = TaskSeen(seconds=0.01 + 1e-8 * read, n_bytes=read, records=read / 20)
    reduces = StageSeen(seconds=reduce.seconds, tasks=[reduce])
    return Measured(
        choice=Choice(chunk_size=chunk, workers=workers, combine=combine), n_bytes=chunk * n_tasks,
        seconds=OUTSIDE_S + maps.seconds + reduces.seconds, share=chunk * n_tasks / SIZE,
        stages={"map": maps, "reduce": reduces}, memory_bytes=int(150e6 + 3 * chunk),
    )  # fmt: skip


RUNS = [_run(1 << 14), _run(1 << 17), _run(1 << 20), _run(1 << 22, n_tasks=8), _run(1 << 17, 1), _run(1 << 20, 1)]


def _layout(chunk: int, size: int = SIZE) -> Layout:
    n = size // chunk
    return Layout(np.full(n, float(chunk)), np.ones(n), np.full(n, np.nan))


def test_costs_of_tasks_are_found_back() -> None:
    cost = fit(WORDS, as_source([]), RUNS, Settings()).cost(2)
    assert cost.fixed_s == pytest.approx(FIXED_S, rel=0.05)
    assert cost.per_byte_s + cost.per_record_s / 50 == pytest.approx(PER_BYTE_S, rel=0.02)
    assert cost.overhead_s == pytest.approx(OVERHEAD_S, rel=0.1)


def test_time_of_the_whole_follows_from_samples() -> None:
    model = fit(WORDS, as_source([]), RUNS, Settings())
    found = model.estimate(Choice(workers=2), _layout(1 << 21))
    tasks = SIZE // (1 << 21)
    truth = makespan([FIXED_S + OVERHEAD_S + PER_BYTE_S * (1 << 21)] * tasks, 2)
    assert found.map_s == pytest.approx(truth, rel=0.03)
    assert found.n_tasks == tasks
    assert found.memory_bytes == pytest.approx(150e6 + 3 * (1 << 21), rel=0.1)


def test_fewer_workers_take_longer_and_many_small_chunks_too() -> None:
    model = fit(WORDS, as_source([]), RUNS, Settings())
    assert model.estimate(Choice(workers=1), _layout(1 << 21)).seconds > 1.8 * _seconds(model, 1 << 21)
    assert _seconds(model, 1 << 14) > 5 * _seconds(model, 1 << 21)


def _seconds(model: CostModel, chunk: int) -> float:
    return model.estimate(Choice(workers=2), _layout(chunk)).seconds


def test_combining_switched_off_costs_what_it_was_measured_to() -> None:
    model = fit(WORDS, as_source([]), [*RUNS, _run(1 << 20, combine=False)], Settings())
    on, off = (model.estimate(Choice(workers=2, combine=combine), _layout(1 << 20)) for combine in (None, False))
    assert off.map_s == pytest.approx(2 * on.map_s, rel=0.2)
    assert off.reduce_s > on.reduce_s


def test_partitions_follow_the_planners_rules() -> None:
    model = fit(WORDS, as_source([]), RUNS, Settings())
    assert model.estimate(Choice(workers=2), _layout(1 << 20)).n_reduces == 1
    assert model.estimate(Choice(workers=2, reducers=12), _layout(1 << 20)).n_reduces == 12
    mapped = fit(mr.Job(WORDS.mapper), as_source([]), RUNS, Settings())
    assert mapped.estimate(Choice(workers=2), _layout(1 << 20)).n_reduces == 0


def test_errors_of_held_out_runs_are_small_where_the_model_holds() -> None:
    errors = held_out_errors(WORDS, as_source([]), RUNS, Settings())
    assert len(errors) == len(RUNS)
    assert max(map(abs, errors)) < 0.25


def test_errors_of_held_out_runs_show_a_run_that_does_not_fit() -> None:
    errors = held_out_errors(WORDS, as_source([]), [*RUNS, _run(1 << 21, slower=3.0)], Settings())
    assert errors[-1] == pytest.approx(math.log(3), rel=0.3)


def test_one_disturbed_task_does_not_bend_the_costs() -> None:
    disturbed = _run(1 << 20)
    disturbed.maps.tasks[0] = TaskSeen(seconds=1.0, n_bytes=1 << 20, records=20_000)
    cost = fit(WORDS, as_source([]), [*RUNS, disturbed], Settings()).cost(2)
    assert cost.per_byte_s + cost.per_record_s / 50 == pytest.approx(PER_BYTE_S, rel=0.1)


def test_many_small_tasks_do_not_outvote_a_few_large_ones() -> None:
    drawn = random.Random(0)
    small = _run(1 << 10, n_tasks=150)
    small.maps.tasks[:] = [replace(task, seconds=drawn.uniform(0.002, 0.04)) for task in small.maps.tasks]
    runs = [small, _run(1 << 19), _run(1 << 21, n_tasks=7), _run(1 << 23, n_tasks=2)]
    cost = fit(WORDS, as_source([]), runs, Settings()).cost(2)
    assert cost.per_byte_s + cost.per_record_s / 50 == pytest.approx(PER_BYTE_S, rel=0.2)


def test_places_that_cost_differently_widen_the_band() -> None:
    even = _run(1 << 20)
    tasks = [TaskSeen(seconds=s, n_bytes=1e6, records=1) for s in (0.01, 0.03, 0.01, 0.03)]
    uneven = Measured(
        choice=Choice(workers=2), seconds=1, n_bytes=4e6, share=0.04, stages={"map": StageSeen(tasks=tasks)}
    )
    assert place_error([even]) == pytest.approx(0, abs=1e-6)
    assert place_error([uneven]) == pytest.approx(0.57 / 2, rel=0.1)
