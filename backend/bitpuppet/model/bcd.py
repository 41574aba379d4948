"""Bitrate-controlled diffusion: the parts joined, for training and for use."""

from __future__ import annotations

from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn

from bitpuppet.model.codec import Beat, Codec, clear_haze, make_codec
from bitpuppet.model.content import Content, Palette
from bitpuppet.model.denoiser import Denoiser
from bitpuppet.model.diffusion import StepCallback, sample
from bitpuppet.model.encoder import Encoder
from bitpuppet.model.frame_encoder import FrameEncoder
from bitpuppet.model.pieces import NEIGHBOURS
from bitpuppet.model.preset import Preset
from bitpuppet.model.quantizer import GroupQuantizer, Quantized
from bitpuppet.model.readings import average_readings, cut_windows
from bitpuppet.model.reference import References, mirror


class Picked(NamedTuple):
    """Some tokens of each frame."""

    tokens: Tensor
    """(F, L, D)"""
    places: Tensor
    """Where they stand in the frame, int64 (F, L)."""
    mask: Tensor
    """Whether they show anything, bool (F, L)."""


def pick_tokens(codec: Codec, tokens: Tensor, count: int, *, shuffle: bool = False) -> Picked:
    """Keep `count` tokens of each frame, those that show something first.

    Most of a sprite's frame is empty, so this is where training and encoding save most of their time.

    Args:
        codec: knows which do.
        tokens: of it, (F, N, D).
        count: L, 1..N.
        shuffle: break ties at random (training) instead of in reading order.
    """
    occupied = codec.occupied(tokens)
    size = occupied.shape[1]
    if shuffle:
        ties = torch.rand(occupied.shape, device=tokens.device)
    else:
        ties = torch.linspace(1, 0, size, device=tokens.device).expand(occupied.shape)
    places = torch.topk(occupied.float() * 2 + ties, count, dim=1).indices
    return take_tokens(codec, tokens, places)


def take_tokens(codec: Codec, tokens: Tensor, places: Tensor) -> Picked:
    """The codec's tokens (F, N, D) of each frame at `places`, int64 (F, L) in 0..N-1."""
    picked = torch.gather(tokens, 1, places[..., None].expand(-1, -1, tokens.shape[-1]))
    return Picked(picked, places, codec.occupied(picked))


def order_frames(count: int, preset: Preset) -> Tensor:
    """Which of `count` content frames are looked at: at most the preset's, evenly spaced.

    Those whose tokens stay part of the content, evenly spaced among them, come first. int64, (N,).
    """
    looked_at = torch.linspace(0, count - 1, min(count, preset.content_frames)).round().long()
    if not 0 < preset.detail_frames < len(looked_at):
        return looked_at
    first = torch.linspace(0, len(looked_at) - 1, preset.detail_frames).round().long()
    rest = torch.ones(len(looked_at), dtype=torch.bool)
    rest[first] = False
    return torch.cat([looked_at[first], looked_at[rest]])


class BitrateControlledDiffusion(nn.Module):
    """Encoder, quantizer and denoiser of one preset, with its codec, which is no part of the weights."""

    def __init__(self, preset: Preset, codec: Codec | None = None) -> None:
        super().__init__()
        self.preset = preset
        self.codec: Codec = make_codec(preset) if codec is None else codec
        self.encoder: Encoder | FrameEncoder = FrameEncoder(preset) if preset.reading == "frames" else Encoder(preset)
        self.quantizer = GroupQuantizer(preset)
        self.denoiser = Denoiser(preset)

    @torch.inference_mode()
    def encode_content(self, frames: Tensor, colours: Tensor | None = None, beat: Beat | None = None) -> Content:
        """Content of one character.

        Args:
            frames: uint8 RGBA (T, canvas, canvas, 4) on the model's device, any views. All of them may become
                references; of more than the preset's `content_frames` the encoder sees that many, evenly spaced.
            colours: the character's palette, uint8 RGB (P, 3), for presets that choose among it.
            beat: called while frames are encoded, where that takes long.

        Raises:
            ValueError: the preset needs a palette and `colours` is None.
        """
        palette = None
        if self.preset.head == "palette":
            if colours is None:
                raise ValueError(f"preset {self.preset.name} chooses among the character's colours, none were given")
            count = torch.tensor([len(colours)], device=colours.device)
            palette = Palette.from_rgb(colours[None], count)
        chosen = order_frames(len(frames), self.preset).to(frames.device)
        if isinstance(self.encoder, FrameEncoder):
            clip = self.codec.encode(frames[chosen], beat)[None]
            return self.encoder.forward_content(clip, torch.ones(clip.shape[:2], dtype=torch.bool, device=clip.device))
        # What a mirror shows comes after the frames themselves, which keep their numbers.
        seen = mirror(frames[None])[0] if self.preset.reference and self.preset.mirrored else frames
        clean = self.codec.encode(seen, beat)
        picked = self._pick_occupied(clean[chosen])
        detail = min(len(picked.mask), self.preset.detail_frames) * picked.mask.shape[1]
        tokens, places, mask = (rearrange(part, "t l ... -> 1 (t l) ...") for part in picked)
        content = self.encoder.forward_content(tokens, places, mask, palette, detail=detail)
        if not self.preset.reference:
            return content
        read: Quantized = self.quantizer(self.encoder.forward_motion(*self._pick_occupied(clean)))
        motion = self.quantizer.look_up(read.indices)[None]
        mask = torch.ones(1, len(seen), dtype=torch.bool, device=seen.device)
        numbers = None if palette is None else palette.number_pixels(frames)[None]
        if len(seen) > len(frames):
            numbers = None if numbers is None else mirror(numbers)
            motion = self.denoiser.know_mirrored(motion)
        references = References(clean[None], motion, mask, numbers)
        return content._replace(references=references)

    @torch.inference_mode()
    def encode_motion(self, frames: Tensor, beat: Beat | None = None) -> Tensor:
        """Motion tokens of frames, uint8 RGBA (T, canvas, canvas, 4): int64 (T, groups)."""
        quantized: Quantized = self.quantizer(self._read_motion(frames, beat))
        return quantized.indices

    @torch.inference_mode()
    def assign(self, frames: Tensor) -> Tensor:
        """Soft assignments of frames (T, canvas, canvas, 4) to codewords: (T, groups, codewords)."""
        return self.quantizer.assign(self._read_motion(frames))

    @torch.inference_mode()
    def decode(
        self,
        content: Content,
        motion: Tensor,
        *,
        steps: int,
        noise: Tensor,
        callback: StepCallback | None = None,
        at_once: int = 128,
        beat: Beat | None = None,
    ) -> Tensor:
        """Rebuild frames.

        Time is looked at in windows that overlap by all that temporal attention and pieces can see, so the memory that
        is needed does not grow with the clip, and the frames are the same as without windows.

        Args:
            content: of B clips.
            motion: motion tokens, int64 (B * T, groups), clip after clip.
            steps: sampling steps, 1 or more.
            noise: unit normal, (B * T, N, D).
            callback: see `sample`.
            at_once: frames of a clip in one window, 1 or more.
            beat: called while tokens become frames, where that takes long.

        Returns:
            Straight-alpha RGBA, float32 (B * T, canvas, canvas, 4) in 0..255.
        """
        memory = self.denoiser.remember(content)
        condition = rearrange(self.quantizer.look_up(motion), "(b t) w -> b t w", b=len(content.tokens))
        if self.preset.relative and content.references is not None:
            condition = content.references.take_over(condition)
        overlap = self.preset.temporal_reach * len(self.denoiser.temporal_blocks)
        overlap += NEIGHBOURS if self.preset.pieces else 0
        windows = cut_windows(condition.shape[1], at_once, overlap)
        if self.preset.sampler == "readings":
            readings = average_readings(self.denoiser, self.preset, memory, condition, noise, windows, steps, callback)
            hazy = self.preset.head == "values" and self.preset.codec == "patch"
            return self.codec.decode(clear_haze(readings) if hazy else readings, beat)

        def predict(tokens: Tensor, level: Tensor) -> Tensor:
            split = (rearrange(part, "(b t) ... -> b t ...", b=len(condition)) for part in (tokens, level))
            parts = [*split, condition]
            drawn = []
            for window in windows:
                said = self.denoiser(*window.see(*parts), memory)
                drawn.append(window.keep(self.denoiser.read_out(said, memory), len(condition)))
            return rearrange(torch.cat(drawn, dim=1), "b t ... -> (b t) ...")

        return self.codec.decode(sample(self.preset, predict, noise, steps, callback), beat)

    def _read_motion(self, frames: Tensor, beat: Beat | None = None) -> Tensor:
        """Motion before quantization; an encoder of clips gets windows as long as in training."""
        clean = self.codec.encode(frames, beat)
        if not isinstance(self.encoder, FrameEncoder):
            return self.encoder.forward_motion(*self._pick_occupied(clean))
        clip, window = clean[None], self.preset.clip_frames // 2
        parts = []
        for start in range(0, len(frames), window):
            first = max(0, min(start, len(frames) - window))
            parts.append(self.encoder.forward_motion(clip[:, first : first + window])[start - first :])
        return torch.cat(parts)

    def _pick_occupied(self, tokens: Tensor) -> Picked:
        most = int(self.codec.occupied(tokens).sum(dim=1).max())
        return pick_tokens(self.codec, tokens, max(most, 1))
