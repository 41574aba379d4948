"""True flow: where references show what a pixel of the target shows, where training data know it.

Fetched pixels alone teach flow badly. Their gradient tells in which direction the pixels beside the one that was
fetched are better, and says nothing of an arm that is ten pixels away. Where surfaces are known (`data.rendered`), the
right place is, too, and neighbours learn to agree on it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from einops import rearrange, repeat
from torch import Tensor

from bitpuppet.model.reference import Nearest
from bitpuppet.model.warp import Flow, find_cells

PIXELS = 64
"""Pixels of a frame that are asked about, by chance: all of them would take as long as the denoiser."""
SAME = 5.0
"""Codes of 255 by which two pixels may differ that show the same point; a character is some 170 tall."""
_FAR = 2e3
NEAR = 3.0
"""Pixels up to which flow may be wrong: from there on fetched pixels themselves say which way is better."""


class Shown(NamedTuple):
    """Which points of the body N content frames of B clips show, those that show something first."""

    codes: Tensor
    """Places at rest as the data have them, float (B, N, S, 3); far from all where nothing is shown."""
    pixels: Tensor
    """Their places in the frame, float (B, N, S, 2), x and y."""


class FlowScore(NamedTuple):
    """How well flow is known, scalars with gradient, 0 where nothing is known."""

    offsets: Tensor
    """Pixels beyond NEAR by which flow is wrong where a reference shows the point, mean by what is fetched from it."""
    shares: Tensor
    """Cross entropy in nats of taking a pixel from those references that show it, where some do."""


def pack_surfaces(surfaces: Tensor, *, mirrored: bool) -> Shown:
    """Content's surfaces, uint8 (B, N, H, W, 4), with what a mirror shows of them after them where references do."""
    if mirrored:
        seen = surfaces.flip(3)
        left = torch.where(seen[..., 3:] > 0, 255 - seen[..., :1], 0)  # the left hand of a mirror is a right one
        surfaces = torch.cat([surfaces, torch.cat([left, seen[..., 1:]], dim=-1)], dim=1)
    width = surfaces.shape[3]
    flat = rearrange(surfaces, "b n h w v -> b n (h w) v")
    shows = flat[..., 3] > 0
    most = max(1, int(shows.sum(dim=-1).max()))
    first = torch.sort(shows.byte(), dim=-1, descending=True, stable=True).indices[..., :most]
    taken = torch.take_along_dim(flat, first[..., None], dim=2)
    codes = torch.where(taken[..., 3:] > 0, taken[..., :3].float(), _FAR)
    return Shown(codes, torch.stack([first % width, first // width], dim=-1).float())


def score_flow(flow: Flow, nearest: Nearest, places: Tensor, target: Tensor, shown: Shown, patch: int) -> FlowScore:
    """Compare flow with the true one at some pixels of each frame.

    Args:
        flow: of F frames.
        nearest: their references.
        places: of the L tokens that are drawn, int64 (F, L).
        target: which points of the body the frames show, uint8 (F, H, W, 4).
        shown: which ones content shows, of B clips.
        patch: side of a token's patch, in pixels.
    """
    tokens = rearrange(target, "f (h p) (w q) v -> f (h w) (p q) v", p=patch, q=patch)
    tokens = torch.take_along_dim(tokens, places[:, :, None, None], dim=1)
    grid = find_cells(target.shape[2], patch).to(places.device)[places]
    wanted, own = rearrange(tokens, "f l n v -> f (l n) v"), rearrange(grid, "f l n v -> f (l n) v")
    chance = torch.rand(wanted.shape[:2], device=wanted.device) + (wanted[..., 3] > 0)
    asked = torch.topk(chance, min(PIXELS, wanted.shape[1]), dim=1).indices[..., None]
    wanted, own = torch.take_along_dim(wanted, asked, dim=1), torch.take_along_dim(own, asked, dim=1)

    clips = torch.arange(len(shown.codes), device=places.device).repeat_interleave(len(places) // len(shown.codes))
    codes, pixels = (part[clips[:, None], nearest.frames] for part in shown)
    same, apart = _find_same(wanted[..., :3].float(), codes)
    truth = torch.take_along_dim(pixels, same[..., None], dim=2) - own[:, None]
    seen = (apart < SAME**2) & (wanted[:, None, :, 3] > 0)

    offsets = torch.take_along_dim(rearrange(flow.offsets, "f r l n v -> f r (l n) v"), asked[:, None], dim=2)
    errors = ((offsets - truth).square().sum(dim=-1) + 1e-6).sqrt().sub(NEAR).clamp(min=0)
    shares = torch.take_along_dim(rearrange(flow.shares, "f r l n -> f r (l n)"), asked[:, None, :, 0], dim=2)
    somewhere = seen.any(dim=1)
    hits = torch.logsumexp(shares.masked_fill(~seen & somewhere[:, None], -_FAR), dim=1)
    fetched = shares.detach().exp() * seen
    return FlowScore(
        (errors * fetched).sum() / fetched.sum().clamp(min=1e-6),
        -(hits * somewhere).sum() / somewhere.sum().clamp(min=1),
    )


@torch.no_grad()
def _find_same(wanted: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
    """For points (F, M, 3) the nearest of (F, R, S, 3): its number, int64 (F, R, M), and the squared distance."""
    count = codes.shape[1]
    points = repeat(wanted, "f m v -> (f r) m v", r=count)
    others = rearrange(codes, "f r s v -> (f r) v s")
    # |a|^2 - 2 a b + |b|^2 as one product, and not in bfloat16, in which codes near 255 are all alike.
    with torch.autocast(wanted.device.type, enabled=False):
        left = torch.cat([points, torch.ones_like(points[..., :1])], dim=-1)
        right = torch.cat([-2 * others, others.square().sum(dim=1, keepdim=True)], dim=1)
        near = (left @ right).min(dim=2)
        apart = near.values + points.square().sum(dim=-1)
    same, apart = (rearrange(part, "(f r) m -> f r m", r=count) for part in (near.indices, apart))
    return same, apart
