"""The DiT denoiser: a clean frame from a noisy one, the content of a clip and the motion of the frame."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from einops import rearrange, reduce, repeat
from torch import Tensor, nn

from bitpuppet.model.attention import attend
from bitpuppet.model.content import HIDDEN, Content, Palette
from bitpuppet.model.metric import Metric
from bitpuppet.model.palette_head import PaletteHead
from bitpuppet.model.pieces import Candidates
from bitpuppet.model.preset import Preset
from bitpuppet.model.reference import ROWS, Pointer, References
from bitpuppet.model.telling import Telling
from bitpuppet.model.temporal import TemporalBlock
from bitpuppet.model.warp import Warp

KEYS = 32
"""Attention is fastest where the number of keys is a multiple of this."""
WAVES = 64
"""Sines and cosines that describe a noise level."""


class BlockMemory(NamedTuple):
    """Keys and values of content tokens for one block, each (B, heads, M, E).

    Every other block sees the K queries alone: the frames' own tokens are many, and attention to them is dear.
    """

    keys: Tensor
    values: Tensor


class Memory(NamedTuple):
    """Content of B clips as the denoiser sees it, made once for all frames and sampling steps."""

    blocks: list[BlockMemory]
    bias: Tensor
    """Added to the attention to content tokens, (B, M): it hides those that do not count."""
    palette: Palette | None
    colour_keys: Tensor | None
    """The palette head's keys, (B, P, pixel_width + 1)."""
    references: References | None

    def multiply(self, times: int) -> Memory:
        """All clips so many times, one row of them after the other."""
        blocks = [BlockMemory(*(repeat(part, ROWS, r=times) for part in block)) for block in self.blocks]
        palette = None if self.palette is None else Palette(*(repeat(part, ROWS, r=times) for part in self.palette))
        keys = None if self.colour_keys is None else repeat(self.colour_keys, ROWS, r=times)
        references = None if self.references is None else self.references.multiply(times)
        return Memory(blocks, repeat(self.bias, ROWS, r=times), palette, keys, references)


_HAIR = 1e-3
"""By so much more a frame counts that was lent for this very one, beside others of the same motion."""


class Lent(NamedTuple):
    """Frames of a bank for F frames that are asked for, the nearest ones of the character that leads."""

    worth: Tensor
    """The bank's trust where it knows the very pose, less the farther its motion is, (F,)."""
    numbers: Tensor
    """The palette entries of their pixels, token by token, int64 (F, tokens * pixels)."""


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

    def remember(self, content: Tensor) -> BlockMemory:
        """Project content tokens (B, M, width)."""
        keys, values = rearrange(self.content(content), "b m (two h e) -> two b h m e", two=2, h=self.heads)
        return BlockMemory(keys, values)

    def forward(self, tokens: Tensor, condition: Tensor, memory: BlockMemory, bias: Tensor | None) -> Tensor:
        """One block.

        Args:
            tokens: (F, L, width), F = clips x frames per clip.
            condition: (F, width), noise level and motion, after SiLU.
            memory: content of each clip.
            bias: of the attention to frame and content tokens, (F, 1, 1, L + M); None where all of them count.
        """
        modulation = self.modulation(condition)[:, None]
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = modulation.chunk(6, dim=-1)
        normal = nn.functional.layer_norm(tokens, tokens.shape[-1:]) * (1 + scale_a) + shift_a
        query, key, value = rearrange(self.qkv(normal), "f l (three h e) -> three f h l e", three=3, h=self.heads)
        frames = len(tokens) // len(memory.keys)
        key = torch.cat([key, repeat(memory.keys, "b h m e -> (b t) h m e", t=frames)], dim=2)
        value = torch.cat([value, repeat(memory.values, "b h m e -> (b t) h m e", t=frames)], dim=2)
        attended = rearrange(attend(query, key, value, bias), "f h l e -> f l (h e)")
        tokens = tokens + gate_a * self.out(attended)
        normal = nn.functional.layer_norm(tokens, tokens.shape[-1:]) * (1 + scale_m) + shift_m
        wide = nn.functional.gelu(self.expand(normal))  # five times as fast on a CPU as with tanh
        out: Tensor = tokens + gate_m * self.contract(wide)
        return out


class Denoiser(nn.Module):
    """F_theta of the EDM preconditioning (see `diffusion`), on the codec's tokens."""

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        width = preset.width
        self.queries = preset.content_tokens
        self.embed = nn.Linear(preset.token_width, width)
        self.places = nn.Parameter(torch.randn(preset.tokens, width) * 0.5)
        self.noise = nn.Sequential(nn.Linear(WAVES, width), nn.SiLU(), nn.Linear(width, width))
        self.motion = nn.Linear(preset.motion_width, width)
        self.patch, self.nearest = preset.patch, preset.nearest
        self.differences = preset.prediction == "clean"  # what EDM's mixture would differ from is no frame
        self.reference = nn.Linear(preset.token_width, width) if preset.reference else None
        self.closeness = nn.Parameter(torch.tensor(0.1)) if preset.reference else None
        self.metric = Metric(preset.motion_width, preset.metric_hidden) if preset.reference else None
        self.mirrored: nn.Linear | None = None
        if preset.reference and preset.mirrored and preset.knows_mirrored:
            self.mirrored = nn.Linear(2 * preset.motion_width, preset.motion_width)
            nn.init.eye_(self.mirrored.weight)
            nn.init.zeros_(self.mirrored.bias)
        self.telling: Telling | None = None
        if preset.reference and preset.telling_width:
            self.telling = Telling(preset)
        self.warp = Warp(preset) if preset.warp else None
        self.sameness = nn.Linear(1, width) if preset.reference else None
        self.pointer: Pointer | None = None
        if preset.reference and preset.head == "palette":
            self.pointer = Pointer(width, preset.patch, preset.nearest)
        self.blocks = nn.ModuleList(Block(width, preset.heads) for _ in range(preset.denoiser_blocks))
        self.temporal_every = preset.temporal_every
        self.temporal_blocks = nn.ModuleList(
            TemporalBlock(width, preset.temporal_width, preset.heads, preset.temporal_reach)
            for _ in range(preset.denoiser_blocks // preset.temporal_every if preset.temporal_width else 0)
        )
        self.modulation = nn.Linear(width, 2 * width)
        self.head: PaletteHead | nn.Linear
        if preset.head == "palette":
            self.head = PaletteHead(width, preset.patch, preset.pixel_width)
        else:
            self.head = nn.Linear(width, preset.token_width)
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)

    def remember(self, content: Content) -> Memory:
        """Content as every block will see it."""
        blocks: Iterable[Any] = self.blocks
        keys = None
        if content.palette is not None and isinstance(self.head, PaletteHead):
            keys = self.head.make_keys(content.palette, content.tokens[:, -content.palette.colours.shape[1] :])
            shown = content.tokens.shape[1] - content.palette.colours.shape[1]
        else:
            shown = content.tokens.shape[1]
        tokens, mask = content.tokens[:, :shown], content.mask[:, :shown]
        if not torch.is_grad_enabled():
            tokens, mask = pad_content(tokens, mask)
        remembered = [
            block.remember(tokens if number % 2 else tokens[:, : self.queries]) for number, block in enumerate(blocks)
        ]
        return Memory(remembered, mask.logical_not() * HIDDEN, content.palette, keys, content.references)

    def forward(
        self,
        tokens: Tensor,
        noise_level: Tensor,
        motion: Tensor,
        memory: Memory,
        places: Tensor | None = None,
        *,
        temporal: bool = True,
        passed: int | Tensor = 0,
    ) -> Tensor:
        """Predict.

        Args:
            tokens: scaled noisy tokens (F, L, D), F = clips x frames per clip, the frames of a clip side by side.
            noise_level: c_noise of each frame, (F,).
            motion: quantized motion (F, motion_width); it is added to the embedding of the noise level (paper).
            memory: from `remember`, for B clips.
            places: places of the L tokens in the frame, int64 (F, L), the same for all frames of a clip where time
                matters; None when all are there, in order.
            temporal: whether frames look at their neighbours in time (off in the first stage of training).
            passed: see `References.find_nearest`.

        Returns:
            Values (F, L, D), or with the palette head logits (F, L * pixels, P). Where values are those of the clean
            frame, they are told as differences from the references: what does not move need not be learnt.
        """
        clips = len(memory.bias)
        where = self.places if places is None else self.places[places]
        hidden = self.embed(tokens) + where
        nearest, mixed, given, placed = None, None, None, None
        if self.reference is not None and self.closeness is not None and self.metric is not None:
            if memory.references is None:
                raise ValueError("the denoiser needs content with references")
            nearest = memory.references.find_nearest(motion, self.closeness, self.metric, self.nearest, passed)
            if self.telling is not None or self.warp is not None:
                given = memory.references.take_tokens(nearest)
                if self.telling is not None:
                    start = memory.references.take_motion(nearest).to(motion.dtype)
                    given = given + self.telling(given, start, repeat(motion, "f w -> f r w", r=start.shape[1]))
                placed = given if places is None else torch.take_along_dim(given, places[:, None, :, None], dim=2)
            mixed = memory.references.mix_tokens(nearest, places, placed)
            hidden = hidden + self.reference(mixed)
            if self.warp is not None and placed is not None:
                hidden = hidden + self.warp.describe(placed)
        condition = self.noise(embed_waves(noise_level, WAVES).to(hidden.dtype)) + self.motion(motion)
        if nearest is not None and self.sameness is not None:
            condition = condition + self.sameness(nearest.sameness[:, None].to(hidden.dtype))
        condition = nn.functional.silu(condition)
        shown = repeat(memory.bias, "b m -> (b t) 1 1 m", t=len(tokens) // clips)
        bias = nn.functional.pad(shown, (tokens.shape[1], 0)).to(hidden.dtype)
        for number, (block, remembered) in enumerate(zip(self.blocks, memory.blocks, strict=True)):
            hidden = block(hidden, condition, remembered, bias if number % 2 else None)
            if temporal and self.temporal_blocks and (number + 1) % self.temporal_every == 0:
                hidden = self.temporal_blocks[number // self.temporal_every](hidden, clips)
        shift, scale = self.modulation(condition)[:, None].chunk(2, dim=-1)
        hidden = nn.functional.layer_norm(hidden, hidden.shape[-1:]) * (1 + scale) + shift
        if isinstance(self.head, PaletteHead):
            if memory.colour_keys is None:
                raise ValueError("the palette head needs content with a palette")
            logits: Tensor = self.head(hidden, memory.colour_keys)
            if self.pointer is None or memory.references is None or nearest is None:
                return logits
            numbers = memory.references.take_numbers(nearest, places, self.patch)
            return self.pointer(hidden, logits, nearest, numbers)  # type: ignore[no-any-return]
        if self.warp is not None and nearest is not None and given is not None:
            mixed = self.warp(hidden, given, nearest, places)
        values: Tensor = self.head(hidden)
        return values if mixed is None or not self.differences else values + mixed

    def know_mirrored(self, motion: Tensor) -> Tensor:
        """Motion of content frames and of what a mirror shows of them, as references are known by it.

        Motion is learnt from frames that no mirror shows, and a back in a mirror was taken for a front. But who turns
        the back does so in a mirror, too, which a linear map from both readings can say; it begins as the mirror's own.

        Args:
            motion: quantized, (B, 2 N, motion_width), the frames' own and then the mirror's, as `mirror` orders them.

        Returns:
            Of the same shape; the first half is as it was.
        """
        if self.mirrored is None:
            return motion
        own, seen = motion.chunk(2, dim=1)
        known = self.mirrored(torch.cat([seen, own], dim=-1))
        return torch.cat([own, known.to(own.dtype)], dim=1)

    def compare(self, motion: Tensor, references: References) -> Tensor:
        """How well each content frame suits quantized motion (F, motion_width): logits (F, N).

        Raises:
            ValueError: the preset has no references.
        """
        if self.closeness is None or self.metric is None:
            raise ValueError("this preset has no references")
        return -self.closeness * references.measure(motion, self.metric)

    def weigh_reading(self, motion: Tensor, memory: Memory, passed: int) -> Tensor:
        """How much counts what frames look like beside references of which `passed` nearer ones were passed over.

        Args:
            motion: quantized motion, (F, motion_width).
            memory: with references.
            passed: how many.

        Returns:
            (F,): 1 where none are, less the farther the next reference is, 0 where there is none.
        """
        if memory.references is None:
            raise ValueError("the denoiser needs content with references")
        apart = -self.compare(motion, memory.references)
        if passed >= apart.shape[1]:
            return torch.zeros_like(apart[:, 0])
        near = torch.topk(apart, passed + 1, dim=1, largest=False).values
        return torch.exp(near[:, 0] - near[:, passed])

    def take_lent(self, motion: Tensor, memory: Memory, first: int = 0) -> Lent | None:
        """What a bank lends for the poses that are asked for, if it lends anything.

        Args:
            motion: quantized motion, (F, motion_width).
            memory: of B clips.
            first: number of their first frame among all that are asked for.
        """
        references = memory.references
        if references is None or references.lead is None or references.numbers is None or self.closeness is None:
            return None
        frames = len(motion) // len(references.lead)
        lead, turns = (repeat(part, "b n -> (b t) n", t=frames) for part in (references.lead, references.list_turns()))
        apart = self.closeness * lead - self.compare(motion, references)
        asked = first + 1 + torch.arange(frames, device=turns.device)
        own = turns == repeat(asked, "t -> (b t) 1", b=len(references.lead))
        near = torch.where(lead > 0, apart - _HAIR * own, torch.inf).min(dim=1)
        numbers = rearrange(references.numbers, "b n (h p) (w q) -> b n (h w p q)", p=self.patch, q=self.patch)
        clips = torch.arange(len(numbers), device=numbers.device).repeat_interleave(frames)
        worth = references.trust * torch.exp(-near.values.clamp(min=0))
        return Lent(worth, numbers[clips, near.indices].long())

    def list_nearby(self, motion: Tensor, memory: Memory, count: int) -> Candidates | None:
        """At most `count` of the character's own frames for each that is asked for; what a bank lends does not count.

        Args:
            motion: quantized motion, (F, motion_width).
            memory: of B clips.
            count: 1 or more.

        Returns:
            None without references or without a palette.
        """
        references = memory.references
        if references is None or self.closeness is None or self.metric is None:
            return None
        own = references._replace(mask=references.mask & (references.leads() == 0), lead=None)
        return own.take_candidates(own.find_nearest(motion, self.closeness, self.metric, count))

    def list_shown(self, memory: Memory, frames: int) -> Tensor | None:
        """Places of the tokens in which content frames show anything, for clips of `frames` frames.

        All clips have as many, so for some of them empty ones are among them.

        Returns:
            int64 (B * frames, L), rising; None where that is all of them, or without references or palette.
        """
        references = memory.references
        if references is None or references.numbers is None:
            return None
        seen = references.numbers * references.mask[:, :, None, None]
        shown = reduce(seen, "b n (h p) (w q) -> b (h w)", "max", p=self.patch, q=self.patch) > 0
        count = max(1, int(shown.sum(dim=1).max()))
        if count == shown.shape[1]:
            return None
        places = torch.topk(shown.byte(), count, dim=1).indices.sort(dim=1).values
        return repeat(places, "b l -> (b t) l", t=frames)

    def read_out(self, prediction: Tensor, memory: Memory) -> Tensor:
        """What `forward` returned, as token values (F, L, D)."""
        if isinstance(self.head, PaletteHead) and memory.palette is not None:
            return self.head.choose(prediction, memory.palette)
        return prediction


def pad_content(tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Content tokens (B, M, width) and their mask (B, M), with hidden ones up to a multiple of KEYS.

    Attention without gradients takes half the time for 256 keys that it takes for 254 on a CPU.
    """
    missing = -tokens.shape[1] % KEYS
    return nn.functional.pad(tokens, (0, 0, 0, missing)), nn.functional.pad(mask, (0, missing))


def embed_waves(values: Tensor, width: int) -> Tensor:
    """Sines and cosines of `values` (F,) at geometric frequencies from 1 to 100 radians a unit, (F, width)."""
    frequencies = torch.exp(torch.linspace(0, math.log(100), width // 2, device=values.device))
    angles = values.float()[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)
