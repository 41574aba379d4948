"""Colour ramps and schemes: a puppet's palette is seven ramps of four tones and four single colours."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray

RGB = tuple[int, int, int]

SKIN, HAIR, TOP, BOTTOM, BOOT, TRIM, METAL = range(7)
"""Materials. Index 0 of an index image is transparent; tone t of material m is 1 + 4 * m + t."""
EDGE, SHADOW, BASE, LIGHT = range(4)
"""Tones of a ramp, dark to light. EDGE also serves as the outline in the material's own colour."""
BLACK, WHITE, IRIS, GLOW = range(29, 33)
"""Indices of the single colours."""
COLOURS = 33

_HUMAN = ((24, 42, 94), (22, 50, 84), (20, 55, 70), (18, 58, 56), (16, 56, 42), (26, 34, 98))
_ODD = ((100, 46, 66), (205, 34, 78), (275, 34, 72), (4, 62, 72), (80, 12, 72), (165, 36, 72))
_HAIRS = (
    (28, 62, 42), (18, 66, 30), (42, 68, 88), (10, 76, 66), (240, 26, 26), (0, 2, 82), (205, 60, 66), (320, 50, 78),
    (140, 46, 50), (268, 46, 56), (30, 78, 74), (52, 30, 96),
)  # fmt: skip
_CLOTH = (
    (2, 72, 74), (214, 66, 72), (132, 52, 56), (276, 48, 62), (28, 74, 84), (188, 58, 62), (46, 70, 86), (330, 52, 78),
    (210, 16, 46), (30, 28, 86), (256, 58, 54), (92, 50, 60), (16, 58, 54), (225, 40, 32),
)  # fmt: skip
_PLAIN = (
    (216, 32, 42),
    (26, 42, 44),
    (232, 26, 34),
    (40, 26, 62),
    (120, 24, 36),
    (350, 30, 40),
    (0, 4, 58),
    (34, 36, 76),
)
_LEATHER = ((22, 56, 42), (16, 50, 32), (30, 58, 56), (232, 24, 30), (10, 54, 46), (34, 30, 64))
_METALS = ((216, 12, 78), (210, 20, 66), (42, 56, 88), (24, 42, 74), (250, 16, 58), (190, 14, 84))
_IRISES = ((214, 70, 56), (26, 60, 36), (130, 60, 42), (250, 40, 26), (355, 70, 52), (285, 50, 50))
_GLOWS = ((190, 34, 100), (54, 46, 100), (300, 32, 100), (110, 36, 100), (20, 46, 100))
_FUR = (
    (28, 52, 64), (32, 30, 84), (220, 10, 52), (18, 60, 48), (36, 60, 88), (230, 18, 34), (0, 3, 90), (205, 36, 70),
    (288, 30, 66), (12, 62, 76),
)  # fmt: skip
_FEATHER = (
    (48, 72, 94),
    (204, 62, 84),
    (4, 68, 82),
    (130, 48, 68),
    (0, 3, 92),
    (232, 30, 40),
    (28, 52, 62),
    (318, 42, 86),
)
_GHOSTS = ((200, 14, 96), (160, 26, 92), (280, 22, 92), (50, 14, 97), (340, 22, 94), (220, 40, 52))
_PLATES = (
    (210, 22, 74),
    (14, 58, 76),
    (46, 58, 84),
    (150, 30, 62),
    (220, 34, 48),
    (0, 3, 82),
    (200, 52, 68),
    (275, 26, 62),
)


def _to_rgb(hue: float, saturation: float, value: float) -> RGB:
    """RGB bytes of hue in degrees and saturation and value in percent, each clamped to its range."""
    s, v = min(max(saturation, 0.0), 100.0) / 100.0, min(max(value, 0.0), 100.0) / 100.0
    r, g, b = colorsys.hsv_to_rgb((hue % 360.0) / 360.0, s, v)
    return (int(r * 255 + 0.5), int(g * 255 + 0.5), int(b * 255 + 0.5))


def _shift_hue(hue: float, target: float, degrees: float) -> float:
    """Hue moved towards target by at most the given degrees, the short way round."""
    gap = (target - hue + 180.0) % 360.0 - 180.0
    return hue + max(-degrees, min(degrees, gap))


def make_ramp(colour: tuple[int, int, int]) -> tuple[RGB, RGB, RGB, RGB]:
    """Four tones, dark to light, of a base colour (hue degrees, saturation %, value %).

    Shadows turn towards blue-violet and lights towards yellow, as pixel artists shade.
    """
    h, s, v = colour
    cold = 0 if s > 5 else 250
    return (
        _to_rgb(_shift_hue(h or cold, 255, 26), min(s * 1.05 + 16, 84), v * 0.36),
        _to_rgb(_shift_hue(h or cold, 255, 14), min(s * 1.08 + 9, 88), v * 0.70),
        _to_rgb(h, s, v),
        _to_rgb(_shift_hue(h, 55, 12), s * 0.74, min(v * 1.18 + 5, 100)),
    )


def _pick(rng: np.random.Generator, table: tuple[tuple[int, int, int], ...]) -> tuple[int, int, int]:
    h, s, v = table[int(rng.integers(len(table)))]
    if s < 6:
        return h, s, v
    jitter = rng.integers(-6, 7, size=3)
    return int((h + jitter[0]) % 360), int(max(s + jitter[1], 6)), int(min(max(v + jitter[2], 20), 100))


def _pick_apart(
    rng: np.random.Generator, table: tuple[tuple[int, int, int], ...], others: list[tuple[int, int, int]]
) -> tuple[int, int, int]:
    """A colour of the table that is not mistaken for any of the others (best of six draws)."""
    draws = [_pick(rng, table) for _ in range(6)]

    def gap(a: tuple[int, int, int]) -> int:
        x = _to_rgb(*a)
        return min(sum(abs(p - q) for p, q in zip(x, _to_rgb(*b), strict=True)) for b in others)

    for draw in draws:
        if gap(draw) > 150:
            return draw
    return max(draws, key=gap)


def make_palette(rng: np.random.Generator, plan: str) -> tuple[RGB, ...]:
    """The 33 colours of a puppet of that plan, by index; entry 0 stands for transparency and is never shown."""
    if plan == "quadruped":
        skin = _pick(rng, _FUR)
        hair = _pick_apart(rng, _FUR, [skin])
    elif plan == "bird":
        skin = _pick(rng, _FEATHER)
        hair = _pick_apart(rng, _FEATHER, [skin])
    elif plan == "ghost":
        skin = _pick(rng, _GHOSTS)
        hair = _pick_apart(rng, _HAIRS, [skin])
    elif plan == "robot":
        skin = _pick(rng, _PLATES)
        hair = _pick_apart(rng, _PLATES, [skin])
    else:
        skin = _pick(rng, _HUMAN if rng.integers(100) < 72 else _ODD)
        hair = _pick_apart(rng, _HAIRS, [skin])
    top = _pick_apart(rng, _CLOTH, [skin, hair])
    bottom = _pick_apart(rng, _PLAIN, [top, skin])
    boot = _pick_apart(rng, _LEATHER, [bottom, skin])
    if plan == "bird":
        boot = (36 + int(rng.integers(-14, 12)), 78, 90)
    trim = _pick_apart(rng, _CLOTH, [top, hair, skin])
    metal = _pick_apart(rng, _METALS, [skin, top])
    colours: list[RGB] = [(0, 0, 0)]
    for base in (skin, hair, top, bottom, boot, trim, metal):
        colours += make_ramp(base)
    colours += [_to_rgb(250, 40, 12), _to_rgb(210, 4, 98), _to_rgb(*_pick(rng, _IRISES)), _to_rgb(*_pick(rng, _GLOWS))]
    return tuple(colours)


def tabulate_palette(palette: tuple[RGB, ...]) -> NDArray[np.uint8]:
    """Palette as a lookup table (33, 4): RGBA of each index, all zero for index 0."""
    table = np.zeros((len(palette), 4), dtype=np.uint8)
    table[1:, :3] = np.array(palette[1:], dtype=np.uint8)
    table[1:, 3] = 255
    return table
