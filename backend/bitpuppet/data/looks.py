"""Looks: a clip as somebody else would show it, so that few people become more of them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bitpuppet.data.augmentation import draw_colour_map, recolour

Frames = NDArray[np.uint8]
MOST_DEGREES = 8.0
LEAST_ZOOM, MOST_ZOOM = 0.9, 1.2


class Look(NamedTuple):
    """What is done to all frames of a person alike."""

    mirrored: bool
    degrees: float
    """Counter-clockwise."""
    zoom: float
    """Above 1 is nearer."""
    matrix: NDArray[np.float32]
    """Of colours, with `gains`: see `recolour`."""
    gains: NDArray[np.float32]


def draw_look(rng: np.random.Generator) -> Look:
    """A look at random; half of them are mirrored."""
    mirrored = bool(rng.random() < 0.5)
    degrees, zoom = rng.uniform(-MOST_DEGREES, MOST_DEGREES), rng.uniform(LEAST_ZOOM, MOST_ZOOM)
    return Look(mirrored, float(degrees), float(zoom), *draw_colour_map(rng))


def change_look(frames: Frames, look: Look) -> Frames:
    """Square RGBA frames, uint8 (T, S, S, 4), in another look; borders are repeated where the picture ends."""
    side = frames.shape[1]
    room = side // 4
    wide = np.pad(frames, ((0, 0), (room, room), (room, room), (0, 0)), mode="edge")
    across = -1.0 if look.mirrored else 1.0
    cosine, sine = (turn(math.radians(look.degrees)) / look.zoom for turn in (math.cos, math.sin))
    middle, centre = side / 2, side / 2 + room
    # From a place in the result to the place in the padded frame that is seen there, as Pillow wants it.
    turned = np.array([[across * cosine, -across * sine], [sine, cosine]])
    start = centre - turned @ (middle, middle)
    places = (*turned[0], start[0], *turned[1], start[1])
    moved = [
        np.asarray(
            Image.fromarray(frame).transform((side, side), Image.Transform.AFFINE, places, Image.Resampling.BICUBIC)
        )
        for frame in wide
    ]
    return recolour(np.stack(moved), look.matrix, look.gains)
