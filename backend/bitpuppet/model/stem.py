"""The stem: convolutions that read the motion of a frame."""

from __future__ import annotations

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from bitpuppet.model.codec import EMPTY

POOL = 4
"""Cells along each side from which motion is read."""
_NARROW = 8
"""Values by which `Posture` knows a cell."""


class Stem(nn.Module):
    """Sees shapes that patches cut through.

    A patch of 8x8 pixels enters T5 by one linear map, and T5 knows neither which patches are neighbours nor what a face
    looks like three pixels further left. Asked which frames of two puppets show one pose, T5 on patches was no better
    after 6,000 steps of training than convolutions after 200 (docs/method.md; "Early Convolutions Help Transformers See
    Better", Xiao et al. 2021, https://arxiv.org/abs/2106.14881).
    """

    def __init__(
        self, width: int, outputs: int, canvas: int, patch: int, inputs: int = 4, scale: int = 1, hidden: int = 0
    ) -> None:
        """Make a stem.

        Args:
            width: channels of the first convolution, a multiple of 8.
            outputs: values of a frame's motion.
            canvas: side of a frame, in pixels or latent cells.
            patch: side of a patch, in the same, a power of two.
            inputs: values of a pixel or latent cell.
            scale: pixels along each side that are seen as one, a power of two; `canvas` and `patch` count real ones.
            hidden: width of what sees cells together, see `Posture`; 0 for none.
        """
        super().__init__()
        self.patch, self.cells, self.scale = patch, canvas // patch, scale
        layers: list[nn.Module] = [nn.Conv2d(inputs, width, 3, stride=2, padding=1), nn.GELU()]
        channels = width
        for _ in range(patch.bit_length() - 2):
            layers += [nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1), *_settle(2 * channels)]
            channels *= 2
        layers += [nn.Conv2d(channels, channels, 3, padding=1), *_settle(channels)]
        self.layers = nn.Sequential(*layers)
        self.channels = channels
        self.to_motion = nn.Linear(channels * POOL**2, outputs)
        self.posture = Posture(channels, hidden, outputs) if hidden else None

    def forward(self, tokens: Tensor, places: Tensor, mask: Tensor) -> Tensor:
        """See the frames of which these are the patches that show something.

        Args:
            tokens: patches, (F, L, D).
            places: int64 (F, L).
            mask: which of them count, bool (F, L).

        Returns:
            Motion, (F, outputs).
        """
        cells = self.pool(self.see(self.join(tokens, places, mask)))
        motion: Tensor = self.to_motion(cells)
        return motion if self.posture is None else motion + self.posture(cells)

    def see(self, frames: Tensor) -> Tensor:
        """Frames (F, inputs, H, W) in the codec's units to cells (F, channels, h, w), h = H / (patch * scale)."""
        cells: Tensor = self.layers(nn.functional.avg_pool2d(frames, self.scale) if self.scale > 1 else frames)
        return cells

    def pool(self, cells: Tensor) -> Tensor:
        """A frame's cells as one vector, (F, channels * POOL ** 2)."""
        side = cells.shape[-1] // POOL
        if side > 1:
            cells = rearrange(cells, "f c (h a) (w b) -> f c h w (a b)", a=side, b=side).mean(dim=-1)
        return rearrange(cells, "f c h w -> f (c h w)")

    def join(self, tokens: Tensor, places: Tensor, mask: Tensor) -> Tensor:
        """Frames (F, inputs, H, W) from their patches; nothing is where no token counts."""
        canvas = tokens.new_full((len(tokens), self.cells**2, tokens.shape[-1]), EMPTY)
        shown = torch.where(mask[..., None], tokens, EMPTY)
        canvas = canvas.scatter(1, repeat(places, "f l -> f l d", d=tokens.shape[-1]), shown)
        return rearrange(canvas, "f (h w) (p q c) -> f c (h p) (w q)", h=self.cells, p=self.patch, q=self.patch)


class Posture(nn.Module):
    """Sees cells together: an arm that is up and a leg that is back are another pose than either alone.

    What it adds to a linear map of the cells begins as nothing, so a stem that learnt without it goes on from there.
    """

    def __init__(self, channels: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.narrow = nn.Linear(channels, _NARROW)
        self.join = nn.Linear(POOL**2 * _NARROW, hidden)
        self.out = nn.Linear(hidden, outputs)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, cells: Tensor) -> Tensor:
        """What is added to a frame's motion, (F, outputs), for cells (F, channels * POOL ** 2)."""
        narrow = self.narrow(rearrange(cells, "f (c n) -> f n c", n=POOL**2))
        added: Tensor = self.out(nn.functional.gelu(self.join(rearrange(narrow, "f n c -> f (n c)"))))
        return added


def _settle(channels: int) -> list[nn.Module]:
    return [nn.GroupNorm(8, channels), nn.GELU()]
