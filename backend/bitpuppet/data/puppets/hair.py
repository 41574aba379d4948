"""Hair styles, drawn on a head shape: what hangs behind the face and what covers the skull."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bitpuppet.data.puppets.canvas import Mask, ink
from bitpuppet.data.puppets.palettes import EDGE, HAIR, LIGHT, SHADOW, TRIM

if TYPE_CHECKING:
    from bitpuppet.data.puppets.heads import HeadShape

_LONG = {"long": 1.32, "bob": 1.0, "curly": 0.95}


def _volume(shape: HeadShape, style: str) -> int:
    """Pixels by which hair stands off the skull."""
    if style in ("bald", "mohawk") or shape.head < 9:
        return 0
    return (2 if style == "curly" else 1) if shape.head < 22 else (3 if style == "curly" else 2)


def _paint(shape: HeadShape, mask: Mask) -> None:
    """Hair shading: a lit ball with a band of shine and a darker lower edge."""
    tones = shape.lit(HAIR, 1.05)
    if shape.head >= 11:
        shine = np.abs(shape.y - shape.row(0.2)) < max(1.0, shape.head / 14.0)
        shine = shine & (np.abs(shape.x + shape.half * 0.28) < shape.half * 0.38)
        tones = np.where(shine, np.uint8(ink(HAIR, LIGHT)), np.minimum(tones, np.uint8(ink(HAIR))))
    shape.canvas.paint(mask, tones.astype(np.uint8))


def draw_back_hair(shape: HeadShape, style: str, sway: int, stream: int) -> None:
    """What shows behind neck and face: long hair and tails (not for the back view, where it covers)."""
    c, half = shape.canvas, shape.half
    if style in _LONG:
        end = shape.row(_LONG[style])
        grow = _volume(shape, style)
        below = np.clip((shape.y - shape.row(0.7)) / max(shape.head * 0.6, 1.0), 0.0, 1.0)
        if shape.view == "front":
            x = shape.x - np.floor(below * sway + 0.5)
            mask = (np.abs(x) < half + grow) & (shape.y < end) & (shape.y > shape.row(0.3))
            mask &= ~((np.abs(x) > half + grow - 1) & (shape.y > end - 1))
        else:
            x = shape.x + np.floor(below * stream + 0.5)
            mask = (x < half * 0.1) & (x > -half - grow) & (shape.y < end) & (shape.y > shape.row(0.3))
            mask &= ~((x < -half - grow + 1) & (shape.y > end - 1))
        tones = np.where(shape.y > shape.row(0.75), ink(HAIR, SHADOW), ink(HAIR)) + 0 * shape.x
        c.paint(mask, tones.astype(np.uint8))
    elif style == "ponytail" and shape.view == "side":
        _draw_tail(shape, -half, shape.row(0.3), sway, stream, shape.head * 0.75)
    elif style == "pigtails" and shape.view == "front":
        for side in (-1, 1):
            _draw_tail(shape, side * (half + 1), shape.row(0.52), sway, side * -1, shape.head * 0.6)


def _draw_tail(shape: HeadShape, x: int, y: int, sway: int, stream: int, length: float) -> None:
    """A bound lock that falls from (x, y) and trails to the left by stream."""
    c = shape.canvas
    thick = max(2, shape.half // 3)
    rows = max(3, int(length))
    for i in range(rows):
        t = i / rows
        wide = thick if 0.15 < t < 0.75 else max(1, thick - 1)
        centre = x - int(t * stream + 0.5) - int(t * abs(sway) * 0.5) * (1 if sway > 0 else -1)
        left = centre - (wide + 1) // 2
        tone = LIGHT if 0.2 < t < 0.4 and shape.head > 12 else SHADOW if t > 0.7 else 2
        c.fill(left, y + i, left + wide, y + i + 1, ink(HAIR, tone))
    c.fill(x - 1, y, x + 1, y + 1, ink(TRIM))


def draw_hair(shape: HeadShape, style: str, sway: int, stream: int) -> None:
    """What covers the skull in this view."""
    c, half, head = shape.canvas, shape.half, shape.head
    if style == "bald":
        if head >= 11 and shape.view != "back":
            c.fill(-half // 2, shape.row(0.14), -half // 2 + max(1, half // 3), shape.row(0.14) + 1, ink(0, LIGHT))
        return
    grow = _volume(shape, style)
    over = shape.grown(grow) & (shape.y < shape.row(0.72 if style != "curly" else 0.85))
    x, y = shape.x, shape.y
    if style == "mohawk":
        _draw_mohawk(shape)
        return
    if shape.view == "back":
        end = {"long": 1.3, "bob": 1.0, "curly": 1.0}.get(style, 0.9)
        mask = shape.grown(grow) & (y < shape.row(end))
        if end > 1.0:
            below = np.clip((y - shape.row(0.7)) / max(head * 0.6, 1.0), 0.0, 1.0)
            hang = x - np.floor(below * sway + 0.5)
            tip = shape.row(end) - 1
            mask |= (np.abs(hang) < half + grow - (y > tip)) & (y > shape.row(0.5)) & (y < shape.row(end))
        _paint(shape, mask)
        if head >= 11:
            for i in range(-half + 2, half - 1, max(2, half // 3)):
                c.fill(i, shape.row(0.62 + 0.08 * (i % 2)), i + 1, shape.row(end) - 1, ink(HAIR, SHADOW))
        if style == "ponytail":
            _draw_tail(shape, 0, shape.row(0.4), sway, 0, head * 0.85)
        if style == "pigtails":
            for side in (-1, 1):
                _draw_tail(shape, side * (half + 1), shape.row(0.52), sway, -side, head * 0.6)
    elif shape.view == "front":
        _paint(shape, over & ((y < shape.row(0.3)) | ((np.abs(x) > half - 1) & (y < shape.row(0.62)))))
        _draw_fringe(shape, style)
    else:
        line = half * (0.42 if style != "spiky" else 0.3)
        face = (x > line - np.clip((y - shape.row(0.45)) * 0.9, 0.0, half * 0.7)) & (y > shape.row(0.36))
        _paint(shape, over & ~face & ~((x > half) & (y > shape.row(0.3))))
        if head >= 11:
            c.fill(
                int(line) - half // 3, shape.row(0.36), int(line) + 1, shape.row(0.36) + max(1, head // 14), ink(HAIR)
            )
        if style == "pigtails":
            _draw_tail(shape, -half // 4, shape.row(0.5), sway, stream, head * 0.6)
    if style == "bun":
        r = max(1.5, half * 0.42)
        cx, cy = (0.0, -head - r * 0.35) if shape.view != "side" else (-half * 0.55, -head * 0.98)
        ball = (x - cx) * (x - cx) + (y - cy) * (y - cy) < r * r
        c.paint(ball, np.where((x < cx) & (y < cy), ink(HAIR, LIGHT), ink(HAIR)).astype(np.uint8))
        c.fill(int(cx) - max(1, int(r * 0.7)), int(cy + r), int(cx) + max(1, int(r * 0.7)), int(cy + r) + 1, ink(TRIM))
    if style == "spiky":
        _draw_spikes(shape)


def _draw_fringe(shape: HeadShape, style: str) -> None:
    """The front edge of the hair, one length a column, with a shadow on the forehead below it."""
    c, half, head = shape.canvas, shape.half, shape.head
    top = shape.row(0.3)
    unit = max(1, head // 10)
    for column in range(-half, half):
        u = (column + 0.5) / half
        if style == "parted":
            drop = 0.0 if abs(u + 0.25) < 0.16 else 1.2 + 1.2 * abs(u + 0.25)
        elif style == "spiky":
            drop = 0.4 + 1.6 * abs(((u + 1.0) * 2.5) % 1.0 - 0.5)
        elif style in ("ponytail", "bun"):
            drop = 0.3 + 2.2 * max(0.0, abs(u) - 0.55)
        elif style == "curly":
            drop = 0.8 + 0.9 * ((column // 2) % 2)
        elif style in ("long", "pigtails"):
            drop = 2.6 * abs(u) + 0.3 * ((column // 2) % 2)
        else:
            drop = 1.2 + (0.7 if u < 0.1 else 0.0) + 1.6 * max(0.0, abs(u) - 0.7)
        depth = int(drop * unit + 0.5)
        if column in (-half, half - 1):
            depth = max(depth, unit)
        c.fill(column, top, column + 1, top + depth, ink(HAIR, SHADOW if u > 0.55 and head > 12 else 2))
        if head >= 16 and -half < column < half - 1:
            c.dot(column, top + depth, ink(0, SHADOW))


def _draw_mohawk(shape: HeadShape) -> None:
    c, half, head = shape.canvas, shape.half, shape.head
    tall = max(2, head // 4)
    if shape.view == "side":
        mask = shape.grown(tall - 1) & (shape.y < shape.row(0.18)) | (
            shape.grown(tall - 1) & ~shape.skull & (shape.x < 0) & (shape.y < shape.row(0.6))
        )
        mask &= shape.x < half * 0.75
        _paint(shape, mask)
        return
    wide = max(1, half // 4)
    low = shape.row(0.28) if shape.view == "front" else shape.row(0.85)
    c.fill(-wide, -head - tall + 1, wide, low, ink(HAIR))
    c.fill(-wide, -head - tall + 1, -wide + max(1, wide // 2), low, ink(HAIR, LIGHT))
    c.fill(wide - max(1, wide // 2), -head, wide, low, ink(HAIR, SHADOW))
    if wide > 1:
        c.fill(-wide, -head - tall + 1, -wide + 1, -head - tall + 2, 0)
        c.fill(wide - 1, -head - tall + 1, wide, -head - tall + 2, 0)


def _draw_spikes(shape: HeadShape) -> None:
    """Pointed locks on top, leaning to the back in the side view."""
    c, half, head = shape.canvas, shape.half, shape.head
    tall = max(1, head // 5)
    base = -head + 1
    lean = 0 if shape.view != "side" else 1
    count = 3 if half < 8 else 5
    for i in range(count):
        centre = int((i + 0.5) / count * 2 * half) - half
        high = tall + (1 if i == count // 2 else 0) - (1 if i in (0, count - 1) else 0)
        wide = max(1, half // count)
        for j in range(high + 1):
            w = max(1, wide - j * wide // (high + 1))
            offset = (1 if centre > 0 else -1) * (j // 2) * (abs(centre) > half // 3) - lean * j
            left = centre + offset - w // 2
            c.fill(left, base - j - 1, left + w, base - j, ink(HAIR, LIGHT if centre < 0 and j < high else 2))
    c.fill(-half + 1, shape.row(0.3) - 1, -half + 2, shape.row(0.3), ink(HAIR, EDGE if head > 30 else 2))
