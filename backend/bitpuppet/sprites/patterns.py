"""What stands around a pixel: colours that the reference never shows in such a place give way to the one it shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint32]
_REACH = 2
"""Of the neighbourhood: 5 x 5 pixels. With 3 x 3, more true pixels were spoilt than wrong ones mended."""
_AROUND = tuple(
    (down, right)
    for down in range(-_REACH, _REACH + 1)
    for right in range(-_REACH, _REACH + 1)
    if (down, right) != (0, 0)
)
_MIN_SEEN = 3
"""Times that the reference, mirrored too, must show a neighbourhood before it is a rule. With 2, more was mended in
swaps between Sprites characters, but five times as many true pixels were spoilt (133 and 56 in 24 swaps; 77 and 11
with 3)."""
_MAX_WAITING = 1 << 20
"""Places held before equal ones are joined; 30 MB."""
*_FACTORS, _MIDDLE = np.random.default_rng(2018).integers(1, 2**63, len(_AROUND) + 1, dtype=np.uint64) | np.uint64(1)


def mend_patterns(pixels: Pixels, known: Pixels) -> Pixels:
    """Frames (T, H, W) in which each pixel agrees with its 24 neighbours as far as the reference (N, h, w) tells.

    Where the reference shows exactly these neighbours three times or more, mirrored or not, and always with one
    colour in their middle, the pixel becomes that colour. All pixels are looked at as they came. Pixels of a frame
    that is in the reference stay: its own neighbourhoods are there, with its own colours.
    """
    rules, colours = _learn(known)
    mended = pixels.copy()
    if not len(rules):
        return mended
    for frame, target in zip(pixels, mended, strict=True):
        around = _describe(frame)
        place = np.searchsorted(rules, around).clip(max=len(rules) - 1)
        found = rules[place] == around
        target[found] = colours[place][found]
    return mended


class _Places(NamedTuple):
    """What stands where in the reference, (P,) each: neighbourhood and middle as one number, both, and how often."""

    keys: NDArray[np.uint64]
    around: NDArray[np.uint64]
    middles: Pixels
    counts: NDArray[np.int64]


def _learn(known: Pixels) -> tuple[NDArray[np.uint64], Pixels]:
    """Neighbourhoods that decide what stands in their middle, sorted, and that colour, (R,) both."""
    gathered: list[_Places] = []
    waiting = 0
    for frame in _mirror(known):
        around, middles = _describe(frame).ravel(), frame.ravel()
        keys = around + _mix(middles.astype(np.uint64), _MIDDLE)
        gathered.append(_join([_Places(keys, around, middles, np.ones(len(keys), np.int64))]))
        waiting += len(gathered[-1].keys)
        if waiting > _MAX_WAITING:
            # A reference of many frames has few places that differ: they are brought together now and then.
            gathered, waiting = [_join(gathered)], 0
    places = _join(gathered)
    rules, first, kinds = np.unique(places.around, return_index=True, return_counts=True)
    sure = (kinds == 1) & (places.counts[first] >= _MIN_SEEN)
    return rules[sure], places.middles[first[sure]]


def _join(parts: list[_Places]) -> _Places:
    """Equal places as one, with all they counted."""
    keys, first, where = np.unique(
        np.concatenate([part.keys for part in parts]), return_index=True, return_inverse=True
    )
    counts = np.bincount(where.ravel(), np.concatenate([part.counts for part in parts]), len(keys))
    around = np.concatenate([part.around for part in parts])[first]
    middles = np.concatenate([part.middles for part in parts])[first]
    return _Places(keys, around, middles, counts.astype(np.int64))


def _mirror(known: Pixels) -> Iterator[Pixels]:
    for frame in known:
        yield frame
        yield frame[:, ::-1]


def _describe(frame: Pixels) -> NDArray[np.uint64]:
    """The neighbours of each pixel (H, W) as one number; beyond the edges they are transparent.

    Different neighbours with one number are as likely as 1 in 10^19.
    """
    height, width = frame.shape
    padded = np.pad(frame.astype(np.uint64), _REACH)
    total = np.zeros(frame.shape, np.uint64)
    for (down, right), factor in zip(_AROUND, _FACTORS, strict=True):
        top, left = _REACH + down, _REACH + right
        total += _mix(padded[top : top + height, left : left + width], factor)
    return total


def _mix(colours: NDArray[np.uint64], factor: np.uint64) -> NDArray[np.uint64]:
    """Other numbers for colours. Each step can be undone, so that no two of them get one number."""
    mixed = (colours + np.uint64(1)) * factor
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return np.asarray(mixed ^ (mixed >> np.uint64(32)))
