"""The engine: a loaded model that turns frames into frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from bitpuppet.data.bank import Bank
from bitpuppet.data.folder import CODEC_VARIABLE, find_codec
from bitpuppet.errors import BitpuppetError
from bitpuppet.jobs.borrowing import Lender, read_bank
from bitpuppet.jobs.retarget import StepWatch, check_numbers
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.codec import Beat, Codec
from bitpuppet.model.content import Content
from bitpuppet.model.device import autocast, frames_at_once, pick_device, pick_dtype, store_products
from bitpuppet.model.encoder import DRAWING
from bitpuppet.model.packing import PackedTokens, TokenCoder
from bitpuppet.model.preset import Preset, find_preset
from bitpuppet.model.quantizer import entropy_bits
from bitpuppet.model.weights import SHIPPED, load_model
from bitpuppet.sprites import MAX_FRAMES, collect_palette

if TYPE_CHECKING:
    from bitpuppet.model.prior import MotionPrior


CODEC_REMEDY = f"name its folder by {CODEC_VARIABLE}, bitpuppet serve --codec, or Autoencoder in Blender's preferences"
PREVIEWED = 4
"""Frames in a preview where an autoencoder makes them, which takes longer than a step."""


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

    def __init__(
        self, model: BitrateControlledDiffusion, device: torch.device, dtype: torch.dtype, bank: Bank | None = None
    ) -> None:
        """Use a model on a device; `bank`: characters that it may borrow frames from."""
        self.model = model.to(device).eval()
        self.device, self.dtype = device, dtype
        self._lender = None if bank is None else Lender(bank, self.model, device)

    @classmethod
    def load(cls, preset: str, weights: Path | None = None, device: str | None = None) -> Engine:
        """Load a preset's weights (the shipped ones by default) on a device (the best by default).

        Raises:
            BitpuppetError: no such preset, weights or device; or the autoencoder that the preset needs is missing.
        """
        chosen = pick_device(device)
        model = load_model(preset, weights, chosen, load_codec(find_preset(preset), weights))
        bank = None if weights is None else read_bank(weights, model.preset.canvas)
        dtype = pick_dtype(chosen)
        for part in (model.encoder, model.denoiser):
            store_products(part, dtype)
        model.encoder.stack.set_attn_implementation(DRAWING)
        return cls(model, chosen, dtype, bank)

    @property
    def preset(self) -> Preset:
        """The model's sizes."""
        return self.model.preset

    def autocast(self) -> torch.autocast:
        """A context in which the model computes in the engine's number format."""
        return autocast(self.device, self.dtype)

    def encode_motion(self, motion: NDArray[np.uint8], beat: Beat | None = None) -> NDArray[np.int64]:
        """Motion tokens (T, groups) of frames (T, canvas, canvas, 4); `beat` is called where that takes long."""

        def encode(frames: Tensor) -> Tensor:
            return self.model.encode_motion(frames, beat)

        pieces = [self._in_format(encode, piece) for piece in self._split(motion)]
        return torch.cat(pieces).cpu().numpy()

    def compare_motion(self, tokens: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.float32]:
        """Euclidean distances (T, N) between the motions that tokens (T, groups) and others (N, groups) stand for."""
        with torch.inference_mode():
            mine, theirs = (self.model.quantizer.look_up(torch.from_numpy(t).to(self.device)) for t in (tokens, others))
            return torch.cdist(mine.float(), theirs.float()).cpu().numpy()

    def count_bits(self, tokens: NDArray[np.int64]) -> float:
        """Code length of motion tokens (T, groups), in bits per frame."""
        return float(self.model.quantizer.code_lengths(torch.from_numpy(tokens).to(self.device)).mean())

    def count_soft_bits(self, clips: Sequence[NDArray[np.uint8]]) -> float:
        """The rate that training controls: soft entropy over the frames of all clips (T, canvas, canvas, 4)."""
        pieces = [self._in_format(self.model.assign, piece) for clip in clips for piece in self._split(clip)]
        return float(entropy_bits(torch.cat(pieces)))

    @cached_property
    def coder(self) -> TokenCoder:
        """Packs and unpacks the model's motion tokens."""
        return TokenCoder.of_model(self.model)

    def mix_tokens(
        self, first: NDArray[np.int64], second: NDArray[np.int64], shares: NDArray[np.float32]
    ) -> NDArray[np.int64]:
        """Motion tokens (F, groups) between `first` and `second`, both (F, groups), at shares (F,) of the second."""
        parts = (torch.from_numpy(part).to(self.device) for part in (first, second, shares))
        return self.model.quantizer.mix(*parts).cpu().numpy()

    def load_prior(self, path: Path | None = None) -> MotionPrior:
        """The model's motion prior, shipped or from a file. Errors: see `bitpuppet.model.prior_weights.load_prior`."""
        from bitpuppet.model.prior_weights import load_prior  # GPT-2 takes a second to import, which few jobs need

        return load_prior(self.model, path)

    def retarget(
        self,
        content: NDArray[np.uint8],
        motion: NDArray[np.uint8] | PackedTokens,
        *,
        seed: int = 0,
        steps: int | None = None,
        callback: StepWatch | None = None,
    ) -> Retargeted:
        """Draw the character of `content` in the poses of `motion`.

        The noise depends on the seed alone, so the same seed gives the same frames on the same device.

        Args:
            content: uint8 (N, canvas, canvas, 4), any views of one character.
            motion: uint8 (T, canvas, canvas, 4), or packed motion tokens.
            seed: 0 or more.
            steps: sampling steps; None for the preset's.
            callback: called after each step, for progress, preview and cancelling. Where an autoencoder reads frames,
                which takes long, it is called meanwhile with step 0 and no frames.

        Raises:
            BitpuppetError: `steps`, `seed` or the number of frames is out of range; packed tokens of another model.
        """
        check_numbers(seed, steps)
        _check_count(len(motion))
        if isinstance(motion, PackedTokens):
            tokens = self.coder.unpack(motion)
        else:
            tokens = self.encode_motion(motion, self._make_beat(callback, 0, steps))
        frames = self.draw(content, tokens, seed=seed, steps=steps, callback=callback)
        return Retargeted(frames, tokens, self.count_bits(tokens))

    def draw(
        self,
        content: NDArray[np.uint8],
        tokens: NDArray[np.int64],
        *,
        seed: int = 0,
        steps: int | None = None,
        callback: StepWatch | None = None,
    ) -> NDArray[np.float32]:
        """Draw the character of `content` in the poses of motion tokens, int64 (T, groups) in 0..codewords-1.

        Returns:
            Straight-alpha RGBA (T, canvas, canvas, 4) in 0..255, before the palette stage. For all else see `retarget`.
        """
        check_numbers(seed, steps)
        _check_count(len(tokens))
        steps = self.preset.steps if steps is None else steps
        memory = self.encode_content(content, tokens, self._make_beat(callback, 0, steps))
        shape = len(tokens), self.preset.tokens, self.preset.token_width
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(self.device)

        def tell(watch: StepWatch, step: int, steps: int, clean: Tensor) -> None:
            shown = clean[:PREVIEWED] if self.preset.codec == "latent" else clean
            watch(step, steps, self.model.codec.decode(shown).float().cpu().numpy())

        motion, at_once = torch.from_numpy(tokens).to(self.device), frames_at_once(self.device)
        with self.autocast():
            beat = self._make_beat(callback, steps, steps)
            watch = None if callback is None else partial(tell, callback)
            drawn = self.model.decode(
                memory, motion, steps=steps, noise=noise, callback=watch, at_once=at_once, beat=beat
            )
        frames: NDArray[np.float32] = drawn.float().cpu().numpy()
        return frames

    def encode_content(
        self, content: NDArray[np.uint8], tokens: NDArray[np.int64] | None = None, beat: Beat | None = None
    ) -> Content:
        """What the decoder knows of a character from frames (N, canvas, canvas, 4), N >= 1.

        Args:
            content: the frames.
            tokens: the motion (T, groups) that will be asked for; with it, frames are borrowed from the model's bank.
            beat: called where it takes long.
        """
        palette = collect_palette(content) if self.preset.head == "palette" else None
        colours = None if palette is None else torch.from_numpy(palette).to(self.device)
        with self.autocast():
            known = self.model.encode_content(torch.from_numpy(content).to(self.device), colours, beat)
            if self._lender is None or tokens is None:
                return known
            return self._lender.lend(known, content, tokens)

    def _make_beat(self, callback: StepWatch | None, step: int, steps: int | None) -> Beat | None:
        """Tell a step watch again where it is, without frames."""
        if callback is None:
            return None
        nothing = np.zeros((0, self.preset.canvas, self.preset.canvas, 4), dtype=np.float32)
        return partial(callback, step, self.preset.steps if steps is None else steps, nothing)

    def _in_format(self, encode: Callable[[Tensor], Tensor], frames: NDArray[np.uint8] | Tensor) -> Tensor:
        tensor = torch.as_tensor(frames).to(self.device)
        with self.autocast():
            return encode(tensor)

    def _split(self, frames: NDArray[np.uint8]) -> list[Tensor]:
        return list(torch.from_numpy(frames).split(frames_at_once(self.device)))


def load_codec(preset: Preset, weights: Path | None = None) -> Codec | None:
    """The image autoencoder of a preset that works on latents; None for the others, whose codec needs no files.

    Raises:
        BitpuppetError: there is none, it cannot be used, or the weights were made with another one.
    """
    if preset.codec != "latent":
        return None
    place = find_codec()
    if place is None:
        raise BitpuppetError(f"preset {preset.name} draws by an image autoencoder, and none is named; {CODEC_REMEDY}")
    from bitpuppet.model.latent_codec import LatentCodec

    codec = LatentCodec.load(place, preset)
    file = weights or SHIPPED / f"{preset.name}.safetensors"
    made_with = read_header(file).get("codec") if file.is_file() else None
    if made_with not in (None, codec.fingerprint):
        raise BitpuppetError(f"{file}: made with another image autoencoder than {place}; {CODEC_REMEDY}")
    return codec


def read_header(weights: Path) -> dict[str, str]:
    """What the header of a weights file says; nothing where it cannot be read, which `load_model` tells."""
    try:
        with safe_open(weights, framework="pt") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError):
        return {}


def _check_count(frames: int) -> None:
    if not 1 <= frames <= MAX_FRAMES:
        raise BitpuppetError(f"the motion has {frames} frames, it must have 1 to {MAX_FRAMES}; split it")
