"""Torsos, skirts and capes, drawn row by row between the joints of a skeleton."""

from __future__ import annotations

from bitpuppet.data.puppets.canvas import Canvas, ink, nearest
from bitpuppet.data.puppets.palettes import BASE, BOOT, BOTTOM, EDGE, GLOW, LIGHT, METAL, SHADOW, SKIN, TOP, TRIM
from bitpuppet.data.puppets.poses import Pose
from bitpuppet.data.puppets.recipe import Build, Puppet
from bitpuppet.data.puppets.skeleton import Skeleton


def _band(canvas: Canvas, centre: int, half: int, y: int, material: int, tone: int = BASE) -> None:
    """One row of cloth: lit on the left, in shadow on the right."""
    canvas.fill(centre - half, y, centre + half, y + 1, ink(material, tone))
    if half >= 3:
        edge = max(1, half // 3)
        canvas.fill(centre + half - edge, y, centre + half, y + 1, ink(material, max(tone - 1, EDGE)))
    if half >= 5:
        canvas.fill(centre - half + 1, y, centre - half + 1 + half // 4, y + 1, ink(material, min(tone + 1, LIGHT)))


def _half_at(build: Build, t: float, side: bool) -> int:
    """Half width of the torso at t: 0 shoulders, 1 hips."""
    if side:
        top, middle, low = (
            build.side_half * 0.9,
            build.side_half + (0.6 if build.waist_half > build.hip_half else 0.0),
            build.side_half,
        )
        top, middle = (top, middle) if t > 0.12 else (top - 1.0, middle)
        return max(2 if build.side_half > 2 else 1, nearest(top + (middle - top) * min(t * 2, 1.0) if t < 0.5 else low))
    if t < 0.12:
        return max(build.shoulder_half - 1, 1)
    if t < 0.35:
        return build.shoulder_half
    if t < 0.75:
        u = (t - 0.35) / 0.4
        return nearest(build.shoulder_half + (build.waist_half - build.shoulder_half) * u)
    u = (t - 0.75) / 0.25
    return nearest(build.waist_half + (build.hip_half - build.waist_half) * u)


def draw_torso(canvas: Canvas, puppet: Puppet, skeleton: Skeleton, direction: str) -> None:
    """Trunk with shirt or armour, collar, belt and the seat of the trousers."""
    build, outfit = puppet.build, puppet.outfit
    robot = puppet.plan == "robot"
    side = direction in ("left", "right")
    facing = {"right": 1, "left": -1}.get(direction, 0)
    y0, y1 = nearest(skeleton.chest.y), nearest(skeleton.hip.y) + max(1, build.leg // 6)
    rows = max(y1 - y0, 2)
    belt = max(1, build.torso // 9)
    belt_row = y1 - max(1, build.leg // 6) - belt
    material = SKIN if outfit.top == "bare" or robot else METAL if outfit.top == "armour" else TOP
    for y in range(y0, y1):
        t = (y - y0 + 0.5) / rows
        centre = nearest(skeleton.chest.x + (skeleton.hip.x - skeleton.chest.x) * t)
        half = _half_at(build, t, side)
        low = y >= belt_row + belt
        _band(canvas, centre, half, y, (HAIR_PLATE if robot else BOTTOM) if low else material, BASE)
        if low:
            continue
        if not side and direction == "down":
            _dress_front(canvas, puppet, centre, half, y - y0, belt_row - y0, y)
        elif side and outfit.top == "vest" and half > 2:
            x = centre + facing * (half - 1)
            canvas.fill(min(x, x + facing), y, max(x, x + facing), y + 1, ink(SKIN))
        if belt_row <= y < belt_row + belt and (outfit.belt or build.torso < 5) and not robot:
            _band(canvas, centre, half, y, BOOT)
            if direction == "down" and half > 2:
                canvas.fill(centre - 1, y, centre + 1, y + 1, ink(METAL, LIGHT))
    if robot:
        _dress_robot(canvas, puppet, skeleton, direction, y0, belt_row)
    else:
        _draw_collar(canvas, puppet, skeleton, direction, y0)


HAIR_PLATE = 1
"""Robots wear their second plate colour where people have hair."""


def _dress_front(canvas: Canvas, puppet: Puppet, centre: int, half: int, row: int, last: int, y: int) -> None:
    """What sets a row of the front apart: open vest, buttons, tabard, breast plate."""
    outfit, large = puppet.outfit, puppet.build.shoulder_half >= 4
    if outfit.top == "vest":
        gap = max(1, half // 3) if row > 0 else half // 2
        canvas.fill(centre - gap, y, centre + gap, y + 1, ink(SKIN))
        if large:
            canvas.fill(centre + gap - 1, y, centre + gap, y + 1, ink(SKIN, SHADOW))
    elif outfit.top == "coat" and large:
        canvas.fill(centre - 1, y, centre + 1, y + 1, ink(TRIM))
        if row % 3 == 1:
            canvas.dot(centre - 2, y, ink(METAL, LIGHT))
    elif outfit.top == "armour":
        if row == max(2, last // 2):
            canvas.fill(centre - half + 1, y, centre + half - 1, y + 1, ink(METAL, SHADOW))
        if outfit.mark % 2 and large:
            wide = max(1, half // 3)
            canvas.fill(centre - wide, y, centre + wide, y + 1, ink(TRIM))
    elif outfit.top == "bare" and large:
        if row == max(2, last // 2):
            canvas.fill(centre - half + 2, y, centre + half - 1, y + 1, ink(SKIN, SHADOW))
        elif row > last // 2 and row % 2:
            canvas.fill(centre, y, centre + 1, y + 1, ink(SKIN, SHADOW))
    elif outfit.top == "shirt" and outfit.mark == 1 and large:
        canvas.fill(centre - 1, y, centre + 1, y + 1, ink(TRIM))
    elif outfit.top == "shirt" and outfit.mark == 2 and row % 4 in (2, 3) and large:
        _band(canvas, centre, half, y, TRIM)


def _dress_robot(canvas: Canvas, puppet: Puppet, skeleton: Skeleton, direction: str, y0: int, last: int) -> None:
    build, x = puppet.build, nearest(skeleton.chest.x)
    half = (
        max(build.shoulder_half // 2, 1)
        if direction != "left" and direction != "right"
        else max(build.side_half // 2, 1)
    )
    top = y0 + max(1, build.torso // 5)
    low = max(top + 1, min(last - 1, top + build.torso // 2))
    if direction == "up":
        canvas.fill(x - half, top, x + half, low, ink(HAIR_PLATE))
        canvas.fill(x - half, low - 1, x + half, low, ink(HAIR_PLATE, SHADOW))
        return
    canvas.fill(x - half, top, x + half, low, ink(HAIR_PLATE))
    canvas.fill(x - half, top, x + half, top + 1, ink(HAIR_PLATE, EDGE))
    if build.torso >= 7:
        if puppet.outfit.mark in (0, 1):
            canvas.fill(x - 1, top + 1, x + 1, top + 3, GLOW)
        else:
            canvas.fill(x - half + 1, top + 2, x, top + 3, GLOW)
            canvas.fill(x, top + 2, x + half - 1, top + 3, ink(TRIM, LIGHT))


def _draw_collar(canvas: Canvas, puppet: Puppet, skeleton: Skeleton, direction: str, y0: int) -> None:
    """Neckline, scarf, ruff or fur around the shoulders."""
    build, collar = puppet.build, puppet.outfit.collar
    x, half = nearest(skeleton.chest.x), build.shoulder_half
    if direction in ("left", "right"):
        half = build.side_half
    deep = max(1, build.torso // 7)
    if collar == "fur":
        canvas.fill(x - half, y0, x + half, y0 + deep + 1, ink(1))
        for i in range(x - half, x + half, 2):
            canvas.dot(i, y0 + deep + 1, ink(1, SHADOW))
    elif collar == "scarf":
        canvas.fill(x - half + 1, y0, x + half - 1, y0 + deep + 1, ink(TRIM))
        canvas.fill(x - half + 1, y0 + deep, x + half - 1, y0 + deep + 1, ink(TRIM, SHADOW))
        if direction == "down" and half >= 4:
            canvas.fill(x + half // 3, y0 + deep, x + half // 3 + 2, y0 + deep + build.torso // 3, ink(TRIM))
    elif collar == "ruff":
        canvas.fill(x - half + 1, y0, x + half - 1, y0 + deep, ink(METAL, LIGHT))
    elif collar == "trim":
        canvas.fill(x - half + 1, y0, x + half - 1, y0 + deep, ink(TRIM))
    elif direction == "down" and puppet.outfit.top in ("shirt", "coat") and half >= 4:
        canvas.fill(x - half // 2, y0, x + half // 2, y0 + deep, ink(SKIN, SHADOW))
        canvas.fill(x - 1, y0 + deep, x + 1, y0 + 2 * deep, ink(SKIN, SHADOW))


def draw_skirt(canvas: Canvas, puppet: Puppet, skeleton: Skeleton, pose: Pose, direction: str) -> None:
    """Tunic hem, dress or robe; its lower edge covers the knees or feet that it hangs on and swings with the pose."""
    build, outfit = puppet.build, puppet.outfit
    if outfit.skirt == "none" or puppet.plan == "robot":
        return
    share = {"tunic": 0.34, "dress": 0.66, "robe": 0.96}[outfit.skirt]
    flare = {"tunic": 1.12, "dress": 1.55, "robe": 1.42}[outfit.skirt]
    side = direction in ("left", "right")
    facing = {"right": 1.0, "left": -1.0}.get(direction, 0.0)
    y0 = nearest(skeleton.hip.y)
    floor = -skeleton.ground
    y1 = min(nearest(skeleton.hip.y + (floor - skeleton.hip.y) * share), -1 - nearest(skeleton.ground))
    rows = max(y1 - y0, 1)
    waist = build.side_half if side else build.hip_half
    right, left = skeleton.right_leg, skeleton.left_leg
    reach = [right.middle.x, left.middle.x] if outfit.skirt == "tunic" else [right.end.x, left.end.x]
    hem_l, hem_r = skeleton.hip.x - waist * flare, skeleton.hip.x + waist * flare
    if side:
        pull = 0.55 if outfit.skirt == "tunic" else 0.8
        hem_l = min(hem_l, skeleton.hip.x + (min(reach) - skeleton.hip.x) * pull - build.leg_thick * 0.6)
        hem_r = max(hem_r, skeleton.hip.x + (max(reach) - skeleton.hip.x) * pull + build.leg_thick * 0.6)
        trail = pose.stream * build.leg * 0.3
        hem_l, hem_r = (hem_l - trail, hem_r) if facing > 0 else (hem_l, hem_r + trail)
    else:
        swing = pose.sway * build.leg * 0.12
        hem_l, hem_r = hem_l + swing, hem_r + swing
    material = TRIM if outfit.top in ("armour", "bare") else TOP
    for y in range(y0, y1):
        t = (y - y0 + 1) / rows
        a = nearest(skeleton.hip.x - waist + (hem_l - skeleton.hip.x + waist) * t)
        b = nearest(skeleton.hip.x + waist + (hem_r - skeleton.hip.x - waist) * t)
        if b - a < 2:
            continue
        canvas.fill(a, y, b, y + 1, ink(material))
        shade = max(1, (b - a) // 5)
        canvas.fill(b - shade, y, b, y + 1, ink(material, SHADOW))
        if b - a >= 9:
            canvas.fill(a + 1, y, a + 1 + max(1, (b - a) // 8), y + 1, ink(material, LIGHT))
            if t > 0.35:
                for share_x in (0.36, 0.64):
                    fold = a + nearest((b - a) * share_x)
                    canvas.fill(fold, y, fold + 1, y + 1, ink(material, SHADOW))
        if y == y1 - 1 and outfit.skirt != "tunic" and build.leg >= 5:
            canvas.fill(a, y, b, y + 1, ink(TRIM if material == TOP else METAL))
    if outfit.skirt != "tunic" and direction == "down" and outfit.mark == 1 and build.hip_half >= 4:
        x = nearest(skeleton.hip.x)
        canvas.fill(x - 1, y0 + 1, x + 1, y1, ink(TRIM, SHADOW))


def draw_cape(canvas: Canvas, puppet: Puppet, skeleton: Skeleton, pose: Pose, direction: str) -> None:
    """A cape from the shoulders to the calves: a fan behind the body, a train in side views."""
    build = puppet.build
    length = build.torso + build.leg * 0.55
    y0 = nearest(skeleton.chest.y) + (1 if build.torso > 6 else 0)
    side = direction in ("left", "right")
    back = {"right": -1, "left": 1}.get(direction, 0)
    trail = max(pose.stream, -0.2) * length * 0.62
    drop = length * (1.0 - 0.28 * max(pose.stream, 0.0))
    rows = max(nearest(drop), 3)
    limit = -1 - nearest(skeleton.ground)
    for i in range(rows):
        t = i / rows
        y = y0 + i
        if y >= limit:
            break
        if side:
            root = skeleton.chest.x * (1 - t) + (skeleton.hip.x if back else 0) * t
            outer = nearest(root + back * (build.side_half + t * t * trail + t * build.side_half * 0.5))
            inner = nearest(root + back * (t * t * trail * 0.7 - (build.side_half * 0.6 if t < 0.25 else 0)))
            a, b = min(inner, outer), max(inner, outer)
        else:
            half = build.shoulder_half + nearest(t * build.shoulder_half * 0.55 + 0.3)
            swing = nearest(t * t * pose.sway * build.shoulder_half * 0.5)
            centre = nearest(skeleton.chest.x + (skeleton.hip.x - skeleton.chest.x) * min(t * 1.5, 1.0))
            a, b = centre - half + swing, centre + half + swing
            if direction == "up" and i == 0:
                a, b = a + 1, b - 1
        if b - a < 1:
            continue
        front = direction == "down"
        canvas.fill(a, y, b, y + 1, ink(TRIM, SHADOW if front else BASE))
        if not front:
            canvas.fill(b - max(1, (b - a) // 5), y, b, y + 1, ink(TRIM, SHADOW))
            if b - a >= 8 and not side:
                canvas.fill(a + 1, y, a + 1 + (b - a) // 8, y + 1, ink(TRIM, LIGHT))
                for share in (0.38, 0.66):
                    if t > 0.25:
                        fold = a + nearest((b - a) * share)
                        canvas.fill(fold, y, fold + 1, y + 1, ink(TRIM, SHADOW))
        if i == rows - 1 and not front and b - a >= 5:
            canvas.fill(a, y, b, y + 1, ink(TRIM, SHADOW))
