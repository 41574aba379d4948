"""The latent codec: frames as latents of a pretrained image autoencoder, as in the paper."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from einops import rearrange
from torch import Tensor, nn

from bitpuppet.errors import BitpuppetError
from bitpuppet.model.preset import Preset

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

Background = Literal["black", "white"]


class LatentCodec:
    """Scaled latents of an AutoencoderKL, cut into patch x patch tokens in reading order. See `Codec`.

    The autoencoder is frozen and no part of the model: it is in no weights file and gets no gradient. A frame's latents
    are the mean of its posterior, so that they are the same each time, shifted and scaled as the autoencoder's
    configuration says, which makes them about unit variance. Autoencoders of images know no transparency: frames are
    laid on a background and come back opaque.
    """

    def __init__(
        self, autoencoder: AutoencoderKL, patch: int, *, background: Background = "black", at_once: int = 16
    ) -> None:
        """Wrap an autoencoder.

        Args:
            autoencoder: RGB to latents; it is frozen here, and follows the frames to their device.
            patch: side of a token, in latent cells.
            background: what transparent pixels are laid on.
            at_once: frames that go through the autoencoder together; the memory that is needed grows with it.
        """
        self.autoencoder = autoencoder.eval().requires_grad_(False)
        self.patch, self.at_once = patch, at_once
        self.background = 0.0 if background == "black" else 1.0
        config: Any = autoencoder.config
        self.scale = float(config.scaling_factor)
        self.shift = float(getattr(config, "shift_factor", None) or 0.0)

    @classmethod
    def load(cls, folder: Path, preset: Preset, *, background: Background = "black") -> LatentCodec:
        """Load the autoencoder of a preset from a local folder; nothing is fetched from anywhere.

        Args:
            folder: `config.json` and safetensors as diffusers writes them; or a pipeline with both in its `vae` folder.
            preset: says which latents are wanted.
            background: what transparent pixels are laid on.

        Raises:
            BitpuppetError: the folder or a file in it is missing or damaged, diffusers is not installed, or the
                autoencoder makes other latents than the preset has.
        """
        place = folder / "vae" if (folder / "vae" / "config.json").is_file() else folder
        if not (place / "config.json").is_file() or not list(place.glob("*.safetensors")):
            raise BitpuppetError(
                f"--codec {folder}: no image autoencoder here; name a folder with config.json and .safetensors, as "
                "AutoencoderKL.save_pretrained of diffusers writes it"
            )
        try:
            from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
        except ImportError as error:
            raise BitpuppetError(
                "--codec: diffusers is not installed; install it with: pip install 'bitpuppet[latent]'"
            ) from error
        try:
            autoencoder = AutoencoderKL.from_pretrained(
                place, local_files_only=True, use_safetensors=True, low_cpu_mem_usage=False
            )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise BitpuppetError(f"--codec {folder}: not a readable AutoencoderKL ({reason}); copy it again") from error
        config: Any = autoencoder.config
        channels, scale = config.latent_channels, 2 ** (len(config.block_out_channels) - 1)
        if (channels, scale) != (preset.latent_channels, preset.latent_scale):
            raise BitpuppetError(
                f"--codec {folder}: makes latents of {channels} channels at 1/{scale}, preset {preset.name} has "
                f"{preset.latent_channels} at 1/{preset.latent_scale}; name another autoencoder"
            )
        return cls(autoencoder, preset.patch, background=background)

    @torch.no_grad()
    def encode(self, frames: Tensor) -> Tensor:
        """See `Codec.encode`; H and W divide by the patch times the autoencoder's scale."""
        self._follow(frames)
        parts = []
        for piece in frames.split(self.at_once):
            rgba = rearrange(piece.float() / 255, "f h w c -> f c h w")
            rgb = rgba[:, :3] * rgba[:, 3:] + self.background * (1 - rgba[:, 3:])
            with torch.autocast(frames.device.type, enabled=False):
                parts.append(self.autoencoder.encode(rgb * 2 - 1).latent_dist.mode())
        latents = (torch.cat(parts) - self.shift) * self.scale
        return rearrange(latents, "f c (h p) (w q) -> f (h w) (p q c)", p=self.patch, q=self.patch)

    @torch.no_grad()
    def decode(self, tokens: Tensor) -> Tensor:
        """See `Codec.decode`; the frame is square and opaque."""
        self._follow(tokens)
        side = round(tokens.shape[1] ** 0.5)
        latents = rearrange(tokens.float(), "f (h w) (p q c) -> f c (h p) (w q)", h=side, p=self.patch, q=self.patch)
        parts = []
        for piece in (latents / self.scale + self.shift).split(self.at_once):
            with torch.autocast(tokens.device.type, enabled=False):
                parts.append(self.autoencoder.decode(piece).sample)
        rgb = rearrange(((torch.cat(parts) + 1) / 2).clamp(0, 1) * 255, "f c h w -> f h w c")
        return torch.cat([rgb, torch.full_like(rgb[..., :1], 255.0)], dim=-1)

    def _follow(self, tensor: Tensor) -> None:
        if self.autoencoder.device != tensor.device:
            nn.Module.to(self.autoencoder, tensor.device)
