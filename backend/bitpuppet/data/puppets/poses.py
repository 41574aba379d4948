"""Poses: what a motion does to a body at a phase, the same for every plan, so that swaps have an exact target."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from itertools import pairwise

ANIMATIONS = ("idle", "walk", "run", "jump", "attack", "cast", "hurt")
DIRECTIONS = ("down", "left", "right", "up")
LOOPS = frozenset({"idle", "walk", "run"})


@dataclass(frozen=True)
class Pose:
    """Joint angles in radians (forward is positive), offsets in body heights, weights 0..1."""

    rise: float = 0.0
    """Height above the ground."""
    shift: float = 0.0
    """Offset along the facing direction."""
    lean: float = 0.0
    twist: float = 0.0
    """Turn of the shoulders; positive brings the right shoulder forward."""
    breath: float = 0.0
    """0..1: how far shoulders and head have sunk with the breath (one pixel on small bodies)."""
    nod: float = 0.0
    """Offset of the head along the facing direction."""
    right_arm: float = 0.0
    right_spread: float = 0.12
    right_elbow: float = 0.2
    left_arm: float = 0.0
    left_spread: float = 0.12
    left_elbow: float = 0.2
    right_leg: float = 0.0
    right_knee: float = 0.0
    left_leg: float = 0.0
    left_knee: float = 0.0
    item: float = 1.15
    """Pitch of the right hand's item: 0 points ahead, pi / 2 up."""
    item_out: float = 0.3
    """How far that item points to the side: positive is away from the body."""
    stream: float = 0.1
    """0..1: how far cloth and tails trail behind."""
    sway: float = 0.0
    """-1..1: sideways swing of cloth, tails and hems."""
    closed: float = 0.0
    """Eyes are drawn closed from 0.5 on."""
    mouth: float = 0.0
    """The mouth is drawn open from 0.5 on."""
    glow: float = 0.0
    """Magic at the hands."""
    strike: float = 0.0
    """A blow's trail is drawn from 0.5 on."""


_NAMES = tuple(field.name for field in fields(Pose))

Keys = tuple[tuple[float, Pose], ...]

_CROUCH = {"right_leg": 0.75, "right_knee": 1.5, "left_leg": 0.75, "left_knee": 1.5}
_JUMP: Keys = (
    (0.0, Pose()),
    (0.16, Pose(**_CROUCH, lean=0.3, right_arm=-0.7, left_arm=-0.7, breath=1.0, stream=0.0)),
    (0.34, Pose(rise=0.1, right_leg=-0.25, right_knee=0.1, left_leg=-0.1, left_knee=0.3, right_arm=2.3, left_arm=2.3,
                right_spread=0.5, left_spread=0.5, stream=0.0, mouth=1.0)),
    (0.52, Pose(rise=0.17, right_leg=0.9, right_knee=1.5, left_leg=0.35, left_knee=1.2, right_arm=1.5, left_arm=1.5,
                right_spread=1.0, left_spread=1.0, stream=0.5, mouth=1.0)),
    (0.7, Pose(rise=0.11, right_leg=0.3, right_knee=0.4, left_leg=-0.1, left_knee=0.4, right_arm=1.2, left_arm=1.2,
               right_spread=1.3, left_spread=1.3, stream=1.0, sway=0.6, mouth=1.0)),
    (0.86, Pose(**_CROUCH, lean=0.35, right_arm=0.5, left_arm=0.5, right_spread=0.7, left_spread=0.7, breath=1.0,
                stream=0.6, closed=1.0)),
    (1.0, Pose(breath=0.4)),
)  # fmt: skip
_ATTACK: Keys = (
    (0.0, Pose(right_arm=0.3, right_elbow=0.6, item=0.9)),
    (0.3, Pose(right_arm=2.75, right_elbow=0.5, right_spread=0.35, left_arm=0.7, left_elbow=0.7, lean=-0.22, twist=-0.5,
               shift=-0.04, right_leg=-0.35, right_knee=0.3, left_leg=0.4, left_knee=0.5, item=2.5, item_out=0.9)),
    (0.42, Pose(right_arm=2.5, right_elbow=0.3, right_spread=0.3, left_arm=0.5, lean=-0.1, twist=-0.3, left_leg=0.5,
                left_knee=0.4, right_leg=-0.3, right_knee=0.2, item=1.8, item_out=0.6, mouth=1.0, strike=0.4)),
    (0.58, Pose(right_arm=1.25, right_elbow=0.1, right_spread=-0.35, left_arm=-0.7, left_spread=0.5, lean=0.35,
                twist=0.6,
                shift=0.06, left_leg=0.75, left_knee=0.7, right_leg=-0.6, right_knee=0.1, item=-0.1, item_out=-0.6,
                stream=0.8, mouth=1.0,
                strike=1.0)),
    (0.72, Pose(right_arm=0.65, right_elbow=0.1, right_spread=-0.45, left_arm=-0.8, left_spread=0.5, lean=0.4,
                twist=0.7,
                shift=0.06, left_leg=0.75, left_knee=0.8, right_leg=-0.6, right_knee=0.1, item=-0.8, item_out=-0.9,
                stream=0.5,
                strike=0.3)),
    (1.0, Pose(right_arm=0.35, right_elbow=0.5, lean=0.1, left_leg=0.2, left_knee=0.2, right_leg=-0.2, item=0.5)),
)  # fmt: skip
_CAST: Keys = (
    (0.0, Pose(right_arm=0.4, left_arm=0.4, right_elbow=0.9, left_elbow=0.9)),
    (0.25, Pose(right_arm=0.5, left_arm=0.5, right_elbow=1.5, left_elbow=1.5, breath=1.0, right_spread=-0.1,
                left_spread=-0.1, glow=0.45, closed=1.0, right_leg=0.3, right_knee=0.6, left_leg=0.3, left_knee=0.6,
                item=1.4)),
    (0.5, Pose(right_arm=2.5, left_arm=2.5, right_spread=0.55, left_spread=0.55, right_elbow=0.2, left_elbow=0.2,
               glow=1.0,
               closed=1.0, sway=0.5, stream=0.5, lean=-0.1, item=1.57)),
    (0.68, Pose(right_arm=2.7, left_arm=2.7, right_spread=0.7, left_spread=0.7, right_elbow=0.1, left_elbow=0.1,
                glow=1.0,
                sway=-0.6, stream=0.7, lean=-0.12, mouth=1.0, item=1.57)),
    (0.84, Pose(right_arm=1.5, left_arm=1.4, right_spread=0.1, left_spread=0.1, right_elbow=0.0, left_elbow=0.0,
                glow=0.7,
                lean=0.25, shift=0.03, stream=0.6, mouth=1.0, left_leg=0.4, left_knee=0.3, right_leg=-0.3, item=0.5)),
    (1.0, Pose(right_arm=0.9, left_arm=0.9, right_elbow=0.4, left_elbow=0.4, glow=0.0)),
)  # fmt: skip
_HURT: Keys = (
    (0.0, Pose(lean=-0.1, closed=1.0, mouth=1.0, right_arm=0.4, left_arm=0.4, right_spread=0.5, left_spread=0.5)),
    (0.25, Pose(lean=-0.55, shift=-0.07, nod=-0.05, closed=1.0, mouth=1.0, right_arm=0.9, left_arm=1.1,
                right_spread=0.95,
                left_spread=0.95, right_leg=0.45, right_knee=0.2, left_leg=-0.15, left_knee=0.4, rise=0.02, stream=-0.4,
                item=2.2, sway=-0.7)),
    (0.55, Pose(lean=-0.35, shift=-0.09, nod=-0.02, closed=1.0, right_arm=0.5, left_arm=0.5, right_spread=0.6,
                left_spread=0.6, right_leg=0.6, right_knee=1.0, left_leg=-0.2, left_knee=0.8, breath=1.0, item=0.2,
                sway=0.5)),
    (0.8, Pose(lean=0.45, shift=-0.07, nod=0.05, closed=1.0, right_arm=0.6, left_arm=0.5, right_elbow=0.9,
               left_elbow=0.9,
               right_leg=0.6, right_knee=1.2, left_leg=0.4, left_knee=1.0, breath=1.0, item=-0.6)),
    (1.0, Pose(lean=0.3, shift=-0.05, nod=0.03, right_arm=0.3, left_arm=0.3, right_elbow=0.7, left_elbow=0.7,
               right_leg=0.4, right_knee=0.7, left_leg=0.2, left_knee=0.5, breath=1.0, item=-0.3)),
)  # fmt: skip
_KEYS = {"jump": _JUMP, "attack": _ATTACK, "cast": _CAST, "hurt": _HURT}


def _blend(keys: Keys, phase: float) -> Pose:
    """Pose between the two keys around the phase, eased so that keys are held."""
    for (start, a), (end, b) in pairwise(keys):
        if phase <= end:
            x = max(0.0, (phase - start) / (end - start))
            w = x * x * (3.0 - 2.0 * x)
            return Pose(*((1.0 - w) * getattr(a, name) + w * getattr(b, name) for name in _NAMES))
    return keys[-1][1]


def _wave(turns: float) -> float:
    """Sine of an angle in turns, rounded so that every platform's library gives the same bits."""
    return math.floor(math.sin(2.0 * math.pi * turns) * 4096.0 + 0.5) / 4096.0


def _idle(p: float) -> Pose:
    breath = 0.5 - 0.5 * _wave(p + 0.25)
    return Pose(
        breath=breath, sway=0.5 * _wave(p), right_spread=0.12 + 0.1 * breath, left_spread=0.12 + 0.1 * breath,
        right_elbow=0.25 + 0.15 * breath, left_elbow=0.25 + 0.15 * breath, closed=1.0 if 0.7 < p < 0.83 else 0.0,
    )  # fmt: skip


def _walk(p: float) -> Pose:
    s, c = _wave(p), _wave(p + 0.25)
    return Pose(
        lean=0.05, twist=-0.2 * s, right_leg=0.58 * s, left_leg=-0.58 * s, right_knee=0.15 + 0.75 * max(0.0, c),
        left_knee=0.15 + 0.75 * max(0.0, -c), right_arm=-0.6 * s, left_arm=0.6 * s, right_elbow=0.25 + 0.2 * max(0.0,
        -s),
        left_elbow=0.25 + 0.2 * max(0.0, s), stream=0.4 + 0.1 * _wave(2 * p), sway=0.6 * s, item=1.0 + 0.25 * s,
    )  # fmt: skip


def _run(p: float) -> Pose:
    s, c = _wave(p), _wave(p + 0.25)
    return Pose(
        rise=0.025 + 0.025 * _wave(2 * p - 0.1), lean=0.32, nod=0.02, twist=-0.35 * s, right_leg=0.25 + 0.95 * s,
        left_leg=0.25 - 0.95 * s, right_knee=0.5 + 1.1 * max(0.0, c), left_knee=0.5 + 1.1 * max(0.0, -c),
        right_arm=-0.95 * s, left_arm=0.95 * s, right_elbow=1.4, left_elbow=1.4, stream=0.9 + 0.1 * _wave(2 * p),
        sway=0.9 * s, item=0.5 + 0.3 * s,
    )  # fmt: skip


_CYCLES = {"idle": _idle, "walk": _walk, "run": _run}


def find_pose(animation: str, phase: float) -> Pose:
    """The pose of an animation at a phase 0..1 (loops: phase 1 is phase 0). KeyError for an unknown animation."""
    if animation in _CYCLES:
        return _CYCLES[animation](phase % 1.0)
    return _blend(_KEYS[animation], min(max(phase, 0.0), 1.0))


def list_phases(animation: str, frames: int) -> tuple[float, ...]:
    """Phases of the frames: loops leave out the end, which is the start again; others show both ends."""
    span = frames if animation in LOOPS else max(frames - 1, 1)
    return tuple(i / span for i in range(frames))
