"""A phase clock tells what an attempt spent its time on."""

from __future__ import annotations

import itertools

import pytest

from mrkernel.engine.phases import PhaseClock, phase, use_clock


class Seconds:
    """A clock that stands still unless it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds():
    return Seconds()


def shown(clock):
    return [(one.kind, round(one.start_s, 3), round(one.stop_s, 3)) for one in clock.finish()]


def spend(seconds, kind, duration):
    with phase(kind):
        seconds.now += duration


def test_phases_follow_each_other_without_gaps(seconds):
    clock = PhaseClock("reduce", clock=seconds)
    with use_clock(clock):
        spend(seconds, "fetch", 1.0)
        seconds.now += 2.0
        spend(seconds, "commit", 3.0)
    assert shown(clock) == [("fetch", 0.0, 1.0), ("reduce", 1.0, 3.0), ("commit", 3.0, 6.0)]


def test_totals_tell_reading_from_mapping_and_stretches_do_not(seconds):
    clock = PhaseClock("map", clock=seconds)
    with use_clock(clock):
        for _ in range(3):
            spend(seconds, "read", 1.0)
            seconds.now += 2.0
    assert shown(clock) == [("map", 0.0, 9.0)]
    assert clock.totals == {"map": 6.0, "read": 3.0}


def test_a_phase_inside_another_ends_in_the_outer_one(seconds):
    clock = PhaseClock("map", clock=seconds)
    with use_clock(clock), phase("write"):
        seconds.now += 1.0
        spend(seconds, "fetch", 1.0)
        seconds.now += 1.0
    assert clock.finish()
    assert clock.totals == {"map": 0.0, "write": 2.0, "fetch": 1.0}


def test_a_phase_ends_when_its_block_raises(seconds):
    clock = PhaseClock("map", clock=seconds)
    with use_clock(clock), pytest.raises(ZeroDivisionError), phase("write"):
        raise ZeroDivisionError
    assert clock.enter("map") == "map"


def test_moments_belong_to_what_they_interrupt(seconds):
    clock = PhaseClock("reduce", clock=seconds)
    with use_clock(clock):
        for _ in range(4):
            spend(seconds, "fetch", 0.0001)
            seconds.now += 0.5
    assert shown(clock) == [("reduce", 0.0, 2.0)]


def test_thousands_of_phases_become_a_dozen_that_cover_the_attempt(seconds):
    clock = PhaseClock("reduce", clock=seconds)
    with use_clock(clock):
        for _ in range(5_000):
            spend(seconds, "fetch", 1.0)
            seconds.now += 3.0
    phases = clock.finish()
    assert 1 <= len(phases) <= 12
    assert (phases[0].start_s, phases[-1].stop_s) == (0.0, 20_000.0)
    assert all(one.stop_s == after.start_s for one, after in itertools.pairwise(phases))
    assert {one.kind for one in phases} == {"reduce"}


def test_without_an_attempt_a_phase_is_free(seconds):
    with phase("write"):
        seconds.now += 1.0
