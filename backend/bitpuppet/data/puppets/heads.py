"""Heads: skull, face, ears and beard, seen from the front, the side (facing right) and the back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bitpuppet.data.puppets.canvas import Canvas, Mask, ink, shade_ball
from bitpuppet.data.puppets.hair import draw_back_hair, draw_hair
from bitpuppet.data.puppets.hats import draw_hat, hides_hair
from bitpuppet.data.puppets.palettes import BLACK, EDGE, HAIR, IRIS, LIGHT, METAL, SHADOW, SKIN, TRIM, WHITE
from bitpuppet.data.puppets.recipe import Puppet

FRONT, SIDE, BACK = "front", "side", "back"


class HeadShape:
    """Pixel grid and skull of a head whose chin is at y = 0 and whose middle is x = 0."""

    def __init__(self, head: int, half: int, view: str) -> None:
        self.head, self.half, self.view = head, half, view
        margin = half + head
        self.canvas = Canvas(2 * margin, 3 * head, (margin, 2 * head))
        self.x, self.y = self.canvas.grid()
        self.v = (self.y + head / 2.0) / (head / 2.0)
        """-1 at the crown, 1 at the chin."""
        self.skull = self._round_rows(0.0)

    def _round_rows(self, grow: float) -> Mask:
        """Rounded box of rows: full in the middle, narrower at crown and jaw."""
        v = np.abs(self.v)
        radius = self.half + grow
        limit = (self.head / 2.0 + grow) / (self.head / 2.0)
        u = np.minimum(v / limit, 1.0)
        u2 = u * u
        crown = np.sqrt(np.maximum(1.0 - u2 * u2, 0.0))
        jaw = np.sqrt(np.sqrt(np.maximum(1.0 - u2 * u2 * u2, 0.0)))
        width = radius * (np.where(self.v < 0.0, crown, jaw) if self.head > 9 else np.ones_like(u))
        rows = np.floor(width + 0.35)
        if self.head <= 9:
            ends = (np.abs(self.y + self.head / 2.0) > self.head / 2.0 + grow - 1.0).astype(np.float64)
            rows = rows - ends
        rows = np.where(self.v > 0.62, np.minimum(rows, radius - (1 if self.head > 7 else 0)), rows)
        rows = np.where(v > limit, 0.0, rows)
        return np.abs(self.x) < rows

    def grown(self, by: int) -> Mask:
        """The skull enlarged by whole pixels: hair and hats sit on it."""
        return self._round_rows(float(by))

    def row(self, share: float) -> int:
        """Pixel row at a share of the height from the crown (0) to the chin (1)."""
        return -self.head + int(share * self.head + 0.5)

    def lit(self, material: int, contrast: float = 1.0) -> NDArray[np.uint8]:
        """Ball shading of the whole canvas in a material."""
        return shade_ball(
            self.x + 0 * self.y,
            self.y + self.head / 2.0 + 0 * self.x,
            (self.half + 1.0, self.head / 2.0 + 1.0),
            material,
            contrast,
        )


def draw_head(puppet: Puppet, direction: str, closed: bool, mouth: bool, sway: int, stream: int) -> Canvas:
    """The head of a two-legged puppet with hair and hat; pixel (0, 0) is right below the chin's middle.

    sway and stream are whole pixels by which long hair swings sideways and trails behind.
    """
    view = {"down": FRONT, "up": BACK}.get(direction, SIDE)
    build, outfit = puppet.build, puppet.outfit
    shape = HeadShape(build.head, build.head_half, view)
    c = shape.canvas
    covered = hides_hair(outfit.hat)
    if not covered and view != BACK:
        draw_back_hair(shape, outfit.hair, sway, stream)
    skin = np.minimum(shape.lit(SKIN, 0.85), np.uint8(ink(SKIN)))
    c.paint(shape.skull, skin)
    if view != BACK:
        jaw = shape.skull & (shape.y > -1.0 if build.head > 8 else shape.y > 99)
        c.paint(jaw, ink(SKIN, SHADOW))
        _draw_face(shape, puppet, closed, mouth)
    if outfit.beard and view != BACK:
        _draw_beard(shape)
    if not covered:
        draw_hair(shape, outfit.hair, sway, stream)
        _draw_ears(shape, outfit.ears, outfit.hair)
    draw_hat(shape, outfit.hat)
    if direction == "left":
        c.index = np.ascontiguousarray(c.index[:, ::-1])
    return c


def _draw_face(shape: HeadShape, puppet: Puppet, closed: bool, mouth: bool) -> None:
    c, half, head = shape.canvas, shape.half, shape.head
    wide = 1 if half < 7 else 2 if half < 12 else 3
    tall = 1 if head < 8 else 2 if head < 15 else 3 if head < 21 else 4
    row = shape.row(0.64) - (tall - 1) // 2
    # Black eyes are lost on dark skin without some white.
    dark = sum(puppet.palette[ink(SKIN)]) < 300
    if shape.view == FRONT:
        inner = max(1, (half * 2 + 3) // 6)
        eyes = [(-inner - wide, -1), (inner, 1)]
    else:
        wide = max(wide - 1, 1) if half < 12 else wide
        eyes = [(half - max(2, (half * 2 + 2) // 5) - wide, 1)]
    for x, side in eyes:
        _draw_eye(shape, x, row, (wide, tall), side, closed)
        if dark and tall > 1 and not closed and wide < 3:
            outer = (x + wide - 1 if side > 0 else x) if wide > 1 else (x + side if shape.view == FRONT else x - 1)
            c.dot(outer, row + tall - 1, WHITE)
    low = row + tall
    if half >= 7:
        blush = ink(SKIN, SHADOW)
        for x, side in eyes:
            if shape.view == FRONT:
                c.dot(x + wide if side > 0 else x - 1, low, blush)
    if head >= 11 and not puppet.outfit.beard:
        chin = min(low + max(1, head // 12), -2)
        span = max(1, half // 6)
        line = ink(SKIN, EDGE)
        if shape.view == FRONT:
            c.fill(
                -span,
                chin,
                span,
                chin + (2 if mouth and head > 14 else 1),
                line if mouth or head >= 18 else ink(SKIN, SHADOW),
            )
        else:
            c.fill(half - 1 - max(span, 2), chin, half - 2, chin + (2 if mouth and head > 14 else 1), line)
    if shape.view == SIDE and head >= 9:
        c.dot(half, row + tall - 1, ink(SKIN))
        if head >= 16:
            c.dot(half, row + tall - 2, ink(SKIN, LIGHT))


def _draw_eye(shape: HeadShape, x: int, row: int, size: tuple[int, int], side: int, closed: bool) -> None:
    """An eye whose lash is on top; large ones have white on the outer side of the iris."""
    c, (wide, tall) = shape.canvas, size
    if closed:
        c.fill(x, row + tall - 1, x + wide, row + tall, BLACK if wide > 1 or tall > 1 else ink(SKIN, EDGE))
        return
    c.fill(x, row, x + wide, row + tall, BLACK)
    if tall == 2 and wide == 2:
        c.dot(x if side > 0 else x + 1, row + 1, IRIS)
    if tall >= 3:
        if wide == 1:
            c.dot(x, row + tall - 1, IRIS)
            return
        c.fill(x, row + 1, x + wide, row + tall, IRIS)
        c.fill(x, row + 1, x + 1, row + 2, WHITE)
        if wide == 3:
            outer = x + wide - 1 if side > 0 else x
            c.fill(outer, row + 1, outer + 1, row + tall, WHITE)
            c.dot(x + 1, row + 1, BLACK)


def _draw_ears(shape: HeadShape, ears: str, hair: str) -> None:
    c, half = shape.canvas, shape.half
    if shape.head < 9:
        return
    row = shape.row(0.6)
    if ears == "beast":
        tall = max(2, shape.head // 4)
        for side in (-1, 1):
            x = side * half // 2 if shape.view != SIDE else -half // 3
            base = shape.row(0.12)
            for i in range(tall + 1):
                width = (tall - i + 1) // 2 + 1
                c.fill(
                    x - width + (1 if side > 0 else 0),
                    base - i,
                    x + width - (1 if side < 0 else 0),
                    base - i + 1,
                    ink(HAIR),
                )
            c.fill(x - 1, base - 1, x + 1, base, ink(SKIN, SHADOW))
        return
    if hair in ("bob", "long", "curly", "pigtails") and ears != "elf":
        return
    tall = max(2, shape.head // 7)
    if shape.view == SIDE:
        x = -1 - half // 6
        c.fill(x, row, x + 2, row + tall, ink(SKIN, LIGHT))
        c.dot(x, row + tall - 1, ink(SKIN, SHADOW))
        if ears == "elf":
            for i in range(1, max(2, half // 3) + 1):
                c.dot(x - i, row - (i + 1) // 2, ink(SKIN, LIGHT))
                c.dot(x - i, row - (i + 1) // 2 + 1, ink(SKIN))
        return
    for side in (-1, 1):
        x = half if side > 0 else -half - 1
        c.fill(x, row, x + 1, row + tall, ink(SKIN, SHADOW if side > 0 else 2))
        if ears == "elf":
            for i in range(max(1, half // 4)):
                c.dot(x + side * (i + 1), row - i, ink(SKIN, SHADOW if side > 0 else 2))
                c.dot(x + side * i, row - i, ink(SKIN, SHADOW if side > 0 else 2))


def _draw_beard(shape: HeadShape) -> None:
    c = shape.canvas
    from_row = shape.row(0.74)
    edge = np.abs(shape.x) if shape.view == FRONT else shape.half - shape.x
    reach = shape.head * (0.16 if shape.head > 10 else 0.1)
    width = shape.half * (1.0 - np.clip(shape.y / max(reach, 1.0), 0.0, 1.0) * 0.5)
    if shape.view == FRONT:
        mask = (shape.y > from_row) & (shape.y < reach) & (edge < width)
        mask &= ~((np.abs(shape.x) < max(1, shape.half // 5)) & (np.abs(shape.y - from_row - 1.5) < 0.6)) | (
            shape.head < 12
        )
    else:
        mask = (shape.y > from_row) & (shape.y < reach) & (edge >= 0) & (edge < shape.half * 1.3)
    mask &= shape.skull | (shape.y > 0)
    c.paint(mask, shape.lit(HAIR))


def draw_robot_head(puppet: Puppet, direction: str, closed: bool, mouth: bool) -> Canvas:
    """A machine's head: box, dome, wide box or screen, with antenna or ear bolts."""
    view = {"down": FRONT, "up": BACK}.get(direction, SIDE)
    kind = puppet.outfit.kind
    head, half = puppet.build.head, puppet.build.head_half
    tall = head - (1 if kind == "wide" else 0)
    wide = half + (1 if kind in ("wide", "tv") and half > 4 else 0) - (1 if view == SIDE and half > 5 else 0)
    shape = HeadShape(head, half, view)
    c, x, y = shape.canvas, shape.x, shape.y
    box = (np.abs(x) < wide) & (y < 0) & (y > -tall)
    cut = 1.0 if kind != "dome" else max(half * 0.9, 1.0)
    if kind == "dome":
        u = np.clip((-y - tall + cut) / cut, 0.0, 1.0)
        box &= np.abs(x) < np.floor(wide * np.sqrt(np.maximum(1.0 - u * u * 0.9, 0.0)) + 0.5)
    else:
        box &= (np.abs(x) + np.abs(y + tall / 2.0)) < wide + tall / 2.0 - 1.0
    tones = np.where(
        (x < -wide + 1.0 + wide // 4) & (y < -2), LIGHT, np.where((x > wide - 1.0 - wide // 4) | (y > -1), SHADOW, 2)
    )
    tones = np.where(y < -tall + 1 + tall // 9, LIGHT, tones)
    c.paint(box, (tones + 1 + 4 * SKIN).astype(np.uint8))
    if view == BACK:
        for i in range(-wide // 2, wide // 2 + 1, 2):
            c.fill(i, shape.row(0.45), i + 1, shape.row(0.45) + max(1, tall // 4), ink(SKIN, EDGE))
    else:
        left, right = (-wide + max(1, wide // 4), wide - max(1, wide // 4)) if view == FRONT else (wide // 4, wide)
        top, low = shape.row(0.34 if kind == "tv" else 0.42), shape.row(0.84 if kind == "tv" else 0.7)
        low = max(low, top + 2)
        c.fill(left, top, right, low, BLACK)
        eye = max(1, half // 4)
        deep = 1 if closed else max(1, (low - top) - (2 if low - top > 2 else 1))
        y0 = low - 1 if closed else top + (1 if low - top > 2 else 0)
        inset = max(1, (right - left) // 5)
        spots = (left + inset, right - eye - inset) if view == FRONT else (right - eye - int(right - left > 3),)
        for spot in spots:
            c.fill(spot, y0, spot + eye, y0 + deep, 32)
        if mouth and half > 6:
            c.fill(left + 1, low + 1, right - 1 if view == FRONT else right, low + 2, ink(SKIN, EDGE))
    bolt = max(1, half // 5)
    if view != SIDE:
        for side in (-1, 1):
            x0 = wide if side > 0 else -wide - bolt
            c.fill(
                x0, shape.row(0.5), x0 + bolt, shape.row(0.5) + max(2, tall // 4), ink(METAL, SHADOW if side > 0 else 2)
            )
    else:
        c.fill(-bolt, shape.row(0.5), bolt, shape.row(0.5) + max(2, tall // 4), ink(METAL))
    rod = max(1, head // 7)
    if puppet.outfit.mark != 3:
        c.fill(-1 if half > 6 else 0, -tall - rod, 1, -tall, ink(METAL))
        knob = 1 if half <= 6 else 2
        c.fill(
            -knob if half > 6 else 0, -tall - rod - knob, knob if half > 6 else 1, -tall - rod + (knob - 1), ink(TRIM)
        )
        c.dot(-knob if half > 6 else 0, -tall - rod - knob, ink(TRIM, LIGHT))
    if direction == "left":
        c.index = np.ascontiguousarray(c.index[:, ::-1])
    return c
