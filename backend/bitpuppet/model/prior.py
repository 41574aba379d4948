"""The motion prior: a GPT-2 over motion tokens, which continues an animation (paper, section 4.4).

GPT-2 takes one step per frame. A frame enters as the sum of its groups' codewords, and what comes out of GPT-2 feeds a
small head that draws the next frame's groups one after another, each knowing those before it. One step per frame and
group would make sequences `groups` times as long and say the same: the groups of a frame are one pose.

So that animations can arrive somewhere, a frame may be told a *goal* (a later frame's motion tokens) and how many
frames are left until then. A loop is a continuation whose goal is the first frame; an in-between has one key pose
behind it and the other one as its goal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from transformers.models.gpt2.configuration_gpt2 import GPT2Config
from transformers.models.gpt2.modeling_gpt2 import GPT2Model

from bitpuppet.errors import BitpuppetError

FrameCallback = Callable[[int, int], None]
"""(frame from 1, frames); whatever it raises ends the sampling."""
MAX_AT_ONCE = 64
"""Continuations that are drawn side by side, so that memory stays small."""


@dataclass(frozen=True)
class PriorSizes:
    """Sizes of one motion prior."""

    groups: int
    codewords: int
    width: int = 128
    """Width of GPT-2."""
    blocks: int = 4
    heads: int = 4
    window: int = 48
    """Frames that the prior looks back on; of a longer animation it sees the last ones."""
    reach: int = 48
    """How many frames ahead a goal counts."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value, most = getattr(self, field.name), 64 if field.name in ("blocks", "heads") else 4096
            if not isinstance(value, int) or not 1 <= value <= most:
                raise BitpuppetError(f"prior: {field.name} is {value!r}, it must be from 1 to {most}; correct it")
        if self.width % self.heads:
            raise BitpuppetError(f"prior: width {self.width} does not divide by heads {self.heads}; correct it")

    def to_metadata(self) -> dict[str, Any]:
        """The sizes as plain values."""
        return asdict(self)

    @classmethod
    def from_metadata(cls, values: Mapping[str, Any]) -> PriorSizes:
        """Read what `to_metadata` wrote; TypeError or BitpuppetError when it was something else."""
        return cls(**values)


class MotionPrior(nn.Module):
    """p(motion tokens of a frame | those of the frames before it, a goal and the frames left)."""

    def __init__(self, sizes: PriorSizes) -> None:
        super().__init__()
        self.sizes = sizes
        width, codes = sizes.width, sizes.groups * sizes.codewords
        self.embed = nn.Embedding(codes, width)
        self.embed_goal = nn.Embedding(codes, width)
        self.embed_left = nn.Embedding(sizes.reach + 1, width)
        config = GPT2Config(
            vocab_size=1,  # frames come in as sums of codewords, not as words of one vocabulary
            n_positions=sizes.window,
            n_embd=width,
            n_layer=sizes.blocks,
            n_head=sizes.heads,
            use_cache=False,
            bos_token_id=None,
            eos_token_id=None,
        )
        config._attn_implementation = "sdpa"
        self.trunk = GPT2Model(config)
        self.embed_drawn = nn.Embedding(codes, width)
        self.group_start = nn.Parameter(torch.randn(sizes.groups, width) * 0.02)
        self.mix = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU())
        self.read_out = nn.Parameter(torch.randn(sizes.groups, 2 * width, sizes.codewords) * (2 * width) ** -0.5)
        for table in (self.embed, self.embed_goal, self.embed_left, self.embed_drawn):
            nn.init.normal_(table.weight, std=0.1)
        self.offsets: Tensor
        self.register_buffer("offsets", torch.arange(sizes.groups) * sizes.codewords, persistent=False)

    def forward(self, tokens: Tensor, goal: Tensor, left: Tensor) -> Tensor:
        """What is known about the frame after each frame.

        Args:
            tokens: int64 (B, T, groups), T at most the window.
            goal: int64 (B, groups).
            left: frames until the goal, int64 (B, T) in 0..reach; 0 where there is none to reach.

        Returns:
            (B, T, width).
        """
        frames = self.embed(tokens + self.offsets).sum(dim=2)
        aim = self.embed_goal(goal + self.offsets).sum(dim=1)[:, None]
        frames = frames + self.embed_left(left) + aim * (left > 0)[..., None]
        out: Tensor = self.trunk(inputs_embeds=frames, use_cache=False).last_hidden_state
        return out

    def score_groups(self, known: Tensor, drawn: Tensor) -> Tensor:
        """Logits of all groups of the next frame, each given the groups before it.

        Args:
            known: (..., width), from `forward`.
            drawn: the next frame's motion tokens, int64 (..., groups).

        Returns:
            (..., groups, codewords).
        """
        before = self.embed_drawn(drawn + self.offsets).cumsum(dim=-2)
        return self.score(known[..., None, :] + functional.pad(before, (0, 0, 1, 0))[..., :-1, :])

    def score(self, sums: Tensor, first: int = 0) -> Tensor:
        """Logits (..., G, codewords) of the groups from `first` on, by sums (..., G, width) of all that is known."""
        groups = slice(first, first + sums.shape[-2])
        hidden = self.mix(sums + self.group_start[groups])
        return torch.einsum("...gw,gwk->...gk", hidden, self.read_out[groups])

    def count_bits(self, tokens: Tensor, goal: Tensor, left: Tensor) -> Tensor:
        """Bits of every frame but the first one, given those before it: (B, T - 1) for tokens (B, T, groups).

        Args:
            tokens: int64 (B, T, groups), T at most window + 1.
            goal: int64 (B, groups).
            left: int64 (B, T - 1), see `forward`.
        """
        logits = self.score_groups(self(tokens[:, :-1], goal, left), tokens[:, 1:])
        losses = functional.cross_entropy(
            rearrange(logits, "b t g k -> (b t g) k"), rearrange(tokens[:, 1:], "b t g -> (b t g)"), reduction="none"
        )
        return rearrange(losses, "(b t g) -> b t g", b=len(tokens), g=tokens.shape[2]).sum(dim=2) / math.log(2)

    @torch.inference_mode()
    def continue_motion(
        self,
        tokens: NDArray[np.int64],
        frames: int,
        *,
        goal: NDArray[np.int64] | None = None,
        temperature: float = 1.0,
        top_p: float = 1.0,
        seeds: Sequence[int | Sequence[int]] = (0,),
        callback: FrameCallback | None = None,
    ) -> NDArray[np.int64]:
        """Draw continuations of motion tokens; the prior is on the CPU, where so small a model is quickest.

        A continuation depends on its own seed, not on how many are drawn with it. Memory does not grow with `frames`:
        the prior looks at the last frames, as many as its window holds.

        Args:
            tokens: what has been, int64 (T, groups), T >= 1.
            frames: how many to draw, 1 or more.
            goal: motion tokens (groups,) of the frame that should follow the last one drawn; None to go anywhere.
            temperature: above 0; below 1 likely codewords get likelier.
            top_p: in (0, 1]: of each group, only the likeliest codewords that together are so probable are drawn.
            seeds: one continuation for each, at most MAX_AT_ONCE.
            callback: called after each frame, for progress and cancelling.

        Returns:
            int64 (len(seeds), frames, groups).

        Raises:
            BitpuppetError: the prior is broken.
            ValueError: an argument is out of range.
        """
        sizes, count = self.sizes, len(seeds)
        if frames < 1 or not 1 <= count <= MAX_AT_ONCE or not len(tokens):
            raise ValueError(f"{len(tokens)} frames to continue by {frames}, {count} times (1 to {MAX_AT_ONCE})")
        if not temperature > 0 or not 0 < top_p <= 1:
            raise ValueError(f"temperature {temperature} must be above 0, top-p {top_p} above 0 and at most 1")
        chances = [np.random.default_rng(seed) for seed in seeds]
        past = torch.from_numpy(np.repeat(tokens[None, -sizes.window :], count, axis=0))
        aim = torch.from_numpy(np.repeat((tokens[:1] if goal is None else goal[None]), count, axis=0))
        drawn = np.empty((count, frames, sizes.groups), dtype=np.int64)
        for number in range(frames):
            ahead = frames - number + 1 + torch.arange(past.shape[1]).flip(0)
            left = torch.where(ahead <= sizes.reach, ahead, 0) if goal is not None else torch.zeros_like(ahead)
            known = self(past, aim, left.expand(count, -1))[:, -1]
            frame = torch.zeros(count, sizes.groups, dtype=torch.int64)
            for group in range(sizes.groups):
                logits = self.score(known[:, None], group)[:, 0].double().numpy()
                shares = np.array([chance.random() for chance in chances])
                frame[:, group] = torch.from_numpy(draw_codewords(logits, shares, temperature, top_p))
                known = known + self.embed_drawn(frame[:, group] + self.offsets[group])
            drawn[:, number] = frame.numpy()
            past = torch.cat([past, frame[:, None]], dim=1)[:, -sizes.window :]
            if callback is not None:
                callback(number + 1, frames)
        return drawn

    @torch.inference_mode()
    def measure_arrival(self, tokens: NDArray[np.int64], goal: NDArray[np.int64]) -> float:
        """Bits that `goal` (groups,) costs as the frame after `tokens` (T, groups): few where it is what follows."""
        window = torch.from_numpy(np.concatenate([tokens[-self.sizes.window :], goal[None]]))[None]
        left = torch.zeros(1, window.shape[1] - 1, dtype=torch.int64)
        return float(self.count_bits(window, window[:, 0], left)[0, -1])


def draw_codewords(
    logits: NDArray[np.float64], shares: NDArray[np.float64], temperature: float, top_p: float
) -> NDArray[np.int64]:
    """Codewords (B,) by logits (B, codewords): those at which the cumulated probability passes `shares` (B,) in 0..1.

    Raises:
        BitpuppetError: the logits are no numbers.
    """
    if not np.isfinite(logits).all():
        raise BitpuppetError("the motion prior drew no numbers; name another --prior")
    order = np.argsort(-logits, axis=1, kind="stable")
    ranked = np.take_along_axis(logits, order, axis=1)
    with np.errstate(over="ignore"):  # minus infinity is the right logit for what a low temperature rules out
        weights = np.exp((ranked - ranked[:, :1]) / temperature)
    total = weights.cumsum(axis=1)
    kept = (total - weights) < top_p * total[:, -1:]  # up to the one that reaches top-p, the likeliest in any case
    total = (weights * kept).cumsum(axis=1)
    places = (total <= shares[:, None] * total[:, -1:]).sum(axis=1)
    # Rounding may lead past the last codeword that is kept.
    places = np.minimum(places, kept.sum(axis=1) - 1)
    return np.asarray(np.take_along_axis(order, places[:, None], axis=1)[:, 0], dtype=np.int64)
