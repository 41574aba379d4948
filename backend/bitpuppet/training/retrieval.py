"""Retrieval: the content frames that motion finds are those that show most of the frame that is asked for."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor

from bitpuppet.data.mixture import UNKNOWN
from bitpuppet.model.content import HIDDEN
from bitpuppet.model.reference import References

OVERLAP_SCALE = 12.0
"""A frame that shows a tenth more of the target is then wanted three times as much."""


def score_retrieval(likeness: Tensor, wanted: Tensor, references: References) -> Tensor:
    """Cross entropy between what motion finds and what would have been right to find.

    Distances of codewords alone are no measure of that: the group that tells front from back weighs no more in them
    than the one that tells two steps of a walk apart. Training knows the target, and with it how much of its
    foreground each content frame shows at its very place.

    Args:
        likeness: logits of the content frames, (F, N).
        wanted: palette entries of the targets' pixels, (B, T, H, W), as `PairBatch.wanted` has them.
        references: the content frames.

    Returns:
        A scalar with gradient, in nats.

    Raises:
        ValueError: the references have no palette.
    """
    if references.numbers is None:
        raise ValueError("what frames share is counted in palette entries")
    known = (wanted > 0) & (wanted != UNKNOWN)
    shown = ((wanted[:, :, None] == references.numbers[:, None]) & known[:, :, None]).flatten(3).sum(dim=-1)
    share = shown / known.flatten(2).sum(dim=-1, keepdim=True).clamp(min=1)
    suits = (share * OVERLAP_SCALE).masked_fill(references.mask.logical_not()[:, None], HIDDEN)
    right = torch.softmax(rearrange(suits, "b t n -> (b t) n"), dim=-1)
    return -(right * torch.log_softmax(likeness.float(), dim=-1)).sum(dim=-1).mean()
