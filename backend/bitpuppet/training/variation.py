"""Variation: few clips become many, all frames of a clip alike."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor

from bitpuppet.training.batch import TensorBatch


def shift_clips(batch: TensorBatch, patch: int, most: int) -> TensorBatch:
    """A batch of latents with each clip moved by chance, by up to `most` cells to each side; 0 for none.

    Latents of a shifted picture are the shifted latents as long as it is by whole cells: convolutions made them.
    """
    if not most:
        return batch
    by = torch.randint(-most, most + 1, (len(batch.target), 2)).tolist()

    def shift(clips: Tensor) -> Tensor:
        return torch.stack([shift_cells(clip, patch, *cells) for clip, cells in zip(clips, by, strict=True)])

    return batch._replace(content=shift(batch.content), target=shift(batch.target), motion=shift(batch.motion))


def shift_cells(frames: Tensor, patch: int, down: int, right: int) -> Tensor:
    """Square frames as tokens, (T, N, D), moved by cells; the border is repeated where nothing comes in."""
    side = round(frames.shape[1] ** 0.5)
    cells = rearrange(frames, "t (h w) (p q c) -> t (h p) (w q) c", h=side, p=patch, q=patch)
    steps = torch.arange(side * patch, device=frames.device)
    rows, columns = ((steps - by).clamp(0, side * patch - 1) for by in (down, right))
    moved = cells[:, rows][:, :, columns]
    return rearrange(moved, "t (h p) (w q) c -> t (h w) (p q c)", p=patch, q=patch)


def add_noise(tokens: Tensor, size: float) -> Tensor:
    """Tokens with normal noise of standard deviation `size`, in the codec's units; 0 for none."""
    return tokens + size * torch.randn_like(tokens) if size else tokens
