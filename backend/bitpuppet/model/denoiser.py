"""The DiT denoiser: a clean frame from a noisy one, the content of a clip and the motion of the frame."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from bitpuppet.model.attention import attend
from bitpuppet.model.preset import Preset


class ContentMemory(NamedTuple):
    """Keys and values of content tokens for one block, each (B, heads, K, E)."""

    keys: Tensor
    values: Tensor


class Block(nn.Module):
    """A DiT block with adaLN-zero. Frame tokens attend to one another and to the content tokens.

    Content is concatenated to the noisy input, as in the paper, but on the side of keys and values only: it stays what
    the encoder said, is projected once per clip instead of once per frame and step, and costs no MLP.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.modulation = nn.Linear(width, 6 * width)
        self.qkv = nn.Linear(width, 3 * width)
        self.content = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.expand = nn.Linear(width, 4 * width)
        self.contract = nn.Linear(4 * width, width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def remember(self, content: Tensor) -> ContentMemory:
        """Project content tokens (B, K, width) once, for all frames and sampling steps."""
        keys, values = rearrange(self.content(content), "b k (two h e) -> two b h k e", two=2, h=self.heads)
        return ContentMemory(keys, values)

    def forward(self, tokens: Tensor, condition: Tensor, memory: ContentMemory, clips: int) -> Tensor:
        """One block.

        Args:
            tokens: (F, L, width), F = clips x frames per clip.
            condition: (F, width), noise level and motion, after SiLU.
            memory: content of each clip.
            clips: B.
        """
        modulation = self.modulation(condition)[:, None]
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = modulation.chunk(6, dim=-1)
        normal = nn.functional.layer_norm(tokens, tokens.shape[-1:]) * (1 + scale_a) + shift_a
        query, key, value = rearrange(self.qkv(normal), "f l (three h e) -> three f h l e", three=3, h=self.heads)
        frames = len(tokens) // clips
        key = torch.cat([key, repeat(memory.keys, "b h k e -> (b t) h k e", t=frames)], dim=2)
        value = torch.cat([value, repeat(memory.values, "b h k e -> (b t) h k e", t=frames)], dim=2)
        attended = rearrange(attend(query, key, value), "f h l e -> f l (h e)")
        tokens = tokens + gate_a * self.out(attended)
        normal = nn.functional.layer_norm(tokens, tokens.shape[-1:]) * (1 + scale_m) + shift_m
        wide = nn.functional.gelu(self.expand(normal), approximate="tanh")
        out: Tensor = tokens + gate_m * self.contract(wide)
        return out


class Denoiser(nn.Module):
    """F_theta of the EDM preconditioning (see `diffusion`), on the codec's tokens."""

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        width = preset.width
        self.embed = nn.Linear(preset.token_width, width)
        self.places = nn.Parameter(torch.randn(preset.tokens, width) * 0.5)
        self.noise = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.motion = nn.Linear(preset.motion_width, width)
        self.blocks = nn.ModuleList(Block(width, preset.heads) for _ in range(preset.denoiser_blocks))
        self.modulation = nn.Linear(width, 2 * width)
        self.predict = nn.Linear(width, preset.token_width)
        nn.init.zeros_(self.predict.weight)
        nn.init.zeros_(self.predict.bias)

    def remember(self, content: Tensor) -> list[ContentMemory]:
        """Content tokens (B, K, width) as every block will see them."""
        blocks: Iterable[Any] = self.blocks
        return [block.remember(content) for block in blocks]

    def forward(
        self,
        tokens: Tensor,
        noise_level: Tensor,
        motion: Tensor,
        memory: list[ContentMemory],
        places: Tensor | None = None,
    ) -> Tensor:
        """Predict.

        Args:
            tokens: scaled noisy tokens (F, L, D), F = clips x frames per clip, the frames of a clip side by side.
            noise_level: c_noise of each frame, (F,).
            motion: quantized motion (F, motion_width); it is added to the embedding of the noise level (paper).
            memory: from `remember`, for B clips.
            places: places of the L tokens in the frame, int64 (F, L); None when all are there, in order.

        Returns:
            (F, L, D).
        """
        clips = len(memory[0].keys)
        where = self.places if places is None else self.places[places]
        hidden = self.embed(tokens) + where
        condition = self.noise(embed_waves(noise_level, hidden.shape[-1]).to(hidden.dtype)) + self.motion(motion)
        condition = nn.functional.silu(condition)
        for block, remembered in zip(self.blocks, memory, strict=True):
            hidden = block(hidden, condition, remembered, clips)
        shift, scale = self.modulation(condition)[:, None].chunk(2, dim=-1)
        hidden = nn.functional.layer_norm(hidden, hidden.shape[-1:]) * (1 + scale) + shift
        return self.predict(hidden)  # type: ignore[no-any-return]


def embed_waves(values: Tensor, width: int) -> Tensor:
    """Sines and cosines of `values` (F,) at geometric frequencies from 1 to 100 radians a unit, (F, width)."""
    frequencies = torch.exp(torch.linspace(0, math.log(100), width // 2, device=values.device))
    angles = values.float()[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)
