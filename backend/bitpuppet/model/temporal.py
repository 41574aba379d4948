"""Temporal attention: each place of a frame looks at the same place of the frames around it."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from bitpuppet.model.attention import attend
from bitpuppet.model.content import HIDDEN

REACH = 3
"""Frames to each side that a frame looks at. Local, so that a clip of any length looks like those of training."""


class TemporalBlock(nn.Module):
    """Attention over time between two spatial blocks (paper, section 3.3), added to the frame's tokens.

    The output starts at zero: the second stage of training begins exactly where the first one ended.
    """

    def __init__(self, width: int, inner: int, heads: int, reach: int = REACH) -> None:
        super().__init__()
        self.heads, self.reach = heads, reach
        self.qkv = nn.Linear(width, 3 * inner)
        self.out = nn.Linear(inner, width)
        self.distances = nn.Parameter(torch.zeros(heads, 2 * reach + 1))
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, tokens: Tensor, clips: int) -> Tensor:
        """Tokens (F, L, width) of `clips` clips of F / clips frames each, in time order, to the same."""
        normal = nn.functional.layer_norm(tokens, tokens.shape[-1:])
        query, key, value = rearrange(
            self.qkv(normal), "(b t) l (three h e) -> three (b l) h t e", b=clips, three=3, h=self.heads
        )
        attended = attend(query, key, value, self._bias(query.shape[-2]).to(query.dtype))
        out: Tensor = tokens + self.out(rearrange(attended, "(b l) h t e -> (b t) l (h e)", b=clips))
        return out

    def _bias(self, frames: int) -> Tensor:
        """(heads, frames, frames): a learned number for each distance within reach, the rest hidden."""
        numbers = torch.arange(frames, device=self.distances.device)
        apart = numbers[None] - numbers[:, None]
        near = self.distances[:, apart.clamp(-self.reach, self.reach) + self.reach]
        return torch.where(apart.abs() <= self.reach, near, HIDDEN)
