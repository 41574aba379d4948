"""A coloured mesh on a bone, before its weights are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .looks import Colour
from .shapes import Mesh


@dataclass(frozen=True, eq=False)
class Piece:
    """`bone`: the one that it follows; `skirt` for cloth that hangs about the legs."""

    mesh: Mesh
    colour: Colour
    bone: str


def mirror(piece: Piece) -> list[Piece]:
    """A piece of the left side (+x), and the same on the right; bones change from .L to .R."""
    flipped = Mesh(piece.mesh.points * np.array((-1, 1, 1)), tuple(face[::-1] for face in piece.mesh.faces))
    return [piece, Piece(flipped, piece.colour, piece.bone.replace(".L", ".R"))]
