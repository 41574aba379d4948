"""Exact pixels: drawn frames made into pixel art by what the character's own frames show, and by nothing else.

Each step changes a pixel only where the character's true frames, the reference, never show what is there. So a true
frame that is in the reference comes out as it went in, byte by byte, whatever its style: half-transparent shadows,
thousands of colours, single bright pixels and missing outlines are what that character has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from einops import rearrange
from numpy.typing import NDArray

from bitpuppet.sprites.clip import check_frames, clear_hidden
from bitpuppet.sprites.palette import collect_palette, find_nearest, pack_colours, unpack_colours
from bitpuppet.sprites.patterns import mend_patterns
from bitpuppet.sprites.scale import find_pixel_scale

Frames = NDArray[np.uint8]
Pixels = NDArray[np.uint32]
_AROUND = ((-1, 0), (0, -1), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1))
"""Steps to the eight neighbours; the four that share an edge come first."""
_EDGE_NEIGHBOURS = 4
_WEIGHTS = np.array([3] * 4 + [2] * 4)
"""Of the neighbours in a vote; those that share an edge decide where it is close."""
_MIN_AGREEING = 7
"""Of eight neighbours that must be alike before a pixel unlike all of them is taken for a mistake. With 5, more true
pixels of swaps between Sprites characters were spoilt than wrong ones mended (16 and 6 in 10 swaps)."""
_MIN_SEEN = 256
"""Pixels of a colour that the reference must have, none of them on the rim, before one there is taken for a mistake."""
_MIN_VOTES = 5
"""Weight of the neighbours on the rim that must agree on its colour: two of them, one sharing an edge."""
_MAX_ROUNDS = 4
"""A mended pixel can show that its neighbour is one to mend; almost always once is enough."""


@dataclass(frozen=True)
class ExactSettings:
    """Which steps to take, in this order."""

    grid: bool = True
    """Art drawn at 2 to 8 times its size stays on that grid: each block becomes its most frequent colour."""
    alpha: bool = True
    """Only alpha values of the reference: 0 and 255 for hard art."""
    palette: bool = True
    """Only colours of the reference, or of `colours`."""
    colours: NDArray[np.uint8] | int | None = None
    """Another palette, uint8 (P, 3), or how many of the reference's colours to use, 1 to 256. The reference is brought
    to it too, for the steps that follow."""
    outline: bool = False
    """A colour that the reference has, but never at the rim of the silhouette, gives way there to the rim's colour.
    Off, since on LPC characters it spoils as much as it mends; for art with a closed outline."""
    orphans: bool = True
    """Single pixels unlike all eight neighbours become like those, unless the reference has such pixels."""
    patterns: bool = False
    """A pixel whose 24 neighbours the reference shows with another colour in the middle, always, becomes that. Off: of
    what the shipped model draws of Sprites characters it spoils more than it mends; for frames far from right."""


@dataclass(frozen=True, eq=False)
class Exact:
    """Frames after the stage, and how many pixels each step changed (by the names of ExactSettings)."""

    frames: Frames
    changed: dict[str, int]


def make_exact(frames: NDArray[Any], reference: Frames, settings: ExactSettings | None = None) -> Exact:
    """Bring drawn frames to the pixels of a character.

    `frames`: RGBA (T, H, W, 4), uint8, or floats in 0..255, which are rounded. `reference`: true frames of the
    character, uint8 (N, h, w, 4), of any size, at the same scale. RGB under alpha 0 is cleared. Frames that are in the
    reference come back as they were, unless `settings.colours` says otherwise.

    Raises ValueError when a shape is not as said, and EmptyArtError where a palette is wanted of a reference without
    opaque pixels.
    """
    settings = settings or ExactSettings()
    if frames.dtype != np.uint8:
        frames = np.rint(np.clip(frames, 0, 255)).astype(np.uint8)
    check_frames(frames)
    check_frames(reference)
    exact, known = clear_hidden(frames), clear_hidden(reference)
    changed: dict[str, int] = {}

    def note(step: str, after: Frames) -> Frames:
        changed[step] = int(np.count_nonzero((after != exact).any(axis=-1)))
        return after

    if settings.grid:
        exact = note("grid", _align(exact, find_pixel_scale(known)))
    if settings.alpha:
        exact = note("alpha", _limit_alpha(exact, known))
    if settings.palette:
        palette = _choose_palette(known, settings.colours)
        exact = note("palette", _limit_colours(exact, palette))
        known = _limit_colours(known, palette)
    if settings.outline:
        exact = note("outline", _from_pixels(_mend_outline(_to_pixels(exact), _to_pixels(known))))
    if settings.orphans:
        exact = note("orphans", _from_pixels(_mend_orphans(_to_pixels(exact), _to_pixels(known))))
    if settings.patterns:
        exact = note("patterns", _from_pixels(mend_patterns(_to_pixels(exact), _to_pixels(known))))
    return Exact(exact, changed)


def _align(frames: Frames, scale: int) -> Frames:
    """Each block of scale x scale pixels in its most frequent colour; of equally frequent ones, the first."""
    _, height, width, _ = frames.shape
    if scale == 1 or height % scale or width % scale:
        return frames
    aligned = np.empty_like(frames)
    for source, target in zip(_to_pixels(frames), aligned, strict=True):
        blocks = rearrange(source, "(h i) (w j) -> (h w) (i j)", i=scale, j=scale)
        chosen = _vote(blocks, np.ones(scale * scale, dtype=np.int64))[0]
        grid = rearrange(chosen, "(h w) -> h w", w=width // scale)
        target[...] = _from_pixels(np.repeat(np.repeat(grid, scale, axis=0), scale, axis=1))
    return aligned


def _limit_alpha(frames: Frames, known: Frames) -> Frames:
    """The nearest alpha that the reference has, or 0; of two equally near ones, the higher."""
    levels = np.flatnonzero(np.bincount(known[..., 3].ravel(), minlength=256))
    levels = np.union1d(levels, [0])[::-1]
    nearest = levels[np.abs(levels[:, None] - np.arange(256)).argmin(axis=0)]
    limited = frames.copy()
    limited[..., 3] = nearest[frames[..., 3]]
    return clear_hidden(limited)


def _choose_palette(known: Frames, colours: NDArray[np.uint8] | int | None) -> NDArray[np.uint8]:
    """Colours (P, 3). All that the reference shows where nothing else is asked for: there may be thousands."""
    if isinstance(colours, int):
        return collect_palette(known, colours)
    if colours is not None:
        if colours.ndim != 2 or colours.shape[1] != 3 or not len(colours):
            raise ValueError(f"a palette is uint8 (P, 3) with P >= 1, not {colours.shape}")
        return colours
    shown = known[known[..., 3] > 0][:, :3]
    return unpack_colours(np.unique(pack_colours(shown))) if len(shown) else collect_palette(known)


def _limit_colours(frames: Frames, palette: NDArray[np.uint8]) -> Frames:
    """Every visible pixel in the colour of the palette that looks nearest; alpha stays."""
    shown = frames[..., 3] > 0
    limited = frames.copy()
    distinct, where = np.unique(pack_colours(frames[shown][:, :3]), return_inverse=True)
    if len(distinct):
        limited[shown, :3] = palette[find_nearest(distinct, palette)][where]
    return limited


def _mend_outline(pixels: Pixels, known: Pixels) -> Pixels:
    """Take colours off the rim of the silhouette that the reference has inside alone."""
    rim = _find_rim(known)
    values, counts = np.unique(known[known > 0], return_counts=True)
    on_rim = np.unique(known[rim])
    inside_only = np.setdiff1d(values[counts >= _MIN_SEEN], on_rim)
    if not len(inside_only) or not len(on_rim):
        return pixels
    mended = pixels.copy()
    for source, target, there in zip(pixels, mended, _find_rim(pixels), strict=True):
        rows, columns = np.nonzero(there & np.isin(source, inside_only))
        if not len(rows):
            continue
        # The rim beside it says which colour the rim has here; where it says nothing, nothing is done.
        allowed = np.where(there & np.isin(source, on_rim), source, 0)
        chosen, votes = _vote(_gather(allowed, rows, columns), _WEIGHTS, ignore=0)
        target[rows, columns] = np.where(votes >= _MIN_VOTES, chosen, source[rows, columns])
    return mended


def _mend_orphans(pixels: Pixels, known: Pixels) -> Pixels:
    """Make single pixels like their neighbours where the reference has none like them among such neighbours."""
    legal = np.unique(np.concatenate([_list_orphans(frame).kinds for frame in known]))
    mended = pixels.copy()
    for frame in mended:
        for _ in range(_MAX_ROUNDS):
            found = _list_orphans(frame)
            strange = ~np.isin(found.kinds, legal) & (found.agreeing >= _MIN_AGREEING)
            if not strange.any():
                break
            frame[found.rows[strange], found.columns[strange]] = found.most[strange]
    return mended


class _Orphans(NamedTuple):
    """The pixels of a frame that are unlike all their neighbours, (N,) each."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    most: Pixels
    """The most frequent neighbour."""
    agreeing: NDArray[np.int64]
    """How many of the neighbours are like that."""
    kinds: NDArray[np.uint64]
    """The pixel and that neighbour as one number."""


def _list_orphans(frame: Pixels) -> _Orphans:
    height, width = frame.shape
    padded = np.pad(frame, 1)
    alone = np.ones(frame.shape, dtype=bool)
    for down, right in _AROUND:
        alone &= frame != padded[1 + down : 1 + down + height, 1 + right : 1 + right + width]
    rows, columns = np.nonzero(alone)
    around = _gather(frame, rows, columns)
    most, _ = _vote(around, _WEIGHTS)
    agreeing = (around == most[:, None]).sum(axis=1)
    kinds = frame[rows, columns].astype(np.uint64) << np.uint64(32) | most
    return _Orphans(rows, columns, most, agreeing, kinds)


def _find_rim(pixels: Pixels) -> NDArray[np.bool_]:
    """Visible pixels (T, H, W) with a transparent one at an edge; beyond the frame, nobody knows."""
    shown = np.pad(pixels > 0, ((0, 0), (1, 1), (1, 1)), constant_values=True)
    _, height, width = pixels.shape
    inside = np.ones(pixels.shape, dtype=bool)
    for down, right in _AROUND[:_EDGE_NEIGHBOURS]:
        inside &= shown[:, 1 + down : 1 + down + height, 1 + right : 1 + right + width]
    return (pixels > 0) & ~inside


def _gather(frame: Pixels, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Pixels:
    """The eight neighbours (N, 8) of pixels of one frame (H, W); beyond its edges they are transparent."""
    padded = np.pad(frame, 1)
    return np.stack([padded[rows + 1 + down, columns + 1 + right] for down, right in _AROUND], axis=1)


def _vote(values: Pixels, weights: NDArray[np.int64], ignore: int | None = None) -> tuple[Pixels, NDArray[np.int64]]:
    """The value with the most weight in each row of (N, K), the first of several, and its weight, (N,) both.

    Values equal to `ignore` have no vote.
    """
    scores = np.zeros(values.shape, dtype=np.int64)
    for place, weight in enumerate(weights):
        same = values == values[:, place : place + 1]
        scores += weight * (same if ignore is None else same & (values != ignore))
    best = scores.argmax(axis=1)
    rows = np.arange(len(values))
    return values[rows, best], scores[rows, best]


def _to_pixels(frames: Frames) -> Pixels:
    """RGBA (..., 4) as one number each; 0 is transparent, since hidden colours are cleared."""
    return np.ascontiguousarray(frames).view(np.uint32)[..., 0]


def _from_pixels(pixels: Pixels) -> Frames:
    """Undo `_to_pixels`."""
    return np.ascontiguousarray(pixels)[..., None].view(np.uint8)
