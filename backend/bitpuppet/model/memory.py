"""Memory: what the denoiser is given of a clip's content, and what it says of frames."""

from __future__ import annotations

from typing import NamedTuple

from einops import repeat
from torch import Tensor

from bitpuppet.model.content import Palette
from bitpuppet.model.reference import ROWS, Nearest, References
from bitpuppet.model.warp import Flow


class BlockMemory(NamedTuple):
    """Keys and values of content tokens for one block, each (B, heads, M, E).

    Every other block sees the K queries alone: the frames' own tokens are many, and attention to them is dear.
    """

    keys: Tensor
    values: Tensor


class Memory(NamedTuple):
    """Content of B clips as the denoiser sees it, made once for all frames and sampling steps."""

    blocks: list[BlockMemory]
    bias: Tensor
    """Added to the attention to content tokens, (B, M): it hides those that do not count."""
    palette: Palette | None
    colour_keys: Tensor | None
    """The palette head's keys, (B, P, pixel_width + 1)."""
    references: References | None

    def multiply(self, times: int) -> Memory:
        """All clips so many times, one row of them after the other."""
        blocks = [BlockMemory(*(repeat(part, ROWS, r=times) for part in block)) for block in self.blocks]
        palette = None if self.palette is None else Palette(*(repeat(part, ROWS, r=times) for part in self.palette))
        keys = None if self.colour_keys is None else repeat(self.colour_keys, ROWS, r=times)
        references = None if self.references is None else self.references.multiply(times)
        return Memory(blocks, repeat(self.bias, ROWS, r=times), palette, keys, references)


class Lent(NamedTuple):
    """Frames of a bank for F frames that are asked for, the nearest ones of the character that leads."""

    worth: Tensor
    """The bank's trust where it knows the very pose, less the farther its motion is, (F,)."""
    numbers: Tensor
    """The palette entries of their pixels, token by token, int64 (F, tokens * pixels)."""


class Prediction(NamedTuple):
    """What the denoiser says of F frames, and where it took that from."""

    values: Tensor
    """See `Denoiser.forward`."""
    nearest: Nearest | None
    """The references; None without any."""
    flow: Flow | None
    """Where pixels were fetched from them; None where none are."""
