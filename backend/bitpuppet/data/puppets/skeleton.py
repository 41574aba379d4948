"""Joints on the screen: a two-legged body takes a pose, seen from one of four directions at 3/4 from above."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bitpuppet.data.puppets.poses import Pose
from bitpuppet.data.puppets.recipe import Build

DEPTH = 0.42
"""How far down the screen a pixel of depth is; sideways views show less, so that limbs line up."""
DEPTH_SIDE = 0.22

Point = tuple[float, float]


@dataclass(frozen=True)
class Joint:
    """Screen position relative to the ground point under the body (x right, y down) and depth (towards the viewer)."""

    x: float
    y: float
    z: float


@dataclass(frozen=True)
class Limb:
    """An arm or a leg: three joints."""

    root: Joint
    middle: Joint
    end: Joint


@dataclass(frozen=True)
class Skeleton:
    """Joints of a two-legged body; right and left are the character's own."""

    hip: Joint
    chest: Joint
    head: Joint
    """Where the chin rests."""
    right_arm: Limb
    left_arm: Limb
    right_leg: Limb
    left_leg: Limb
    item: Point
    """Unit-length direction of the right hand's item, foreshortened."""
    ahead: Point
    """Direction in which the body looks, a little upwards."""
    ground: float
    """How far the body is lifted, pixels."""


def project(direction: str, right: float, up: float, ahead: float) -> Joint:
    """Screen position of a point in the body's own axes (pixels)."""
    if direction == "down":
        return Joint(-right, -up + DEPTH * ahead, ahead)
    if direction == "up":
        return Joint(right, -up - DEPTH * ahead, -ahead)
    if direction == "right":
        return Joint(ahead, -up + DEPTH_SIDE * right, right)
    return Joint(-ahead, -up - DEPTH_SIDE * right, -right)


def turn(angle: float) -> tuple[float, float]:
    """Sine and cosine, rounded to 1/4096 so that every platform's library gives the same bits."""
    return (
        math.floor(math.sin(angle) * 4096.0 + 0.5) / 4096.0,
        math.floor(math.cos(angle) * 4096.0 + 0.5) / 4096.0,
    )


def step(height: float) -> float:
    """The smallest movement that shows on a body of that height: a pixel, more on large ones."""
    return max(1.0, height / 34.0)


def pose_skeleton(build: Build, pose: Pose, direction: str, headroom: float = 99.0) -> Skeleton:
    """The skeleton of a build in a pose; the lower foot is on the ground unless the pose rises, by headroom at most."""
    height = float(build.height)
    lean_s, lean_c = turn(pose.lean)
    twist_s, twist_c = turn(pose.twist)
    half = build.leg / 2.0
    drops: list[float] = []
    legs: list[tuple[float, float, float, float]] = []
    for swing, knee in ((pose.right_leg, pose.right_knee), (pose.left_leg, pose.left_knee)):
        s0, c0 = turn(swing)
        s1, c1 = turn(swing - knee)
        legs.append((half * s0, half * c0, half * (s0 + s1), half * (c0 + c1)))
        drops.append(half * (c0 + c1))
    lift = min(pose.rise * height, headroom)
    hip_up = max(max(drops), build.leg * 0.35) + lift
    shift = pose.shift * height
    sunk = pose.breath * step(height)
    length = build.torso - sunk
    shoulder_up, shoulder_ahead = hip_up + length * lean_c, shift + length * lean_s

    def place(right: float, up: float, ahead: float) -> Joint:
        return project(direction, right, up, ahead)

    stance = max(build.hip_half - build.leg_thick / 2.0, build.leg_thick / 2.0)
    limbs: list[Limb] = []
    for side, (knee_ahead, knee_down, foot_ahead, foot_down) in zip((1, -1), legs, strict=True):
        limbs.append(
            Limb(
                place(side * stance, hip_up, shift),
                place(side * stance, hip_up - knee_down, shift + knee_ahead),
                place(side * stance, hip_up - foot_down, shift + foot_ahead),
            )
        )
    inset = max(build.shoulder_half - build.arm_thick / 2.0 + 0.5, 1.0)
    drop = build.arm_thick / 2.0
    for side, swing, spread, elbow in (
        (1, pose.right_arm, pose.right_spread, pose.right_elbow),
        (-1, pose.left_arm, pose.left_spread, pose.left_elbow),
    ):
        right, up = side * inset * twist_c, shoulder_up - drop
        ahead = shoulder_ahead + side * inset * twist_s
        points = [place(right, up, ahead)]
        for angle in (swing, swing + elbow):
            s, c = turn(angle)
            out_s, out_c = turn(spread)
            right += side * build.arm / 2.0 * out_s
            up -= build.arm / 2.0 * c * out_c
            ahead += build.arm / 2.0 * s * out_c
            points.append(place(right, up, ahead))
        limbs.append(Limb(*points))
    item_s, item_c = turn(pose.item)
    tip = place(pose.item_out, item_s, item_c)
    look = place(0.55, 0.2, 0.9)
    return Skeleton(
        hip=place(0, hip_up, shift),
        chest=place(0, shoulder_up, shoulder_ahead),
        head=place(0, shoulder_up - 1.0, shoulder_ahead + pose.nod * height + 0.06 * build.head),
        right_leg=limbs[0], left_leg=limbs[1], right_arm=limbs[2], left_arm=limbs[3], item=(tip.x, tip.y),
        ahead=(look.x, look.y), ground=lift,
    )  # fmt: skip
