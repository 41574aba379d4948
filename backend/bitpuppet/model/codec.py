"""Codecs: how frames become the tokens that the model sees.

The paper works on the latents of a pretrained image autoencoder. Pixel art is exact, and such an autoencoder blurs it
(22 dB for a small one), so sprites use space to depth: a token is a patch of pixels, and nothing is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from einops import rearrange
from torch import Tensor

from bitpuppet.errors import BitpuppetError
from bitpuppet.model.preset import Preset

Beat = Callable[[], None]
"""Called again and again while something takes long; whatever it raises ends that."""
EMPTY = -1.0
"""Every value of a patch that shows nothing."""
FAINT = 0.05
"""Alpha that a mean of readings leaves where nothing is, and that it lacks where all is covered, see `clear_haze`."""


class Codec(Protocol):
    """Frames to tokens and back; both ways are without gradient where the codec is pretrained, and `beat` is called."""

    def encode(self, frames: Tensor, beat: Beat | None = None) -> Tensor:
        """Frames, uint8 straight-alpha RGBA (F, H, W, 4), to tokens, float (F, N, D), about unit scale."""
        ...

    def decode(self, tokens: Tensor, beat: Beat | None = None) -> Tensor:
        """Tokens (F, N, D) to frames, float32 straight-alpha RGBA (F, H, W, 4) in 0..255."""
        ...

    def occupied(self, tokens: Tensor) -> Tensor:
        """Which tokens show anything: bool (F, N) for tokens (F, N, D)."""
        ...


class PatchCodec:
    """Lossless patches: premultiplied RGBA in -1..1, cut into patch x patch tokens in reading order.

    Colours are premultiplied so that what is invisible is one value, and the error of a pixel counts as much as the
    pixel shows. Visible pixels come back exactly.
    """

    def __init__(self, patch: int) -> None:
        self.patch = patch

    def encode(self, frames: Tensor, beat: Beat | None = None) -> Tensor:
        """See `Codec.encode`; H and W divide by the patch. It takes no time worth a beat."""
        rgba = frames.float() / 255
        premultiplied = torch.cat([rgba[..., :3] * rgba[..., 3:], rgba[..., 3:]], dim=-1)
        return rearrange(premultiplied * 2 - 1, "f (h p) (w q) c -> f (h w) (p q c)", p=self.patch, q=self.patch)

    def decode(self, tokens: Tensor, beat: Beat | None = None) -> Tensor:
        """See `Codec.decode`; the frame is square."""
        side = round(tokens.shape[1] ** 0.5)
        pixels = rearrange(
            (tokens.float() + 1) / 2, "f (h w) (p q c) -> f (h p) (w q) c", h=side, p=self.patch, q=self.patch
        )
        alpha = pixels[..., 3:].clamp(0, 1)
        rgb = (pixels[..., :3] / alpha.clamp(min=1 / 510)).clamp(0, 1) * (alpha > 0)
        return torch.cat([rgb, alpha], dim=-1) * 255

    @staticmethod
    def occupied(tokens: Tensor) -> Tensor:
        """See `Codec.occupied`."""
        return (tokens[..., 3::4] > EMPTY).any(dim=-1)


def clear_haze(tokens: Tensor) -> Tensor:
    """Patches (F, N, D) of `PatchCodec` whose alpha below FAINT is nothing, above 1 - FAINT all, and linear between.

    Premultiplied colours stay, so on black hardly anything changes. A network is never quite sure: its haze around
    characters, alphas up to 1/8, covered 8 % of the canvas, where true frames have 1 %.
    """
    pixels = rearrange(tokens, "f n (k c) -> f n k c", c=4)
    alpha = ((pixels[..., 3:] + 1) / 2 - FAINT) / (1 - 2 * FAINT)
    cleared = torch.cat([pixels[..., :3], alpha.clamp(0, 1) * 2 - 1], dim=-1)
    return rearrange(cleared, "f n k c -> f n (k c)")


def make_codec(preset: Preset) -> Codec:
    """The codec of a preset that needs no files for it.

    Raises:
        BitpuppetError: the preset works on the latents of an autoencoder, which `LatentCodec.load` reads from a folder.
    """
    if preset.codec == "latent":
        raise BitpuppetError(
            f"preset {preset.name} works on the latents of an image autoencoder, and none is given; name its "
            "folder with --codec, or by BITPUPPET_CODEC"
        )
    return PatchCodec(preset.patch)
