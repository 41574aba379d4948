"""A small curve as a picture, for panels, which have no plots."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MOST_POINTS = 512
"""Kept of a curve; then every second one is let go."""
_FRAME = (128, 128, 128, 255)
_LINE = (86, 156, 235, 255)
_MARGIN = 4
_MOST = 1e30
"""What is larger would not be a number any more as a difference."""


def draw_curve(points: Sequence[tuple[float, float]], side: int) -> NDArray[np.uint8]:
    """A line through points, from the least to the most of both axes; logarithmic upwards where all is positive.

    Args:
        points: (x, y) with x rising; fewer than two draw the frame alone.
        side: of the picture in pixels, 16 or more.

    Returns:
        uint8 (side, side, 4), top row first.
    """
    picture = np.zeros((side, side, 4), dtype=np.uint8)
    picture[_MARGIN : side - _MARGIN, _MARGIN] = _FRAME
    picture[side - _MARGIN - 1, _MARGIN : side - _MARGIN] = _FRAME
    values = np.array([point for point in points if np.isfinite(point).all()], dtype=np.float64).reshape(-1, 2)
    values = np.clip(values, -_MOST, _MOST)
    if len(values) < 2 or values[-1, 0] <= values[0, 0]:
        return picture
    first, last = _MARGIN + 2, side - _MARGIN - 3
    columns = np.arange(first, last + 1)
    heights = np.interp(np.linspace(values[0, 0], values[-1, 0], len(columns)), values[:, 0], values[:, 1])
    if heights.min() > 0:
        heights = np.log(heights)
    low, high = heights.min(), heights.max()
    rows = np.rint(last - (heights - low) / (high - low or 1.0) * (last - first)).astype(int)
    for column, row, before in zip(columns, rows, [rows[0], *rows[:-1]], strict=True):
        picture[min(row, before) : max(row, before) + 2, column] = _LINE
    return picture


def add_point(points: list[tuple[float, float]], x: float, y: float) -> None:
    """Put a point at the end of a curve, in place of the last one if x did not rise; thins a long curve."""
    if points and x <= points[-1][0]:
        points.pop()
    points.append((x, y))
    if len(points) > MOST_POINTS:
        del points[1:-1:2]
