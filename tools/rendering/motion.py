"""What characters do: poses by action and phase, the same for all of them, so that every swap has a true target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import cos, pi, radians, sin

from .looks import Body

ACTIONS = ("walk", "run", "wave", "jump", "nod", "talk", "turn")
DIRECTIONS = {
    "front": 0.0,
    "right": 90.0,
    "left": -90.0,
    "back": 180.0,
    "front-right": 45.0,
    "front-left": -45.0,
    "back-right": 135.0,
    "back-left": -135.0,
}
"""By how many degrees a character is turned about the vertical: `right` looks to the right of the picture."""
FOOT = 0.09
"""Height of the ankle above the sole, in units."""
JUMP = 0.34
"""How high the soles rise in a jump, in units."""
Turn = tuple[float, float, float]


@dataclass(frozen=True)
class Pose:
    """One moment.

    `turns`: degrees about x, y and z of the bones that are turned, in the axes of the character: it looks along -y, its
    left is +x, z is up; what is not named is at rest, arms and legs hanging. `yaw`: degrees that all of it is turned.
    `lift`: units that the lower sole is above the ground. `mouth`: 0 closed to 1 open. `eyes`: 1 open to 0 closed.
    """

    turns: Mapping[str, Turn] = field(default_factory=dict)
    yaw: float = 0.0
    lift: float = 0.0
    mouth: float = 0.0
    eyes: float = 1.0


def make_pose(action: str, phase: float) -> Pose:
    """The pose of an action at a phase in 0..1; all actions are cycles. Raises KeyError for an unknown action."""
    return _MAKERS[action](phase)


def find_height(body: Body, pose: Pose) -> float:
    """Height of the hips above the ground at which the lower foot stands on it, or `lift` above it."""
    drops = []
    for side in ("L", "R"):
        upper = pose.turns.get(f"leg.{side}", (0.0, 0.0, 0.0))
        lower = pose.turns.get(f"shin.{side}", (0.0, 0.0, 0.0))
        half = body.leg / 2
        drops.append(half * _drop(upper) + half * _drop((upper[0] + lower[0], upper[1], 0)))
    return max(drops) + FOOT + pose.lift


def _drop(turn: Turn) -> float:
    return cos(radians(turn[0])) * cos(radians(turn[1]))


def _step(wave: float, swing: float, bend: float, rest: float) -> dict[str, Turn]:
    """Legs in a stride: x turns a hanging limb forwards below 0, and a knee bends above 0."""
    turns: dict[str, Turn] = {}
    for side, shift in (("L", 0.0), ("R", pi)):
        thigh = -swing * sin(wave + shift)
        knee = rest + bend * max(0.0, cos(wave + shift - 0.35))
        turns[f"leg.{side}"] = (thigh, 0, 0)
        turns[f"shin.{side}"] = (knee, 0, 0)
        turns[f"foot.{side}"] = (-(thigh + knee) * 0.6, 0, 0)
    return turns


def _rest_arms(out: float = 8.0, bend: float = 10.0) -> dict[str, Turn]:
    return {
        "arm.L": (0, -out, 0),
        "arm.R": (0, out, 0),
        "forearm.L": (-bend, 0, 0),
        "forearm.R": (-bend, 0, 0),
    }


def _walk(phase: float) -> Pose:
    wave = 2 * pi * phase
    turns = _step(wave, 30, 46, 6)
    for side, sign, out in (("L", 1, -7), ("R", -1, 7)):
        turns[f"arm.{side}"] = (sign * 30 * sin(wave), out, 0)
        turns[f"forearm.{side}"] = (-14 - 10 * max(0.0, -sign * sin(wave)), 0, 0)
    turns["hips"] = (0, 0, -6 * sin(wave))
    turns["chest"] = (3, 2.5 * cos(wave), 9 * sin(wave))
    turns["head"] = (0, 0, -3 * sin(wave))
    return Pose(turns)


def _run(phase: float) -> Pose:
    wave = 2 * pi * phase
    turns = _step(wave, 50, 88, 14)
    for side, sign, out in (("L", 1, -12), ("R", -1, 12)):
        turns[f"arm.{side}"] = (sign * 52 * sin(wave) + 8, out, 0)
        turns[f"forearm.{side}"] = (-82, 0, 0)
    turns["hips"] = (4, 0, -8 * sin(wave))
    turns["chest"] = (15, 0, 14 * sin(wave))
    turns["head"] = (-9, 0, -5 * sin(wave))
    return Pose(turns, lift=0.11 * abs(sin(wave)), mouth=0.2)


def _wave(phase: float) -> Pose:
    wave = 2 * pi * phase
    turns = _rest_arms()
    turns["arm.R"] = (-8, 128 + 5 * sin(wave), 0)
    turns["forearm.R"] = (0, 18 + 34 * sin(2 * wave), 0)
    turns["hand.R"] = (0, 12 * sin(2 * wave), 0)
    turns["chest"] = (0, 3 + 2 * sin(wave), 0)
    turns["head"] = (-2, 7 + 3 * sin(wave), 0)
    return Pose(turns, mouth=0.45, eyes=0.15 if 0.45 < phase < 0.55 else 1.0)


def _jump(phase: float) -> Pose:
    # A crouch, the flight, and a landing.
    air = max(0.0, sin(pi * (phase - 0.25) / 0.5)) if 0.25 <= phase <= 0.75 else 0.0
    crouch = max(0.0, 1 - abs(phase - 0.14) / 0.14) + 0.9 * max(0.0, 1 - abs(phase - 0.86) / 0.14)
    bend = 62 * crouch + 16 * air
    turns: dict[str, Turn] = {}
    for side, out in (("L", -1), ("R", 1)):
        turns[f"leg.{side}"] = (-bend, 2.0 * out, 0)
        turns[f"shin.{side}"] = (2 * bend - 12 * air, 0, 0)
        turns[f"foot.{side}"] = (-bend + 34 * air, 0, 0)
        turns[f"arm.{side}"] = (38 * crouch - 10 * air, out * (10 + 80 * air), 0)
        turns[f"forearm.{side}"] = (-14 - 22 * crouch, 0, 0)
    turns["chest"] = (24 * crouch - 4 * air, 0, 0)
    turns["head"] = (-16 * crouch - 6 * air, 0, 0)
    return Pose(turns, lift=JUMP * air, mouth=0.7 * air, eyes=0.3 if crouch > 0.9 else 1.0)


def _nod(phase: float) -> Pose:
    wave = 2 * pi * phase
    down = (1 - cos(2 * wave)) / 2
    turns = _rest_arms()
    turns["head"] = (30 * down - 5, 0, 0)
    turns["chest"] = (4 * down, 0, 0)
    return Pose(turns, mouth=0.1, eyes=0.35 if down > 0.9 else 1.0)


def _talk(phase: float) -> Pose:
    wave = 2 * pi * phase
    turns = _rest_arms()
    turns["head"] = (3 * sin(2 * wave), 5 * sin(wave), 8 * sin(wave))
    turns["chest"] = (1, 1.5 * sin(wave), 4 * sin(wave))
    turns["arm.L"] = (-26 - 14 * sin(wave), -14, 0)
    turns["forearm.L"] = (-72 - 22 * sin(2 * wave), 0, 0)
    turns["arm.R"] = (-14 + 12 * sin(wave), 12, 0)
    turns["forearm.R"] = (-46 + 26 * sin(wave), 0, 0)
    return Pose(turns, mouth=(0.9 * abs(sin(2.5 * wave)) + 0.1) * 0.95, eyes=0.1 if 0.7 < phase < 0.8 else 1.0)


def _turn(phase: float) -> Pose:
    wave = 2 * pi * phase
    turns = _step(2 * wave, 12, 26, 4)
    turns |= _rest_arms(out=16, bend=18)
    turns["head"] = (0, 0, 12)  # the head leads
    return Pose(turns, yaw=360 * phase)


_MAKERS = {"walk": _walk, "run": _run, "wave": _wave, "jump": _jump, "nod": _nod, "talk": _talk, "turn": _turn}
