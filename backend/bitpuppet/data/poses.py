"""Names of poses: which way a frame faces and which moment of which animation it shows, where the data know it."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray

from bitpuppet.data.benchmark import motion_cells
from bitpuppet.data.layers import COLUMNS
from bitpuppet.data.puppets.poses import ANIMATIONS
from bitpuppet.data.puppets.recipe import Motion

if TYPE_CHECKING:
    from torch import Tensor

Names = NDArray[np.int64]
"""What the frames of a clip show, (T, 2): a place in DIRECTIONS and a moment, 0..MOMENTS-1; or UNNAMED."""
DIRECTIONS = ("down", "left", "right", "up")
UNNAMED = -1
"""In the place of a number that nobody knows."""

_PUPPET_FRAMES = 8
_LPC_FALL, _LPC_DIRECTIONS = 20, ("up", "left", "down", "right")
_LPC_ANIMATIONS = _LPC_FALL // len(_LPC_DIRECTIONS) + 1
_PUPPET_MOMENTS = len(ANIMATIONS) * _PUPPET_FRAMES
_RENDERED_DIRECTIONS = {"front": "down", "left": "left", "right": "right", "back": "up"}
MOMENTS = _PUPPET_MOMENTS + _LPC_ANIMATIONS * COLUMNS
"""Moments there are names for: those of the puppets' animations, then the cells of LPC's rows in one direction."""


def name_puppet(motion: Motion) -> Names:
    """The frames of a puppet's clip, as `draw_clip` draws it when nobody names a length."""
    first = ANIMATIONS.index(motion.animation) * _PUPPET_FRAMES
    return _name(motion.direction, np.arange(first, first + _PUPPET_FRAMES))


def name_cells(cells: tuple[int, ...]) -> Names:
    """Frames from one row of an LPC sheet, whose cells are counted row by row."""
    row = cells[0] // COLUMNS
    direction = "down" if row == _LPC_FALL else _LPC_DIRECTIONS[row % len(_LPC_DIRECTIONS)]
    first = _PUPPET_MOMENTS + row // len(_LPC_DIRECTIONS) * COLUMNS
    return _name(direction, first + np.array(cells) % COLUMNS)


def name_benchmark(motion: int) -> Names:
    """The frames of motion 0..8 of the Sprites benchmark, which are LPC's."""
    return name_cells(motion_cells(motion))


def name_rendered(action: int, direction: str, frames: int) -> Names:
    """The frames of a cycle that was rendered, see tools/render_characters.py.

    The numbers are those of the other data too, since nothing is trained on both.

    Args:
        action: its number, 0 or more; those that there are no more numbers for have no name.
        direction: what the program calls it; those between the four have no name.
        frames: of the cycle, which has `_PUPPET_FRAMES` moments.
    """
    first = action * _PUPPET_FRAMES
    facing = _RENDERED_DIRECTIONS.get(direction)
    if facing is None or first + _PUPPET_FRAMES > MOMENTS:
        return leave_unnamed(frames)
    return _name(facing, first + np.arange(frames) * _PUPPET_FRAMES // frames)


@overload
def is_drawn_over(names: Names) -> NDArray[np.bool_]: ...


@overload
def is_drawn_over(names: Tensor) -> Tensor: ...


def is_drawn_over(names: Names | Tensor) -> NDArray[np.bool_] | Tensor:
    """Whose poses are the very same for everybody, since characters are layers over one body, as LPC's are.

    Args:
        names: an array or a tensor (..., 2).

    Returns:
        The same kind, of booleans, (...).
    """
    return names[..., 1] >= _PUPPET_MOMENTS


def mirror_names(names: Tensor) -> Tensor:
    """What a mirror shows of frames: who faces left faces right. Names (..., 2), of which moments stay."""
    left, right = (DIRECTIONS.index(side) for side in ("left", "right"))
    directions, mirrored = names[..., 0], names.clone()
    mirrored[..., 0] = directions.where((directions != left) & (directions != right), left + right - directions)
    return mirrored


def leave_unnamed(frames: int) -> Names:
    """A clip of `frames` frames of which nothing is known."""
    return np.full((frames, 2), UNNAMED)


def _name(direction: str, moments: Names) -> Names:
    return np.stack([np.full(len(moments), DIRECTIONS.index(direction)), moments], axis=1)
