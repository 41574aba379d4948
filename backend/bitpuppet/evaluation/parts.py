"""Figures for the parts of a character: which garment shows at a pixel is known from the layers it is drawn with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitpuppet.sprites.palette import OPAQUE_ALPHA

Frames = NDArray[np.uint8]
PARTS = ("skin", "face", "hair", "clothes", "weapon")
"""What a pixel can show; a map of parts holds their numbers, and -1 where nothing shows."""
_KINDS: Mapping[str, str] = {
    # of the LPC wardrobe's slots and the benchmark's folders; all others are clothes
    "body": "skin",
    "ears": "skin",
    "eyes": "face",
    "nose": "face",
    "facial": "face",
    "hair": "hair",
    "weapon": "weapon",
}
EDGES = ("hair", "weapon")
"""Parts whose outline has a figure of its own: it is where hair and thin things go wrong."""


def name_part(kind: str) -> int:
    """The part that a layer of this slot or folder belongs to, as a number in `PARTS`."""
    return PARTS.index(_KINDS.get(kind, "clothes"))


def map_parts(tops: NDArray[np.int64], kinds: Sequence[str]) -> NDArray[np.int8]:
    """Parts (T, H, W) from the topmost layers (T, H, W), which number the `kinds` of a character's layers; -1: none."""
    numbers = np.array([*(name_part(kind) for kind in kinds), -1], dtype=np.int8)
    mapped: NDArray[np.int8] = numbers[tops]
    return mapped


def find_edges(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of masks (T, H, W) with a neighbour above, below, left or right that is outside the mask or the frame."""
    padded = np.pad(mask, ((0, 0), (1, 1), (1, 1)))
    inside = padded[:, :-2, 1:-1] & padded[:, 2:, 1:-1] & padded[:, 1:-1, :-2] & padded[:, 1:-1, 2:]
    edges: NDArray[np.bool_] = mask & ~inside
    return edges


class PartCounts:
    """Pixels of each part that are exactly right, over all frames counted together."""

    def __init__(self) -> None:
        self._right: dict[str, int] = {}
        self._all: dict[str, int] = {}

    def add(self, output: NDArray[Any], target: Frames, parts: NDArray[np.int8]) -> None:
        """Count frames.

        A pixel is right as in `compare_pixels`: all four channels are the target's, taken as pixel art.

        Args:
            output: straight-alpha RGBA (T, H, W, 4), uint8 or floats in 0..255, which are rounded.
            target: uint8 of the same shape.
            parts: what the target shows at each pixel, (T, H, W).
        """
        got = np.rint(np.clip(output, 0, 255)).astype(np.int16)
        opaque = target[..., 3] >= OPAQUE_ALPHA
        right = (got[..., :3] == target[..., :3]).all(axis=-1) & (got[..., 3] == 255)
        for number, name in enumerate(PARTS):
            mask = (parts == number) & opaque
            self._count(name, mask, right)
            if name in EDGES:
                self._count(f"{name} edges", find_edges(mask), right)

    def to_figures(self) -> dict[str, float]:
        """Share of each part's pixels that are exactly right, 0..1; parts that never showed are left out."""
        return {name: self._right[name] / count for name, count in self._all.items() if count}

    def _count(self, name: str, mask: NDArray[np.bool_], right: NDArray[np.bool_]) -> None:
        self._all[name] = self._all.get(name, 0) + int(mask.sum())
        self._right[name] = self._right.get(name, 0) + int((mask & right).sum())
