"""The palette head: pixels by choosing among the character's own colours."""

from __future__ import annotations

import math

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from bitpuppet.model.content import HIDDEN, Palette


class ColourEmbedding(nn.Module):
    """Colours (..., 4) to vectors (..., width).

    Neighbouring shades differ by a few levels, which a linear layer on the values alone would hardly tell apart: sines
    and cosines of one to four periods over the range are added.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4 + 3 * 2 * len(_PERIODS), 128), nn.GELU(), nn.Linear(128, width))

    def forward(self, colours: Tensor) -> Tensor:
        """Embed premultiplied RGBA in -1..1."""
        angles = torch.cat([colours[..., :3] * (math.pi * periods) for periods in _PERIODS], dim=-1)
        out: Tensor = self.layers(torch.cat([colours, angles.sin(), angles.cos()], dim=-1))
        return out


_PERIODS = (0.5, 1.0, 2.0)


class PaletteHead(nn.Module):
    """Scores every colour of the palette for every pixel of a token.

    Pixel art is a choice of colours, not a measurement: a network that predicts values ends between two shades, one
    that chooses ends on one of them. As in continuous diffusion for categorical data (Dieleman et al. 2022, arXiv
    2211.15089) noise is added to colour values, and the denoiser predicts a distribution over colours and is trained by
    cross entropy; unlike there, the sampler gets the best colour of each pixel, not the mean.

    A colour's key comes from the colour itself and from what the encoder found out about it (its content token), so a
    pixel may ask for "this red" as well as for "the shadow of the hair".
    """

    def __init__(self, width: int, patch: int, pixel_width: int) -> None:
        super().__init__()
        self.patch = patch
        self.pixels = nn.Linear(width, patch**2 * pixel_width)
        self.colours = ColourEmbedding(pixel_width)
        self.roles = nn.Linear(width, pixel_width)

    def make_keys(self, palette: Palette, tokens: Tensor) -> Tensor:
        """Keys (B, P, pixel_width + 1) of colours with content tokens (B, P, width).

        The last value is added to the logit as it is; it hides the colours that do not count.
        """
        keys: Tensor = self.colours(palette.colours) + self.roles(tokens)
        return torch.cat([keys, (palette.mask.logical_not() * HIDDEN)[..., None].to(keys.dtype)], dim=-1)

    def forward(self, hidden: Tensor, keys: Tensor) -> Tensor:
        """Logits (F, L * pixels, P) of hidden tokens (F, L, width), for keys (B, P, pixel_width + 1), F = B x T."""
        clips = len(keys)
        asked = rearrange(self.pixels(hidden), "(b t) l (n e) -> b (t l n) e", b=clips, n=self.patch**2)
        logits = nn.functional.pad(asked, (0, 1), value=1.0) @ keys.transpose(1, 2).to(asked.dtype)
        return rearrange(logits, "b (t s) p -> (b t) s p", t=len(hidden) // clips)

    def choose(self, logits: Tensor, palette: Palette) -> Tensor:
        """The best colour of each pixel, as tokens (F, L, D), for logits (F, L * pixels, P)."""
        frames = len(logits) // len(palette.colours)
        colours = repeat(palette.colours, "b p c -> (b t) p c", t=frames)
        best = logits.max(dim=-1)
        chosen = torch.gather(colours, 1, repeat(best.indices, "f s -> f s c", c=4))
        chosen = chosen + (best.values - best.values)[..., None]  # broken weights must not look like a picture
        return rearrange(chosen, "f (l n) c -> f l (n c)", n=self.patch**2)
