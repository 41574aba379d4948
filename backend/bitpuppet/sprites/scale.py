"""Art drawn small and exported at 2 to 8 times its size: find the factor, take it away, put it back."""

from __future__ import annotations

import numpy as np
from einops import repeat
from numpy.typing import NDArray

from bitpuppet.sprites.clip import check_frames, clear_hidden

MAX_SCALE = 8
_MIN_EDGES = 24
"""Neighbouring blocks that must differ before block-constant art counts as enlarged and not as a few flat shapes."""
_MIN_COLOURS = 2
"""Visible colours that must occur; a silhouette can be block-constant by its shape alone."""


def find_pixel_scale(frames: NDArray[np.uint8]) -> int:
    """The largest k in 2..8 for which every pixel of the art is a k x k block from the frame's origin on, else 1.

    `frames`: uint8 (T, H, W, 4); k divides H and W. Fully transparent pixels are equal whatever their RGB is.
    Art with too little in it to tell (empty, one colour, a few large shapes) has scale 1.
    """
    check_frames(frames)
    pixels = clear_hidden(frames).view(np.uint32)[..., 0]
    visible = pixels[frames[..., 3] > 0]
    if not len(visible) or len(np.unique(visible)) < _MIN_COLOURS:
        return 1
    _, height, width = pixels.shape
    for k in range(MAX_SCALE, 1, -1):
        if height % k or width % k:
            continue
        small = pixels[:, ::k, ::k]
        if np.array_equal(repeat(small, "t h w -> t (h i) (w j)", i=k, j=k), pixels):
            edges = np.count_nonzero(small[:, 1:] != small[:, :-1]) + np.count_nonzero(
                small[:, :, 1:] != small[:, :, :-1]
            )
            return k if edges >= _MIN_EDGES else 1
    return 1


def reduce_frames(frames: NDArray[np.uint8], k: int) -> NDArray[np.uint8]:
    """Frames (T, H, W, 4) at 1/k of their size: the top left pixel of each k x k block.

    Exact for art whose `find_pixel_scale` is k. Raises ValueError when k does not divide H and W.
    """
    check_frames(frames)
    _, height, width, _ = frames.shape
    if k < 1 or height % k or width % k:
        raise ValueError(f"{width}x{height} frames cannot be reduced by {k}")
    return frames[:, ::k, ::k].copy()


def enlarge_frames(frames: NDArray[np.uint8], k: int) -> NDArray[np.uint8]:
    """Frames (T, H, W, 4) at k times their size, each pixel a k x k block. Raises ValueError when k < 1."""
    check_frames(frames)
    if k < 1:
        raise ValueError(f"frames cannot be enlarged by {k}")
    return np.ascontiguousarray(repeat(frames, "t h w c -> t (h i) (w j) c", i=k, j=k))
