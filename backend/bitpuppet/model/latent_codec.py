"""The latent codec: frames as latents of a pretrained image autoencoder, as in the paper."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from einops import rearrange
from torch import Tensor, nn

from bitpuppet.errors import BitpuppetError
from bitpuppet.model.autoencoders import count_cells, fingerprint, read_autoencoder
from bitpuppet.model.preset import Preset

if TYPE_CHECKING:
    from bitpuppet.model.autoencoders import Autoencoder
    from bitpuppet.model.codec import Beat

Background = Literal["black", "white"]


class LatentCodec:
    """Scaled latents of an image autoencoder, cut into patch x patch tokens in reading order. See `Codec`.

    The autoencoder is frozen and no part of the model: it is in no weights file and gets no gradient. A frame's latents
    (of a KL one the mean of its posterior, so that they are the same each time) are shifted and scaled as the
    autoencoder's configuration says, which makes them about unit variance. Autoencoders of images know no transparency:
    frames are laid on a background and come back opaque.
    """

    def __init__(
        self, autoencoder: Autoencoder, patch: int, *, background: Background = "black", at_once: int = 16
    ) -> None:
        """Wrap an autoencoder.

        Args:
            autoencoder: RGB to latents; it is frozen here, and follows the frames to their device.
            patch: side of a token, in latent cells.
            background: what transparent pixels are laid on.
            at_once: frames that go through the autoencoder together; the memory that is needed grows with it.
        """
        # Convolutions of many channels take a quarter less time when channels come last.
        self.autoencoder = autoencoder.eval().requires_grad_(False)
        nn.Module.to(self.autoencoder, memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in the stubs
        self.patch, self.at_once = patch, at_once
        self.background = 0.0 if background == "black" else 1.0
        config: Any = autoencoder.config
        self.scale = float(config.scaling_factor)
        self.shift = float(getattr(config, "shift_factor", None) or 0.0)

    @classmethod
    def load(
        cls, place: Path | str, preset: Preset, *, background: Background = "black", download: bool = False
    ) -> LatentCodec:
        """Load the autoencoder of a preset.

        Args:
            place: a folder or a name on the hub, see `read_autoencoder`.
            preset: says which latents are wanted.
            background: what transparent pixels are laid on.
            download: whether the hub may be asked for what its local cache lacks.

        Raises:
            BitpuppetError: as `read_autoencoder`, or the autoencoder makes other latents than the preset has.
        """
        autoencoder = read_autoencoder(place, download=download)
        channels, scale = count_cells(autoencoder)
        if (channels, scale) != (preset.latent_channels, preset.latent_scale):
            raise BitpuppetError(
                f"--codec {place}: makes latents of {channels} channels at 1/{scale}, preset {preset.name} has "
                f"{preset.latent_channels} at 1/{preset.latent_scale}; name another autoencoder"
            )
        return cls(autoencoder, preset.patch, background=background)

    @cached_property
    def fingerprint(self) -> str:
        """Tells whether tokens were made by this very codec: of the autoencoder and of how it is used."""
        return f"{fingerprint(self.autoencoder)}-{self.scale:g}-{self.shift:g}-{self.background:g}-{self.patch}"

    @torch.no_grad()
    def encode(self, frames: Tensor, beat: Beat | None = None) -> Tensor:
        """See `Codec.encode`; H and W divide by the patch times the autoencoder's scale."""
        self._follow(frames)
        parts = []
        for piece in frames.split(self.at_once):
            if beat is not None:
                beat()
            rgba = rearrange(piece.float() / 255, "f h w c -> f c h w")
            rgb = rgba[:, :3] * rgba[:, 3:] + self.background * (1 - rgba[:, 3:])
            with torch.autocast(frames.device.type, enabled=False):
                found = self.autoencoder.encode(rgb * 2 - 1)
            parts.append(found.latents if "latents" in found else found.latent_dist.mode())
        latents = (torch.cat(parts) - self.shift) * self.scale
        return rearrange(latents, "f c (h p) (w q) -> f (h w) (p q c)", p=self.patch, q=self.patch)

    @torch.no_grad()
    def decode(self, tokens: Tensor, beat: Beat | None = None) -> Tensor:
        """See `Codec.decode`; the frame is square and opaque."""
        self._follow(tokens)
        side = round(tokens.shape[1] ** 0.5)
        latents = rearrange(tokens.float(), "f (h w) (p q c) -> f c (h p) (w q)", h=side, p=self.patch, q=self.patch)
        # A minute of video is 0.4 GB here: each piece goes where it belongs, and nothing is held twice.
        size = side * self.patch * count_cells(self.autoencoder)[1]
        frames = tokens.new_full((len(tokens), size, size, 4), 255.0, dtype=torch.float32)
        for start in range(0, len(tokens), self.at_once):
            if beat is not None:
                beat()
            piece = latents[start : start + self.at_once] / self.scale + self.shift
            with torch.autocast(tokens.device.type, enabled=False):
                drawn = self.autoencoder.decode(piece).sample
            frames[start : start + self.at_once, ..., :3] = rearrange(
                ((drawn + 1) / 2).clamp(0, 1) * 255, "f c h w -> f h w c"
            )
        return frames

    @staticmethod
    def occupied(tokens: Tensor) -> Tensor:
        """See `Codec.occupied`: autoencoders of images know no transparency, so all of them do."""
        return torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)

    def _follow(self, tensor: Tensor) -> None:
        if self.autoencoder.device != tensor.device:
            nn.Module.to(self.autoencoder, tensor.device)
