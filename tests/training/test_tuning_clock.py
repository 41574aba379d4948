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
    assert clock.fit_length(75, 100, 50.0, 0.5) == 100  # nothing was seen of drawing
    for _ in range(25):
        clock.note(DRAWING, 2.0)
    assert clock.fit_length(75, 100, 50.0, 0.5) == 100
    assert clock.fit_length(75, 100, 20.0, 0.5) == 85
    assert clock.fit_length(75, 100, -5.0, 0.5) == 76
    assert clock.fit_length(75, 100, 5000.0, 0.5) == 150  # the 75th step is one of drawing
