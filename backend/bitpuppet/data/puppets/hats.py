"""Hats, helmets and hoods, drawn on a head shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bitpuppet.data.puppets.canvas import Mask, ink
from bitpuppet.data.puppets.palettes import BOOT, EDGE, GLOW, LIGHT, METAL, SHADOW, TOP, TRIM

if TYPE_CHECKING:
    from bitpuppet.data.puppets.heads import HeadShape

_COVERING = frozenset({"helm", "hood", "horns", "plume", "kerchief"})


def hides_hair(hat: str) -> bool:
    """Whether no hair or ears show under the hat."""
    return hat in _COVERING


def draw_hat(shape: HeadShape, hat: str) -> None:
    """Draw the named hat ("none" draws nothing) in the shape's view."""
    if hat in ("helm", "horns", "plume"):
        _draw_helm(shape, hat)
    elif hat == "wizard":
        _draw_wizard(shape)
    elif hat == "hood":
        _draw_hood(shape, TOP)
    elif hat == "kerchief":
        _draw_kerchief(shape)
    elif hat in ("cap", "feather"):
        _draw_cap(shape, hat == "feather")
    elif hat == "straw":
        _draw_straw(shape)
    elif hat in ("crown", "tiara"):
        _draw_crown(shape, hat == "crown")
    elif hat in ("band", "mask"):
        _draw_band(shape, hat == "mask")


def _dome(shape: HeadShape, grow: int, low: float) -> Mask:
    return shape.grown(grow) & (shape.y < shape.row(low))


def _thick(shape: HeadShape) -> int:
    """Pixels by which hats stand off the skull."""
    return 1 if shape.head < 24 else 2


def _draw_helm(shape: HeadShape, kind: str) -> None:
    c, half, head, g = shape.canvas, shape.half, shape.head, _thick(shape)
    side = shape.view == "side"
    if shape.view == "back":
        mask = _dome(shape, g, 0.95)
    else:
        opening = (np.abs(shape.x) < half - max(1, half // 4)) if not side else (shape.x > half * 0.1)
        opening = opening & (shape.y > shape.row(0.42))
        mask = _dome(shape, g, 0.98 if head > 9 else 0.8) & ~opening
    c.paint(mask, shape.lit(METAL, 1.15))
    band = max(1, head // 12)
    rim = _dome(shape, g, 0.42) & (shape.y > shape.row(0.42) - band)
    c.paint(rim, ink(METAL, SHADOW))
    if shape.view == "front":
        c.fill(-1 if head < 20 else -2, shape.row(0.36), 1 if head < 20 else 2, shape.row(0.62), ink(METAL, LIGHT))
    if kind == "helm" and head > 9:
        wide = max(1, half // 6)
        if side:
            c.paint(shape.grown(g + 1) & ~shape.grown(g) & (shape.y < shape.row(0.35)), ink(TRIM))
        else:
            c.fill(-wide, -head - g - 1, wide, shape.row(0.3), ink(TRIM))
    if kind == "horns":
        tall = max(2, head // 4)
        for s in (-1, 1) if not side else (1,):
            for i in range(tall + 2):
                wide = 2 if i < tall - 1 and head > 9 else 1
                x = (half + g + min(i, 2) - (i > tall)) if not side else -1 + i // 3
                x = x if s > 0 else -x - wide
                c.fill(
                    x, shape.row(0.3) - i, x + wide, shape.row(0.3) - i + 1, ink(BOOT, LIGHT if i > tall // 2 else 2)
                )
    if kind == "plume":
        tall = max(2, head // 3)
        for i in range(tall):
            wide = max(1, half // 4) + (i * 2 // tall)
            x = -wide if not side else -wide - 1 - i // 2 + (0 if i < tall - 1 else -1)
            y = -head - g - i
            c.fill(x, y, x + 2 * wide, y + 1, ink(TRIM, LIGHT if i > tall // 2 else 2))
        if side:
            for i in range(max(2, head // 2)):
                c.fill(
                    -half - g - 1, -head + i, -half - g + 1, -head + i + 1, ink(TRIM, SHADOW if i > head // 4 else 2)
                )
            c.fill(-half - g, -head - g, 0, -head - g + max(1, head // 9), ink(TRIM))


def _draw_wizard(shape: HeadShape) -> None:
    c, half, head, g = shape.canvas, shape.half, shape.head, _thick(shape)
    brim = shape.row(0.3)
    tall = int(head * 0.62)
    bend = {"front": 1, "side": -1, "back": -1}[shape.view]
    for i in range(tall + 1):
        t = i / tall
        wide = (half - 0.5) * (1.0 - t) + 0.8
        lean = int(t * t * half * 0.5 + 0.5) * bend
        w = int(wide + 0.5)
        y = brim - i - 1
        c.fill(lean - w, y, lean + w, y + 1, ink(TRIM))
        c.fill(lean - w, y, lean - w + max(1, w // 3), y + 1, ink(TRIM, LIGHT))
        c.fill(lean + w - max(1, w // 2), y, lean + w, y + 1, ink(TRIM, SHADOW))
    band = max(1, head // 9)
    c.fill(-half, brim - band, half, brim, ink(METAL))
    c.fill(half - half // 2, brim - band, half, brim, ink(METAL, SHADOW))
    if shape.view == "front" and head > 12:
        c.fill(-1, brim - band, 1, brim, GLOW)
    deep = 1 if head < 16 else 2
    reach = half + max(2, half // 3)
    c.fill(-reach, brim, reach, brim + deep, ink(TRIM))
    c.fill(-reach, brim, 0, brim + 1, ink(TRIM, LIGHT))
    c.fill(-reach + 1, brim + deep - 1, reach - 1, brim + deep, ink(TRIM, SHADOW))
    if shape.view != "back" and g and head > 9:
        face = shape.skull & (shape.y > brim + deep) & (shape.y < brim + deep + 1)
        c.paint(face, np.where(c.index <= 4, np.uint8(2), c.index))


def _draw_hood(shape: HeadShape, material: int) -> None:
    c, half, head, g = shape.canvas, shape.half, shape.head, _thick(shape)
    x, y = shape.x, shape.y
    mask = shape.grown(g) & (y < 1)
    if shape.view == "front":
        cy, ry, rx = -head * 0.36, head * 0.36, half * 0.78
        u, v = x / rx, (y - cy) / ry
        mask &= u * u + np.where(v < 0, v * v, 0.0) > 1.0
    elif shape.view == "side":
        cy, ry, rx = -head * 0.36, head * 0.36, half * 0.95
        u, v = (x - half) / rx, (y - cy) / ry
        mask &= u * u + np.where(v < 0, v * v, 0.0) > 1.0
    c.paint(mask, shape.lit(material, 1.0))
    if head >= 10 and shape.view != "back":
        inner = ~mask & shape.grown(g)
        near = np.zeros_like(mask)
        near[1:] |= mask[:-1]
        c.paint(inner & near & (y < -head * 0.4), ink(0, SHADOW))
    tip = max(1, head // 8)
    if shape.view == "side":
        for i in range(tip + 1):
            c.fill(-half - g - i, shape.row(0.1) + i, -half // 2, shape.row(0.1) + i + 1, ink(material, 2))
    elif head > 9:
        c.fill(-1, -head - g - tip + 1, 1, -head - g + 1, ink(material, LIGHT))
    if shape.view == "back":
        c.fill(0, shape.row(0.15), 1, shape.row(0.8), ink(material, SHADOW))


def _draw_kerchief(shape: HeadShape) -> None:
    c, half, head = shape.canvas, shape.half, shape.head
    low = 0.36 if shape.view == "front" else 0.8
    mask = _dome(shape, _thick(shape), low)
    if shape.view == "side":
        mask &= (shape.y < shape.row(0.36)) | (shape.x < half * 0.2 - (shape.y - shape.row(0.36)))
    c.paint(mask, shape.lit(TRIM))
    if head > 10:
        for i in range(-half + 1, half, 3):
            c.dot(i, shape.row(0.12 + 0.14 * ((i // 3) % 2)), ink(TRIM, LIGHT))
    if shape.view == "side":
        c.fill(-half - 2, shape.row(0.7), -half, shape.row(0.7) + max(1, head // 8), ink(TRIM, SHADOW))


def _draw_cap(shape: HeadShape, feather: bool) -> None:
    c, half, head, g = shape.canvas, shape.half, shape.head, _thick(shape)
    c.paint(_dome(shape, g + (1 if head > 12 else 0), 0.3), shape.lit(TRIM))
    low = shape.row(0.3)
    deep = max(1, head // 14)
    if shape.view == "side":
        c.fill(0, low - deep, half + max(2, half // 2), low, ink(TRIM, SHADOW))
    elif shape.view == "front":
        c.fill(-half - g, low - deep, half + g, low + (1 if head > 12 else 0), ink(TRIM, SHADOW))
    else:
        c.fill(-half - g, low - deep, half + g, low, ink(TRIM, SHADOW))
    if feather:
        s = {"front": 1, "back": -1, "side": -1}[shape.view]
        for i in range(max(3, head // 2)):
            x = s * (half - 1 + i // 2)
            c.fill(
                x, low - deep - 1 - i, x + (2 if head > 12 else 1), low - deep - i, ink(METAL, LIGHT if i % 3 else 2)
            )


def _draw_straw(shape: HeadShape) -> None:
    c, half, head = shape.canvas, shape.half, shape.head
    low = shape.row(0.34)
    dome = shape.grown(1) & (np.abs(shape.x) < half) & (shape.y < low)
    c.paint(dome, shape.lit(METAL))
    band = max(1, head // 9)
    c.paint(dome & (shape.y > low - band - 1), ink(TRIM))
    reach = half + max(2, half // 2)
    deep = 1 if head < 14 else 2
    c.fill(-reach + 1, low - 1, reach - 1, low, ink(METAL, LIGHT))
    c.fill(-reach, low, reach, low + deep - (deep > 1), ink(METAL))
    if deep > 1:
        c.fill(-reach + 1, low + 1, reach - 1, low + 2, ink(METAL, SHADOW))


def _draw_crown(shape: HeadShape, large: bool) -> None:
    c, half, head = shape.canvas, shape.half, shape.head
    w = half - (1 if large else 0) if head > 9 else half - 1
    base = shape.row(0.14) + (1 if not large else 0)
    deep = max(1, head // 10)
    tall = max(1, head // 7) if large else 1
    c.fill(-w, base - deep, w, base, ink(METAL))
    c.fill(-w, base - 1, w, base, ink(METAL, SHADOW))
    if shape.view == "side" and not large:
        c.fill(-w, base - deep, 0, base, ink(METAL, SHADOW))
    points = (-w, -w // 2 - 1, 0, w // 2, w - 1) if half > 6 else (-w, 0, w - 1)
    for x in points:
        wide = 2 if x == 0 and half > 6 else 1
        x0 = -1 if x == 0 and wide == 2 else x
        c.fill(x0, base - deep - tall, x0 + wide, base - deep, ink(METAL, LIGHT))
    if shape.view != "back":
        x = -1 if shape.view == "front" else half // 2
        c.fill(x, base - deep - (0 if large else 1), x + 2, base, ink(TRIM, LIGHT if large else 2))


def _draw_band(shape: HeadShape, mask_face: bool) -> None:
    c, half, head = shape.canvas, shape.half, shape.head
    thick = max(1, head // 9)
    row = shape.row(0.32)
    grown = shape.grown(1 if head > 9 else 0)
    c.paint(grown & (shape.y > row) & (shape.y < row + thick), ink(TRIM))
    c.paint(grown & (shape.x > half * 0.5) & (shape.y > row) & (shape.y < row + thick), ink(TRIM, SHADOW))
    if mask_face and shape.view != "back":
        low = shape.row(0.8)
        c.paint(shape.skull & (shape.y > low), ink(TRIM))
        c.paint(shape.skull & (shape.y > -1), ink(TRIM, SHADOW))
    if shape.view == "side":
        c.fill(-half - 3, row, -half, row + 1, ink(TRIM))
        c.fill(-half - 3, row + 1, -half - 2, row + 1 + max(1, head // 6), ink(TRIM, SHADOW))
    elif shape.view == "back":
        c.fill(0, row, 1, row + thick + max(1, head // 5), ink(TRIM, EDGE if head > 16 else SHADOW))
        c.fill(-2, row + thick, -1, row + thick + max(1, head // 6), ink(TRIM, SHADOW))
