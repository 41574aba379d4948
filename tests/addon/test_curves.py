"""Small curves: what is drawn, and what is kept of long ones."""

from __future__ import annotations

import numpy as np
from bitpuppet_addon.core.curves import MOST_POINTS, add_point, draw_curve
from hypothesis import given
from hypothesis import strategies as st


def find_rows(picture: np.ndarray) -> np.ndarray:
    """The upper end of the line in each column that has it."""
    blue = picture[..., 2].astype(int) - picture[..., 0] > 50
    return np.argmax(blue, axis=0)[blue.any(axis=0)]


def test_falling_loss_is_a_falling_line() -> None:
    rows = find_rows(draw_curve([(step, 1 / step) for step in range(1, 50)], 64))
    assert len(rows) > 40 and (np.diff(rows) >= 0).all() and rows[0] < 10 and rows[-1] > 50


@given(st.lists(st.tuples(st.integers(0, 10**6), st.floats()), max_size=30), st.integers(16, 200))
def test_any_points_give_a_picture(points: list[tuple[float, float]], side: int) -> None:
    assert draw_curve(sorted(points, key=lambda point: point[0]), side).shape == (side, side, 4)


def test_long_curve_is_thinned_and_keeps_its_ends() -> None:
    points: list[tuple[float, float]] = []
    for step in range(5000):
        add_point(points, step, -step)
    assert len(points) <= MOST_POINTS and points[0] == (0, 0) and points[-1] == (4999, -4999)
    add_point(points, 4000, 1.0)
    assert points[-1] == (4000, 1.0)
