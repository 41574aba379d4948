"""The figures, as pure functions of arrays.

Two families: true-target figures compare pixels, since every swap of layered characters and puppets has a right answer;
judge figures are those of the C-DSVAE protocol, from a classifier's probabilities.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitpuppet.sprites.palette import OPAQUE_ALPHA

CLOSE = 16
"""Levels (of 255) by which a channel may differ in a pixel that counts as close."""
MAX_PSNR = 100.0
"""What equal pictures get, in dB, so that every figure is a finite number."""


@dataclass(frozen=True)
class PixelCounts:
    """What comparing outputs with their targets counts; adding two joins their frames."""

    foreground: int = 0
    """Pixels that are opaque in the target."""
    exact: int = 0
    """Those of them that are right in all four channels."""
    close: int = 0
    """Those of them in which no channel is more than 16 levels off."""
    union: int = 0
    """Pixels that are opaque in the target or in the output."""
    union_exact: int = 0
    """Those of them that are right in all four channels."""
    union_close: int = 0
    """Those of them in which no channel is more than 16 levels off."""
    overlap: int = 0
    """Pixels that are opaque in both."""
    frames: int = 0
    """Frames compared."""
    perfect: int = 0
    """Frames without a wrong pixel."""
    still: int = 0
    """Pixels that the target does not change from one frame to the next, and that either one shows."""
    flicker: int = 0
    """Those of them that the output changes."""
    values: int = 0
    """Colour values (3 a pixel) behind `squared_error`."""
    squared_error: float = 0.0
    """Summed over those values, in squared levels, composited on black."""

    def __add__(self, other: PixelCounts) -> PixelCounts:
        return PixelCounts(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))

    def to_figures(self) -> dict[str, float]:
        """The true-target figures; shares are 0..1, over all frames that were counted together.

        - `exact`: share of the target's opaque pixels that are exactly right;
        - `within_16`: share of them in which no channel (RGBA) is more than 16 levels off;
        - `union_exact`, `union_within_16`: the same over the pixels that are opaque in the target or in the output, so
          that paint beside the figure counts as wrong too;
        - `alpha_iou`: pixels opaque in both over pixels opaque in either;
        - `perfect_frames`: share of frames without a wrong pixel, anywhere;
        - `flicker`: share of the pixels that the target holds from one frame to the next, but the output changes;
        - `psnr_on_black`: 10 log10(255^2 / MSE) of RGB composited on black, MSE over all frames; at most 100 dB.

        A share of nothing is 1: there was nothing to get wrong.
        """
        error = self.squared_error / max(self.values, 1)
        return {
            "exact": _share(self.exact, self.foreground),
            "within_16": _share(self.close, self.foreground),
            "union_exact": _share(self.union_exact, self.union),
            "union_within_16": _share(self.union_close, self.union),
            "alpha_iou": _share(self.overlap, self.union),
            "perfect_frames": _share(self.perfect, self.frames),
            "flicker": self.flicker / max(self.still, 1),
            "psnr_on_black": min(MAX_PSNR, 10 * float(np.log10(255**2 / error))) if error else MAX_PSNR,
        }


def compare_pixels(output: NDArray[Any], target: NDArray[np.uint8]) -> PixelCounts:
    """Count what is right.

    A pixel is opaque from alpha 128 up. The target is taken as pixel art for all counts but the PSNR: opaque pixels
    have alpha 255 and others are empty (a few pixels of the layer sheets have alpha 253, which no palette stage keeps).
    The output is taken as it is, except that the colour under alpha 0 does not count.

    Args:
        output: straight-alpha RGBA (T, H, W, 4), uint8 or floats in 0..255, which are rounded; frames in time order.
        target: uint8 of the same shape.

    Raises:
        ValueError: the shapes differ.
    """
    if output.shape != target.shape:
        raise ValueError(f"output {output.shape} and target {target.shape} differ in shape")
    got = np.rint(np.clip(output, 0, 255)).astype(np.int16)
    got = got * (got[..., 3:] > 0)
    opaque = target[..., 3] >= OPAQUE_ALPHA
    wanted = np.where(opaque[..., None], target, 0).astype(np.int16)
    wanted[..., 3] = np.where(opaque, 255, 0)
    worst = np.abs(got - wanted).max(axis=-1)
    exact, close, solid = worst == 0, worst <= CLOSE, got[..., 3] >= OPAQUE_ALPHA
    either = opaque | solid
    held = (wanted[1:] == wanted[:-1]).all(axis=-1) & (either[1:] | either[:-1])
    changed = (got[1:] != got[:-1]).any(axis=-1)
    difference = _composite_on_black(got) - _composite_on_black(target)
    return PixelCounts(
        foreground=int(opaque.sum()),
        exact=int(exact[opaque].sum()),
        close=int(close[opaque].sum()),
        union=int(either.sum()),
        union_exact=int(exact[either].sum()),
        union_close=int(close[either].sum()),
        overlap=int((opaque & solid).sum()),
        frames=len(target),
        perfect=int(exact.all(axis=(1, 2)).sum()),
        still=int(held.sum()),
        flicker=int((held & changed).sum()),
        values=difference.size,
        squared_error=float(np.square(difference).sum()),
    )


def score_motions(probabilities: NDArray[Any]) -> dict[str, float]:
    """Inception score and entropies, as in the C-DSVAE protocol.

    Args:
        probabilities: the judge's motion probabilities p(y|x) of the outputs x, (N, classes), N >= 1.

    Returns:
        - `intra_entropy`: H(y|x), mean over the outputs, in nats; low when each is clearly one motion;
        - `inter_entropy`: H(y) of the mean p(y), in nats; high when all motions occur equally often;
        - `inception_score`: exp(H(y) - H(y|x)), 1..classes.
    """
    wide = np.asarray(probabilities, dtype=np.float64)
    intra = float(_entropy(wide).mean())
    inter = float(_entropy(wide.mean(axis=0)))
    return {"inception_score": float(np.exp(inter - intra)), "intra_entropy": intra, "inter_entropy": inter}


def count_token_bits(tokens: NDArray[np.int64]) -> float:
    """Hard bits per frame: the entropy of each group's histogram of motion tokens, summed over the groups.

    Args:
        tokens: of all frames, (F, groups), 0 or more each. With few frames the entropy is underestimated.
    """
    bits = 0.0
    for group in tokens.T:
        counts = np.bincount(group)
        bits += float(_entropy(counts / counts.sum())) / np.log(2)
    return float(bits)


def _entropy(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """In nats, over the last axis; 0 log 0 is 0."""
    logs = np.log(np.where(probabilities > 0, probabilities, 1.0))
    return np.asarray(np.abs(-(probabilities * logs).sum(axis=-1)))


def _composite_on_black(frames: NDArray[Any]) -> NDArray[np.float64]:
    wide = frames.astype(np.float64)
    return np.asarray(wide[..., :3] * (wide[..., 3:] / 255))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
