"""The colours of a clip, and frames held to them: no off-palette pixels, no half-transparent edges."""

from __future__ import annotations

from typing import Any

import numpy as np
from einops import rearrange
from numpy.typing import NDArray
from PIL import Image

from bitpuppet.sprites.clip import EmptyArtError
from bitpuppet.sprites.oklab import srgb_to_oklab

OPAQUE_ALPHA = 128
"""Alpha from which a pixel counts as opaque."""
MAX_COLOURS = 256
_CHUNK_DISTANCES = 1 << 22
"""Distances held at once, 16 MiB of float32, so that a large painting does not fill the memory."""


def collect_palette(frames: NDArray[np.uint8], limit: int = MAX_COLOURS) -> NDArray[np.uint8]:
    """Colours of the opaque pixels of RGBA frames (..., 4), as uint8 (P, 3), most frequent first.

    Equal counts are sorted by red, green, blue. More than `limit` (1..256) colours are reduced to at most that many,
    each one a colour of the art; the result depends on the pixels alone. Raises EmptyArtError without opaque pixels.
    """
    if not 1 <= limit <= MAX_COLOURS:
        raise ValueError(f"a palette has 1 to {MAX_COLOURS} colours, not {limit}")
    opaque = frames[frames[..., 3] >= OPAQUE_ALPHA][:, :3]
    if not len(opaque):
        raise EmptyArtError(
            f"the art has no colours: no pixel has alpha {OPAQUE_ALPHA} or more; draw at least one opaque pixel"
        )
    packed, counts = np.unique(pack_colours(opaque), return_counts=True)
    if len(packed) > limit:
        packed, counts = _reduce(packed, counts, limit)
    return unpack_colours(packed[np.lexsort((packed, -counts))])


def snap_frames(
    frames: NDArray[Any], palette: NDArray[np.uint8], alpha_threshold: int = OPAQUE_ALPHA
) -> NDArray[np.uint8]:
    """Frames with every opaque pixel set to the palette colour that looks nearest, and every other pixel cleared.

    `frames`: RGBA (..., 4), uint8 or floats in 0..255, which are rounded. `palette`: uint8 (P, 3), P >= 1.
    Alpha from `alpha_threshold` (1..255) up becomes 255, the rest 0 with RGB 0. Pixels that have a colour of the
    palette keep it exactly. Raises ValueError when the palette is empty.
    """
    if palette.ndim != 2 or palette.shape[1] != 3 or not len(palette):
        raise ValueError(f"a palette is uint8 (P, 3) with P >= 1, not {palette.shape}")
    opaque = frames[..., 3] >= alpha_threshold
    colours = frames[opaque][:, :3]
    if colours.dtype != np.uint8:
        colours = np.rint(np.clip(colours, 0, 255)).astype(np.uint8)
    snapped = np.zeros(frames.shape, dtype=np.uint8)
    if len(colours):
        distinct, where = np.unique(pack_colours(colours), return_inverse=True)
        chosen = palette[find_nearest(distinct, palette)]
        snapped[opaque] = np.concatenate([chosen, np.full((len(chosen), 1), 255, np.uint8)], axis=1)[where]
    return snapped


def pack_colours(colours: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Colours (..., 3) as numbers (...) that sort by red, green, blue."""
    wide = colours.astype(np.uint32)
    return np.asarray(wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2], dtype=np.uint32)


def unpack_colours(packed: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Undo `pack_colours`: (N,) to (N, 3)."""
    return np.stack([packed >> 16, (packed >> 8) & 255, packed & 255], axis=1).astype(np.uint8)


def find_nearest(packed: NDArray[np.uint32], palette: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Index into `palette` of the colour nearest in OKLab, for packed colours (N,)."""
    # |x - p|^2 = |x|^2 - 2 x.p + |p|^2, where |x|^2 is the same for all p. Centred, so that float32 keeps more digits.
    targets = srgb_to_oklab(palette)
    centre = targets.mean(axis=0)
    targets = targets - centre
    lengths = (targets**2).sum(axis=1)
    nearest = np.empty(len(packed), dtype=np.intp)
    step = max(1, _CHUNK_DISTANCES // len(palette))
    for start in range(0, len(packed), step):
        colours = srgb_to_oklab(unpack_colours(packed[start : start + step])) - centre
        nearest[start : start + step] = (lengths - colours @ (2 * targets.T)).argmin(axis=1)
    # Two colours one step apart differ by less than float32 resolves here: equal colours are matched as numbers.
    known, first = np.unique(pack_colours(palette), return_index=True)
    place = np.minimum(np.searchsorted(known, packed), len(known) - 1)
    exact = known[place] == packed
    nearest[exact] = first[place[exact]]
    return nearest


def _reduce(
    packed: NDArray[np.uint32], counts: NDArray[np.intp], limit: int
) -> tuple[NDArray[np.uint32], NDArray[np.intp]]:
    """At most `limit` of the colours `packed` (N,) with the counts of the pixels that each stands for."""
    # Median cut ignores how colours look, so it only gives the seeds; what each seed attracts in OKLab decides.
    image = Image.fromarray(rearrange(unpack_colours(packed), "n c -> 1 n c"))
    table = image.quantize(limit, method=Image.Quantize.MEDIANCUT).getpalette("RGB") or []
    seeds = rearrange(np.array(table[: 3 * limit], dtype=np.uint8), "(n c) -> n c", c=3)
    cluster = find_nearest(packed, seeds)
    totals = np.bincount(cluster, weights=counts, minlength=len(seeds))
    lab = srgb_to_oklab(unpack_colours(packed)).astype(np.float64)
    sums = np.stack([np.bincount(cluster, weights=counts * lab[:, i], minlength=len(seeds)) for i in range(3)], axis=1)
    means = sums / np.maximum(totals, 1)[:, None]
    distances = ((lab - means[cluster]) ** 2).sum(axis=1)
    # Per cluster, the real colour nearest to its mean: sorted by cluster, then by distance, the first of each.
    order = np.lexsort((distances, cluster))
    _, firsts = np.unique(cluster[order], return_index=True)
    kept = order[firsts]
    return packed[kept], totals[cluster[kept]].astype(np.intp)
