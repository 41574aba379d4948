"""Index-colour canvas: masks and limbs are painted as palette indices, so that a puppet's palette is exact."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bitpuppet.data.puppets.palettes import BASE, BLACK, COLOURS, EDGE, LIGHT, SHADOW

Mask = NDArray[np.bool_]
Index = NDArray[np.uint8]


def _tone_table(shift: int) -> Index:
    table = np.arange(COLOURS, dtype=np.uint8)
    for i in range(1, BLACK):
        material, tone = divmod(i - 1, 4)
        table[i] = 1 + 4 * material + min(max(tone + shift, EDGE), LIGHT)
    return table


DARKER = _tone_table(-1)
DARKEST = _tone_table(-3)
DARKEST[BLACK:] = BLACK
RIM = np.where(DARKEST == BLACK, BLACK, DARKEST + 1).astype(np.uint8)
"""Softer outline: the shadow tone of the neighbour's material."""


def ink(material: int, tone: int = BASE) -> int:
    """Palette index of a tone of a material."""
    return 1 + 4 * material + tone


def nearest(value: float) -> int:
    """Nearest whole pixel, odd in the value so that left and right mirror each other."""
    return int(value + 0.5) if value >= 0 else -int(-value + 0.5)


def snap(value: float, thickness: int) -> int:
    """Nearest coordinate in half pixels on which a stroke of that thickness has crisp edges; odd in the value."""
    size = abs(value)
    half = 2 * int(size + 0.5) if thickness % 2 == 0 else 2 * int(size) + 1
    return half if value >= 0 else -half


class Canvas:
    """A palette index image whose pixel (0, 0) is `origin` (x, y) of the array; x grows right, y down."""

    def __init__(self, width: int, height: int, origin: tuple[int, int]) -> None:
        self.index: Index = np.zeros((height, width), dtype=np.uint8)
        self.origin = origin

    def grid(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centres of all pixels: x as (1, width), y as (height, 1), for masks made of comparisons."""
        h, w = self.index.shape
        return (
            (np.arange(w, dtype=np.float64) + 0.5 - self.origin[0])[None, :],
            (np.arange(h, dtype=np.float64) + 0.5 - self.origin[1])[:, None],
        )

    def paint(self, mask: Mask, colour: int | Index) -> None:
        """Set the masked pixels (mask of the canvas' shape) to an index or to those of an index image."""
        if isinstance(colour, int):
            self.index[mask] = colour
        else:
            self.index[mask] = colour[mask]

    def fill(self, x0: int, y0: int, x1: int, y1: int, colour: int) -> None:
        """Fill the pixels x0 <= x < x1, y0 <= y < y1."""
        ox, oy = self.origin
        if x1 > x0 and y1 > y0:
            self.index[max(y0 + oy, 0) : max(y1 + oy, 0), max(x0 + ox, 0) : max(x1 + ox, 0)] = colour

    def dot(self, x: int, y: int, colour: int) -> None:
        """Set one pixel."""
        self.fill(x, y, x + 1, y + 1, colour)

    def limb(
        self, a: tuple[int, int], b: tuple[int, int], width: tuple[int, int], material: int, tone: int = BASE
    ) -> None:
        """Stroke from a to b (half pixels, see `snap`) of width[0] pixels at a to width[1] at b, shaded."""
        tones, x0, y0 = _shade_limb(a[0] & 1, a[1] & 1, b[0] - a[0], b[1] - a[1], width[0], width[1])
        x, y = (a[0] >> 1) + x0 + self.origin[0], (a[1] >> 1) + y0 + self.origin[1]
        h, w = tones.shape
        top, left = max(-y, 0), max(-x, 0)
        tones = tones[top:, left:]
        part = self.index[y + top : y + h, x + left : x + w]
        tones = tones[: part.shape[0], : part.shape[1]]
        mask = tones > 0
        shades = np.array([0, max(tone - 1, EDGE), tone, min(tone + 1, LIGHT)], dtype=np.uint8) + (1 + 4 * material)
        part[mask] = shades[tones[mask]]

    def stamp(self, other: Canvas, at: tuple[int, int] = (0, 0), border: Index | None = None) -> None:
        """Paint another canvas with its pixel (0, 0) at the given pixel.

        With a border table, the pixels around it that are already painted are mapped through the table first, which
        separates the part from what is behind it.
        """
        ys, xs = np.nonzero(other.index.any(axis=1))[0], np.nonzero(other.index.any(axis=0))[0]
        if len(ys) == 0:
            return
        top, bottom, left, right = int(ys[0]), int(ys[-1]) + 1, int(xs[0]), int(xs[-1]) + 1
        source = np.zeros((bottom - top + 2, right - left + 2), dtype=np.uint8)
        source[1:-1, 1:-1] = other.index[top:bottom, left:right]
        y = top - 1 - other.origin[1] + at[1] + self.origin[1]
        x = left - 1 - other.origin[0] + at[0] + self.origin[0]
        cut_y, cut_x = max(-y, 0), max(-x, 0)
        mask = source > 0
        part = self.index[y + cut_y : y + source.shape[0], x + cut_x : x + source.shape[1]]
        h, w = part.shape
        source, inner = source[cut_y : cut_y + h, cut_x : cut_x + w], mask[cut_y : cut_y + h, cut_x : cut_x + w]
        if border is not None:
            ring = (grow_mask(mask) & ~mask)[cut_y : cut_y + h, cut_x : cut_x + w]
            part[ring] = border[part[ring]]
        part[inner] = source[inner]


@lru_cache(maxsize=16384)
def _shade_limb(px: int, py: int, dx: int, dy: int, first: int, last: int) -> tuple[Index, int, int]:
    """Tones (0 none, 1 shadow, 2 base, 3 light) of a stroke from (px, py) by (dx, dy) half pixels, and its corner."""
    ra, rb = first / 2.0, last / 2.0
    reach = max(ra, rb) + 1.0
    ax, ay = px / 2.0, py / 2.0
    bx, by = ax + dx / 2.0, ay + dy / 2.0
    x0, y0 = int(np.floor(min(ax, bx) - reach)), int(np.floor(min(ay, by) - reach))
    x1, y1 = int(np.ceil(max(ax, bx) + reach)), int(np.ceil(max(ay, by) + reach))
    x = (np.arange(x0, x1, dtype=np.float64) + 0.5)[None, :]
    y = (np.arange(y0, y1, dtype=np.float64) + 0.5)[:, None]
    vx, vy = bx - ax, by - ay
    length = vx * vx + vy * vy
    t = np.clip(((x - ax) * vx + (y - ay) * vy) / length, 0.0, 1.0) if length > 0 else np.zeros((y1 - y0, x1 - x0))
    ex, ey = x - (ax + t * vx), y - (ay + t * vy)
    r = ra + (rb - ra) * t
    # The margin keeps 2-pixel strokes from losing corners and 3-pixel ones from becoming plus signs.
    inside = ex * ex + ey * ey <= r * r + 0.3
    light = -(0.75 * ex + 0.66 * ey) / np.maximum(r, 0.5)
    tones = np.full(inside.shape, 2, dtype=np.uint8)
    if max(first, last) >= 7:
        # Straight terminators make large balls look like cut stones; these are round.
        u, v = ex / np.maximum(r, 0.5) + 0.38, ey / np.maximum(r, 0.5) + 0.46
        away = u * u + v * v
        tones[away > 1.6] = 1
        tones[away < 0.26] = 3
    elif max(first, last) >= 3:
        tones[light < -0.38] = 1
        if max(first, last) >= 5:
            tones[light > 0.55] = 3
    tones[~inside] = 0
    tones.setflags(write=False)
    return tones, x0, y0


def grow_mask(mask: Mask) -> Mask:
    """The mask and its four-neighbours, same shape."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown


def drop_orphans(index: Index) -> None:
    """Clear, in place, painted pixels that have no painted four-neighbour."""
    full = np.pad(index > 0, 1)
    near = full[:-2, 1:-1] | full[2:, 1:-1] | full[1:-1, :-2] | full[1:-1, 2:]
    index[~near] = 0


def outline(index: Index, style: str) -> None:
    """Draw, in place, a one-pixel outline around what is painted.

    Styles: black; own (darkest tone of what it surrounds); selective (own, with the softer rim on the lit upper left);
    none.
    """
    if style == "none":
        return
    padded = np.pad(index, 1)
    below, right = padded[2:, 1:-1], padded[1:-1, 2:]
    above, left = padded[:-2, 1:-1], padded[1:-1, :-2]
    ring = (index == 0) & ((below | right | above | left) > 0)
    if style == "black":
        index[ring] = BLACK
        return
    neighbour = np.where(above > 0, above, np.where(left > 0, left, np.where(right > 0, right, below)))
    shade = DARKEST[neighbour]
    if style == "selective":
        lit = ring & (above == 0) & (left == 0)
        shade = np.where(lit, RIM[neighbour], shade)
    index[ring] = shade[ring]


def shade_ball(
    x: NDArray[np.float64], y: NDArray[np.float64], half: tuple[float, float], material: int, contrast: float = 1.0
) -> Index:
    """Index image of a lit ball around (0, 0) with the given half axes: light upper left, shadow lower right.

    Contrast 1 is usual; less shrinks both light and shadow.
    """
    u, v = x / half[0] + 0.38, y / half[1] + 0.46
    away = (u * u + v * v) * contrast
    tones = np.full(away.shape, BASE, dtype=np.uint8)
    tones[away < 0.3 * contrast * contrast] = LIGHT
    tones[away > 1.75] = SHADOW
    return tones + np.uint8(1 + 4 * material)
