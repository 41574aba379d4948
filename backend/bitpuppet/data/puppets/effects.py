"""Trails of blows and balls of magic: laid over the figure, without outline, the same for all plans."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bitpuppet.data.puppets.canvas import Canvas
from bitpuppet.data.puppets.items import along, clamp_tip, reach_of
from bitpuppet.data.puppets.palettes import GLOW, WHITE
from bitpuppet.data.puppets.poses import find_pose
from bitpuppet.data.puppets.recipe import Puppet
from bitpuppet.data.puppets.skeleton import Joint, Point, pose_skeleton, project
from bitpuppet.data.puppets.stage import Stage


def draw_effects(
    stage: Stage, puppet: Puppet, animation: str, phase: float, direction: str, headroom: float, ahead: float = 0.0
) -> Canvas | None:
    """The layer of effects of a moment, or None where there are none.

    Effects are where a two-legged body of the puppet's build has its hands, moved ahead by pixels for those without.
    """
    pose = find_pose(animation, phase)
    if pose.strike < 0.5 and pose.glow < 0.2:
        return None
    build = puppet.build
    layer, height = stage.layer(), build.height
    offset = project(direction, 0.0, -0.4 * ahead, ahead)
    if pose.strike >= 0.5:
        hands: list[Joint] = []
        shares: list[float] = []
        ways: list[Point] = []
        item = puppet.outfit.right_item if ahead == 0.0 else "none"
        reach = max(reach_of(item, height), height * 0.22)
        for back in (0.14, 0.12, 0.1, 0.08, 0.06, 0.04, 0.02, 0.0):
            past = pose_skeleton(build, find_pose(animation, max(phase - back, 0.0)), direction, headroom)
            end = past.right_arm.end
            hand = Joint(end.x + offset.x, end.y + offset.y, end.z)
            hands.append(hand)
            ways.append(past.item)
            tip = clamp_tip(hand, past.item, reach, stage.bounds)
            size = max((past.item[0] ** 2 + past.item[1] ** 2) ** 0.5, 0.1)
            shares.append((((tip[0] - hand.x) ** 2 + (tip[1] - hand.y) ** 2) ** 0.5) / size)
        # One length for all, that of the most cramped: a tip drawn in on its own would put a corner into the arc.
        reach = max(min(shares), 0.6 * reach)
        tips = [(hand.x + way[0] * reach, hand.y + way[1] * reach) for hand, way in zip(hands, ways, strict=True)]
        _draw_trail(layer, hands, tips, height * 0.13)
    if pose.glow >= 0.2:
        skeleton = pose_skeleton(build, pose, direction, headroom)
        ends = [(j.x + offset.x, j.y + offset.y) for j in (skeleton.right_arm.end, skeleton.left_arm.end)]
        spin = int(phase * 24)
        if pose.right_arm < 1.8 or ahead:
            middle = ((ends[0][0] + ends[1][0]) / 2.0, (ends[0][1] + ends[1][1]) / 2.0)
            _draw_glow(layer, _keep_inside(middle, stage), pose.glow, height, spin)
        else:
            for end_point in ends:
                _draw_glow(layer, _keep_inside(end_point, stage), pose.glow * 0.7, height, spin)
    return layer


def _keep_inside(at: Point, stage: Stage) -> Point:
    left, top, right, bottom = stage.bounds
    gap = stage.size / 10.0
    return min(max(at[0], left + gap), right - gap), min(max(at[1], top + gap), bottom - gap)


def _draw_trail(canvas: Canvas, hands: list[Joint], tips: list[Point], thick: float) -> None:
    """The crescent that a blow leaves: between the last tips, oldest first, at least thick pixels at the newest."""
    if len(tips) < 2:
        return
    x, y = canvas.grid()
    full = np.zeros(canvas.index.shape, dtype=np.bool_)
    core = full.copy()
    inner, middle = [], []
    for i, (hand, tip) in enumerate(zip(hands, tips, strict=True)):
        share = i / (len(tips) - 1)
        length = max(((tip[0] - hand.x) ** 2 + (tip[1] - hand.y) ** 2) ** 0.5, 0.5)
        deep = share * max(0.55, thick / length)
        inner.append(along((hand.x, hand.y), tip, 1.0 - deep))
        middle.append(along((hand.x, hand.y), tip, 1.0 - 0.5 * deep))
    for i in range(len(tips) - 1):
        full |= _inside(x, y, [tips[i], tips[i + 1], inner[i + 1], inner[i]])
        core |= _inside(x, y, [tips[i], tips[i + 1], middle[i + 1], middle[i]])
    canvas.paint(full, GLOW)
    canvas.paint(core, WHITE)


def _inside(x: NDArray[np.float64], y: NDArray[np.float64], corners: list[Point]) -> NDArray[np.bool_]:
    """Pixels inside a polygon, by the even-odd rule."""
    mask = np.zeros(np.broadcast_shapes(x.shape, y.shape), dtype=np.bool_)
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        if ay == by:
            continue
        crosses = (ay > y) != (by > y)
        mask ^= crosses & (x < (bx - ax) * (y - ay) / (by - ay) + ax)
    return mask


def _draw_glow(canvas: Canvas, at: Point, power: float, height: int, turn: int) -> None:
    """A ball of magic with sparks around it; power 0..1, turn picks where the sparks are."""
    r = power * height / 12.0
    x, y = int(np.floor(at[0] + 0.5)), int(np.floor(at[1] + 0.5))
    size = max(1, int(2 * r + 0.5))
    gx, gy = canvas.grid()
    away = (gx - x) * (gx - x) + (gy - y) * (gy - y)
    canvas.paint(away < r * r + 0.6, GLOW)
    if size >= 3:
        inner = r * 0.62
        canvas.paint(away < inner * inner + 0.3, WHITE)
    far = int(r + 2.5)
    for i in range(3):
        k = (turn + 3 * i) % 8
        dx, dy = ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))[k]
        canvas.fill(x + dx * far, y + dy * far, x + dx * far + 1, y + dy * far + (2 if height > 20 else 1), GLOW)
