"""Clips and sheets of puppets as RGBA frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bitpuppet.data.puppets.beast import Beast
from bitpuppet.data.puppets.biped import Biped
from bitpuppet.data.puppets.bird import Bird
from bitpuppet.data.puppets.canvas import Canvas
from bitpuppet.data.puppets.ghost import Ghost
from bitpuppet.data.puppets.palettes import tabulate_palette
from bitpuppet.data.puppets.poses import list_phases
from bitpuppet.data.puppets.recipe import Motion, Puppet
from bitpuppet.errors import BitpuppetError


class Painter(Protocol):
    """Draws the frames of one puppet in one direction."""

    def draw(self, animation: str, phase: float) -> Canvas:
        """One frame of an animation, at a phase from 0 to below 1."""
        ...


_PAINTERS: dict[str, Callable[[Puppet, str], Painter]] = {"ghost": Ghost, "quadruped": Beast, "bird": Bird}


def draw_clip(puppet: Puppet, motion: Motion, frames: int = 8) -> NDArray[np.uint8]:
    """RGBA frames (frames, size, size, 4) of a puppet performing a motion; alpha is 0 or 255, RGB 0 where it is 0.

    The pose of a frame depends on the motion and on frames alone, so two puppets' clips of a motion are each other's
    exact targets. Raises BitpuppetError for a motion that no puppet has or fewer than 1 frame.
    """
    if motion not in puppet.motions:
        raise BitpuppetError(
            f"puppet motion '{motion.animation} {motion.direction}' is unknown: use one of Puppet.motions"
        )
    if frames < 1:
        raise BitpuppetError(f"puppet clip of {frames} frames asked for: use 1 or more")
    painter = _PAINTERS.get(puppet.plan, Biped)(puppet, motion.direction)
    index = np.stack([painter.draw(motion.animation, p).index for p in list_phases(motion.animation, frames)])
    return tabulate_palette(puppet.palette)[index]


def draw_sheet(puppet: Puppet, frames: int = 8) -> list[NDArray[np.uint8]]:
    """Clips of all of the puppet's motions, in their order: the rows of a sprite sheet."""
    return [draw_clip(puppet, motion, frames) for motion in puppet.motions]
