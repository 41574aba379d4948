"""Bitrate-controlled diffusion: the parts joined, for training and for use."""

from __future__ import annotations

from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn

from bitpuppet.model.codec import PatchCodec
from bitpuppet.model.denoiser import Denoiser
from bitpuppet.model.diffusion import StepCallback, sample
from bitpuppet.model.encoder import Encoder
from bitpuppet.model.preset import Preset
from bitpuppet.model.quantizer import GroupQuantizer, Quantized


class Picked(NamedTuple):
    """Some tokens of each frame."""

    tokens: Tensor
    """(F, L, D)"""
    places: Tensor
    """Where they stand in the frame, int64 (F, L)."""
    mask: Tensor
    """Whether they show anything, bool (F, L)."""


def pick_tokens(tokens: Tensor, count: int, *, shuffle: bool = False) -> Picked:
    """Keep `count` tokens of each frame, those that show something first.

    Most of a sprite's frame is empty, so this is where training and encoding save most of their time.

    Args:
        tokens: (F, N, D) from `PatchCodec`.
        count: L, 1..N.
        shuffle: break ties at random (training) instead of in reading order.
    """
    occupied = PatchCodec.occupied(tokens)
    size = occupied.shape[1]
    if shuffle:
        ties = torch.rand(occupied.shape, device=tokens.device)
    else:
        ties = torch.linspace(1, 0, size, device=tokens.device).expand(occupied.shape)
    places = torch.topk(occupied.float() * 2 + ties, count, dim=1).indices
    return take_tokens(tokens, places)


def take_tokens(tokens: Tensor, places: Tensor) -> Picked:
    """The tokens (F, N, D) of each frame at `places`, int64 (F, L) in 0..N-1."""
    picked = torch.gather(tokens, 1, places[..., None].expand(-1, -1, tokens.shape[-1]))
    return Picked(picked, places, PatchCodec.occupied(picked))


class BitrateControlledDiffusion(nn.Module):
    """Encoder, quantizer and denoiser of one preset, with its codec."""

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.preset = preset
        self.codec = PatchCodec(preset.patch)
        self.encoder = Encoder(preset)
        self.quantizer = GroupQuantizer(preset)
        self.denoiser = Denoiser(preset)

    @torch.inference_mode()
    def encode_content(self, frames: Tensor) -> Tensor:
        """Content of one character.

        Args:
            frames: uint8 RGBA (T, canvas, canvas, 4) on the model's device, any views; more than the preset's
                `content_frames` are thinned out evenly.

        Returns:
            (1, K, width).
        """
        if len(frames) > self.preset.content_frames:
            chosen = torch.linspace(0, len(frames) - 1, self.preset.content_frames).round().long()
            frames = frames[chosen.to(frames.device)]
        picked = self._pick_occupied(frames)
        tokens, places, mask = (rearrange(part, "t l ... -> 1 (t l) ...") for part in picked)
        return self.encoder.forward_content(tokens, places, mask)

    @torch.inference_mode()
    def encode_motion(self, frames: Tensor) -> Tensor:
        """Motion tokens of frames, uint8 RGBA (T, canvas, canvas, 4): int64 (T, groups)."""
        quantized: Quantized = self.quantizer(self.encoder.forward_motion(*self._pick_occupied(frames)))
        return quantized.indices

    @torch.inference_mode()
    def assign(self, frames: Tensor) -> Tensor:
        """Soft assignments of frames (T, canvas, canvas, 4) to codewords: (T, groups, codewords)."""
        return self.quantizer.assign(self.encoder.forward_motion(*self._pick_occupied(frames)))

    @torch.inference_mode()
    def decode(
        self, content: Tensor, motion: Tensor, *, steps: int, noise: Tensor, callback: StepCallback | None = None
    ) -> Tensor:
        """Rebuild frames.

        Args:
            content: of B clips, (B, K, width).
            motion: motion tokens, int64 (B * T, groups), clip after clip.
            steps: sampling steps, 1 or more.
            noise: unit normal, (B * T, N, D).

        Returns:
            Straight-alpha RGBA, float32 (B * T, canvas, canvas, 4) in 0..255.
        """
        memory = self.denoiser.remember(content)
        condition = self.quantizer.look_up(motion)

        def predict(tokens: Tensor, level: Tensor) -> Tensor:
            return self.denoiser(tokens, level, condition, memory)  # type: ignore[no-any-return]

        return self.codec.decode(sample(self.preset, predict, noise, steps, callback))

    def _pick_occupied(self, frames: Tensor) -> Picked:
        tokens = self.codec.encode(frames)
        most = int(PatchCodec.occupied(tokens).sum(dim=1).max())
        return pick_tokens(tokens, max(most, 1))
