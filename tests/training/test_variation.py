"""Clips that are shifted, and read through noise."""

from __future__ import annotations

import numpy as np
import torch
from einops import rearrange

from bitpuppet.data.clips import pack_batch
from bitpuppet.training.batch import TensorBatch
from bitpuppet.training.variation import add_noise, shift_cells, shift_clips


def test_clips_are_shifted_by_whole_cells() -> None:
    cells = torch.arange(64.0).view(1, 8, 8, 1)
    tokens = rearrange(cells, "t (h p) (w q) c -> t (h w) (p q c)", p=2, q=2)
    moved = rearrange(shift_cells(tokens, 2, 1, -2), "t (h w) (p q c) -> t (h p) (w q) c", h=4, p=2, q=2)
    assert torch.equal(moved[:, 1:, :6], cells[:, :7, 2:])
    assert torch.equal(moved[:, 0, :6], cells[:, 0, 2:]), "the border is repeated"
    assert torch.equal(moved[:, :, 6:], moved[:, :, 5:6].expand(-1, -1, 2, -1))
    assert torch.equal(shift_cells(tokens, 2, 0, 0), tokens)


def test_all_frames_of_a_clip_are_shifted_alike() -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    content, target = rng.normal(size=(2, 5, 1, 16, 4)).repeat(3, axis=2).astype(np.float16)
    batch = TensorBatch.from_arrays(pack_batch(content, target), torch.device("cpu"))
    shifted = shift_clips(batch, 2, 2)
    for part in (shifted.content, shifted.target, shifted.motion):
        assert torch.equal(part, part[:, :1].expand_as(part))
    assert torch.equal(shifted.target, shifted.motion)
    moved = (shifted.target != batch.target).flatten(1).any(dim=1)
    assert moved.any() and torch.equal(moved, (shifted.content != batch.content).flatten(1).any(dim=1))
    assert shift_clips(batch, 2, 0) is batch


def test_noise_has_the_size_that_is_asked_for() -> None:
    torch.manual_seed(0)
    tokens = torch.ones(100, 100)
    assert add_noise(tokens, 0.0) is tokens
    assert abs(float((add_noise(tokens, 0.3) - tokens).std()) - 0.3) < 0.01
