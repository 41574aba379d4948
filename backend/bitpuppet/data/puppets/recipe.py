"""What a puppet is made of, and how a seed decides it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bitpuppet.data.puppets.palettes import RGB, make_palette
from bitpuppet.data.puppets.poses import ANIMATIONS, DIRECTIONS
from bitpuppet.errors import BitpuppetError

PLANS = ("biped", "child", "heavy", "robot", "ghost", "quadruped", "bird")
OUTLINES = ("black", "own", "selective", "none")
SMALLEST, LARGEST = 16, 96

_PLAN_WEIGHTS = (40, 11, 11, 11, 9, 10, 8)
_SIZES = (16, 20, 24, 28, 32, 36, 40, 48, 56, 64, 80, 96)
_SIZE_WEIGHTS = (4, 4, 10, 8, 18, 10, 12, 17, 6, 9, 1, 1)


@dataclass(frozen=True)
class Motion:
    """One row of a sheet: an animation seen in a direction."""

    animation: str
    direction: str


@dataclass(frozen=True)
class Build:
    """Proportions in pixels; `..._half` are half widths, `arm` and `leg` whole lengths."""

    head: int
    head_half: int
    torso: int
    shoulder_half: int
    waist_half: int
    hip_half: int
    side_half: int
    leg: int
    arm: int
    leg_thick: int
    arm_thick: int

    @property
    def height(self) -> int:
        """Height of the standing body without hat; the chin overlaps the torso by one pixel."""
        return self.head + self.torso + self.leg - 1


@dataclass(frozen=True)
class Outfit:
    """Clothes and features; each plan reads those that it has."""

    role: str
    hair: str
    hat: str
    top: str
    """shirt, bare, vest, armour, coat."""
    sleeve: int
    """0 none, 1 to the elbow, 2 to the hand."""
    skirt: str
    """none, tunic, dress, robe."""
    boots: int
    """0 shoes, 1 to the ankle, 2 to the knee."""
    collar: str
    belt: bool
    gloves: bool
    cape: bool
    right_item: str
    left_item: str
    ears: str
    beard: bool
    kind: str
    """Species or model of robot, ghost, quadruped and bird."""
    mark: int
    """0..3: spots, stripes, panels and the like."""


@dataclass(frozen=True)
class Puppet:
    """A character; equal puppets draw equal pixels."""

    seed: int
    plan: str
    size: int
    build: Build
    outfit: Outfit
    palette: tuple[RGB, ...]
    outline: str

    @property
    def name(self) -> str:
        """The name by which puppets are held out."""
        return f"puppet-{self.seed}"

    @property
    def motions(self) -> tuple[Motion, ...]:
        """All motions that the puppet can perform, animations first."""
        return tuple(Motion(a, d) for a in ANIMATIONS for d in DIRECTIONS)


_ROLES: dict[str, dict[str, tuple[str, ...]]] = {
    "knight": {"hat": ("helm", "horns", "none", "plume"), "top": ("armour",), "skirt": ("none", "tunic"),
               "collar": ("none", "scarf"), "right": ("sword", "sword", "axe", "spear"), "left": ("shield", "shield",
               "none")},
    "mage": {"hat": ("wizard", "wizard", "hood", "none"), "top": ("shirt",), "skirt": ("robe",),
             "collar": ("trim", "none"), "right": ("staff", "staff", "wand"), "left": ("none", "book")},
    "ranger": {"hat": ("hood", "cap", "feather", "none"), "top": ("shirt", "vest"), "skirt": ("tunic",),
               "collar": ("none", "scarf"), "right": ("dagger", "spear", "bow"), "left": ("none",)},
    "villager": {"hat": ("straw", "none", "none", "cap", "kerchief"), "top": ("shirt", "vest"),
                 "skirt": ("none", "dress", "tunic"), "collar": ("none", "trim"), "right": ("none", "none", "hoe"),
                 "left": ("none",)},
    "noble": {"hat": ("crown", "tiara", "none"), "top": ("coat", "shirt"), "skirt": ("dress", "none", "robe"),
              "collar": ("trim", "ruff"), "right": ("none", "sword", "wand"), "left": ("none", "none", "book")},
    "rogue": {"hat": ("band", "hood", "mask", "none"), "top": ("vest", "shirt"), "skirt": ("none", "tunic"),
              "collar": ("scarf", "none"), "right": ("dagger", "sword"), "left": ("none", "dagger")},
    "barbarian": {"hat": ("horns", "band", "none"), "top": ("bare", "bare", "vest"), "skirt": ("tunic",),
                  "collar": ("none", "fur"), "right": ("axe", "hammer", "sword"), "left": ("none", "shield")},
    "monk": {"hat": ("none", "band", "straw"), "top": ("shirt", "coat"), "skirt": ("robe", "tunic"),
             "collar": ("trim", "none"), "right": ("staff", "none"), "left": ("none",)},
}  # fmt: skip
_HAIRS = ("short", "parted", "bob", "long", "spiky", "ponytail", "bun", "mohawk", "bald", "curly", "pigtails")
_KINDS = {
    "robot": ("box", "dome", "wide", "tv"),
    "ghost": ("sheet", "flame", "hooded", "jelly"),
    "quadruped": ("wolf", "cat", "boar", "horse", "sheep", "fox"),
    "bird": ("chick", "owl", "crow", "parrot", "penguin"),
}


def _draw(rng: np.random.Generator, weights: tuple[int, ...]) -> int:
    """Index drawn with integer weights."""
    ticket = int(rng.integers(sum(weights)))
    for i, weight in enumerate(weights):
        ticket -= weight
        if ticket < 0:
            return i
    return len(weights) - 1


def _choose(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(rng.integers(len(options)))]


def _interpolate(size: int, table: tuple[tuple[int, float], ...]) -> float:
    for (s0, v0), (s1, v1) in pairwise(table):
        if size <= s1:
            return v0 + (v1 - v0) * (size - s0) / (s1 - s0)
    return table[-1][1]


def _round(value: float) -> int:
    return int(value + 0.5)


def _make_build(rng: np.random.Generator, plan: str, size: int) -> Build:
    """Proportions that suit the plan; small frames get large heads, as sprites have."""
    vary = [int(v) / 100.0 for v in rng.integers(-100, 101, size=8)]
    tall = _interpolate(size, ((16, 0.64), (20, 0.68), (24, 0.7), (32, 0.745), (48, 0.755), (96, 0.75)))
    height = size * (tall + 0.015 * vary[0]) * {"child": 0.84, "heavy": 1.0}.get(plan, 1.0)
    share = _interpolate(size, ((16, 0.52), (24, 0.48), (32, 0.445), (48, 0.395), (64, 0.365), (96, 0.335)))
    share *= {"child": 1.2, "heavy": 0.86, "robot": 0.96, "ghost": 1.0}.get(plan, 1.0) * (1.0 + 0.05 * vary[1])
    head = max(_round(height * share), 6)
    rest = height - head + 1
    torso = max(_round(rest * (0.5 + 0.03 * vary[2] + (0.05 if plan == "heavy" else 0.0))), 3)
    leg = max(_round(rest) - torso, 2)
    wide = {"heavy": 1.42, "child": 0.95, "robot": 1.12}.get(plan, 1.0) * (1.0 + 0.08 * vary[3])
    shoulder = max(_round((0.15 * height + 0.4) * wide * 0.86), 2)
    waist = max(_round(shoulder * (1.12 if plan == "heavy" else 0.78)), 2)
    hip = max(_round(shoulder * (1.0 if plan == "heavy" else 0.82)), 2)
    limb = height / 13.5 * (1.25 if plan == "heavy" else 1.0)
    return Build(
        head=head, head_half=max(_round(head * (0.5 + 0.03 * vary[4]) * (1.08 if plan == "robot" else 1.0)), 3),
        torso=torso, shoulder_half=shoulder, waist_half=waist, hip_half=hip,
        side_half=max(_round(shoulder * (0.95 if plan == "heavy" else 0.7)), 2), leg=leg,
        arm=max(_round(torso * 0.62 + leg * 0.42), 3), leg_thick=max(_round(limb * 1.12), 2),
        arm_thick=max(_round(limb * 0.86), 1 if size < 20 else 2),
    )  # fmt: skip


def _make_outfit(rng: np.random.Generator, plan: str) -> Outfit:
    role = _choose(rng, tuple(_ROLES))
    table = _ROLES[role]
    hair = _choose(rng, _HAIRS)
    top, skirt, right, left = (_choose(rng, table[key]) for key in ("top", "skirt", "right", "left"))
    hat, collar = _choose(rng, table["hat"]), _choose(rng, table["collar"])
    rolls = [int(v) for v in rng.integers(100, size=9)]
    if plan == "child" and right in ("axe", "hammer", "spear"):
        right = "dagger"
    sleeve = 0 if top in ("bare", "vest") else 2 if top in ("armour", "coat") or skirt == "robe" else 1 + rolls[0] % 2
    return Outfit(
        role=role, hair=hair, hat=hat, top=top, sleeve=sleeve, skirt=skirt,
        boots=2 if role in ("knight", "ranger") else rolls[1] % 3, collar=collar, belt=rolls[2] < 75,
        gloves=rolls[3] < 25 or role == "knight", cape=rolls[4] < {"knight": 55, "mage": 30, "noble": 60}.get(role, 18),
        right_item=right, left_item=left, ears="elf" if rolls[5] < 16 else "beast" if rolls[5] < 24 else "round",
        beard=rolls[6] < (28 if plan in ("biped", "heavy") else 0), kind=_choose(rng, _KINDS.get(plan, ("human",))),
        mark=rolls[7] % 4,
    )  # fmt: skip


def make_puppet(seed: int, plan: str | None = None, size: int | None = None) -> Puppet:
    """The puppet of a seed (>= 0), with the plan (one of PLANS) and frame side (16..96 pixels) drawn unless given.

    Raises BitpuppetError for an unknown plan, a size out of range or a negative seed.
    """
    if seed < 0:
        raise BitpuppetError(f"puppet seed {seed} is negative: use 0 or more")
    if plan is not None and plan not in PLANS:
        raise BitpuppetError(f"puppet plan '{plan}' is unknown: use one of {', '.join(PLANS)}")
    if size is not None and not SMALLEST <= size <= LARGEST:
        raise BitpuppetError(f"puppet size {size} is out of range: use {SMALLEST} to {LARGEST} pixels")
    rng = np.random.default_rng(seed)
    drawn_plan, drawn_size = PLANS[_draw(rng, _PLAN_WEIGHTS)], _SIZES[_draw(rng, _SIZE_WEIGHTS)]
    outline = OUTLINES[_draw(rng, (38, 34, 20, 8))]
    plan, size = plan or drawn_plan, size or drawn_size
    return Puppet(
        seed=seed, plan=plan, size=size, build=_make_build(rng, plan, size), outfit=_make_outfit(rng, plan),
        palette=make_palette(rng, plan), outline=outline,
    )  # fmt: skip


def is_held_out(seed: int) -> bool:
    """Whether the seed's puppet is kept from training: a tenth of all seeds, by a hash of the puppet's name."""
    digest = hashlib.sha256(f"puppet-{seed}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 10 == 0
