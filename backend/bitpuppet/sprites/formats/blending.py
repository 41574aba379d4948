"""One layer over another as Aseprite does it: 8-bit whole numbers, its rounding and its 19 blend modes.

The separable modes are those of the W3C's *Compositing and Blending Level 1*; products and quotients of channels are
rounded as in Aseprite, so that colours come out as in its own exports, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Channels = NDArray[np.int32]
NORMAL = 0
BLEND_MODES = (
    "normal",
    "multiply",
    "screen",
    "overlay",
    "darken",
    "lighten",
    "color_dodge",
    "color_burn",
    "hard_light",
    "soft_light",
    "difference",
    "exclusion",
    "hsl_hue",
    "hsl_saturation",
    "hsl_color",
    "hsl_luminosity",
    "addition",
    "subtract",
    "divide",
)
"""By their numbers in files; the names are those of Aseprite's JSON."""
_CHUNK_PIXELS = 1 << 17
"""Pixels blended at once: the intermediate numbers of a large canvas would fill the memory."""
_LUMINANCE = np.array([0.3, 0.59, 0.11])


def blend_onto(canvas: NDArray[np.uint8], source: NDArray[np.uint8], mode: int, opacity: int) -> None:
    """Blend `source` onto `canvas`, in place; both are straight-alpha RGBA (H, W, 4).

    `mode`: an index into BLEND_MODES. `opacity`: of the source, 0..255.
    """
    rows = max(1, _CHUNK_PIXELS // max(1, canvas.shape[1]))
    for start in range(0, len(canvas), rows):
        part = canvas[start : start + rows]
        part[...] = _blend(part, source[start : start + rows], mode, opacity)


def multiply_levels(a: Channels, b: Channels | int) -> Channels:
    """a * b / 255 for levels of 0..255, rounded; `a` may be negative."""
    product = a * b + 128
    return ((product >> 8) + product) >> 8


def _blend(canvas: NDArray[np.uint8], source: NDArray[np.uint8], mode: int, opacity: int) -> NDArray[np.uint8]:
    if mode == NORMAL and opacity == 255:
        solid = source[..., 3:]
        if np.isin(solid, (0, 255)).all():
            return np.where(solid > 0, source, canvas)
    below, above = canvas.astype(np.int32), source.astype(np.int32)
    normal = _cover(below, above, opacity)
    if mode == NORMAL:
        return normal.astype(np.uint8)
    mixed = above.copy()
    mixed[..., :3] = _MODES[BLEND_MODES[mode]](below[..., :3], above[..., :3])
    blended = _cover(below, mixed, opacity)
    # Where the canvas is half transparent, the mode counts only half.
    alpha = below[..., 3:]
    partly = _merge(normal, blended, alpha)
    full = _merge(partly, blended, multiply_levels(alpha, multiply_levels(above[..., 3:], opacity)))
    return np.where(alpha > 0, full, normal).astype(np.uint8)


def _cover(below: Channels, above: Channels, opacity: int) -> Channels:
    """`above` over `below`."""
    alpha = multiply_levels(above[..., 3:], opacity)
    total = alpha + below[..., 3:] - multiply_levels(below[..., 3:], alpha)
    scaled = (above[..., :3] - below[..., :3]) * alpha
    # C divides towards zero, numpy downwards.
    step = np.sign(scaled) * (np.abs(scaled) // np.maximum(total, 1))
    covered = np.concatenate([below[..., :3] + step, total], axis=-1)
    covered = np.where(above[..., 3:] == 0, below, covered)
    return np.where(below[..., 3:] == 0, np.concatenate([above[..., :3], alpha], axis=-1), covered)


def _merge(first: Channels, second: Channels, share: Channels) -> Channels:
    """From the first (share 0) to the second (255); what is transparent gives no colour."""
    colour = first[..., :3] + multiply_levels(second[..., :3] - first[..., :3], share)
    colour = np.where(second[..., 3:] == 0, first[..., :3], colour)
    colour = np.where(first[..., 3:] == 0, second[..., :3], colour)
    alpha = first[..., 3:] + multiply_levels(second[..., 3:] - first[..., 3:], share)
    return np.where(alpha > 0, np.concatenate([colour, alpha], axis=-1), 0)


def _divide_levels(a: Channels, b: Channels) -> Channels:
    """255 * a / b, rounded, for 0 <= a < b."""
    return (a * 255 + b // 2) // np.maximum(b, 1)


def _screen(below: Channels, above: Channels) -> Channels:
    return below + above - multiply_levels(below, above)


def _hard_light(below: Channels, above: Channels) -> Channels:
    dark = multiply_levels(below, above * 2)
    return np.where(above < 128, dark, _screen(below, above * 2 - 255))


def _divide(below: Channels, above: Channels) -> Channels:
    return np.where(below == 0, 0, np.where(below >= above, 255, _divide_levels(below, above)))


def _colour_dodge(below: Channels, above: Channels) -> Channels:
    return _divide(below, 255 - above)


def _colour_burn(below: Channels, above: Channels) -> Channels:
    return 255 - _divide(255 - below, above)


def _soft_light(below: Channels, above: Channels) -> Channels:
    b, s = below / 255.0, above / 255.0
    bright = np.where(b <= 0.25, ((16 * b - 12) * b + 4) * b, np.sqrt(b))
    soft = np.where(s <= 0.5, b - (1 - 2 * s) * b * (1 - b), b + (2 * s - 1) * (bright - b))
    return (soft * 255 + 0.5).astype(np.int32)


def _exclude(below: Channels, above: Channels) -> Channels:
    return below + above - 2 * multiply_levels(below, above)


def _hue(below: Channels, above: Channels) -> Channels:
    b, s = below / 255.0, above / 255.0
    return _with_luminance(_with_saturation(s, np.ptp(b, axis=-1)), b @ _LUMINANCE)


def _saturation(below: Channels, above: Channels) -> Channels:
    b, s = below / 255.0, above / 255.0
    return _with_luminance(_with_saturation(b, np.ptp(s, axis=-1)), b @ _LUMINANCE)


def _colour(below: Channels, above: Channels) -> Channels:
    return _with_luminance(above / 255.0, below / 255.0 @ _LUMINANCE)


def _luminosity(below: Channels, above: Channels) -> Channels:
    return _with_luminance(below / 255.0, above / 255.0 @ _LUMINANCE)


def _with_saturation(colour: NDArray[np.float64], saturation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours (H, W, 3) with another difference between their largest and smallest channel.

    Where channels are equal, Aseprite takes the same one for two of the three and leaves the third as it is; files
    look like that in the program, so here too.
    """
    r, g, b = (colour[..., channel] for channel in range(3))
    lower, higher = np.where(g < b, 1, 2), np.where(g > b, 1, 2)
    low = np.where(r < np.minimum(g, b), 0, lower)[..., None]
    high = np.where(r > np.maximum(g, b), 0, higher)[..., None]
    middle_above = np.where(g > b, 1, np.where(r > b, 2, 0))  # r > g
    middle_below = np.where(g > b, np.where(b > r, 2, 0), 1)
    middle = np.where(r > g, middle_above, middle_below)[..., None]
    smallest, largest, between = (np.take_along_axis(colour, place, axis=-1) for place in (low, high, middle))
    coloured = largest > smallest
    spread = np.where(coloured, largest - smallest, 1)
    wanted = saturation[..., None]
    changed = colour.copy()
    np.put_along_axis(changed, middle, np.where(coloured, (between - smallest) * wanted / spread, 0), axis=-1)
    np.put_along_axis(changed, high, np.where(coloured, wanted, 0), axis=-1)
    np.put_along_axis(changed, low, 0, axis=-1)
    return changed


def _with_luminance(colour: NDArray[np.float64], luminance: NDArray[np.float64]) -> Channels:
    """Colours (H, W, 3) made lighter or darker, then drawn towards grey as far as a channel left its range."""
    colour = colour + (luminance - colour @ _LUMINANCE)[..., None]
    grey = (colour @ _LUMINANCE)[..., None]
    smallest, largest = colour.min(axis=-1, keepdims=True), colour.max(axis=-1, keepdims=True)
    low, high = smallest < 0, largest > 1
    colour = np.where(low, grey + (colour - grey) * grey / np.where(low, grey - smallest, 1), colour)
    colour = np.where(high, grey + (colour - grey) * (1 - grey) / np.where(high, largest - grey, 1), colour)
    return np.asarray((255.0 * colour).clip(0, 255).astype(np.int32))


_MODES: dict[str, Callable[[Channels, Channels], Channels]] = {
    "multiply": multiply_levels,
    "screen": _screen,
    "overlay": lambda below, above: _hard_light(above, below),
    "darken": np.minimum,
    "lighten": np.maximum,
    "color_dodge": _colour_dodge,
    "color_burn": _colour_burn,
    "hard_light": _hard_light,
    "soft_light": _soft_light,
    "difference": lambda below, above: np.abs(below - above),
    "exclusion": _exclude,
    "hsl_hue": _hue,
    "hsl_saturation": _saturation,
    "hsl_color": _colour,
    "hsl_luminosity": _luminosity,
    "addition": lambda below, above: np.minimum(below + above, 255),
    "subtract": lambda below, above: np.maximum(below - above, 0),
    "divide": _divide,
}
