"""Warping: each pixel of a frame is fetched from the references, from wherever they show it.

The mean of two references shows both, one through the other, and no mean of poses is a pose between them. Flow and a
choice among sources for each pixel are what animates photographs ("First Order Motion Model", Siarohin et al. 2019,
https://arxiv.org/abs/2003.00138, section 3); here both follow from what the denoiser knows after its last block.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn

from bitpuppet.model.preset import Preset
from bitpuppet.model.reference import Nearest

SUMMARY = 64
"""Values that say what a patch of a reference shows, so that the denoiser can tell one reference from another."""


class Flow(NamedTuple):
    """From where the pixels of F frames are fetched, for each of their references."""

    offsets: Tensor
    """In cells from a pixel's own place, x and y, float (F, frames, L, cells of a token, 2)."""
    shares: Tensor
    """Logarithm of each reference's share, float (F, frames, L, cells of a token)."""


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

    def describe(self, shown: Tensor, pose: Tensor | None = None) -> Tensor:
        """What the denoiser is told about the references one by one, (F, L, width), beside their mean.

        Args:
            shown: the references' tokens at the places of the frame's, (F, frames, L, D); with fewer frames than the
                preset takes, the others count as empty.
            pose: what `Poses.tell_each` says of them; None for nothing.
        """
        summary = self.summary(shown)
        summary = summary if pose is None else summary + pose[:, :, None]
        said = rearrange(nn.functional.gelu(summary), "f r l s -> f l (r s)")
        told: Tensor = self.look(nn.functional.pad(said, (0, self.nearest * SUMMARY - said.shape[-1])))
        return told

    def ask_for(self, hidden: Tensor, nearest: Nearest) -> Flow:
        """From where pixels are to be fetched.

        Args:
            hidden: the denoiser's tokens, (F, L, width).
            nearest: which the references are, and their weights.
        """
        count = nearest.frames.shape[1]
        asked = rearrange(self.ask(hidden).float(), "f l (n r v) -> f r l n v", r=self.nearest, v=3)[:, :count]
        likely = nearest.weights.clamp(min=1e-6).log()[:, :, None, None] + asked[..., 2]
        return Flow(asked[..., :2], torch.log_softmax(likely, dim=1))

    def forward(self, flow: Flow, frames: Tensor, places: Tensor | None) -> Tensor:
        """Fetch.

        Args:
            flow: from `ask_for`.
            frames: the references' tokens at all places, (F, frames, N, D).
            places: of the L tokens in the frame, int64 (F, L); None when all are there, in order.

        Returns:
            (F, L, D).
        """
        count = frames.shape[1]
        grid = find_cells(self.side, self.patch).to(flow.offsets.device)
        grid = grid if places is None else grid[places][:, None]
        # Cells to the unit in which grid_sample counts: the canvas is from -1 to 1.
        sought = (2 * (grid + flow.offsets) + 1) / self.side - 1
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
        share = rearrange(flow.shares.exp(), "f r l n -> f r 1 l n")
        chosen = (rearrange(fetched, "(f r) c l n -> f r c l n", r=count) * share).sum(dim=1)
        return rearrange(chosen, "f c l n -> f l (n c)")


class Poses(nn.Module):
    """What the denoiser is told of the poses that references show: their motion, as the quantizer let it through.

    Where a limb is in a reference follows from the reference's motion, as where it is to be follows from that of the
    frame. Without it the denoiser has to see the pose in pixels. It starts by saying nothing.
    """

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.nearest = preset.nearest
        self.each = nn.Linear(preset.motion_width, SUMMARY, bias=False)
        self.all = nn.Linear(preset.nearest * preset.motion_width, preset.width, bias=False)
        nn.init.zeros_(self.each.weight)
        nn.init.zeros_(self.all.weight)

    def tell_each(self, motion: Tensor) -> Tensor:
        """What joins the summary of each reference, (F, frames, SUMMARY), from motion (F, frames, motion_width)."""
        told: Tensor = self.each(motion)
        return told

    def tell_all(self, motion: Tensor) -> Tensor:
        """What joins the noise level and the motion that is asked for, (F, width); see `tell_each`.

        With fewer frames than the preset takes, the others count as zeros.
        """
        side_by_side = rearrange(motion, "f r m -> f (r m)")
        told: Tensor = self.all(nn.functional.pad(side_by_side, (0, self.all.in_features - side_by_side.shape[1])))
        return told


def find_cells(side: int, patch: int) -> Tensor:
    """Where the cells of each token stand in a frame: float (tokens, cells of a token, 2), x and y counted from 0."""
    steps = torch.arange(side, dtype=torch.float32)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    return rearrange(torch.stack([x, y], dim=-1), "(h p) (w q) v -> (h w) (p q) v", p=patch, q=patch)
