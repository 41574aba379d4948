"""A look as bones and as parts: meshes with a colour that follow one bone or several. No Blender here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .costume import dress, wear
from .looks import Body, Colour, Look
from .motion import FOOT, JUMP
from .shapes import Mesh, Point


@dataclass(frozen=True)
class Bone:
    """A bone at rest: `start` is the joint about which it turns; `parent` is the name of another one or empty."""

    name: str
    start: Point
    end: Point
    parent: str


@dataclass(frozen=True, eq=False)
class Part:
    """A mesh of one colour. `weights`: for each bone, how much each point (N) follows it; they add up to 1."""

    mesh: Mesh
    colour: Colour
    weights: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Places:
    """Where things are on a body at rest, in units from the ground between the feet."""

    hips: float
    shoulders: float
    neck: float
    head: Point
    radii: Point


def find_places(body: Body) -> Places:
    """Heights of the joints, and the head's middle and radii."""
    hips = body.leg + FOOT
    shoulders = hips + body.torso
    neck = shoulders + 0.02
    radii = (body.head * 1.02, body.head * 0.96, body.head)
    return Places(hips, shoulders, neck, (0.0, 0.0, neck + body.head * 0.93), radii)


def list_bones(body: Body) -> tuple[Bone, ...]:
    """The skeleton, parents before children."""
    at = find_places(body)
    middle = (at.hips + at.shoulders) / 2
    top = at.head[2] + body.head
    bones = [
        Bone("root", (0, 0, at.hips), (0, 0.2, at.hips), ""),
        Bone("hips", (0, 0, at.hips), (0, 0, at.hips + 0.1), "root"),
        Bone("chest", (0, 0, at.hips + 0.08), (0, 0, middle), "hips"),
        Bone("head", (0, 0, at.neck), (0, 0, top), "chest"),
        Bone("mouth", find_mouth(body), (0, -body.head, at.head[2]), "head"),
        Bone("eyes", find_eyes(body), (0, -body.head, at.head[2] + 0.1), "head"),
    ]
    for side, sign in (("L", 1), ("R", -1)):
        x, arm, leg = sign * body.shoulders, body.arm, body.leg
        shoulder, hip = at.shoulders - body.arm_radius, at.hips
        bones += [
            Bone(f"arm.{side}", (x, 0, shoulder), (x, 0, shoulder - arm / 2), "chest"),
            Bone(f"forearm.{side}", (x, 0, shoulder - arm / 2), (x, 0, shoulder - arm), f"arm.{side}"),
            Bone(f"hand.{side}", (x, 0, shoulder - arm), (x, 0, shoulder - arm - 0.1), f"forearm.{side}"),
        ]
        x = sign * body.hips
        bones += [
            Bone(f"leg.{side}", (x, 0, hip), (x, 0, hip - leg / 2), "hips"),
            Bone(f"shin.{side}", (x, 0, hip - leg / 2), (x, 0, FOOT), f"leg.{side}"),
            Bone(f"foot.{side}", (x, 0, FOOT), (x, -0.1, FOOT), f"shin.{side}"),
        ]
    return tuple(bones)


def find_mouth(body: Body) -> Point:
    """The middle of the mouth."""
    at = find_places(body)
    return 0.0, -body.head * 0.88, at.head[2] - body.head * 0.50


def find_eyes(body: Body) -> Point:
    """The point between the eyes."""
    at = find_places(body)
    return 0.0, -body.head * 0.92, at.head[2] - body.head * 0.04


def build_parts(look: Look) -> tuple[Part, ...]:
    """All that a character is made of, at rest."""
    at = find_places(look.body)
    parts = [*_build_head(look, at)]
    parts += [_attach(piece.mesh, piece.colour, piece.bone) for piece in wear(look, at, find_eyes(look.body))]
    for piece in dress(look, at):
        if piece.bone == "skirt":
            parts.append(_drape(piece.mesh, piece.colour, look.body, at.hips))
        else:
            parts.append(_attach(piece.mesh, piece.colour, piece.bone))
    return tuple(parts)


def find_view(look: Look) -> float:
    """Height of a picture in units, from the ground up, that has room for a jump; the small fill it as the tall do."""
    top = max(float(part.mesh.points[:, 2].max()) for part in build_parts(look))
    return max(top + JUMP + 0.04, 2.2)


def _build_head(look: Look, at: Places) -> list[Part]:
    from .head import build_face, build_hair, build_skull

    pieces = [*build_skull(look, at), *build_face(look, at, find_mouth(look.body), find_eyes(look.body))]
    pieces += build_hair(look, at)
    return [_attach(piece.mesh, piece.colour, piece.bone) for piece in pieces]


def _attach(mesh: Mesh, colour: Colour, bone: str) -> Part:
    return Part(mesh, colour, {bone: np.ones(len(mesh.points))})


def _drape(mesh: Mesh, colour: Colour, body: Body, waist: float) -> Part:
    """Cloth about the legs: its upper edge follows the hips, its hem both legs, each side its own the more."""
    x, z = mesh.points[:, 0], mesh.points[:, 2]
    low = np.clip((waist - z) / max(body.leg * 0.8, 0.1), 0, 1) * 0.75
    left = np.clip(0.5 + x / (4 * max(body.hips, 0.05)), 0, 1)
    return Part(mesh, colour, {"hips": 1 - low, "leg.L": low * left, "leg.R": low * (1 - left)})
