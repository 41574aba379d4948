"""How alike two characters are drawn, whatever their colours: which poses match, and which colour is which."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from einops import rearrange
from numpy.typing import NDArray

from bitpuppet.sprites import collect_palette
from bitpuppet.sprites.palette import OPAQUE_ALPHA, find_nearest, pack_colours, unpack_colours

Frames = NDArray[np.uint8]
Numbers = NDArray[np.int64]
_OVERLAPPING = 8
"""Frames whose silhouettes overlap most, which are compared by what is inside them."""


class ColourMatch(NamedTuple):
    """Which colour becomes which, and what becomes of those that were never seen."""

    known: NDArray[np.uint32]
    """Packed colours, sorted."""
    becomes: NDArray[np.uint32]
    """As many."""
    palette: Frames
    """(P, 3): colours that are not known become the one that looks nearest in it."""

    def apply(self, frames: Frames) -> Frames:
        """Recolour (..., 4); alpha becomes 0 or 255."""
        out = np.zeros_like(frames)
        opaque = frames[..., 3] >= OPAQUE_ALPHA
        packed = pack_colours(frames[opaque][:, :3])
        nearest = pack_colours(self.palette)[find_nearest(packed, self.palette)]
        if len(self.known):
            place = np.searchsorted(self.known, packed).clip(max=len(self.known) - 1)
            nearest = np.where(self.known[place] == packed, self.becomes[place], nearest)
        out[opaque] = np.concatenate([unpack_colours(nearest), np.full((len(packed), 1), 255, np.uint8)], axis=1)
        return out


def match_colours(theirs: Frames, ours: Frames) -> ColourMatch:
    """Each colour of `theirs` becomes the colour that `ours` has most often at the same pixels of the same poses.

    Args:
        theirs: uint8 (T, H, W, 4).
        ours: of the same shape.
    """
    both = (theirs[..., 3] >= OPAQUE_ALPHA) & (ours[..., 3] >= OPAQUE_ALPHA)
    pairs = np.stack([pack_colours(theirs[both][:, :3]), pack_colours(ours[both][:, :3])], axis=1)
    distinct, counts = np.unique(pairs, axis=0, return_counts=True)
    order = np.lexsort((-counts, distinct[:, 0]))
    known, first = np.unique(distinct[order, 0], return_index=True)
    return ColourMatch(known, distinct[order, 1][first], collect_palette(ours))


def index_colours(frames: Frames) -> Numbers:
    """Frames (..., 4) as numbers (...): 0 where they are not opaque, and one number from 1 up for each colour."""
    opaque = frames[..., 3] >= OPAQUE_ALPHA
    packed = np.where(opaque, pack_colours(frames[..., :3]).astype(np.int64) + 1, 0)
    distinct, numbers = np.unique(packed, return_inverse=True)
    first = int(distinct[0] != 0) if len(distinct) else 0
    return np.asarray(numbers.reshape(packed.shape) + first, dtype=np.int64)


def measure_likeness(ours: Numbers, theirs: Numbers) -> float:
    """Share of the union of two silhouettes that is right once each of their colours becomes one of ours, 0..1.

    Args:
        ours: from `index_colours`, (H, W).
        theirs: of the same shape.
    """
    both = (ours > 0) & (theirs > 0)
    union = np.count_nonzero((ours > 0) | (theirs > 0))
    colours = int(ours.max()) + 1
    counts = np.bincount(theirs[both] * colours + ours[both], minlength=(int(theirs.max()) + 1) * colours)
    return float(counts.reshape(-1, colours).max(axis=1).sum() / max(union, 1))


def compare_poses(ours: Numbers, theirs: Numbers) -> NDArray[np.float32]:
    """Likeness of each of our frames to each of theirs; 0 for those whose silhouettes overlap less than others'.

    Args:
        ours: from `index_colours`, (T, H, W).
        theirs: (N, H, W).

    Returns:
        (T, N), 0..1.
    """
    mine, other = (rearrange(part > 0, "t h w -> t (h w)").astype(np.float32) for part in (ours, theirs))
    shared = mine @ other.T
    overlap = shared / np.maximum(mine.sum(axis=1)[:, None] + other.sum(axis=1) - shared, 1)
    likeness = np.zeros(overlap.shape, np.float32)
    for frame, row in enumerate(overlap):
        for number in np.argsort(-row, kind="stable")[:_OVERLAPPING]:
            likeness[frame, number] = measure_likeness(ours[frame], theirs[number])
    return likeness
