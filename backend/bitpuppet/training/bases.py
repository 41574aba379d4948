"""Bases: the motion of one person, moved to where another one's is."""

from __future__ import annotations

import torch
from torch import Tensor

SHARE_MOVED = 0.5
"""Clips of a batch whose motion is moved."""


def draw_moves(bases: Tensor) -> Tensor:
    """What the motion of each clip is moved by: from its own base to the next clip's, or for half of them not at all.

    In use a driver's motion is moved to the character's base (`References.take_over`), but a clip that drives its own
    person never is: the decoder meets each change of motion around one base only, and learns the base as a sign of who
    is seen. Moved, the same change means the same around any base, and the base means nothing.

    Args:
        bases: mean motion of the clips, (B, motion_width).

    Returns:
        Of the same shape, without gradient.
    """
    moved = torch.rand(len(bases), 1, device=bases.device) < SHARE_MOVED
    return ((bases.roll(1, dims=0) - bases) * moved).detach()
