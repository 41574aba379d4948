"""What is left of a fine-tuning run."""

from __future__ import annotations

import pytest

from bitpuppet.training.tuning_clock import DRAWING, READING, TuningClock


def test_the_rest_is_told_by_what_was_expected_until_steps_are_done() -> None:
    clock = TuningClock({READING: 1.0, DRAWING: 4.0})
    assert clock.measure_left({READING: 10, DRAWING: 5}) == pytest.approx(30)
    clock.note(READING, 60.0)  # a first step tells little
    assert clock.measure_left({READING: 10, DRAWING: 5}) == pytest.approx(30)


def test_a_slower_machine_slows_what_is_yet_to_come() -> None:
    clock = TuningClock({READING: 1.0, DRAWING: 4.0})
    for _ in range(10):
        clock.note(READING, 1.5)
    assert clock.measure_left({READING: 10, DRAWING: 5}) == pytest.approx(15 + 30)
    for _ in range(5):
        clock.note(DRAWING, 5.0)
    assert clock.measure_left({READING: 0, DRAWING: 5}) == pytest.approx(25)


def test_a_resumed_run_goes_by_its_own_steps() -> None:
    clock = TuningClock()
    assert clock.measure_left({READING: 3, DRAWING: 3}) == 0  # nobody knows yet
    clock.note(DRAWING, 2.0)
    assert clock.measure_left({READING: 0, DRAWING: 3}) == pytest.approx(6)


def test_the_length_is_fitted_to_the_time_that_is_left() -> None:
    clock = TuningClock({READING: 1.0, DRAWING: 4.0})
    assert clock.fit_length(60, 80, 40.0, 0.5) == 80  # nothing was seen of drawing
    for _ in range(20):
        clock.note(DRAWING, 2.0)
    assert clock.fit_length(60, 80, 40.0, 0.5) == 80
    assert clock.fit_length(60, 80, 20.0, 0.5) == 70
    assert clock.fit_length(60, 80, -5.0, 0.5) == 61
    assert clock.fit_length(60, 80, 5000.0, 0.5) == 120  # the 60th step is one of drawing
    assert clock.fit_length(61, 80, 20.0, 0.5) == 80  # not at every step
    assert clock.fit_length(3, 5, 0.5, 0.0) == 4  # in the shortest runs
