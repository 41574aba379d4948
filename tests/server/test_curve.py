"""The course of a training, however long it is and however often it was begun."""

from __future__ import annotations

import pytest

from bitpuppet.server.curve import Curve
from bitpuppet_client.limits import MAX_REPORT_LIST
from bitpuppet_client.schema import check_report


def test_long_training_is_thinned_and_keeps_its_form() -> None:
    curve = Curve()
    for step in range(1, 10_001):
        curve.add(step, 1 / step, step / 10_000 if step % 50 == 0 else None)
    told = curve.describe()
    check_report("curve", {name: tuple(values) for name, values in told.items()})
    assert MAX_REPORT_LIST / 4 < len(told["steps"]) < MAX_REPORT_LIST
    assert told["steps"] == sorted(set(told["steps"])) and told["steps"][-1] > 9_000
    assert told["loss"] == sorted(told["loss"], reverse=True)
    assert told["held_out"][-1] == 1.0
    assert len(told["held_out"]) > MAX_REPORT_LIST / 4


def test_short_training_is_kept_whole() -> None:
    curve = Curve()
    for step in range(1, 6):
        curve.add(step, float(step), None)
    assert curve.describe() == {
        "steps": [1, 2, 3, 4, 5],
        "loss": [1.0, 2.0, 3.0, 4.0, 5.0],
        "held_out_steps": [],
        "held_out": [],
    }


def test_what_was_written_is_read_and_steps_done_again_replace_the_lost_ones() -> None:
    curve = Curve()
    for step in range(1, 31):
        curve.add(step, 1.0, 0.5 if step % 10 == 0 else None)
    again = Curve.read(curve.write())
    assert (again.write(), again.last_step) == (curve.write(), 30)
    again.add(20, None, None)  # where the checkpoint was
    for step in range(21, 26):
        again.add(step, 2.0, None)
    told = again.describe()
    assert told["steps"] == list(range(1, 26))
    assert told["loss"][-5:] == [2.0] * 5
    assert told["held_out_steps"] == [10, 20]
    assert again.last_step == 25


@pytest.mark.parametrize("values", [{}, {"stride": [1]}])
def test_damaged_record_is_told(values: dict[str, list[float]]) -> None:
    with pytest.raises((KeyError, IndexError)):
        Curve.read(values)
