"""The group vector quantizer and its rate control.

This bottleneck is all that keeps content out of the motion: a few bits a frame have room for the pose and for nothing
else. What the decoder gets is always one codeword per group, in training as in use, so the bits that are measured are
the bits that pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from bitpuppet.model.preset import Preset

RATE_WEIGHT = 0.04
"""Weight of the rate loss (paper)."""
FINAL_SHARPNESS = 2.5
"""alpha at the end of training."""


@dataclass(frozen=True)
class Quantized:
    """What the quantizer makes of F frames."""

    motion: Tensor
    """Codewords side by side, (F, groups * group_width)."""
    indices: Tensor
    """The motion tokens: int64 (F, groups) in 0..codewords-1."""
    bits: Tensor
    """Soft entropy H of the average assignment, summed over groups, in bits per frame; a scalar with gradient."""


class GroupQuantizer(nn.Module):
    """Cuts motion into groups and replaces each by a codeword of the group's own codebook."""

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.codebooks = nn.Parameter(torch.randn(preset.groups, preset.codewords, preset.group_width))
        self.target = preset.bits_per_frame
        self.usage: Tensor
        self.register_buffer("usage", torch.full((preset.groups, preset.codewords), 1 / preset.codewords))

    def forward(self, motion: Tensor, sharpness: float = 1.0, *, sample: bool = False) -> Quantized:
        """Quantize.

        Distance Gumbel-softmax: mu = GumbelSoftmax(-alpha d), d the squared distances to the codewords. The forward
        pass takes the codeword with the largest mu, the backward pass sees mu (straight through).

        Args:
            motion: (F, groups, group_width).
            sharpness: alpha. Too flat, and the soft entropy meets its target while every hard choice is the same.
            sample: add the Gumbel noise (training).
        """
        logits = self._score(motion, sharpness)
        noise = -torch.log(-torch.log(torch.rand_like(logits).clamp(1e-9, 1 - 1e-7))) if sample else 0.0
        mu = torch.softmax(logits + noise, dim=-1)
        indices = mu.argmax(dim=-1)
        hard = functional.one_hot(indices, mu.shape[-1]).to(mu.dtype)
        choice = hard + mu - mu.detach() if torch.is_grad_enabled() else hard
        codewords = torch.einsum("fgk,gkw->fgw", choice, self.codebooks.float())
        return Quantized(rearrange(codewords, "f g w -> f (g w)"), indices, entropy_bits(torch.softmax(logits, dim=-1)))

    def assign(self, motion: Tensor, sharpness: float = FINAL_SHARPNESS) -> Tensor:
        """Soft assignments without noise, (F, groups, codewords), for motion (F, groups, group_width)."""
        return torch.softmax(self._score(motion, sharpness), dim=-1)

    def look_up(self, indices: Tensor) -> Tensor:
        """Motion tokens, int64 (F, groups), to motion (F, groups * group_width)."""
        groups = torch.arange(self.codebooks.shape[0], device=indices.device)
        return rearrange(self.codebooks[groups, indices], "f g w -> f (g w)")

    @torch.no_grad()
    def mix(self, first: Tensor, second: Tensor, share: Tensor) -> Tensor:
        """Motion tokens between motion tokens: int64 (F, groups), twice, and shares (F,) of the second, 0..1.

        Codewords are mixed as vectors, and each group takes the codeword nearest to the mixture.
        """
        books = self.codebooks.float()
        groups = torch.arange(books.shape[0], device=first.device)
        mixed = torch.lerp(books[groups, first], books[groups, second], share[:, None, None].float())
        return self._distances(mixed).argmin(dim=-1)

    @torch.no_grad()
    def observe(self, indices: Tensor, weight: float = 0.01) -> None:
        """Move the stored token statistics towards the histogram of motion tokens (F, groups)."""
        histogram = functional.one_hot(indices, self.usage.shape[1]).float().mean(dim=0)
        self.usage.lerp_(histogram, weight)

    @torch.no_grad()
    def spread(self, motion: Tensor, rounds: int = 15) -> None:
        """Set each group's codewords to the centres of its clusters (k-means) in motion (F, groups, group_width)."""
        for group, points in enumerate(motion.float().unbind(dim=1)):
            chosen = torch.randperm(len(points), device=points.device)[: self.codebooks.shape[1]]
            centres = points[chosen]
            for _ in range(rounds):
                nearest = torch.cdist(points, centres).argmin(dim=1)
                members = functional.one_hot(nearest, len(centres)).float()
                counts = members.sum(dim=0)[:, None]
                centres = torch.where(counts > 0, members.T @ points / counts.clamp(min=1), centres)
            self.codebooks[group] = centres

    def code_lengths(self, indices: Tensor) -> Tensor:
        """Bits that an entropy coder with the stored token statistics spends on each frame: (F,) for (F, groups).

        A codeword that training never used counts as used once in 10,000 frames.
        """
        probabilities = self.usage.clamp(min=1e-4)
        probabilities = probabilities / probabilities.sum(dim=1, keepdim=True)
        groups = torch.arange(self.usage.shape[0], device=indices.device)
        return -probabilities[groups, indices].log2().sum(dim=1)

    def rate_loss(self, bits: Tensor) -> Tensor:
        """0.04 (H - H_target)^2, a scalar."""
        return RATE_WEIGHT * (bits - self.target) ** 2

    def _score(self, motion: Tensor, sharpness: float) -> Tensor:
        """-alpha d, (F, groups, codewords)."""
        return -sharpness * self._distances(motion.float())

    def _distances(self, motion: Tensor) -> Tensor:
        """Squared distances (F, groups, codewords) of groups to their codewords."""
        books = self.codebooks.float()
        cross = torch.einsum("fgw,gkw->fgk", motion, books)
        return motion.square().sum(-1, keepdim=True) - 2 * cross + books.square().sum(-1)


def entropy_bits(assignments: Tensor) -> Tensor:
    """Entropy of the average assignment histogram, summed over groups, in bits.

    Args:
        assignments: probabilities (F, groups, codewords).
    """
    histogram = assignments.mean(dim=0)
    return -(histogram * histogram.clamp(min=1e-9).log()).sum() / math.log(2)


def hard_entropy_bits(indices: Tensor, codewords: int) -> float:
    """Entropy of motion tokens as they are stored, summed over groups, in bits per frame.

    Args:
        indices: int64 (F, groups).
    """
    return float(entropy_bits(functional.one_hot(indices, codewords).float()))
