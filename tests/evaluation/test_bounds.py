"""Tests of the bounds, on frames whose every block is known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bitpuppet.errors import BitpuppetError
from bitpuppet.evaluation.bounds import BLOCK, REACHES, measure_bounds, run_eval_bounds, tabulate_bounds
from bitpuppet.evaluation.swaps import PuppetSwaps, Swap

Frames = np.ndarray


def paint(side: int, left: int, top: int, *, seed: int = 0, size: int = 2 * BLOCK) -> Frames:
    """A frame with a square of pixels that are all of different colours."""
    frame = np.zeros((side, side, 4), np.uint8)
    colours = np.random.default_rng(seed).permutation(256)[: size * size].astype(np.uint8)
    frame[top : top + size, left : left + size, 0] = colours.reshape(size, size)
    frame[top : top + size, left : left + size, 1] = seed
    frame[top : top + size, left : left + size, 3] = 255
    return frame


class OneSwap:
    def __init__(self, content: list[Frames], target: Frames) -> None:
        self.swap = Swap("", np.stack(content), target[None], target[None], None)

    def __len__(self) -> int:
        return 1

    def draw(self, number: int) -> Swap:
        return self.swap


@pytest.mark.parametrize("moved", [0, 1, 2, 3, 4, 7, 8, 9])
def test_a_square_is_found_from_the_reach_on_that_covers_its_move(moved: int) -> None:
    target = paint(64, 16, 16)
    report = measure_bounds(OneSwap([paint(64, 16 + moved, 16 - moved)], target), "one", {})
    assert report.colours == 1
    assert report.frame == (moved == 0)
    assert {reach: share == 1 for reach, share in report.blocks.items()} == {r: moved <= r for r in REACHES}


def test_a_mirror_shows_it_too() -> None:
    target = paint(64, 16, 16)
    report = measure_bounds(OneSwap([target[:, ::-1]], target), "one", {})
    assert report.frame == 1


def test_blocks_may_come_from_different_frames_and_a_whole_frame_from_one() -> None:
    target = paint(64, 16, 16)
    left, right = target.copy(), target.copy()
    left[:, 16 + BLOCK :], right[:, : 16 + BLOCK] = 0, 0
    report = measure_bounds(OneSwap([left, right], target), "one", {})
    assert (report.frame, report.blocks[0]) == (0.5, 1)


def test_what_nobody_shows_is_not_found() -> None:
    target = paint(64, 16, 16, seed=1)
    report = measure_bounds(OneSwap([paint(64, 16, 16, seed=2)], target), "one", {})
    assert (report.colours, report.frame, set(report.blocks.values())) == (0, 0, {0})


def test_a_longer_reach_never_finds_less_and_the_report_can_be_read() -> None:
    seen: list[tuple[str, int, int]] = []
    report = measure_bounds(
        PuppetSwaps(1, content_frames=3), "puppets", {"seed": 0}, watch=lambda *step: seen.append(step)
    )
    shares = list(report.blocks.values())
    assert seen == [("searching puppets", 1, 1)]
    assert 0 < report.frame <= shares[0] < shares[-1] <= report.colours <= 1
    assert shares == sorted(shares)
    values = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert values["settings"] == {"pairs": 1, "seed": 0}
    assert len(tabulate_bounds((report,)).rows) == 2 + len(REACHES)


@pytest.mark.parametrize("wrong", [{"pairs": 0}, {"held_out": -1}, {"content_frames": 0}, {"seed": -1}])
def test_settings_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(BitpuppetError, match=r"must be"):
        run_eval_bounds(**wrong)
