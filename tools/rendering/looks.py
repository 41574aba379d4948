"""What a rendered character looks like: plain dataclasses, drawn by chance from a seed."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from random import Random
from typing import TypeVar

T = TypeVar("T")
Colour = tuple[float, float, float]
"""sRGB, each 0..1."""

SKINS = ("f6d7bd", "eebf98", "d99e73", "b97a4f", "8d5a3a", "643e28", "8fbf6a", "8fb7dc", "c9a3d6")
"""Six of people, three of fable."""
HAIR_COLOURS = ("2a2128", "4b3224", "7a4a2a", "b5652f", "e3b45c", "d8d5cf", "9b3b2f", "4466b0", "d96a9c", "3f8f6b")
HAIRS = ("bald", "short", "bob", "long", "ponytail", "bun", "mohawk", "curly", "spiky", "twintails")
HATS = (
    "none",
    "none",
    "none",
    "none",
    "none",
    "none",
    "cap",
    "wizard",
    "helmet",
    "crown",
    "band",
    "straw",
    "beanie",
    "ears",
    "horns",
)
TOPS = ("long", "short", "bare", "vest", "armour")
"""Sleeves, and what is over the shirt."""
BOTTOMS = ("trousers", "trousers", "shorts", "skirt", "robe", "puffy")
SHOES = ("shoes", "boots", "bare")
PROPS = ("none", "none", "sword", "staff", "lantern", "shield", "book", "axe")
BACKS = ("none", "none", "none", "cape", "backpack", "tail", "wings", "quiver")
_CLOSED_HATS, _HIGH_HAIRS = ("cap", "wizard", "helmet", "straw", "beanie"), ("mohawk", "spiky", "bun", "curly")
"""Hair that would stick through."""
FACES = ("dots", "round", "wide", "sleepy")
BEARDS = ("none", "none", "none", "none", "full", "moustache", "goatee")
NECKS = ("none", "none", "scarf", "collar", "tie")


@dataclass(frozen=True)
class Body:
    """Measures of a body; lengths in units, of which a character is about two high."""

    name: str
    head: float
    """Radius of the head."""
    torso: float
    """From the hips to the shoulders."""
    shoulders: float
    """From the middle to a shoulder's joint."""
    hips: float
    """From the middle to a leg's joint."""
    belly: float
    """Radius at the waist."""
    arm: float
    """From the shoulder to the wrist."""
    leg: float
    """From the hip to the ankle."""
    arm_radius: float
    leg_radius: float


BODIES = (
    Body("average", 0.34, 0.56, 0.26, 0.13, 0.21, 0.58, 0.66, 0.075, 0.100),
    Body("slim", 0.32, 0.60, 0.22, 0.11, 0.16, 0.64, 0.76, 0.058, 0.078),
    Body("child", 0.44, 0.42, 0.21, 0.11, 0.20, 0.44, 0.42, 0.075, 0.095),
    Body("stout", 0.36, 0.56, 0.28, 0.15, 0.33, 0.52, 0.50, 0.092, 0.120),
    Body("broad", 0.30, 0.66, 0.36, 0.14, 0.25, 0.66, 0.62, 0.110, 0.120),
    Body("tall", 0.30, 0.66, 0.25, 0.12, 0.18, 0.70, 0.88, 0.066, 0.088),
    Body("round", 0.38, 0.50, 0.25, 0.14, 0.38, 0.44, 0.36, 0.085, 0.120),
)


@dataclass(frozen=True)
class Look:
    """One character: everything that stays the same whatever it does."""

    name: str
    body: Body
    hair: str
    hat: str
    top: str
    bottom: str
    shoes: str
    prop: str
    back: str
    face: str
    beard: str
    neck: str
    glasses: bool
    belt: bool
    gloves: bool
    stripes: bool
    skin: Colour
    hair_colour: Colour
    top_colour: Colour
    bottom_colour: Colour
    shoe_colour: Colour
    accent: Colour
    eye_colour: Colour


def draw_look(seed: int, number: int) -> Look:
    """Character `number` (from 0) of a seed: the same on every machine, whatever the others are."""
    rng = Random(f"bitpuppet rendered character {seed} {number}")
    # The body goes round, so that a small set shows all builds.
    base = BODIES[(number + Random(f"bitpuppet bodies {seed}").randrange(len(BODIES))) % len(BODIES)]
    body = _vary(rng, base)
    top_colour = _draw_cloth(rng)
    bottom_colour = _draw_other(rng, (top_colour,))
    accent = _draw_other(rng, (top_colour, bottom_colour))
    skin = read_hex(rng.choices(SKINS, weights=(3, 3, 3, 3, 3, 3, 1, 1, 1))[0])
    hair, hat = rng.choice(HAIRS), rng.choice(HATS)
    return Look(
        name=f"{number:04d}",
        body=body,
        hair="short" if hat in _CLOSED_HATS and hair in _HIGH_HAIRS else hair,
        hat=hat,
        top=rng.choice(TOPS),
        bottom=rng.choice(BOTTOMS),
        shoes=rng.choice(SHOES),
        prop=rng.choice(PROPS),
        back=rng.choice(BACKS),
        face=rng.choice(FACES),
        beard="none" if body.name == "child" else rng.choice(BEARDS),
        neck=rng.choice(NECKS),
        glasses=rng.random() < 0.15,
        belt=rng.random() < 0.5,
        gloves=rng.random() < 0.2,
        stripes=rng.random() < 0.3,
        skin=skin,
        hair_colour=_far_from(rng, HAIR_COLOURS, skin),
        top_colour=top_colour,
        bottom_colour=bottom_colour,
        shoe_colour=_draw_other(rng, (bottom_colour,), dark=True),
        accent=accent,
        eye_colour=read_hex(rng.choice(("2b2030", "2b2030", "24406e", "2f6b3c", "5a3418", "7a2230"))),
    )


def read_hex(text: str) -> Colour:
    """A colour such as "8fbf6a"."""
    red, green, blue = (int(text[place : place + 2], 16) / 255 for place in (0, 2, 4))
    return red, green, blue


def shade(colour: Colour, factor: float) -> Colour:
    """A colour made darker (below 1) or lighter (above 1), of the same hue."""
    hue, light, strength = colorsys.rgb_to_hls(*colour)
    return colorsys.hls_to_rgb(hue, min(1.0, light * factor), strength)


def measure_contrast(one: Colour, other: Colour) -> float:
    """How different two colours look at a glance, 0 to about 1: mostly by lightness, some by hue."""
    weights = (0.30, 0.59, 0.11)
    light = abs(sum(w * (a - b) for w, a, b in zip(weights, one, other, strict=True)))
    return light + 0.4 * max(abs(a - b) for a, b in zip(one, other, strict=True))


def _vary(rng: Random, body: Body) -> Body:
    def scale(value: float, spread: float) -> float:
        return round(value * rng.uniform(1 - spread, 1 + spread), 4)

    return Body(
        body.name,
        scale(body.head, 0.06),
        scale(body.torso, 0.06),
        scale(body.shoulders, 0.06),
        scale(body.hips, 0.05),
        scale(body.belly, 0.10),
        scale(body.arm, 0.05),
        scale(body.leg, 0.07),
        scale(body.arm_radius, 0.10),
        scale(body.leg_radius, 0.08),
    )


def _draw_cloth(rng: Random) -> Colour:
    hue = rng.random()
    kind = rng.random()
    if kind < 0.15:  # greys, black and white
        light = rng.choice((0.16, 0.45, 0.86))
        return colorsys.hls_to_rgb(hue, light, 0.08)
    return colorsys.hls_to_rgb(hue, rng.uniform(0.30, 0.66), rng.uniform(0.45, 0.85))


def _draw_other(rng: Random, others: tuple[Colour, ...], *, dark: bool = False) -> Colour:
    """A colour that stands out from the others; the best of a few where none does."""

    def draw() -> Colour:
        colour = _draw_cloth(rng)
        return shade(colour, 0.55) if dark else colour

    tries = [draw() for _ in range(12)]
    return max(tries, key=lambda colour: min(0.45, *(measure_contrast(colour, other) for other in others)))


def _far_from(rng: Random, names: tuple[str, ...], colour: Colour) -> Colour:
    usable = [read_hex(name) for name in names if measure_contrast(read_hex(name), colour) > 0.25]
    return rng.choice(usable or [read_hex(names[0])])
