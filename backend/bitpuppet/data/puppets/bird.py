"""Birds: two balls, wings that take the arms' angles and thin legs, projected for all four directions."""

from __future__ import annotations

from bitpuppet.data.puppets.canvas import DARKEST, RIM, Canvas, ink, nearest, snap
from bitpuppet.data.puppets.effects import draw_effects
from bitpuppet.data.puppets.palettes import BASE, BLACK, BOOT, EDGE, HAIR, IRIS, LIGHT, SHADOW, SKIN, TRIM, WHITE
from bitpuppet.data.puppets.poses import Pose, find_pose
from bitpuppet.data.puppets.recipe import Puppet
from bitpuppet.data.puppets.skeleton import Joint, project, step, turn
from bitpuppet.data.puppets.stage import Stage, draw_ball, draw_bar

# Shares of the frame side: body radius, head radius, head rise and reach, leg, wing length and thickness, tail, beak.
_SHAPES = {
    "chick": (0.215, 0.175, 0.27, 0.05, 0.1, 0.2, 0.15, 0.08, 0.07),
    "owl": (0.235, 0.2, 0.27, 0.03, 0.07, 0.28, 0.16, 0.1, 0.05),
    "crow": (0.195, 0.145, 0.27, 0.1, 0.14, 0.3, 0.15, 0.2, 0.13),
    "parrot": (0.19, 0.165, 0.28, 0.06, 0.09, 0.28, 0.14, 0.24, 0.08),
    "penguin": (0.225, 0.165, 0.31, 0.03, 0.06, 0.27, 0.12, 0.06, 0.09),
}


class Bird:
    """Draws one bird in one direction."""

    def __init__(self, puppet: Puppet, direction: str) -> None:
        self.puppet, self.direction = puppet, direction
        self.kind = puppet.outfit.kind
        size = float(puppet.size) * (0.88 if puppet.size <= 24 else 1.0)
        shape = [share * size for share in _SHAPES[self.kind]]
        (
            self.body,
            self.head,
            self.head_up,
            self.head_out,
            self.leg,
            self.wing,
            self.wing_thick,
            self.tail,
            self.beak,
        ) = shape
        self.side = direction in ("left", "right")
        self.crest = self.kind == "parrot" or (puppet.outfit.mark == 3 and self.kind != "penguin")
        self.facing = {"right": 1, "left": -1}.get(direction, 0)

    def _place(self, right: float, up: float, ahead: float) -> Joint:
        return project(self.direction, right, up, ahead if self.side else ahead * 0.6)

    def draw(self, animation: str, phase: float) -> Canvas:
        """The finished frame, an index image of the puppet's size."""
        puppet, size = self.puppet, float(self.puppet.size)
        pose = find_pose(animation, phase)
        stage = Stage(puppet.size)
        crouch = min((pose.right_knee + pose.left_knee) / 3.0, 1.0)
        room = max(
            size * 0.86 - self.leg - self.body - self.head_up - self.head * (1.5 if self.crest else 1.0) - 3.0, 0.0
        )
        lift = min(pose.rise * size, max(room, size * 0.06))
        stride = abs(turn(pose.right_leg)[0] - turn(pose.left_leg)[0])
        up = (
            self.leg * (1.0 - 0.5 * crouch)
            + self.body * 0.92
            + lift
            - 0.07 * size * crouch * (lift < 1.0)
            - stride * size * 0.012
        )
        s, c = turn(pose.lean * 0.8)
        ahead = pose.shift * size
        sunk = pose.breath * step(size * 0.7)
        head = (
            ahead + self.head_out * c + self.head_up * s + pose.nod * size * 0.8 + stride * size * 0.012,
            up + (self.head_up - sunk) * c - self.head_out * s * 0.5,
        )
        parts: list[tuple[float, Canvas]] = []
        for sign, swing, knee in ((1, pose.right_leg, pose.right_knee), (-1, pose.left_leg, pose.left_knee)):
            self._add_leg(stage, parts, (sign * self.body * 0.42, up - self.body * 0.6, ahead), swing, knee, lift)
        self._add_body(stage, parts, ahead, up, pose)
        for sign, swing, spread, elbow in (
            (1, pose.right_arm, pose.right_spread, pose.right_elbow),
            (-1, pose.left_arm, pose.left_spread, pose.left_elbow),
        ):
            self._add_wing(stage, parts, sign, (up + self.body * 0.35 - sunk * 0.5, ahead), swing + 0.2 * elbow, spread)
        self._add_head(stage, parts, head, pose)
        border = DARKEST if puppet.size >= 28 else RIM
        for _, part in sorted(parts, key=lambda part: part[0]):
            stage.canvas.stamp(part, (0, 0), border)
        return stage.finish(
            puppet.outline, draw_effects(stage, puppet, animation, phase, self.direction, 0.0, size * 0.12)
        )

    def _add_leg(
        self,
        stage: Stage,
        parts: list[tuple[float, Canvas]],
        root: tuple[float, float, float],
        swing: float,
        knee: float,
        lift: float,
    ) -> None:
        right, up, ahead = root
        layer = stage.layer()
        reach = self.leg + self.body * 0.32
        s, c = turn(swing - knee * 0.35)
        foot_up = (
            max(up - reach * c * (1.0 - 0.25 * min(knee, 1.5)), 0.0) if lift > 1.0 or abs(swing) + knee > 0.2 else 0.0
        )
        a, b = self._place(right, up, ahead), self._place(right, foot_up, ahead + reach * s)
        far = self.side and a.z < 0
        thick = 1 if self.puppet.size < 36 else 2 if self.puppet.size < 72 else 3
        tone = SHADOW if far else BASE
        floor = min(nearest(b.y), int(stage.bounds[3]))
        draw_bar(layer, a, Joint(b.x, floor - thick / 2.0, b.z), (thick, thick), BOOT, tone)
        x = nearest(snap(b.x, thick) / 2.0 - thick / 2.0)
        toe = max(1, self.puppet.size // 20)
        left, width = (
            (toe // 2, toe)
            if self.facing > 0
            else (toe, toe // 2)
            if self.facing < 0
            else ((toe + 1) // 2, (toe + 1) // 2)
        )
        layer.fill(x - left, floor - max(1, thick - 1), x + thick + width, floor, ink(BOOT, tone))
        parts.append((-20.0 if far else -10.0, layer))

    def _add_body(self, stage: Stage, parts: list[tuple[float, Canvas]], ahead: float, up: float, pose: Pose) -> None:
        layer = stage.layer()
        r = self.body
        rise = -0.25 + 0.5 * max(pose.stream, 0.0) - 0.4 * pose.lean + 0.15 * pose.sway
        s, c = turn(rise)
        root = self._place(0, up - r * 0.1, ahead - r * 0.7)
        tip = self._place(
            pose.sway * r * 0.3 * (not self.side), up - r * 0.1 + self.tail * s, ahead - r * 0.75 - self.tail * c
        )
        tail = stage.layer()
        draw_bar(tail, root, tip, (r * 0.8, max(2.0, r * 0.4)), HAIR, BASE if self.kind != "penguin" else SHADOW)
        parts.append((-30.0 if self.direction != "up" else 45.0, tail))
        low, high = self._place(0, up - r * 0.12, ahead - r * 0.06), self._place(0, up + r * 0.16, ahead + r * 0.08)
        draw_bar(layer, high, low, (1.8 * r, 2.0 * r), SKIN)
        if self.direction != "up":
            belly = Canvas(layer.index.shape[1], layer.index.shape[0], layer.origin)
            at = Joint(low.x + self.facing * r * 0.55, low.y + r * 0.16, 0.0)
            tall = Joint(at.x, at.y - r * (0.7 if self.kind == "penguin" else 0.25), 0.0)
            material, tone = (
                (0, LIGHT) if self.kind == "chick" else (TRIM, LIGHT) if self.kind == "parrot" else (0, LIGHT)
            )
            draw_bar(belly, tall, at, (r * 1.1, r * 1.25), material, tone)
            if self.kind == "penguin":
                belly.index[belly.index > 0] = WHITE
            mask = (belly.index > 0) & (layer.index > 0)
            layer.index[mask] = belly.index[mask]
            if self.kind == "owl" and self.puppet.size >= 32 and not self.facing:
                for i, row in enumerate(range(nearest(low.y - r * 0.1), nearest(low.y + r * 0.7), 3)):
                    for x in range(nearest(low.x - r * 0.4) + (i % 2), nearest(low.x + r * 0.4), 3):
                        layer.dot(x, row, ink(SKIN, SHADOW))
        parts.append((0.0, layer))

    def _add_wing(
        self,
        stage: Stage,
        parts: list[tuple[float, Canvas]],
        sign: int,
        at: tuple[float, float],
        swing: float,
        spread: float,
    ) -> None:
        """A wing: folded along the body at rest, raised as far as the arm is."""
        up, ahead = at
        layer = stage.layer()
        raised = min(max(swing * 0.75, -0.6), 1.9) + max(spread - 0.2, 0.0) * 0.9
        s, c = turn(raised)
        out = 0.12 + 0.75 * abs(s)
        root = self._place(sign * self.body * 0.82, up, ahead + self.body * 0.12)
        back = 0.62 - 0.25 * abs(s)
        tip = self._place(
            sign * (self.body * 0.82 + self.wing * out),
            up - self.wing * c * 0.82,
            ahead - self.wing * back * (1 if swing < 2 else 0.6),
        )
        if self.side:
            tip = Joint(
                root.x - self.facing * self.wing * (0.55 + 0.2 * abs(s)) * max(0.35, 1.0 - abs(raised) * 0.1),
                root.y + self.wing * (c * 0.62 - 0.1),
                root.z,
            )
        left, top, right, bottom = stage.bounds
        tip = Joint(min(max(tip.x, left), right), min(max(tip.y, top), bottom), tip.z)
        far = self.side and root.z < 0
        tone = SHADOW if far else BASE
        middle = Joint((root.x + tip.x) / 2.0, (root.y + tip.y) / 2.0, root.z)
        thick = self.wing_thick
        draw_bar(layer, root, middle, (thick, thick), HAIR, tone)
        draw_bar(layer, middle, tip, (thick, max(thick * 0.35, 1.0)), HAIR, tone)
        if self.puppet.size >= 32 and self.kind != "penguin":
            for share in (0.45, 0.75):
                x, y = root.x + (tip.x - root.x) * share, root.y + (tip.y - root.y) * share
                layer.dot(nearest(x), nearest(y), ink(HAIR, max(tone - 1, EDGE)))
                layer.dot(nearest(x) - (self.facing or -sign), nearest(y) + 1, ink(HAIR, max(tone - 1, EDGE)))
        parts.append((-25.0 if far else 30.0, layer))

    def _add_head(self, stage: Stage, parts: list[tuple[float, Canvas]], at: tuple[float, float], pose: Pose) -> None:
        layer = stage.layer()
        ahead, up = at
        r, facing = self.head, self.facing
        joint = self._place(0, up, ahead)
        left, top, right, _ = stage.bounds
        room = r + self.beak + 1.0
        x, y = (
            min(max(joint.x, left + room), right - room),
            max(joint.y, top + r * (1.5 if self.crest or self.kind == "owl" else 1.1)),
        )
        if self.crest:
            for i in range(3):
                base = Joint(x - facing * r * 0.2 * i, y - r * 0.7, 0.0)
                end = Joint(
                    x - facing * r * (0.25 + 0.35 * i) + (0 if facing else (i - 1) * r * 0.4),
                    y - r * (1.45 - 0.2 * (i == 2)),
                    0.0,
                )
                draw_bar(layer, base, end, (max(2.0, r * 0.35), 1.0), TRIM, LIGHT if i == 1 else BASE)
        if self.kind == "owl":
            for side in (-1, 1):
                base = Joint(x + side * r * 0.6, y - r * 0.6, 0.0)
                draw_bar(layer, base, Joint(x + side * r * 0.85, y - r * 1.3, 0.0), (max(2.0, r * 0.45), 1.0), HAIR)
        draw_ball(layer, Joint(x, y, 0), 2 * r, SKIN)
        if self.direction != "up":
            if self.kind == "penguin":
                self._paint_patch(layer, Joint(x + facing * r * 0.5, y + r * 0.3, 0), r * 1.3, WHITE)
            self._draw_face(layer, x, y, pose)
        elif self.kind in ("crow", "parrot"):
            layer.fill(nearest(x), nearest(y - r * 0.2), nearest(x) + 1, nearest(y + r * 0.6), ink(SKIN, SHADOW))
        parts.append((60.0 if self.direction != "up" else 35.0, layer))

    def _paint_patch(self, layer: Canvas, at: Joint, diameter: float, colour: int) -> None:
        patch = Canvas(layer.index.shape[1], layer.index.shape[0], layer.origin)
        draw_ball(patch, at, diameter, SKIN)
        layer.index[(patch.index > 0) & (layer.index > 0)] = colour

    def _draw_face(self, layer: Canvas, x: float, y: float, pose: Pose) -> None:
        r, size, facing = self.head, self.puppet.size, self.facing
        closed, gape = pose.closed >= 0.5, pose.mouth >= 0.5
        big = self.kind == "owl"
        w, h = (1, 1) if size < 24 else (1, 2) if size < 48 else (2, 3)
        thick = max(2.0, r * 0.55) if size >= 24 else 1.0
        if facing:
            base = Joint(x + facing * r * 0.75, y + r * 0.15, 0)
            draw_bar(
                layer,
                base,
                Joint(x + facing * (r + self.beak), y + r * (0.3 if self.kind != "parrot" else 0.6), 0),
                (thick, 1),
                BOOT,
            )
            if gape:
                draw_bar(
                    layer,
                    Joint(base.x, base.y + r * 0.35, 0),
                    Joint(x + facing * (r + self.beak * 0.6), y + r * 0.8, 0),
                    (1, 1),
                    BOOT,
                    SHADOW,
                )
            spots = [nearest(x + facing * r * 0.3) - (w if facing < 0 else 0)]
        else:
            tall = max(1, nearest(r * (0.35 if not gape else 0.55)))
            for i in range(tall):
                half = max(1, nearest((tall - i) * 0.7))
                row = nearest(y + r * 0.2) + i
                layer.fill(
                    nearest(x) - half,
                    row,
                    nearest(x) + half,
                    row + 1,
                    ink(BOOT, BASE if i < tall - 1 or tall == 1 else SHADOW),
                )
            if gape and size >= 32:
                layer.fill(
                    nearest(x) - 1,
                    nearest(y + r * 0.2) + tall // 2,
                    nearest(x) + 1,
                    nearest(y + r * 0.2) + tall // 2 + 1,
                    ink(BOOT, EDGE),
                )
            gap = max(1, nearest(r * 0.36))
            spots = [nearest(x) - gap - w, nearest(x) + gap]
        row = nearest(y - r * 0.25)
        for spot in spots:
            if big and size >= 28:
                self._paint_patch(layer, Joint(spot + w / 2.0, row + h / 2.0, 0), r * 0.85, WHITE)
            if closed:
                layer.fill(spot, row + h - 1, spot + w, row + h, BLACK)
                continue
            layer.fill(spot, row, spot + w, row + h, BLACK)
            if h == 3:
                layer.fill(spot, row, spot + 1, row + 1, WHITE)
            if big and h > 1:
                layer.fill(spot, row + h - 1, spot + w, row + h, IRIS)
