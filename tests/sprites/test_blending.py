"""Tests of sprites.formats.blending."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bitpuppet.sprites.formats.blending import BLEND_MODES, blend_onto


def soften(b: float, s: float) -> float:
    if s <= 0.5:
        return b - (1 - 2 * s) * b * (1 - b)
    lighter = ((16 * b - 12) * b + 4) * b if b <= 0.25 else b**0.5
    return b + (2 * s - 1) * (lighter - b)


# As the W3C's Compositing and Blending Level 1 gives them, on 0..1; the last three are Aseprite's own.
FORMULAS: dict[str, Callable[[float, float], float]] = {
    "normal": lambda b, s: s,
    "multiply": lambda b, s: b * s,
    "screen": lambda b, s: b + s - b * s,
    "overlay": lambda b, s: 2 * b * s if b < 0.5 else 1 - 2 * (1 - b) * (1 - s),
    "darken": min,
    "lighten": max,
    "color_dodge": lambda b, s: 0 if b == 0 else 1 if s == 1 else min(1, b / (1 - s)),
    "color_burn": lambda b, s: 1 if b == 1 else 0 if s == 0 else 1 - min(1, (1 - b) / s),
    "hard_light": lambda b, s: 2 * b * s if s < 0.5 else 1 - 2 * (1 - b) * (1 - s),
    "soft_light": soften,
    "difference": lambda b, s: abs(b - s),
    "exclusion": lambda b, s: b + s - 2 * b * s,
    "addition": lambda b, s: min(1, b + s),
    "subtract": lambda b, s: max(0, b - s),
    "divide": lambda b, s: 0 if b == 0 else 1 if s == 0 else min(1, b / s),
}


def blend(below: tuple[int, ...], above: tuple[int, ...], mode: str, opacity: int = 255) -> list[int]:
    canvas = np.array([[below]], dtype=np.uint8)
    blend_onto(canvas, np.array([[above]], dtype=np.uint8), BLEND_MODES.index(mode), opacity)
    return canvas[0, 0].tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("mode", FORMULAS)
def test_opaque_colours_follow_the_formula(mode: str) -> None:
    levels = np.array([0, 1, 40, 63, 64, 127, 128, 129, 200, 254, 255])
    below, above = (side.ravel() for side in np.meshgrid(levels, levels))
    canvas, source = np.full((1, len(below), 4), 255, np.uint8), np.full((1, len(below), 4), 255, np.uint8)
    canvas[0, :, :3], source[0, :, :3] = below[:, None], above[:, None]
    blend_onto(canvas, source, BLEND_MODES.index(mode), 255)
    wanted = [255 * FORMULAS[mode](b / 255, s / 255) for b, s in zip(below, above, strict=True)]
    # Two levels: 8-bit products and quotients are rounded at each step.
    assert np.abs(canvas[0, :, 0] - np.array(wanted)).max() <= 2
    assert (canvas[..., 3] == 255).all()


@pytest.mark.parametrize("mode", BLEND_MODES)
def test_every_mode_leaves_the_canvas_where_nothing_is_and_covers_where_it_is_empty(mode: str) -> None:
    assert blend((10, 20, 30, 200), (90, 80, 70, 0), mode) == [10, 20, 30, 200]
    assert blend((10, 20, 30, 200), (90, 80, 70, 255), mode, 0) == [10, 20, 30, 200]
    assert blend((0, 0, 0, 0), (90, 80, 70, 160), mode) == [90, 80, 70, 160]


@pytest.mark.parametrize("mode", BLEND_MODES)
def test_half_of_a_blend_is_between_none_and_all(mode: str) -> None:
    rng = np.random.default_rng(0)
    canvas, source = rng.integers(0, 256, (2, 20, 20, 4), dtype=np.uint8)
    canvas[..., 3] = source[..., 3] = 255
    none, half, whole = canvas.copy(), canvas.copy(), canvas.copy()
    blend_onto(half, source, BLEND_MODES.index(mode), 128)
    blend_onto(whole, source, BLEND_MODES.index(mode), 255)
    low, high = np.minimum(none, whole).astype(int), np.maximum(none, whole).astype(int)
    assert ((half >= low - 1) & (half <= high + 1)).all()


def test_colour_modes_take_hue_and_light_from_one_side_each() -> None:
    below, above = (200, 100, 50, 255), (20, 60, 220, 255)
    weights = np.array([0.3, 0.59, 0.11])

    def measure(colour: list[int] | tuple[int, ...]) -> float:
        return float(np.array(colour[:3]) @ weights)

    for mode in ("hsl_hue", "hsl_saturation", "hsl_color"):
        assert abs(measure(blend(below, above, mode)) - measure(below)) <= 2
    assert abs(measure(blend(below, above, "hsl_luminosity")) - measure(above)) <= 2
    blue = blend(below, above, "hsl_color")
    assert blue.index(max(blue[:3])) == 2
    still_red = blend(below, above, "hsl_luminosity")
    assert still_red.index(max(still_red[:3])) == 0


def test_large_canvases_are_blended_in_parts() -> None:
    rng = np.random.default_rng(0)
    canvas, source = rng.integers(0, 256, (2, 300, 700, 4), dtype=np.uint8)
    parts = canvas.copy()
    blend_onto(canvas, source, 1, 200)
    for row in range(300):
        blend_onto(parts[row : row + 1], source[row : row + 1], 1, 200)
    assert np.array_equal(canvas, parts)
