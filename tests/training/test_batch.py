"""Batches as tensors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from bitpuppet.data.mixture import Mixture, PuppetSource, Share
from bitpuppet.training.batch import TensorBatch


def test_latents_become_float32_and_all_else_stays_as_it_is() -> None:
    # Autocast to bfloat16 refuses float16 in a stack, and only processors with bfloat16 would show it.
    frames = Mixture([Share(PuppetSource(64), 1.0, 0.0)]).draw(0, 2, 2, 2)
    latents = np.linspace(-1, 1, 48, dtype=np.float16).reshape(2, 2, 4, 3)
    batch = TensorBatch.from_arrays(replace(frames, target=latents), torch.device("cpu"))
    assert batch.target.dtype == torch.float32 and torch.equal(batch.target, torch.from_numpy(latents).float())
    assert batch.content.dtype == torch.uint8 and torch.equal(batch.content, torch.from_numpy(frames.content))
    assert batch.lent_shown is None and batch.counts.dtype == torch.int64
