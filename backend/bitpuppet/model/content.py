"""Content: what the decoder knows about a character."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from einops import repeat
from torch import Tensor

if TYPE_CHECKING:
    from bitpuppet.model.reference import References

HIDDEN = -1e4
"""Added to the logit of what must not be chosen; finite, so that bfloat16 and empty rows stay numbers."""


class Palette(NamedTuple):
    """The colours of each character of a batch."""

    colours: Tensor
    """Premultiplied RGBA in -1..1, as `PatchCodec` has them, (B, P, 4); the first one is transparent."""
    mask: Tensor
    """Which of them count, bool (B, P)."""

    @classmethod
    def from_rgb(cls, colours: Tensor, counts: Tensor) -> Palette:
        """Put "transparent" before the colours.

        Args:
            colours: uint8 RGB (B, P, 3); those from a character's count on are padding.
            counts: int64 (B,), how many colours each character has.
        """
        opaque = torch.cat([colours.float() / 127.5 - 1, colours.new_ones(*colours.shape[:2], 1).float()], dim=-1)
        clear = opaque.new_full((len(opaque), 1, 4), -1.0)
        numbers = repeat(torch.arange(opaque.shape[1] + 1, device=colours.device), "p -> b p", b=len(opaque))
        return cls(torch.cat([clear, opaque], dim=1), numbers <= counts[:, None])

    def number_pixels(self, frames: Tensor) -> Tensor:
        """The nearest entry of the first character's palette for each pixel of its frames.

        Args:
            frames: uint8 straight-alpha RGBA (N, H, W, 4).

        Returns:
            uint8 (N, H, W); 0 where alpha is below 128.
        """
        opaque = self.colours[0, self.mask[0], :3][1:]
        numbers = []
        for frame in frames:
            pixels = frame[..., :3].float() / 127.5 - 1
            # No product of matrices, bfloat16 is coarse; channel by channel, since sums of three values are slow.
            red, green, blue = ((pixels[..., i, None] - opaque[:, i]).square() for i in range(3))
            numbers.append(((red + green + blue).argmin(dim=-1) + 1) * (frame[..., 3] >= 128))
        return torch.stack(numbers).to(torch.uint8)


class Content(NamedTuple):
    """Content of B characters."""

    tokens: Tensor
    """(B, M, width): the K queries, then the tokens of content frames, then those of the palette."""
    mask: Tensor
    """Which of them count, bool (B, M)."""
    palette: Palette | None = None
    """The character's colours, where the preset's head chooses among them; they are the last of the tokens."""
    references: References | None = None
    """The content frames, where the preset gives the denoiser the nearest one."""
