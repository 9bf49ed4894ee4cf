"""Predictions of recorded runs, compared with when those ended."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from mrkernel.progress import Eta, ProgressTracker, StageProgress
from mrkernel.progress.forecast import Forecast
from mrkernel.progress.tally import StageTally
from tests.progress.recording import STREAMS, stream

STEADY = ["even", "reduce", "two-steps", "lost-worker"]
# Later records or one key take much longer: nothing foretells that, the range has to follow once it shows.
SURPRISING = ["uneven", "one-key"]


class Prediction(NamedTuple):
    at: float
    left: float
    eta: Eta

    @property
    def is_right(self) -> bool:
        return self.eta.low_s <= self.left <= self.eta.high_s


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def predictions(name: str, every: float = 0.25) -> list[Prediction]:
    """What was predicted at every moment of a recorded run; the clock is the recording's."""
    events = list(stream(name))
    clock, told, end = Clock(), [], events[-1].at
    tracker = ProgressTracker(clock=clock)
    while clock.now < end:
        while events and events[0].at <= clock.now:
            tracker(events.pop(0))
        eta = tracker.snapshot().eta
        if eta is not None:
            told.append(Prediction(clock.now, end - clock.now, eta))
        clock.now += every
    return told


def share_right(told: list[Prediction]) -> float:
    return sum(one.is_right for one in told) / len(told)


def test_every_recording_is_looked_at():
    assert sorted(path.stem for path in STREAMS.glob("*.jsonl")) == sorted(STEADY + SURPRISING)


@pytest.mark.parametrize("name", STEADY + SURPRISING)
def test_a_prediction_lies_in_its_own_range(name):
    assert all(0 <= one.eta.low_s <= one.eta.seconds <= one.eta.high_s for one in predictions(name))


@pytest.mark.parametrize("name", STEADY)
def test_the_end_is_in_the_range_in_five_of_six_predictions(name):
    assert share_right(predictions(name)) >= 0.83


@pytest.mark.parametrize("name", SURPRISING)
def test_the_range_takes_in_the_end_once_a_surprise_shows(name):
    told = predictions(name)
    assert share_right(told) >= 0.5
    assert share_right(told[-len(told) // 4 :]) >= 0.9


@pytest.mark.parametrize("name", STEADY + SURPRISING)
def test_most_of_a_run_has_a_prediction(name):
    told = predictions(name)
    assert told[0].at <= 0.3 * (told[0].at + told[0].left)


def test_the_error_of_an_even_job_is_a_third_of_what_is_left():
    told = predictions("even")
    assert sum(abs(one.eta.seconds - one.left) for one in told) < 0.35 * sum(one.left for one in told)


def test_nothing_is_predicted_before_anything_is_done_or_after_the_end():
    tracker = ProgressTracker(clock=lambda: 0.5)
    assert tracker.snapshot().eta is None
    for event in stream("even"):
        tracker(event)
    assert tracker.snapshot().eta is None


def test_the_range_of_a_long_job_remembers_that_it_slowed_down():
    forecast, tally = Forecast(), StageTally("map", total=1_000)
    for tenths in range(10, 10_000):
        seconds = tenths / 10
        # A steady half in two and a half minutes, then a tenth of that speed.
        fraction = seconds / 300 if seconds < 150 else 0.5 + (seconds - 150) / 3_000
        stage = StageProgress(name="map", state="running", total=1_000, done=int(1_000 * fraction), seconds=seconds)
        forecast._remember(stage)
    eta = forecast.predict(seconds, [tally], [stage], 2)
    assert eta is not None
    assert eta.high_s > 2 * eta.seconds
