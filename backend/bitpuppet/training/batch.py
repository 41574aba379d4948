"""A step's batch as tensors, and what a step measures."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from bitpuppet.data.mixture import PairBatch


class Losses(NamedTuple):
    """One step's losses and measures, scalars."""

    total: Tensor
    diffusion: Tensor
    at_max: Tensor
    """Error at sigma_max, where only content and motion help: share of wrong foreground pixels with the palette head,
    squared error without it."""
    soft_bits: Tensor
    hard_bits: float


class TensorBatch(NamedTuple):
    """A `PairBatch` as tensors on a device, see there."""

    content: Tensor
    shown: Tensor
    target: Tensor
    motion: Tensor
    colours: Tensor
    counts: Tensor
    wanted: Tensor
    numbers: Tensor
    lent: Tensor | None = None
    lenders: Tensor | None = None
    lent_shown: Tensor | None = None
    lent_numbers: Tensor | None = None
    names: Tensor | None = None

    @classmethod
    def from_arrays(cls, batch: PairBatch, device: torch.device) -> TensorBatch:
        """Copy a batch to the device; latents of float16 become float32, since autocast to bfloat16 knows none."""
        parts = ((name, getattr(batch, name)) for name in cls._fields)
        tensors = {name: torch.from_numpy(part).to(device) for name, part in parts if part is not None}
        return cls(**{name: one.float() if one.is_floating_point() else one for name, one in tensors.items()})
