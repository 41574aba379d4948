"""Tests of the measurement of exact pixels, with an engine whose mistakes are known."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from bitpuppet.errors import BitpuppetError
from bitpuppet.evaluation.pixels import STEPS, measure_steps, run_eval_pixels
from bitpuppet.evaluation.swaps import PuppetSwaps, Swap

Make = Callable[..., Any]
SWAPS = PuppetSwaps(2, seed=0, content_frames=4, canvas=64)


def give_target(swap: Swap) -> np.ndarray:
    return swap.target


def give_dust(swap: Swap) -> np.ndarray:
    """The target with a pixel of a strange colour in an empty place of each frame, half transparent."""
    frames = swap.target.copy()
    assert not frames[:, :6, :6, 3].any()
    frames[:, 3, 3] = (*frames[frames[..., 3] > 0][0, :3], 200)
    return frames


def test_true_frames_stay_and_dust_goes(make_engine: Make) -> None:
    report = measure_steps(make_engine([SWAPS], give_dust), SWAPS, "puppets", content_frames=4)
    found = {one.name.strip(): one for one in report.steps}
    assert list(found) == [name.strip() for name in STEPS]
    frames = sum(len(SWAPS.draw(number).target) for number in range(2))
    assert (found["as drawn"].mended, found["as drawn"].spoilt) == (0, 0)
    assert found["palette, hard alpha"].mended == 0  # the dust becomes opaque
    assert 0 < found["and orphans"].mended <= frames  # one of the puppets has such pixels itself
    assert found["the default"].mended == found["and orphans"].mended
    assert found["and patterns"].mended == frames
    assert found["the default"].figures["perfect_frames"] > found["as drawn"].figures["perfect_frames"] == 0
    assert report.known_changed == 0
    assert report.true_pixels > 1000


def test_the_report_can_be_read_and_shown(make_engine: Make) -> None:
    seen: list[tuple[str, int, int]] = []
    report = measure_steps(
        make_engine([SWAPS], give_target), SWAPS, "puppets", content_frames=4, watch=lambda *step: seen.append(step)
    )
    assert seen == [("retargeting puppets", 1, 2), ("retargeting puppets", 2, 2)]
    values = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert values["steps"][0]["exact"] == 1
    assert values["true_frames"]["changed_in_reference"] == 0
    console = Console(width=160, record=True, file=None, quiet=False)
    with console.capture() as capture:
        console.print(report.to_table())
    assert "and patterns" in capture.get()


@pytest.mark.parametrize("wrong", [{"pairs": 0}, {"held_out": -1}, {"content_frames": 0}, {"seed": -1}])
def test_settings_out_of_range_are_refused_before_anything_is_loaded(wrong: dict[str, int]) -> None:
    with pytest.raises(BitpuppetError, match=r"must be|needs|at least"):
        run_eval_pixels(**wrong)  # type: ignore[arg-type]
