"""How a loop is judged."""

from __future__ import annotations

import numpy as np
import pytest

from bitpuppet.jobs.seams import judge_seam, measure_change


def paint(*levels: int, alpha: int = 255) -> np.ndarray:
    frames = np.zeros((len(levels), 4, 6, 4), dtype=np.uint8)
    frames[..., :3] = np.array(levels)[:, None, None, None]
    frames[..., 3] = alpha
    return frames


def test_change_is_the_mean_over_pixels_and_channels() -> None:
    black, grey = paint(0, 40)
    assert measure_change(black, grey) == pytest.approx(30)
    assert measure_change(grey, black) == pytest.approx(30)
    assert measure_change(grey, grey) == 0


def test_colour_counts_as_much_as_alpha_lets_through() -> None:
    hidden, other = paint(0, 255, alpha=0)
    assert measure_change(hidden, other) == 0
    faint, clear = paint(200, alpha=51)[0], paint(0, alpha=0)[0]
    assert measure_change(faint, clear) == pytest.approx((3 * 40 + 51) / 4)


def test_seam_is_compared_with_the_largest_step_inside() -> None:
    closed = judge_seam(paint(0, 10, 30, 20))
    assert (closed.seam, closed.largest_inside, closed.closed) == (pytest.approx(15), pytest.approx(15), True)
    opened = judge_seam(paint(0, 10, 20, 30))
    assert not opened.closed
    assert judge_seam(paint(7)) == (0, 0)
    assert judge_seam(paint(7)).closed
