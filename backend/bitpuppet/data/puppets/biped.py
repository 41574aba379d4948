"""Two-legged puppets: people of all builds and robots, put together from parts in drawing order."""

from __future__ import annotations

import numpy as np

from bitpuppet.data.puppets.canvas import DARKEST, RIM, Canvas, ink, nearest, snap
from bitpuppet.data.puppets.clothes import draw_cape, draw_skirt, draw_torso
from bitpuppet.data.puppets.effects import draw_effects
from bitpuppet.data.puppets.heads import draw_head, draw_robot_head
from bitpuppet.data.puppets.items import clamp_tip, draw_book, draw_item, draw_shield, reach_of, spare_of
from bitpuppet.data.puppets.palettes import BASE, BOOT, BOTTOM, HAIR, METAL, SHADOW, SKIN, TOP
from bitpuppet.data.puppets.poses import find_pose
from bitpuppet.data.puppets.recipe import Puppet
from bitpuppet.data.puppets.skeleton import Limb, Skeleton, pose_skeleton
from bitpuppet.data.puppets.stage import Stage, ground_row


class Biped:
    """Draws one two-legged puppet in one direction; keeps the heads it has drawn."""

    def __init__(self, puppet: Puppet, direction: str) -> None:
        self.puppet, self.direction = puppet, direction
        self.robot = puppet.plan == "robot"
        self.heads: dict[tuple[bool, bool, int, int], Canvas] = {}
        rest = self.head(False, False, 0, 0)
        rows, columns = np.nonzero(rest.index.any(axis=1))[0], np.nonzero(rest.index.any(axis=0))[0]
        build, size = puppet.build, puppet.size
        top = build.torso + build.leg - 1 + rest.origin[1] - int(rows[0])
        self.headroom = max(float(ground_row(size) - top - 2), 0.0)
        self.head_left, self.head_right = rest.origin[0] - int(columns[0]), int(columns[-1]) + 1 - rest.origin[0]
        self.head_top = rest.origin[1] - int(rows[0])
        self.border = DARKEST if size >= 28 else RIM

    def head(self, closed: bool, mouth: bool, sway: int, stream: int) -> Canvas:
        """The head with that expression, drawn once."""
        key = (closed, mouth, sway, stream)
        if key not in self.heads:
            self.heads[key] = (
                draw_robot_head(self.puppet, self.direction, closed, mouth)
                if self.robot
                else draw_head(self.puppet, self.direction, closed, mouth, sway, stream)
            )
        return self.heads[key]

    def draw(self, animation: str, phase: float) -> Canvas:
        """The finished frame, an index image of the puppet's size."""
        puppet, direction = self.puppet, self.direction
        pose = find_pose(animation, phase)
        stage = Stage(puppet.size)
        sk = pose_skeleton(puppet.build, pose, direction, self.headroom)
        parts: list[tuple[float, Canvas]] = []
        side = direction in ("left", "right")
        self._add_legs(stage, parts, sk)
        body = stage.layer()
        draw_torso(body, puppet, sk, direction)
        draw_skirt(body, puppet, sk, pose, direction)
        parts.append((0.0, body))
        if puppet.outfit.cape and not self.robot:
            cape = stage.layer()
            draw_cape(cape, puppet, sk, pose, direction)
            parts.append(({"down": -90.0, "up": 40.0}.get(direction, -15.0), cape))
        self._add_arms(stage, parts, sk)
        parts.sort(key=lambda part: part[0])
        head = self.head(
            pose.closed >= 0.5, pose.mouth >= 0.5, nearest(pose.sway * puppet.build.head / 9.0),
            nearest(max(pose.stream, -0.3) * puppet.build.head / 3.0),
        )  # fmt: skip
        left, top, right, _ = stage.bounds
        x = min(max(nearest(sk.head.x), int(left) - 1 + self.head_left), int(right) + 1 - self.head_right)
        y = max(nearest(sk.head.y), int(top) - 1 + self.head_top)
        drawn = False
        for depth, part in parts:
            if depth > 50.0 and not drawn:
                stage.canvas.stamp(head, (x, y), self.border if side or puppet.size >= 24 else RIM)
                drawn = True
            stage.canvas.stamp(part, (0, 0), self.border)
        if not drawn:
            stage.canvas.stamp(head, (x, y), self.border)
        return stage.finish(puppet.outline, draw_effects(stage, puppet, animation, phase, direction, self.headroom))

    def _add_legs(self, stage: Stage, parts: list[tuple[float, Canvas]], sk: Skeleton) -> None:
        build, outfit = self.puppet.build, self.puppet.outfit
        thick = build.leg_thick
        side = self.direction in ("left", "right")
        for limb in (sk.right_leg, sk.left_leg):
            far = side and limb.root.z < 0
            tone = SHADOW if far else BASE
            layer = stage.layer()
            upper, lower, foot = (SKIN, HAIR, HAIR) if self.robot else (BOTTOM, BOTTOM, BOOT)
            if not self.robot and outfit.top == "bare" and outfit.mark % 2:
                upper = lower = SKIN
            if outfit.boots == 2 and not self.robot:
                lower = METAL if outfit.top == "armour" else BOOT
                foot = lower
            floor = min(limb.end.y, stage.bounds[3])
            a, b = (
                (snap(limb.root.x, thick), snap(limb.root.y, thick)),
                (snap(limb.middle.x, thick), snap(limb.middle.y, thick)),
            )
            low = max(thick - 1, 2) if thick > 2 else thick
            foot_tall = max(1, (thick + 1) // 2)
            ankle = floor - foot_tall
            c = (snap(limb.end.x, low), snap(ankle - low / 2.0 + 0.5, low))
            layer.limb(a, b, (thick, thick), upper, tone)
            layer.limb((snap(limb.middle.x, low), b[1]), c, (low, low), lower, tone)
            if outfit.boots == 1 and build.leg >= 7 and not self.robot:
                layer.limb(c, c, (low, low), BOOT, tone)
            self._add_foot(layer, limb, nearest(floor), low, foot_tall, ink(foot, tone), ink(foot, max(tone - 1, 0)))
            parts.append((-10.0 + (limb.root.z if side else limb.end.z * 0.1), layer))

    def _add_foot(self, layer: Canvas, limb: Limb, floor: int, low: int, tall: int, colour: int, shade: int) -> None:
        heel = snap(limb.end.x, low) / 2.0 - low / 2.0
        x0, x1 = int(heel), int(heel) + low
        toe = max(1, (low + 1) // 2)
        if self.direction == "right":
            x1 += toe
        elif self.direction == "left":
            x0 -= toe
        lifted = limb.end.z if self.direction == "down" else 0.0
        layer.fill(x0, floor - tall, x1, floor, colour)
        if low >= 3 and lifted >= 0:
            layer.fill(x0, floor - 1, x1, floor, shade)

    def _add_arms(self, stage: Stage, parts: list[tuple[float, Canvas]], sk: Skeleton) -> None:
        build, outfit = self.puppet.build, self.puppet.outfit
        thick = build.arm_thick
        side = self.direction in ("left", "right")
        for limb, is_right in ((sk.right_arm, True), (sk.left_arm, False)):
            far = side and limb.root.z < 0
            tone = SHADOW if far else BASE
            item = (
                "none"
                if self.robot and self.puppet.outfit.mark < 2
                else outfit.right_item
                if is_right
                else outfit.left_item
            )
            layer = stage.layer()
            if item not in ("none", "shield", "book"):
                way = sk.item if item != "bow" else sk.ahead
                tip = clamp_tip(limb.end, way, reach_of(item, build.height), stage.bounds, spare_of(item, build.height))
                draw_item(layer, item, limb.end, tip, build.height)
            self._draw_arm(layer, limb, thick, tone)
            if item == "shield":
                draw_shield(
                    layer, limb.end, "face" if self.direction in ("down", "left") else "edge", build.height, outfit.mark
                )
            elif item == "book":
                draw_book(layer, limb.end, build.height)
            raised = limb.end.y < sk.head.y - 1.0
            if side:
                depth = -30.0 if far else 60.0
            elif self.direction == "down":
                depth = 60.0 if limb.end.z > -1.5 and raised else 20.0 if limb.end.z > -build.arm * 0.3 else -5.0
            else:
                depth = 20.0 if limb.end.z > -build.arm * 0.3 and not raised else -20.0
            parts.append((depth, layer))

    def _draw_arm(self, layer: Canvas, limb: Limb, thick: int, tone: int) -> None:
        outfit = self.puppet.outfit
        upper = lower = SKIN
        if self.robot:
            upper, lower = HAIR, SKIN
        elif outfit.top == "armour":
            upper = lower = METAL
        else:
            upper = TOP if outfit.sleeve >= 1 else SKIN
            lower = TOP if outfit.sleeve == 2 else SKIN
        hand = HAIR if self.robot else BOOT if outfit.gloves else SKIN
        a, b, c = ((snap(j.x, thick), snap(j.y, thick)) for j in (limb.root, limb.middle, limb.end))
        layer.limb(b, c, (thick, thick), lower, tone)
        layer.limb(a, b, (thick + (1 if outfit.top == "armour" and thick > 2 else 0), thick), upper, tone)
        if outfit.top == "armour" and thick >= 2 and not self.robot:
            layer.limb(a, a, (thick + 2, thick + 2), METAL, tone)
        fist = max(thick, 2) if self.puppet.size > 24 else thick
        layer.limb(
            (snap(limb.end.x, fist), snap(limb.end.y, fist)),
            (snap(limb.end.x, fist), snap(limb.end.y, fist)),
            (fist, fist),
            hand,
            tone,
        )
