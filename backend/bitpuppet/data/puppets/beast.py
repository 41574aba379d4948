"""Four-legged puppets: joints in the body's own axes, projected like everybody else's, so all directions draw."""

from __future__ import annotations

from bitpuppet.data.puppets.canvas import DARKEST, RIM, Canvas, ink, nearest, snap
from bitpuppet.data.puppets.effects import draw_effects
from bitpuppet.data.puppets.palettes import BASE, BLACK, BOOT, EDGE, HAIR, IRIS, LIGHT, SHADOW, SKIN, TRIM, WHITE
from bitpuppet.data.puppets.poses import Pose, find_pose
from bitpuppet.data.puppets.recipe import Puppet
from bitpuppet.data.puppets.skeleton import Joint, project, step, turn
from bitpuppet.data.puppets.stage import Stage, draw_ball, draw_bar

# Shares of the frame side: body length, thickness, leg, neck rise, neck reach, head radius, snout, tail, leg thickness.
_SHAPES = {
    "wolf": (0.36, 0.23, 0.24, 0.13, 0.13, 0.125, 0.13, 0.24, 0.085),
    "fox": (0.33, 0.19, 0.19, 0.10, 0.12, 0.125, 0.13, 0.3, 0.07),
    "cat": (0.31, 0.20, 0.19, 0.13, 0.10, 0.145, 0.06, 0.3, 0.075),
    "boar": (0.35, 0.31, 0.16, 0.02, 0.14, 0.145, 0.13, 0.1, 0.085),
    "horse": (0.36, 0.23, 0.30, 0.20, 0.12, 0.105, 0.15, 0.26, 0.08),
    "sheep": (0.32, 0.29, 0.18, 0.11, 0.13, 0.115, 0.08, 0.06, 0.07),
}

_NEAR_LEG = 20.0


class Beast:
    """Draws one four-legged puppet in one direction."""

    def __init__(self, puppet: Puppet, direction: str) -> None:
        self.puppet, self.direction = puppet, direction
        self.kind = puppet.outfit.kind
        size = float(puppet.size) * (0.9 if puppet.size <= 24 else 1.0)
        self.side = direction in ("left", "right")
        shape = [share * size * (0.92 if self.side else 1.06) for share in _SHAPES[self.kind]]
        self.length, self.body, self.leg, self.neck_up, self.neck_out, self.head, self.snout, self.tail, thick = shape
        self.thick = max(2 if puppet.size >= 24 else 1, nearest(thick))

    def _place(self, right: float, up: float, ahead: float) -> Joint:
        # Seen from the front a body is so foreshortened that its head would hide it all: raise the rump a little.
        return project(self.direction, right, up, ahead if self.side else ahead * 0.68)

    def draw(self, animation: str, phase: float) -> Canvas:
        """The finished frame, an index image of the puppet's size."""
        puppet = self.puppet
        pose = find_pose(animation, phase)
        stage = Stage(puppet.size)
        front = [max(-1.0, min(arm, 1.1)) for arm in (pose.right_arm, pose.left_arm)]
        rear = min(max((max(pose.right_arm, pose.left_arm) - 1.2) * 0.42, 0.0), 0.62)
        pitch = rear - 0.45 * pose.lean
        air = min(1.0, pose.rise / 0.08)
        drops = []
        for swing, knee in ((pose.right_leg, pose.right_knee), (pose.left_leg, pose.left_knee)):
            drops.append(0.5 * self.leg * (turn(swing)[1] + turn(swing - knee * 0.8)[1]))
        lift = pose.rise * puppet.size * 0.7
        up = (
            max(max(drops), 0.45 * self.leg) * (1.0 - air)
            + self.leg * air
            + lift
            - 0.5 * pose.breath * step(puppet.size * 0.7)
        )
        # The longer of tail and head would leave the frame if the trunk were in its middle.
        balance = (self.tail * 0.62 - self.neck_out - self.snout - self.head * 0.4) * 0.5
        shift = pose.shift * puppet.size * 0.6 + (balance if self.side else 0.0)
        s, c = turn(pitch)
        middle = up + self.body * 0.42
        rump = (shift - self.length * 0.5, middle)
        chest = (rump[0] + self.length * c, rump[1] + self.length * s)
        nod = (pose.nod * 1.2 - 0.03 * pose.breath) * puppet.size
        ahead_head = chest[0] + self.neck_out + nod * 0.5
        up_head = (
            chest[1] + self.neck_up - abs(nod) * 0.6 - (0.09 * puppet.size if pose.lean > 0.2 else 0.0) * pose.lean
        )
        if pose.closed >= 0.5 and pose.lean < 0:
            up_head += 0.02 * puppet.size
        parts: list[tuple[float, Canvas]] = []
        self._add_tail(stage, parts, rump, pose)
        self._add_body(stage, parts, rump, chest, (ahead_head, up_head))
        width = max(self.body * (0.3 if self.side else 0.36), self.thick * 0.6)
        for i, sign in enumerate((1, -1)):
            swing, knee = (pose.right_leg, pose.right_knee) if i == 0 else (pose.left_leg, pose.left_knee)
            self._add_leg(
                stage,
                parts,
                (sign * width, rump[1] - self.body * 0.2, rump[0] + self.thick * 0.4),
                swing,
                knee * 0.8,
                lift,
            )
            bend = -0.5 * (pose.right_elbow if i == 0 else pose.left_elbow)
            bend = bend if front[i] > 0.4 or rear > 0.1 else min(0.0, bend + 0.3)
            root = (sign * width, chest[1] - self.body * 0.2, chest[0] - self.thick * 0.2)
            self._add_leg(stage, parts, root, front[i] + (0.5 * rear), -bend, lift)
        self._add_head(stage, parts, ahead_head, up_head, pose)
        border = DARKEST if puppet.size >= 28 else RIM
        for depth, part in sorted(parts, key=lambda part: part[0]):
            # Near legs grow out of the trunk, so nothing separates them from it.
            stage.canvas.stamp(part, (0, 0), None if depth == _NEAR_LEG else border)
        return stage.finish(
            puppet.outline, draw_effects(stage, puppet, animation, phase, self.direction, 0.0, puppet.size * 0.2)
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
        length = max(up - lift, self.leg * 0.6) if abs(swing) < 0.05 else max(self.leg + self.body * 0.2, 2.0)
        s0, c0 = turn(swing)
        s1, c1 = turn(swing - knee)
        mid_up, foot_up = up - length / 2 * c0, up - length / 2 * (c0 + c1)
        foot_up = max(foot_up, 0.0)
        a, b = self._place(right, up, ahead), self._place(right, max(mid_up, 1.0), ahead + length / 2 * s0)
        foot = self._place(right, foot_up, ahead + length / 2 * (s0 + s1))
        far = self.side and a.z < 0
        tone = SHADOW if far else BASE
        t = self.thick
        low = max(t - 1, 1) if t > 2 else t
        floor = min(nearest(foot.y), int(stage.bounds[3]))
        draw_bar(layer, a, b, (t + (1 if t > 2 else 0), t), SKIN, tone)
        end = Joint(foot.x, floor - low / 2.0, foot.z)
        sock = HAIR if self.kind in ("fox", "sheep") or self.puppet.outfit.mark == 2 else SKIN
        draw_bar(layer, b, end, (low, low), sock, tone)
        x0 = nearest(snap(foot.x, low) / 2.0 - low / 2.0)
        toe = 1 if t >= 3 and self.side else 0
        facing = 1 if self.direction == "right" else -1
        hoof = BOOT if self.kind in ("boar", "horse", "sheep") else sock
        layer.fill(
            x0 - (toe if facing < 0 else 0),
            floor - max(1, t // 2),
            x0 + low + (toe if facing > 0 else 0),
            floor,
            ink(hoof, tone),
        )
        depth = (
            (-20.0 if far else _NEAR_LEG)
            if self.side
            else -15.0 + 0.1 * foot.z + (40.0 if swing > 0.7 and foot.z > 0 else 0.0)
        )
        parts.append((depth, layer))

    def _add_tail(self, stage: Stage, parts: list[tuple[float, Canvas]], rump: tuple[float, float], pose: Pose) -> None:
        layer = stage.layer()
        lively = pose.sway * 0.4
        high = self.kind == "cat"
        a = self._place(0, rump[1] + self.body * 0.22, rump[0] - self.body * 0.32)
        rise = 0.6 + 0.35 * lively if high else -0.45 + 0.9 * max(pose.stream, 0.0) + 0.3 * lively
        s, c = turn(rise)
        aside = self.tail * (0.15 if self.side else 0.6) * lively
        b = self._place(
            aside, rump[1] + self.body * 0.22 + self.tail * 0.5 * s, rump[0] - self.body * 0.32 - self.tail * 0.5 * c
        )
        s2, c2 = turn(rise + (1.0 if high else -0.25))
        e = self._place(
            aside * 2,
            rump[1] + self.body * 0.22 + self.tail * 0.5 * (s + s2),
            rump[0] - self.body * 0.32 - self.tail * 0.5 * (c + c2),
        )
        bushy = {"fox": 0.13, "wolf": 0.09, "horse": 0.08}.get(self.kind, 0.05) * self.puppet.size
        material = HAIR if self.kind in ("horse", "sheep") else SKIN
        left, top, right, _ = stage.bounds
        b, e = (Joint(min(max(j.x, left + bushy / 2), right - bushy / 2), max(j.y, top + 2.0), j.z) for j in (b, e))
        thin = max(1.0, self.thick * 0.7)
        draw_bar(layer, a, b, (thin, max(bushy, thin)), material)
        draw_bar(
            layer, b, e, (max(bushy, thin), max(bushy * 0.5, 1.0)), HAIR if self.kind in ("fox", "wolf") else material
        )
        if self.kind == "fox":
            draw_ball(layer, e, bushy * 0.6, HAIR, LIGHT)
        parts.append((-30.0 if self.direction != "up" else 40.0, layer))

    def _add_body(
        self,
        stage: Stage,
        parts: list[tuple[float, Canvas]],
        rump: tuple[float, float],
        chest: tuple[float, float],
        head: tuple[float, float],
    ) -> None:
        layer = stage.layer()
        a, b = self._place(0, rump[1], rump[0]), self._place(0, chest[1], chest[0])
        neck = self._place(0, head[1] - self.head * 0.3, head[0] - self.head * 0.4)
        top = self._place(0, chest[1] + self.body * 0.15, chest[0])
        wool = self.kind == "sheep"
        coat = HAIR if wool else SKIN
        wide = 1.0 if self.side else 1.18
        draw_bar(layer, a, b, (self.body * 0.94 * wide, self.body * wide), coat)
        if self.side or self.direction == "down":
            draw_bar(layer, top, neck, (self.body * 0.62, self.head * 1.3), coat)
        if wool:
            for i in range(6):
                t = i / 5.0
                bump = Joint(a.x + (b.x - a.x) * t, a.y + (b.y - a.y) * t - self.body * (0.42 if i % 2 else 0.34), 0.0)
                draw_ball(layer, bump, self.body * 0.36, HAIR, LIGHT if i % 2 else BASE)
        self._mark(layer, a, b)
        if self.kind in ("horse", "boar", "wolf") and self.side:
            crest = Joint(neck.x - (b.x - a.x) * 0.12, neck.y - self.head * 0.4, 0.0)
            back = Joint(top.x - (b.x - a.x) * 0.22, top.y - self.body * 0.3, 0.0)
            draw_bar(layer, crest, back, (max(2.0, self.head * 0.6), max(1.0, self.head * 0.5)), HAIR)
        parts.append((0.0, layer))

    def _mark(self, layer: Canvas, a: Joint, b: Joint) -> None:
        """Coat pattern and, for mark 3, a saddle cloth; only where the coat is already painted."""
        mark, size = self.puppet.outfit.mark, self.puppet.size
        if self.kind == "sheep" or mark == 0:
            return
        cover = Canvas(layer.index.shape[1], layer.index.shape[0], layer.origin)
        if mark == 3 and self.side:
            mid = Joint((a.x + b.x) / 2.0, (a.y + b.y) / 2.0, 0.0)
            w, h = max(2, nearest(size * 0.07)), nearest(self.body * 0.3)
            x0, y0 = nearest(mid.x), nearest(mid.y)
            cover.fill(x0 - w, y0 - size // 3, x0 + w, y0 + h, ink(TRIM))
            cover.fill(x0 - w, y0 + h - 1, x0 + w, y0 + h, ink(TRIM, LIGHT))
            cover.fill(x0 + w - 1, y0 - size // 3, x0 + w, y0 + h, ink(TRIM, SHADOW))
        else:
            count = 3 if mark == 1 else 4
            for i in range(count):
                t = (i + 0.7) / count
                x, y = a.x + (b.x - a.x) * t, a.y + (b.y - a.y) * t
                if mark == 1:
                    draw_ball(cover, Joint(x, y + self.body * (0.22 if i % 2 else -0.2), 0.0), size * 0.09, HAIR)
                else:
                    x0 = nearest(x)
                    cover.fill(
                        x0, nearest(y - self.body), x0 + max(1, size // 32), nearest(y + self.body * 0.1), ink(HAIR)
                    )
        mask = (cover.index > 0) & (layer.index > 0)
        layer.index[mask] = cover.index[mask]

    def _add_head(self, stage: Stage, parts: list[tuple[float, Canvas]], ahead: float, up: float, pose: Pose) -> None:
        layer = stage.layer()
        left, top, right, _ = stage.bounds
        centre = self._place(0, up, ahead)
        r = self.head
        room = r * 0.9 + (self.snout + 1.0 if self.side else 1.0)
        x = min(max(centre.x, left + room), right - room)
        y = max(centre.y, top + r * (1.75 if self.kind != "sheep" else 1.0))
        centre = Joint(x, y, centre.z)
        facing = {"right": 1, "left": -1}.get(self.direction, 0)
        tall = max(2, nearest(r * (0.9 if self.kind != "sheep" else 0.5)))
        behind = stage.layer()
        for side in (-1, 1):
            base = x + (side * r * 0.62 if not facing else -facing * r * (0.15 + 0.45 * (side > 0)))
            flop = self.kind == "sheep"
            for i in range(tall):
                wide = max(1, nearest((tall - i) * 0.62)) if self.kind != "horse" else max(1, nearest(r * 0.3))
                if flop:
                    y0 = nearest(y - r * 0.2) + i // 2
                    x0 = nearest(x + side * (r + i * 0.6)) if not facing else nearest(x - facing * (r * 0.6 + i * 0.6))
                    behind.fill(x0, y0, x0 + max(1, tall // 2), y0 + max(1, tall // 2), ink(SKIN, SHADOW))
                    continue
                y0 = nearest(y - r * 0.72) - i
                x0 = nearest(base + side * 0.15 * i * (not facing)) - wide // 2 - (side < 0 and not facing)
                tone = SHADOW if facing and side < 0 else BASE
                behind.fill(
                    x0,
                    y0,
                    x0 + wide,
                    y0 + 1,
                    ink(HAIR if i >= tall // 2 and self.kind in ("fox", "wolf", "cat") else SKIN, tone),
                )
        layer.stamp(behind)
        draw_ball(layer, centre, 2 * r, SKIN)
        if self.direction != "up":
            self._draw_face(layer, x, y, facing, pose)
        parts.append((60.0 if self.direction != "up" else -40.0, layer))

    def _draw_face(self, layer: Canvas, x: float, y: float, facing: int, pose: Pose) -> None:
        r, kind = self.head, self.kind
        size = self.puppet.size
        eye_w, eye_h = (1, 1) if size < 24 else (1, 2) if size < 52 else (2, 3)
        pale = kind in ("fox", "cat", "wolf")
        closed = pose.closed >= 0.5
        if facing:
            nose = Joint(x + facing * (r * 0.5 + self.snout), y + r * 0.42, 0.0)
            thick = r * (0.95 if kind in ("horse", "boar") else 0.72)
            draw_bar(layer, Joint(x + facing * r * 0.3, y + r * 0.3, 0.0), nose, (thick * 1.15, thick), SKIN)
            if pale:
                cover = Canvas(layer.index.shape[1], layer.index.shape[0], layer.origin)
                draw_bar(
                    cover,
                    Joint(x, y + r * 0.8, 0.0),
                    Joint(nose.x, nose.y + thick * 0.35, 0.0),
                    (r * 0.8, 1.0),
                    HAIR,
                    LIGHT,
                )
                mask = (cover.index > 0) & (layer.index > 0)
                layer.index[mask] = cover.index[mask]
            nx = nearest(nose.x + facing * thick * 0.3) - (facing < 0)
            layer.fill(
                nx, nearest(nose.y - thick * 0.4), nx + 1, nearest(nose.y - thick * 0.4) + max(1, size // 32), BLACK
            )
            mouth_y = nearest(nose.y + thick * 0.3)
            if size >= 32:
                x0, x1 = sorted((nearest(x + facing * r * 0.7), nearest(nose.x)))
                layer.fill(
                    x0,
                    mouth_y,
                    x1,
                    mouth_y + (2 if pose.mouth >= 0.5 else 1),
                    BLACK if pose.mouth >= 0.5 else ink(SKIN, EDGE),
                )
            if kind == "boar":
                tx = nearest(nose.x - facing * thick * 0.2)
                layer.fill(tx, mouth_y - max(1, size // 24), tx + 1, mouth_y + 1, WHITE)
            ex, ey = nearest(x + facing * r * 0.35) - (eye_w if facing < 0 else 0), nearest(y - r * 0.25)
            spots = [ex]
        else:
            muzzle = Joint(x, y + r * 0.48, 0.0)
            draw_ball(
                layer,
                muzzle,
                r * (1.25 if kind != "horse" else 1.5),
                HAIR if pale else SKIN,
                LIGHT if size >= 20 else BASE,
            )
            n = max(1, size // 40)
            layer.fill(nearest(x) - n, nearest(y + r * 0.3), nearest(x) + n, nearest(y + r * 0.3) + n, BLACK)
            if size >= 32:
                low = nearest(y + r * 0.85)
                layer.fill(
                    nearest(x) - 1,
                    low,
                    nearest(x) + 1,
                    low + (2 if pose.mouth >= 0.5 else 1),
                    BLACK if pose.mouth >= 0.5 else ink(SKIN, EDGE),
                )
            if kind == "boar":
                for s in (-1, 1):
                    tx = nearest(x + s * r * 0.62) - (s > 0)
                    layer.fill(tx, nearest(y + r * 0.35), tx + 1, nearest(y + r * 0.35) + max(1, size // 20), WHITE)
            ey = nearest(y - r * 0.2)
            gap = max(1, nearest(r * 0.38))
            spots = [nearest(x) - gap - eye_w, nearest(x) + gap]
        for ex in spots:
            if closed:
                layer.fill(ex, ey + eye_h - 1, ex + max(eye_w, 1), ey + eye_h, BLACK)
            else:
                layer.fill(ex, ey, ex + eye_w, ey + eye_h, BLACK)
                if eye_h == 3:
                    layer.fill(ex, ey, ex + 1, ey + 1, WHITE)
                    layer.fill(ex, ey + 2, ex + eye_w, ey + 3, IRIS)
