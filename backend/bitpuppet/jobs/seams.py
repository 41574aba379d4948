"""How much an animation changes from frame to frame, and whether its end leads into its start."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]


class Seam(NamedTuple):
    """A loop judged by its seam."""

    seam: float
    """Difference between the last frame and the first one, in levels, see `measure_change`."""
    largest_inside: float
    """The largest difference between neighbouring frames inside; 0 for a single frame."""

    @property
    def closed(self) -> bool:
        """Whether nobody can tell the seam from a step inside: it is no larger than the largest of those."""
        return self.seam <= self.largest_inside


def measure_change(first: Frames, second: Frames) -> float:
    """How far one frame is from another: mean absolute difference over all pixels and channels, in levels of 255.

    Args:
        first: straight-alpha RGBA (H, W, 4). Colours count as much as alpha lets through.
        second: the same shape.
    """
    return float(np.abs(_premultiply(first) - _premultiply(second)).mean())


def judge_seam(frames: Frames) -> Seam:
    """Judge frames (T, H, W, 4), T >= 1, as a loop."""
    inside = [measure_change(first, second) for first, second in pairwise(frames)]
    return Seam(measure_change(frames[-1], frames[0]), max(inside, default=0.0))


def _premultiply(frame: Frames) -> NDArray[np.float64]:
    wide = frame.astype(np.float64)
    wide[..., :3] *= wide[..., 3:] / 255
    return wide
