"""How the motion reader learns the poses of a set, without a change to what tokens mean.

The reader of the base tells the poses of an animator's characters apart only where they look like those that it knows:
on sets of 16 pixels it found the same animation of another character in one frame of five. So it learns the set's
poses, by agreement of characters that show them. Codebooks do not move, and what it reads from base data is held to
what the base reads, so tokens of other art, packed ones and the base's motion prior go on being valid.
"""

from __future__ import annotations

from copy import deepcopy

import torch
from einops import rearrange
from torch import Tensor

from bitpuppet.model.bcd import BitrateControlledDiffusion, pick_tokens
from bitpuppet.model.content import Palette
from bitpuppet.model.encoder import Encoder
from bitpuppet.training.agreement import UNQUANTIZED, score_scenes
from bitpuppet.training.batch import TensorBatch

_WEIGHT_KEPT = 2.0
"""Of the squared difference between motion read by the base and now; motion has unit variance."""


class MotionLessons:
    """The reader of a model that learns, beside the one that it began as."""

    def __init__(self, model: BitrateControlledDiffusion) -> None:
        """Keep a copy of the model's reader as it is now.

        Raises:
            ValueError: the model reads clips and not frames.
        """
        if not isinstance(model.encoder, Encoder):
            raise ValueError(f"preset {model.preset.name} reads clips")
        self._model, self._encoder = model, model.encoder
        self._before: Encoder = deepcopy(model.encoder).requires_grad_(False)

    def score(self, batch: TensorBatch, tokens: int, sharpness: float) -> Tensor:
        """How badly drivers' frames find their poses among the character's own.

        By motion before and after the quantizer; a scalar with gradient.

        Args:
            batch: of the set.
            tokens: patches of a frame that are looked at.
            sharpness: alpha of the quantizer.
        """
        frames = torch.cat([batch.motion, batch.target, batch.content], dim=1)
        motion = self._read(self._encoder, frames, tokens)
        quantized = self._model.quantizer(motion, sharpness, sample=True).motion
        return score_scenes(quantized, batch) + UNQUANTIZED * score_scenes(motion.flatten(1), batch)

    def keep(self, batch: TensorBatch, tokens: int) -> Tensor:
        """How far the reading of base data has moved; a scalar with gradient."""
        frames = torch.cat([batch.motion, batch.content], dim=1)
        now = self._read(self._encoder, frames, tokens)
        with torch.no_grad():
            before = self._read(self._before, frames, tokens)
        return _WEIGHT_KEPT * (now - before).square().mean()

    @torch.no_grad()
    def count_kept(self, batch: TensorBatch) -> float:
        """Share of the groups of motion tokens of base data that are as they were, 0..1."""
        most = self._model.preset.tokens
        parts = []
        for encoder in (self._encoder, self._before):
            read = self._read(encoder, torch.cat([batch.motion, batch.content], dim=1), most)
            parts.append(self._model.quantizer(read).indices)
        return float((parts[0] == parts[1]).float().mean())

    def _read(self, encoder: Encoder, frames: Tensor, tokens: int) -> Tensor:
        """Motion of frames (B, T, H, W, 4), (B * T, groups, group_width)."""
        clean = self._model.codec.encode(rearrange(frames, "b t h w c -> (b t) h w c"))
        return encoder.forward_motion(
            *pick_tokens(self._model.codec, clean, encoder.count_read(min(tokens, clean.shape[1])))
        )


def choose_parameters(model: BitrateControlledDiffusion, *, motion: bool) -> None:
    """Say what learns: all but the codebooks, what reads both motion and content, and, unless `motion`, its reader.

    What they are read with follows from the model itself, by asking where gradients go, so a motion reader of its own
    learns whole. Blocks that read both stay as they are: taught new poses, they forget how to see what they knew.
    """
    if not isinstance(model.encoder, Encoder):
        raise ValueError(f"preset {model.preset.name} reads clips")
    words = {id(p) for name, p in model.named_parameters() if name.endswith("embed_tokens.weight")}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) not in words)
    device = next(model.parameters()).device
    canvas = model.preset.canvas
    frames = torch.full((1, canvas, canvas, 4), 255, dtype=torch.uint8, device=device)
    picked = pick_tokens(model.codec, model.codec.encode(frames), model.preset.tokens)
    of_motion = _find_learning(model, model.encoder.forward_motion(*picked))
    colours = torch.zeros(1, 1, 3, dtype=torch.uint8, device=device)
    palette = Palette.from_rgb(colours, torch.ones(1, dtype=torch.int64, device=device))
    content = model.encoder.forward_content(*picked, palette, detail=model.preset.tokens)
    of_content = _find_learning(model, content.tokens)
    for parameter in model.parameters():
        if id(parameter) in of_motion and (id(parameter) in of_content or not motion):
            parameter.requires_grad_(False)
    model.quantizer.requires_grad_(False)


def _find_learning(model: BitrateControlledDiffusion, output: Tensor) -> set[int]:
    """The parameters that an output depends on, by identity."""
    output.square().sum().backward()
    found = {id(parameter) for parameter in model.parameters() if parameter.grad is not None}
    model.zero_grad(set_to_none=True)
    return found
