"""Retrieval: the content frames that motion finds are those that show most of the frame that is asked for."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor

from bitpuppet.data.mixture import UNKNOWN
from bitpuppet.data.poses import UNNAMED, mirror_names
from bitpuppet.model.content import HIDDEN
from bitpuppet.model.reference import References
from bitpuppet.training.batch import TensorBatch

OVERLAP_SCALE = 12.0
"""A frame that shows a tenth more of the target is then wanted three times as much."""
UNLIKENESS_SCALE = 80.0
"""A frame that differs by three hundredths less is then wanted ten times as much."""
FACING_SCALE = 3.0
"""A frame that faces the right way is then wanted twenty times as much as one that does not: no frame is where a jump
is, and there a back is no more unlike than a front."""


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
        ValueError: the references have no palette; see `score_likeness`.
    """
    if references.numbers is None:
        raise ValueError("what frames share is counted in palette entries")
    known = (wanted > 0) & (wanted != UNKNOWN)
    shown = ((wanted[:, :, None] == references.numbers[:, None]) & known[:, :, None]).flatten(3).sum(dim=-1)
    share = shown / known.flatten(2).sum(dim=-1, keepdim=True).clamp(min=1)
    return _score(likeness, share * OVERLAP_SCALE, references)


@torch.no_grad()
def measure_unlikeness(wanted: Tensor, references: References) -> Tensor:
    """How much content frames differ from targets, 0..1, (B, T, N): the difference by the sum of all that both show.

    Args:
        wanted: tokens of the targets in -1..1, -1 where nothing is shown, as `PatchCodec` has them, (B * T, tokens, D).
        references: the content frames, of the same kind.
    """
    frames = rearrange(wanted.float(), "(b t) n d -> b t (n d)", b=len(references.tokens))
    given = rearrange(references.tokens.float(), "b r n d -> b r (n d)")
    apart = torch.cdist(frames, given, p=1.0)
    return apart / ((frames + 1).sum(dim=-1)[:, :, None] + (given + 1).sum(dim=-1)[:, None]).clamp(min=1)


def compare_facing(batch: TensorBatch, references: References) -> Tensor | None:
    """Whether content frames face as targets do, (B, T, N): 1 or 0, a half where nobody knows; None without names.

    Args:
        batch: the names of its targets and content frames.
        references: the content frames, and what a mirror shows of them where it is as many more.
    """
    if batch.names is None:
        return None
    frames = batch.target.shape[1]
    wanted, known = batch.names[:, :frames], batch.names[:, frames:]
    if references.mask.shape[1] > known.shape[1]:
        known = torch.cat([known, mirror_names(known)], dim=1)
    facing, faced = wanted[:, :, None, 0], known[:, None, :, 0]
    unknown = (facing == UNNAMED) | (faced == UNNAMED)
    return torch.where(unknown, 0.5, (facing == faced).float())


def score_likeness(likeness: Tensor, wanted: Tensor, references: References, facing: Tensor | None = None) -> Tensor:
    """`score_retrieval` where pixels are values and no choice: frames that look like the target are right to find.

    Without it a denoiser of values was given a front and a side, and drew both, one through the other.

    Args:
        likeness: logits of the content frames, (F, N).
        wanted: see `measure_unlikeness`.
        references: the content frames.
        facing: from `compare_facing`; None where that counts for nothing.

    Returns:
        A scalar with gradient, in nats.
    """
    suits = -UNLIKENESS_SCALE * measure_unlikeness(wanted, references)
    return _score(likeness, suits if facing is None else suits + FACING_SCALE * facing, references)


def _score(likeness: Tensor, suits: Tensor, references: References) -> Tensor:
    """Cross entropy between what motion finds, (F, N), and logits of what suits, (B, T, N)."""
    suits = suits.masked_fill(references.mask.logical_not()[:, None], HIDDEN)
    right = torch.softmax(rearrange(suits, "b t n -> (b t) n"), dim=-1)
    return -(right * torch.log_softmax(likeness.float(), dim=-1)).sum(dim=-1).mean()
