"""Warping: each pixel of a frame is fetched from the references, from wherever they show it.

The mean of two references shows both, one through the other, and no mean of poses is a pose between them. Flow and a
choice among sources for each pixel are what animates photographs ("First Order Motion Model", Siarohin et al. 2019,
https://arxiv.org/abs/2003.00138, section 3); here both follow from what the denoiser knows after its last block.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from bitpuppet.model.preset import Preset
from bitpuppet.model.reference import Nearest

SUMMARY = 64
"""Values that say what a patch of a reference shows, so that the denoiser can tell one reference from another."""


class Warp(nn.Module):
    """For each pixel (or latent cell) where each reference shows it, in cells from its own place, and each one's share.

    It starts with the pixel at the same place and the mean by the references' weights.
    """

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.patch, self.side = preset.patch, preset.canvas // preset.cell
        self.channels, self.nearest = preset.token_width // preset.patch**2, preset.nearest
        self.summary = nn.Linear(preset.token_width, SUMMARY)
        self.look = nn.Linear(self.nearest * SUMMARY, preset.width)
        self.ask = nn.Linear(preset.width, preset.patch**2 * self.nearest * 3)
        for layer in (self.look, self.ask):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def describe(self, shown: Tensor) -> Tensor:
        """What the denoiser is told about the references one by one, (F, L, width), beside their mean.

        Args:
            shown: the references' tokens at the places of the frame's, (F, frames, L, D); with fewer frames than the
                preset takes, the others count as empty.
        """
        said = rearrange(nn.functional.gelu(self.summary(shown)), "f r l s -> f l (r s)")
        told: Tensor = self.look(nn.functional.pad(said, (0, self.nearest * SUMMARY - said.shape[-1])))
        return told

    def forward(self, hidden: Tensor, frames: Tensor, nearest: Nearest, places: Tensor | None) -> Tensor:
        """Fetch.

        Args:
            hidden: the denoiser's tokens, (F, L, width).
            frames: the references' tokens at all places, (F, frames, N, D).
            nearest: which they are, and their weights.
            places: of the L tokens in the frame, int64 (F, L); None when all are there, in order.

        Returns:
            (F, L, D).
        """
        count = frames.shape[1]
        asked = rearrange(self.ask(hidden).float(), "f l (n r v) -> f r l n v", r=self.nearest, v=3)[:, :count]
        grid = find_cells(self.side, self.patch).to(hidden.device)
        grid = grid if places is None else grid[places][:, None]
        # Cells to the unit in which grid_sample counts: the canvas is from -1 to 1.
        sought = (2 * (grid + asked[..., :2]) + 1) / self.side - 1
        pixels = rearrange(
            frames.float(),
            "f r (h w) (p q c) -> (f r) c (h p) (w q)",
            h=self.side // self.patch,
            p=self.patch,
            q=self.patch,
        )
        fetched = nn.functional.grid_sample(
            pixels, rearrange(sought, "f r l n v -> (f r) l n v"), padding_mode="border", align_corners=False
        )
        likely = nearest.weights.clamp(min=1e-6).log()[:, :, None, None] + asked[..., 2]
        share = rearrange(torch.softmax(likely, dim=1), "f r l n -> f r 1 l n")
        chosen = (rearrange(fetched, "(f r) c l n -> f r c l n", r=count) * share).sum(dim=1)
        return rearrange(chosen, "f c l n -> f l (n c)")


def find_cells(side: int, patch: int) -> Tensor:
    """Where the cells of each token stand in a frame: float (tokens, cells of a token, 2), x and y counted from 0."""
    steps = torch.arange(side, dtype=torch.float32)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    return rearrange(torch.stack([x, y], dim=-1), "(h p) (w q) v -> (h w) (p q) v", p=patch, q=patch)
