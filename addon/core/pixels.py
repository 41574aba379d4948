"""Exact pixels: Blender's float rows to bytes and back, strips, hard alpha, and where a character stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]
"""Straight-alpha RGBA (T, H, W, 4), or one picture (H, W, 4); the first row is the topmost."""

ANCHORS = ("SOURCE", "CENTER", "GROUND")
_HALF = 128


def read_rows(floats: NDArray[np.float32], width: int, height: int) -> Frames:
    """Bytes (H, W, 4), top row first, of Blender's floats (H * W * 4), bottom row first.

    Exact for byte images: Blender tells a byte b as b / 255.
    """
    rows = np.rint(floats.reshape(height, width, 4)[::-1] * np.float32(255))
    return np.clip(rows, 0, 255).astype(np.uint8)


def write_rows(picture: Frames) -> NDArray[np.float32]:
    """Blender's floats (H * W * 4), bottom row first, of bytes (H, W, 4)."""
    return np.ascontiguousarray(picture[::-1]).astype(np.float32).ravel() / np.float32(255)


def join_strip(frames: Frames) -> Frames:
    """One picture (H, T * W, 4): the frames side by side."""
    count, height, width, channels = frames.shape
    return np.ascontiguousarray(frames.transpose(1, 0, 2, 3)).reshape(height, count * width, channels)


def join_sheet(rows: Sequence[Frames]) -> Frames:
    """One picture with a row of frames for each clip; short rows end in transparent cells.

    Args:
        rows: clips (T, H, W, 4) of one frame size, at least one.
    """
    height, width = rows[0].shape[1:3]
    sheet = np.zeros((len(rows) * height, max(map(len, rows)) * width, 4), dtype=np.uint8)
    for number, row in enumerate(rows):
        sheet[number * height : (number + 1) * height, : len(row) * width] = join_strip(row)
    return sheet


def wrap_frames(frames: Frames, widest: int) -> list[Frames]:
    """The rows (n, H, W, 4) of a sheet that is no wider than `widest` pixels, or than a frame; one if that is enough.

    Graphics cards shrink what is wider than they can take, and its pixels would be exact no more.
    """
    columns = max(1, widest // frames.shape[2])
    return [frames[start : start + columns] for start in range(0, len(frames), columns)]


def split_sheet(sheet: Frames, width: int, height: int) -> Frames:
    """All cells (N, height, width, 4) of a sheet that they divide, in reading order."""
    rows, columns = sheet.shape[0] // height, sheet.shape[1] // width
    cells = sheet.reshape(rows, height, columns, width, 4).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(cells).reshape(rows * columns, height, width, 4)


def harden_alpha(frames: Frames) -> Frames:
    """The frames with alpha 0 or 255: from 128 up a pixel is opaque, below it is empty."""
    hard = frames.copy()
    opaque = frames[..., 3] >= _HALF
    hard[..., 3] = np.where(opaque, 255, 0)
    hard[~opaque] = 0
    return hard


def place_clip(frames: Frames, anchor: str) -> Frames:
    """Move a clip by whole pixels, all its frames alike, so that the motion stays what it is.

    Args:
        frames: (T, H, W, 4).
        anchor: SOURCE leaves it where it is; CENTER puts the box around all frames' art into the middle; GROUND puts
            that box's bottom edge onto the frame's, in the middle.
    """
    visible = np.asarray(frames[..., 3].any(axis=0))
    if anchor == "SOURCE" or not visible.any():
        return frames
    ys, xs = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
    top, bottom, left, right = int(ys[0]), int(ys[-1]) + 1, int(xs[0]), int(xs[-1]) + 1
    height, width = visible.shape
    x = (width - (right - left)) // 2
    y = height - (bottom - top) if anchor == "GROUND" else (height - (bottom - top)) // 2
    moved = np.zeros_like(frames)
    moved[:, y : y + bottom - top, x : x + right - left] = frames[:, top:bottom, left:right]
    return moved


def crop_art(picture: Frames) -> Frames:
    """The box around what is visible in a picture (H, W, 4); all of it where nothing is."""
    visible = picture[..., 3] > 0
    if not visible.any():
        return picture
    ys, xs = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
    return picture[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1]


def shrink_for_icon(picture: Frames, side: int) -> NDArray[Any]:
    """A square thumbnail (side, side, 4) of a picture (H, W, 4), whole pixels, centred on nothing.

    Art that fits is enlarged by a whole number; larger art is thinned out, not blurred.
    """
    height, width = picture.shape[:2]
    longest = max(height, width)
    if longest <= side:
        scale = side // longest
        small = picture.repeat(scale, axis=0).repeat(scale, axis=1)
    else:
        ys = (np.arange(max(1, height * side // longest)) * longest) // side
        xs = (np.arange(max(1, width * side // longest)) * longest) // side
        small = picture[ys][:, xs]
    icon = np.zeros((side, side, 4), dtype=np.uint8)
    y, x = (side - small.shape[0]) // 2, (side - small.shape[1]) // 2
    icon[y : y + small.shape[0], x : x + small.shape[1]] = small
    return icon
