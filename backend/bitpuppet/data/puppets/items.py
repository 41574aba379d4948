"""What hands hold."""

from __future__ import annotations

import numpy as np

from bitpuppet.data.puppets.canvas import Canvas, ink, snap
from bitpuppet.data.puppets.palettes import BASE, BOOT, GLOW, LIGHT, METAL, SHADOW, TRIM, WHITE
from bitpuppet.data.puppets.skeleton import Joint, Point

_LENGTHS = {
    "sword": 0.36, "dagger": 0.2, "axe": 0.34, "hammer": 0.32, "spear": 0.46, "staff": 0.36, "wand": 0.22, "hoe": 0.4,
    "bow": 0.2,
}  # fmt: skip


_WIDTHS = {"hammer": 0.12, "axe": 0.12, "staff": 0.06, "wand": 0.04, "hoe": 0.08, "bow": 0.16}


def spare_of(item: str, height: int) -> float:
    """Pixels that the item's head needs around its tip."""
    return _WIDTHS.get(item, 0.0) * height


def reach_of(item: str, height: int) -> float:
    """Length in pixels from the hand to the item's tip; an empty hand reaches a little."""
    return _LENGTHS.get(item, 0.12) * height


def clamp_tip(
    hand: Joint, way: Point, length: float, bounds: tuple[float, float, float, float], spare: float = 0.0
) -> Point:
    """The tip at the length from the hand, drawn in to stay in bounds (left, top, right, bottom) by spare."""
    scale = length
    left, top, right, bottom = bounds[0] + spare, bounds[1] + spare, bounds[2] - spare, bounds[3] - spare
    for value, start, low, high in ((way[0], hand.x, left, right), (way[1], hand.y, top, bottom)):
        if value > 0.01:
            scale = min(scale, max((high - start) / value, 0.0))
        elif value < -0.01:
            scale = min(scale, max((low - start) / value, 0.0))
    scale = max(scale, length * 0.3)
    return hand.x + way[0] * scale, hand.y + way[1] * scale


def _half_pixels(point: Point, thick: int) -> tuple[int, int]:
    return snap(point[0], thick), snap(point[1], thick)


def along(a: Point, b: Point, t: float, aside: float = 0.0) -> Point:
    """Point at a share of the way from a to b, moved aside by pixels."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    size = max((dx * dx + dy * dy) ** 0.5, 0.001)
    return a[0] + dx * t - dy / size * aside, a[1] + dy * t + dx / size * aside


def draw_item(canvas: Canvas, item: str, hand: Joint, tip: Point, height: int) -> None:
    """Draw the item from the hand to its tip; the hand itself is drawn over it by the caller."""
    grip = (hand.x, hand.y)
    thin, thick = (1, 2) if height >= 22 else (1, 1)
    stout = 2 if height >= 52 else 1
    if item in ("sword", "dagger"):
        blade = thick + (1 if height >= 62 else 0)
        canvas.limb(
            _half_pixels(grip, blade), _half_pixels(tip, blade), (blade, 1), METAL, LIGHT if blade < 3 else BASE
        )
        if height >= 22:
            canvas.limb(
                _half_pixels(along(grip, tip, 0.25), 1), _half_pixels(along(grip, tip, 0.95), 1), (1, 1), METAL, LIGHT
            )
        wide = 1.2 + height / 30.0
        base = along(grip, tip, 0.16 if item == "sword" else 0.22)
        a, b = along(base, tip, 0.0, wide), along(base, tip, 0.0, -wide)
        canvas.limb(_half_pixels(a, stout), _half_pixels(b, stout), (stout, stout), TRIM, BASE)
        pommel = along(grip, tip, -0.12)
        canvas.limb(_half_pixels(grip, 1), _half_pixels(pommel, 1), (1, 1), BOOT, BASE)
        return
    butt = along(grip, tip, {"staff": -0.95, "spear": -0.6, "hoe": -0.6, "wand": -0.15}.get(item, -0.3))
    if butt[1] > -1.0:
        cut = (-1.0 - grip[1]) / max(butt[1] - grip[1], 0.01)
        butt = (grip[0] + (butt[0] - grip[0]) * max(cut, 0.0), min(butt[1], max(-1.0, grip[1])))
    if item == "bow":
        _draw_bow(canvas, grip, tip, height)
        return
    shaft = max(thin, thick if height >= 36 and item != "wand" else thin)
    canvas.limb(_half_pixels(butt, shaft), _half_pixels(tip, shaft), (shaft, shaft), BOOT, BASE if shaft > 1 else LIGHT)
    if item in ("staff", "wand"):
        r = max(1, round(height / (18 if item == "staff" else 28)))
        canvas.limb(_half_pixels(tip, 2 * r), _half_pixels(tip, 2 * r), (2 * r, 2 * r), TRIM)
        x, y = int(np.floor(tip[0])), int(np.floor(tip[1]))
        canvas.fill(x - r // 2, y - r // 2 - (r > 1), x - r // 2 + max(1, r // 2 + 1), y - r // 2 + 1 - (r > 1), GLOW)
    elif item == "axe":
        wide, spread = 1.0 + height / 9.0, 0.5 + height / 26.0
        length = max(height * 0.34, 1.0)
        edges = [along(grip, tip, 0.84 + s * spread / length, wide) for s in (-1.0, 1.0)]
        for share in (0.0, 0.33, 0.67, 1.0):
            edge = (
                edges[0][0] + (edges[1][0] - edges[0][0]) * share,
                edges[0][1] + (edges[1][1] - edges[0][1]) * share,
            )
            canvas.limb(_half_pixels(along(grip, tip, 0.84), thick), _half_pixels(edge, thick), (thick, thick), METAL)
        canvas.limb(_half_pixels(edges[0], 1), _half_pixels(edges[1], 1), (1, 1), METAL, LIGHT)
    elif item == "hammer":
        wide = 1.5 + height / 14.0
        big = max(2, height // 9)
        a, b = along(grip, tip, 0.95, -wide * 0.7), along(grip, tip, 0.95, wide * 0.7)
        canvas.limb(_half_pixels(a, big), _half_pixels(b, big), (big, big), METAL)
    elif item == "spear":
        neck = along(grip, tip, 0.72)
        head = max(2, height // 14)
        canvas.limb(_half_pixels(neck, head), _half_pixels(tip, 1), (head, 1), METAL, LIGHT if head < 3 else BASE)
    elif item == "hoe":
        end = along(grip, tip, 0.97, 1.0 + height / 12.0)
        canvas.limb(_half_pixels(along(grip, tip, 0.97), thick), _half_pixels(end, thick), (thick, 1), METAL)


def _draw_bow(canvas: Canvas, grip: Point, tip: Point, height: int) -> None:
    """A bow held across the pointing direction, with its string on the near side."""
    reach = height * 0.24
    ends = [along(grip, tip, -0.35, s * reach) for s in (-1.0, 1.0)]
    knees = [along(grip, tip, 0.12, s * reach * 0.55) for s in (-1.0, 1.0)]
    thick = 2 if height >= 44 else 1
    canvas.limb(_half_pixels(ends[0], 1), _half_pixels(ends[1], 1), (1, 1), METAL, LIGHT)
    for end, knee in zip(ends, knees, strict=True):
        canvas.limb(_half_pixels(grip, thick), _half_pixels(knee, thick), (thick, thick), BOOT)
        canvas.limb(_half_pixels(knee, thick), _half_pixels(end, thick), (thick, 1), BOOT)


def draw_shield(canvas: Canvas, hand: Joint, view: str, height: int, mark: int) -> None:
    """A shield on the left arm: its face in front and near side views ("face"), else its edge ("edge")."""
    tall = max(3, round(height * 0.27))
    half = max(2, round(height * (0.115 if view == "face" else 0.06)))
    x, y = int(np.floor(hand.x + 0.5)), int(np.floor(hand.y + 0.5)) - tall // 2
    for i in range(tall):
        t = (i + 0.5) / tall
        w = half if t < 0.55 else max(1, int(half * (1.0 - (t - 0.55) * 1.7) + 0.7))
        w = w - 1 if i == 0 and half > 2 else w
        canvas.fill(x - w, y + i, x + w, y + i + 1, ink(METAL, BASE if i < tall - 1 else SHADOW))
        canvas.fill(x + w - 1, y + i, x + w, y + i + 1, ink(METAL, SHADOW))
        if half >= 3 and 0 < i < tall - 1 and w > 1:
            canvas.fill(x - w + 1, y + i, x + w - 1, y + i + 1, ink(TRIM))
            canvas.fill(x + w - 2, y + i, x + w - 1, y + i + 1, ink(TRIM, SHADOW))
            if view == "face" and (abs(t - 0.42) < 0.1 or mark % 2):
                canvas.fill(x - 1, y + i, x + 1, y + i + 1, ink(METAL, LIGHT))
            if view == "face" and abs(t - 0.42) < 0.6 / tall + 0.04:
                canvas.fill(x - w + 1, y + i, x + w - 1, y + i + 1, ink(METAL, LIGHT))


def draw_book(canvas: Canvas, hand: Joint, height: int) -> None:
    """A closed book in the left hand."""
    half, tall = max(1, round(height / 17)), max(2, round(height / 8))
    x, y = int(np.floor(hand.x + 0.5)), int(np.floor(hand.y + 0.5)) - tall // 2
    canvas.fill(x - half, y, x + half, y + tall, ink(TRIM))
    canvas.fill(x - half, y, x - half + 1, y + tall, ink(TRIM, SHADOW))
    canvas.fill(x - half + 1, y + tall - 1, x + half, y + tall, WHITE)
    if half > 1:
        canvas.fill(x, y + 1, x + 1, y + 2, ink(METAL, LIGHT))
