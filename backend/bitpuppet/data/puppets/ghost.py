"""Ghosts: a head on a flowing sheet that hovers, with stubby arms."""

from __future__ import annotations

import numpy as np

from bitpuppet.data.puppets.canvas import DARKEST, RIM, Canvas, ink, nearest, snap
from bitpuppet.data.puppets.effects import draw_effects
from bitpuppet.data.puppets.hats import draw_hat
from bitpuppet.data.puppets.heads import BACK, FRONT, SIDE, HeadShape
from bitpuppet.data.puppets.palettes import BASE, BLACK, EDGE, GLOW, HAIR, LIGHT, SHADOW, SKIN, TOP, TRIM
from bitpuppet.data.puppets.poses import Pose, find_pose
from bitpuppet.data.puppets.recipe import Puppet
from bitpuppet.data.puppets.skeleton import Skeleton, pose_skeleton, step
from bitpuppet.data.puppets.stage import Stage, ground_row

_HATS = ("wizard", "crown", "straw", "helm")


class Ghost:
    """Draws one ghost in one direction."""

    def __init__(self, puppet: Puppet, direction: str) -> None:
        self.puppet, self.direction = puppet, direction
        self.material = TOP if puppet.outfit.kind == "hooded" else SKIN
        self.hat = puppet.outfit.hat if puppet.outfit.hat in _HATS and puppet.outfit.kind == "sheet" else "none"
        self.heads: dict[tuple[bool, bool], Canvas] = {}
        rest = self.head(False, False)
        rows = np.nonzero(rest.index.any(axis=1))[0]
        build = puppet.build
        self.head_top = rest.origin[1] - int(rows[0])
        self.headroom = max(float(ground_row(puppet.size) - self.head_top - build.torso - build.leg - 1), 0.0)

    def head(self, closed: bool, mouth: bool) -> Canvas:
        """The head with that expression, drawn once."""
        if (closed, mouth) not in self.heads:
            self.heads[(closed, mouth)] = self._draw_head(closed, mouth)
        return self.heads[(closed, mouth)]

    def _draw_head(self, closed: bool, mouth: bool) -> Canvas:
        build, kind = self.puppet.build, self.puppet.outfit.kind
        view = {"down": FRONT, "up": BACK}.get(self.direction, SIDE)
        shape = HeadShape(build.head, build.head_half, view)
        c, half, head = shape.canvas, shape.half, shape.head
        c.paint(shape.skull, shape.lit(self.material))
        if kind == "hooded" and view != BACK:
            cx = 0.0 if view == FRONT else half * 0.55
            u, v = (shape.x - cx) / (half * 0.72), (shape.y + head * 0.4) / (head * 0.36)
            c.paint((u * u + v * v < 1.0) & shape.skull, BLACK)
        if kind == "flame":
            for i in range(max(2, head // 2)):
                wide = max(1, (half * (head // 2 - i)) // max(head // 2, 1) * 2 // 3)
                x = -(i // 3) if view != FRONT else (1 if i % 4 > 1 else 0)
                c.fill(x - wide, -head - i + 1, x + wide, -head - i + 2, ink(HAIR, LIGHT if i < head // 5 else BASE))
            c.paint(shape.skull & (shape.y < shape.row(0.25)), shape.lit(HAIR))
        if view != BACK:
            self._draw_face(shape, closed, mouth)
        draw_hat(shape, self.hat)
        if self.direction == "left":
            c.index = np.ascontiguousarray(c.index[:, ::-1])
        return c

    def _draw_face(self, shape: HeadShape, closed: bool, mouth: bool) -> None:
        c, half, head = shape.canvas, shape.half, shape.head
        wide, tall = max(1, half // 4), max(2, head // 4)
        glowing = self.puppet.outfit.kind == "hooded"
        colour = GLOW if glowing else BLACK
        row = shape.row(0.48)
        gap = max(1, half // 3)
        spots = (
            [-gap - wide, gap]
            if shape.view == FRONT
            else [half - 1 - wide - (1 if half > 5 else 0), half - 2 - 2 * wide - gap]
        )
        for x in spots[: 2 if shape.view == FRONT or half > 6 else 1]:
            if closed:
                c.fill(x, row + tall // 2, x + wide, row + tall // 2 + 1, colour)
            else:
                c.fill(x, row, x + wide, row + tall, colour)
                if wide > 1 and not glowing:
                    c.dot(x, row, ink(SKIN, LIGHT))
        low = row + tall + (1 if head > 10 else 0)
        x = -max(1, wide // 2) if shape.view == FRONT else half - 2 - wide - 1
        if not glowing and (mouth or head > 9):
            c.fill(
                x,
                low,
                x + 2 * max(1, wide // 2),
                low + (max(1, head // 7) if mouth else 1),
                BLACK if mouth else ink(SKIN, EDGE),
            )
        if half >= 7 and not glowing and shape.view == FRONT:
            c.fill(-gap - wide - 1, row + tall, -gap - wide + 1, row + tall + 1, ink(TRIM, LIGHT))
            c.fill(gap + wide - 1, row + tall, gap + wide + 1, row + tall + 1, ink(TRIM, LIGHT))

    def draw(self, animation: str, phase: float) -> Canvas:
        """The finished frame, an index image of the puppet's size."""
        puppet, direction = self.puppet, self.direction
        build, pose = puppet.build, find_pose(animation, phase)
        stage = Stage(puppet.size)
        sk = pose_skeleton(puppet.build, pose, direction, self.headroom)
        border = DARKEST if puppet.size >= 28 else RIM
        left, top, right, _ = stage.bounds
        extent = puppet.build.head_half + 2
        x = min(max(nearest(sk.head.x), int(left) + extent), int(right) - extent)
        # Without legs a step would hardly show on small ghosts, so they bob with it.
        hop = nearest(min(abs(pose.right_leg - pose.left_leg), 1.2) * step(build.height) * 0.8)
        y = max(nearest(sk.head.y) - hop, int(top) - 1 + self.head_top)
        behind: list[Canvas] = []
        front: list[Canvas] = []
        for limb in (sk.right_arm, sk.left_arm):
            layer = stage.layer()
            thick = puppet.build.arm_thick + (1 if puppet.size >= 24 else 0)
            tone = SHADOW if limb.root.z < 0 and direction in ("left", "right") else BASE
            side = direction in ("left", "right")
            out = 0.0 if side else (build.head_half * 0.92 if limb.root.x > sk.chest.x else -build.head_half * 0.92)
            root = (x + out + (limb.root.x - sk.chest.x) * side, limb.root.y + thick * 0.5)
            tip = (root[0] + (limb.end.x - limb.root.x) * 0.62, root[1] + (limb.end.y - limb.root.y) * 0.55)
            a, b = ((snap(px, thick), snap(py, thick)) for px, py in (root, tip))
            middle = ((a[0] + b[0]) // 4 * 2 + (a[0] & 1), (a[1] + b[1]) // 4 * 2 + (a[1] & 1))
            layer.limb(a, middle, (thick, thick), self.material, tone)
            layer.limb(middle, b, (thick, max(thick - 1, 1)), self.material, tone)
            far = limb.root.z < 0 if direction in ("left", "right") else direction == "up"
            (behind if far else front).append(layer)
        for layer in behind:
            stage.canvas.stamp(layer)
        body = stage.layer()
        self._draw_sheet(body, sk, pose, x, y)
        stage.canvas.stamp(body, (0, 0), border if behind else None)
        stage.canvas.stamp(self.head(pose.closed >= 0.5, pose.mouth >= 0.5), (x, y))
        for layer in front:
            stage.canvas.stamp(layer, (0, 0), RIM)
        return stage.finish(puppet.outline, draw_effects(stage, puppet, animation, phase, direction, self.headroom))

    def _draw_sheet(self, c: Canvas, sk: Skeleton, pose: Pose, x: int, y: int) -> None:
        """The sheet from the head down to its waving hem."""
        build, kind = self.puppet.build, self.puppet.outfit.kind
        facing = {"right": 1, "left": -1}.get(self.direction, 0)
        y0 = y - build.head // 2
        stride = pose.right_leg - pose.left_leg
        hover = build.leg * 0.28 + sk.ground + abs(stride) * build.leg * 0.1 - pose.breath * 1.2
        y1 = min(nearest(-max(hover, 1.0)), -1)
        rows = max(y1 - y0, 3)
        half = build.head_half
        aside = 0.0 if facing else pose.sway * max(build.leg * 0.25, 1.2)
        trail = aside - facing * max(pose.stream, -0.3) * build.leg * 0.9
        lobes = 3 if half < 8 else 4
        deep = max(1, build.leg // 3)
        for i in range(rows + deep):
            t = i / rows
            centre = x + nearest((sk.hip.x - x) * min(t, 1.0) + trail * t * t)
            taper = {"flame": 1.0 - 0.62 * t * t, "jelly": 1.15 - 0.2 * t}.get(kind, 0.94 + 0.3 * t)
            wide = max(nearest(half * taper), 1)
            for column in range(-wide, wide):
                u = (column + wide + 0.5) / (2 * wide)
                wave = (u * lobes + stride * 0.35 + pose.sway * 0.3 + 4.0) % 1.0
                over = i - rows
                if over >= 0 and (over + 1) > deep * (1.0 - abs(wave - 0.5) * 2.0) + 0.3:
                    continue
                tone = (
                    LIGHT
                    if u < 0.2 and wide > 4 and t < 0.7
                    else SHADOW
                    if u > 0.74 or (t > 0.5 and abs(wave - 0.5) > 0.4)
                    else BASE
                )
                c.dot(centre + column, y0 + i, ink(self.material, tone))
        if self.puppet.outfit.kind == "hooded":
            for i in range(2):
                c.fill(x - half + 1, y + i, x + half - 1, y + i + 1, ink(TRIM, BASE if i == 0 else SHADOW))
