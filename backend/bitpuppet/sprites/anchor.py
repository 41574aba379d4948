"""Where a clip stands on the model's canvas: one offset for the whole clip, so that motion is never disturbed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites.clip import check_frames

_BASELINE_FROM_BOTTOM = 3
"""On LPC's 64 pixel frames the lowest pixel of the feet is in row 61."""


@dataclass(frozen=True)
class Anchor:
    """What it takes to bring frames from the canvas back to where they came from. All in pixels.

    `left`, `top`: the position of the frame's top left corner on the canvas; negative when the frame sticks out.
    """

    frame_width: int
    frame_height: int
    canvas: int
    left: int
    top: int


class ContentBox(NamedTuple):
    """The smallest rectangle around all visible pixels of all frames; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """In pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """In pixels."""
        return self.bottom - self.top


def find_content_box(frames: NDArray[np.uint8]) -> ContentBox | None:
    """The box around the pixels of frames (T, H, W, 4) whose alpha is not 0, or None when there are none."""
    visible = np.any(frames[..., 3], axis=0)
    rows, columns = np.flatnonzero(np.any(visible, axis=1)), np.flatnonzero(np.any(visible, axis=0))
    if not len(rows):
        return None
    return ContentBox(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def find_baseline(canvas: int) -> int:
    """The row of the canvas, counted from 0, on which the lowest visible row of a clip stands."""
    return canvas - _BASELINE_FROM_BOTTOM


def place_clip(frames: NDArray[np.uint8], canvas: int) -> tuple[NDArray[np.uint8], Anchor]:
    """Put frames (T, H, W, 4) on a square canvas; all frames move by the same offset.

    Frames of the canvas's size stay as they are. Smaller ones are centred by their width and stand on the baseline,
    lower only where the top would be cut. Of larger ones, a window around the content is taken, which is centred and
    stands on the baseline. Returns uint8 (T, canvas, canvas, 4) and the anchor for `restore_clip`, which brings
    every visible pixel back exactly; RGB that alpha 0 hides is kept on the canvas, and is 0 beyond its edges.
    Raises BitpuppetError when the visible pixels do not fit.
    """
    check_frames(frames)
    _, height, width, _ = frames.shape
    left, top = _find_offset(frames, canvas)
    anchor = Anchor(frame_width=width, frame_height=height, canvas=canvas, left=left, top=top)
    placed = np.zeros((len(frames), canvas, canvas, 4), dtype=np.uint8)
    _copy_shifted(frames, placed, left, top)
    return placed, anchor


def place_like(frames: NDArray[np.uint8], anchor: Anchor) -> NDArray[np.uint8]:
    """Frames (T, H, W, 4) on the canvas where `anchor` has other frames of that size; what sticks out is cut."""
    placed = np.zeros((len(frames), anchor.canvas, anchor.canvas, 4), dtype=np.uint8)
    _copy_shifted(frames, placed, anchor.left, anchor.top)
    return placed


def restore_clip(frames: NDArray[np.uint8], anchor: Anchor) -> NDArray[np.uint8]:
    """Undo `place_clip` for frames (T', canvas, canvas, 4); T' is free. Returns (T', frame_height, frame_width, 4).

    What lies outside the frame is cut; `count_cut_pixels` tells how much that is.
    """
    _check_canvas(frames, anchor)
    restored = np.zeros((len(frames), anchor.frame_height, anchor.frame_width, 4), dtype=np.uint8)
    _copy_shifted(frames, restored, -anchor.left, -anchor.top)
    return restored


def count_cut_pixels(frames: NDArray[np.uint8], anchor: Anchor) -> int:
    """How many visible pixels (alpha > 0) of all frames (T', canvas, canvas, 4) `restore_clip` would cut off."""
    _check_canvas(frames, anchor)
    kept = restore_clip(frames, anchor)
    return int(np.count_nonzero(frames[..., 3])) - int(np.count_nonzero(kept[..., 3]))


def _find_offset(frames: NDArray[np.uint8], canvas: int) -> tuple[int, int]:
    """Where the frames' top left corner goes on the canvas: (left, top)."""
    _, height, width, _ = frames.shape
    box = find_content_box(frames)
    if height == canvas and width == canvas:
        return 0, 0
    if box is None:
        return (canvas - width) // 2, (canvas - height) // 2
    if box.width > canvas or box.height > canvas:
        raise BitpuppetError(
            f"the art is {box.width}x{box.height} pixels over all frames, the canvas holds {canvas}x{canvas}; use "
            "smaller art, a preset with a larger canvas, or art drawn at an integer scale (it is reduced exactly)"
        )
    larger = height > canvas or width > canvas
    left = (canvas - box.width) // 2 - box.left if larger else (canvas - width) // 2
    top = find_baseline(canvas) - (box.bottom - 1)
    return left, max(top, -box.top)


def _copy_shifted(source: NDArray[np.uint8], target: NDArray[np.uint8], left: int, top: int) -> None:
    """Copy `source` into `target` with its top left corner at (left, top), as far as both reach."""
    x0, x1 = max(left, 0), min(left + source.shape[2], target.shape[2])
    y0, y1 = max(top, 0), min(top + source.shape[1], target.shape[1])
    if x0 < x1 and y0 < y1:
        target[:, y0:y1, x0:x1] = source[:, y0 - top : y1 - top, x0 - left : x1 - left]


def _check_canvas(frames: NDArray[np.uint8], anchor: Anchor) -> None:
    check_frames(frames)
    if frames.shape[1:3] != (anchor.canvas, anchor.canvas):
        raise ValueError(f"frames are {frames.shape[2]}x{frames.shape[1]}, the anchor's canvas is {anchor.canvas}")
