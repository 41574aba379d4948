"""Telling: how a frame of a video differs from another one, by the motion of both."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from bitpuppet.model.preset import Preset

FIELDS = 16
"""Values that motion says to each cell: where it is that something moves, and how."""
LAYERS = 3
"""Convolutions in between that motion modulates."""


class Telling(nn.Module):
    """What is to be added to a frame to get another frame of the same person, from the motion of both.

    Most of a talking face stays where it is from frame to frame, and what changes is small: a jaw that is lower, a head
    that has turned by degrees. So a reference is moved before the denoiser sees it. Motion says what happens where, the
    frame itself what it looks like there: with motion alone, codewords had to say whose face it is, and told nothing
    of clips that training had not seen. It starts by telling no difference.
    """

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        width, self.patch = preset.telling_width, preset.patch
        self.side = preset.canvas // preset.cell
        channels = preset.token_width // preset.patch**2
        self.fields = nn.Sequential(
            nn.Linear(2 * preset.motion_width, 4 * width), nn.GELU(), nn.Linear(4 * width, FIELDS * self.side**2)
        )
        self.see = nn.Conv2d(channels, width, 3, padding=1)
        self.modulate = nn.ModuleList(nn.Conv2d(FIELDS, 2 * width, 1) for _ in range(LAYERS))
        self.join = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(LAYERS))
        self.out = nn.Conv2d(width, channels, 3, padding=1)
        for parameter in self.out.parameters():
            nn.init.zeros_(parameter)

    def forward(self, shown: Tensor, start: Tensor, end: Tensor) -> Tensor:
        """What is to be added.

        Args:
            shown: clean tokens of frames, (..., tokens, D).
            start: their quantized motion, (..., motion_width).
            end: motion of the frames that are wanted, of the same shape.

        Returns:
            Of the shape of `shown`.
        """
        side = self.side // self.patch
        cells = rearrange(
            shown.float().flatten(0, -3), "f (h w) (p q c) -> f c (h p) (w q)", h=side, p=self.patch, q=self.patch
        )
        said = self.fields(torch.cat([start, end], dim=-1).flatten(0, -2))
        said = rearrange(said, "f (v h w) -> f v h w", v=FIELDS, h=self.side)
        hidden = self.see(cells)
        for modulate, join in zip(self.modulate, self.join, strict=True):
            scale, shift = modulate(said).chunk(2, dim=1)
            hidden = hidden + join(nn.functional.gelu(hidden * (1 + scale) + shift))
        told = self.out(nn.functional.gelu(hidden))
        found: Tensor = rearrange(told, "f c (h p) (w q) -> f (h w) (p q c)", p=self.patch, q=self.patch)
        return found.view(shown.shape)
