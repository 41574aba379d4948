"""Enlarging: a model for a canvas of 64 pixels becomes one for 128, with the same weights."""

from __future__ import annotations

from dataclasses import replace

import torch
from einops import rearrange, repeat
from torch import Tensor

from bitpuppet.errors import BitpuppetError
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.encoder import Encoder
from bitpuppet.model.preset import LARGEST_CANVAS

FACTOR = 2
"""Sides of the old canvas that the new one has."""


@torch.no_grad()
def enlarge(model: BitrateControlledDiffusion) -> BitrateControlledDiffusion:
    """The model on a canvas with twice the side, where art is drawn twice as large.

    Convolutions see the frame at half its size, so a character that is drawn twice as large has the very motion tokens
    that it had. Tokens stay patches of as many pixels, four in the place of one; what they look like at this size has
    to be learnt.

    Raises:
        BitpuppetError: no convolutions read motion in this preset, or the canvas would exceed LARGEST_CANVAS.
    """
    preset, encoder = model.preset, model.encoder
    canvas = FACTOR * preset.canvas
    if not isinstance(encoder, Encoder) or encoder.stem is None or preset.codec != "patch" or canvas > LARGEST_CANVAS:
        raise BitpuppetError(
            f"preset {preset.name} with a canvas of {preset.canvas} pixels cannot be enlarged; begin with sprite64"
        )
    larger = BitrateControlledDiffusion(replace(preset, canvas=canvas, stem_scale=FACTOR * preset.stem_scale))
    state = model.state_dict()
    for name in ("encoder.places", "denoiser.places"):
        state[name] = _spread(state[name])
    larger.load_state_dict(state)
    return larger.to(next(model.parameters()).device).eval().requires_grad_(False)


def _spread(places: Tensor) -> Tensor:
    """Each place (N, width) of a square of tokens for the four that stand there now, (4 N, width)."""
    grid = rearrange(places, "(h w) d -> h w d", h=round(len(places) ** 0.5))
    return repeat(grid, "h w d -> (h a w b) d", a=FACTOR, b=FACTOR)
