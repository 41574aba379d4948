"""The engine: a loaded model that turns frames into frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs.retarget import StepWatch, check_numbers
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.device import frames_at_once, pick_device, pick_dtype
from bitpuppet.model.preset import Preset
from bitpuppet.model.quantizer import entropy_bits
from bitpuppet.model.weights import load_model
from bitpuppet.sprites import MAX_FRAMES


@dataclass(frozen=True)
class Retargeted:
    """One character performing one motion."""

    frames: NDArray[np.float32]
    """Straight-alpha RGBA (T, canvas, canvas, 4) in 0..255, before the palette stage."""
    tokens: NDArray[np.int64]
    """Motion tokens (T, groups)."""
    bits_per_frame: float
    """Code length of the tokens under the model's own token statistics, mean over frames."""


class Engine:
    """A model on a device. Frames go in and come out as arrays on the model's canvas."""

    def __init__(self, model: BitrateControlledDiffusion, device: torch.device, dtype: torch.dtype) -> None:
        self.model = model.to(device).eval()
        self.device, self.dtype = device, dtype

    @classmethod
    def load(cls, preset: str, weights: Path | None = None, device: str | None = None) -> Engine:
        """Load a preset's weights (the shipped ones by default) on a device (the best by default).

        Raises:
            BitpuppetError: no such preset, weights or device.
        """
        chosen = pick_device(device)
        return cls(load_model(preset, weights, chosen), chosen, pick_dtype(chosen))

    @property
    def preset(self) -> Preset:
        """The model's sizes."""
        return self.model.preset

    def encode_motion(self, motion: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Motion tokens (T, groups) of frames (T, canvas, canvas, 4)."""
        pieces = [self._in_format(self.model.encode_motion, piece) for piece in self._split(motion)]
        return torch.cat(pieces).cpu().numpy()

    def count_bits(self, tokens: NDArray[np.int64]) -> float:
        """Code length of motion tokens (T, groups), in bits per frame."""
        return float(self.model.quantizer.code_lengths(torch.from_numpy(tokens).to(self.device)).mean())

    def count_soft_bits(self, clips: Sequence[NDArray[np.uint8]]) -> float:
        """The rate that training controls: soft entropy over the frames of all clips (T, canvas, canvas, 4)."""
        pieces = [self._in_format(self.model.assign, piece) for clip in clips for piece in self._split(clip)]
        return float(entropy_bits(torch.cat(pieces)))

    def retarget(
        self,
        content: NDArray[np.uint8],
        motion: NDArray[np.uint8],
        *,
        seed: int = 0,
        steps: int | None = None,
        callback: StepWatch | None = None,
    ) -> Retargeted:
        """Draw the character of `content` in the poses of `motion`.

        The noise depends on the seed alone, so the same seed gives the same frames on the same device.

        Args:
            content: uint8 (N, canvas, canvas, 4), any views of one character.
            motion: uint8 (T, canvas, canvas, 4).
            seed: 0 or more.
            steps: sampling steps; None for the preset's.
            callback: called after each step, for progress, preview and cancelling.

        Raises:
            BitpuppetError: `steps`, `seed` or the number of frames is out of range.
        """
        check_numbers(seed, steps)
        steps = self.preset.steps if steps is None else steps
        if not 1 <= len(motion) <= MAX_FRAMES:
            raise BitpuppetError(f"the motion has {len(motion)} frames, it must have 1 to {MAX_FRAMES}; split it")
        tokens = self.encode_motion(motion)
        memory = self._in_format(self.model.encode_content, content)
        generator = torch.Generator().manual_seed(seed)
        frames: list[Tensor] = []
        at_once = frames_at_once(self.device)
        pieces = range(0, len(tokens), at_once)
        for number, start in enumerate(pieces):
            piece = torch.from_numpy(tokens[start : start + at_once]).to(self.device)
            noise = torch.randn(len(piece), self.preset.tokens, self.preset.token_width, generator=generator)
            done = number * steps

            def watch(step: int, _: int, clean: Tensor, done: int = done) -> None:
                if callback is not None:
                    preview = self.model.codec.decode(clean).float().cpu().numpy()
                    callback(done + step, steps * len(pieces), preview)

            with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
                frames.append(
                    self.model.decode(memory, piece, steps=steps, noise=noise.to(self.device), callback=watch)
                )
        drawn = torch.cat(frames).float().cpu().numpy()
        return Retargeted(drawn, tokens, self.count_bits(tokens))

    def _in_format(self, encode: Callable[[Tensor], Tensor], frames: NDArray[np.uint8] | Tensor) -> Tensor:
        tensor = torch.as_tensor(frames).to(self.device)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            return encode(tensor)

    def _split(self, frames: NDArray[np.uint8]) -> list[Tensor]:
        return list(torch.from_numpy(frames).split(frames_at_once(self.device)))
