"""Surfaces: which point of a character's body each pixel of its frames shows. numpy alone; Blender is not asked.

A place on the body at rest names a point whatever the character does, so two frames say where one of them shows what
the other one does: true flow, from which training learns where to fetch pixels from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np
from numpy.typing import NDArray

from .figure import Part, build_parts, find_view, list_bones
from .looks import Look
from .motion import DIRECTIONS, Pose, find_height
from .shapes import make_rotation
from .view import ELEVATION, FLOOR

BOX = ((-1.6, 1.6), (-1.2, 1.2), (-0.3, 3.1))
"""Units along each axis that 0 to 255 stand for."""
_ASIDE = 0.5
"""Units by which arms are moved outwards first: hanging, they are nearer to the body than a pixel is wide."""
_LIMBS = ("arm", "forearm", "hand")
_FINENESS = 2
"""A pixel shows what is in the middle of it, in a square whose side is so many times smaller."""
_POINTS = 3.0
"""Points of the surface in each such square, where it is seen straight."""
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Cloud:
    """Points of a surface at rest. `bones`: for each bone that moves some, their numbers and weights."""

    points: Floats
    codes: NDArray[np.uint8]
    bones: dict[str, tuple[NDArray[np.int64], Floats]]


class Surface:
    """A character's surface, to be seen in poses."""

    def __init__(self, look: Look, size: int) -> None:
        """Scatter points.

        Args:
            look: the character.
            size: side of a frame in pixels.
        """
        self.look, self.size = look, size
        self._view = find_view(look) / (1 - FLOOR)
        self._cloud = _scatter(build_parts(look), (self._view / size / _FINENESS) ** 2 / _POINTS)

    def show(self, poses: list[Pose], directions: Sequence[str]) -> list[NDArray[np.uint8]]:
        """The poses from each direction, names in DIRECTIONS: RGBA (T, size, size, 4) each.

        Red, green and blue are the place at rest in BOX, arms moved aside; alpha is 255 where there is any, else 0.
        """
        moved = [self._move(pose) for pose in poses]
        return [
            np.stack([self._see(one, DIRECTIONS[name] + pose.yaw) for one, pose in zip(moved, poses, strict=True)])
            for name in directions
        ]

    def _move(self, pose: Pose) -> Floats:
        """The points in a pose, (P, 3)."""
        cloud = self._cloud
        moves = _find_moves(self.look, pose)
        out = np.zeros_like(cloud.points)
        for bone, (numbers, weights) in cloud.bones.items():
            turn, offset = moves[bone]
            out[numbers] += weights[:, None] * (cloud.points[numbers] @ turn.T + offset)
        return out

    def _see(self, points: Floats, turned: float) -> NDArray[np.uint8]:
        """What shows of points when the character is turned by so many degrees, (size, size, 4)."""
        c, s, tilt = cos(radians(turned)), sin(radians(turned)), radians(ELEVATION)
        across, back = c * points[:, 0] - s * points[:, 1], s * points[:, 0] + c * points[:, 1]
        middle = self._view * (0.5 - FLOOR)
        up = back * np.float32(sin(tilt)) + (points[:, 2] - np.float32(middle)) * np.float32(cos(tilt))
        far = back * np.float32(cos(tilt)) - points[:, 2] * np.float32(sin(tilt))
        x, y = (self.size * (0.5 + across / self._view), self.size * (0.5 - up / self._view))
        column, row = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
        near = 0.5 / _FINENESS
        shown = (np.abs(x - column - 0.5) < near) & (np.abs(y - row - 0.5) < near)
        shown &= (column >= 0) & (column < self.size) & (row >= 0) & (row < self.size)
        kept = np.flatnonzero(shown)
        kept = kept[np.argsort(-far[kept], kind="stable")]  # where several are written, the last one stays: the nearest
        out = np.zeros((self.size * self.size, 4), np.uint8)
        places = row[kept] * self.size + column[kept]
        last = np.zeros(self.size * self.size, np.int64)
        np.maximum.at(last, places, np.arange(1, len(kept) + 1))
        seen = last > 0
        out[seen, :3], out[seen, 3] = self._cloud.codes[kept[last[seen] - 1]], 255
        return out.reshape(self.size, self.size, 4)


def _find_moves(look: Look, pose: Pose) -> dict[str, tuple[Floats, Floats]]:
    """What each bone does to points at rest: a matrix (3, 3), and what is added after it (3)."""
    bones = list_bones(look.body)
    moves: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for bone in bones:
        start = np.array(bone.start)
        turn = make_rotation(pose.turns.get(bone.name, (0.0, 0.0, 0.0)))
        if bone.name == "mouth":
            turn = turn @ np.diag((1, 1, 1 + 3.2 * pose.mouth))
        elif bone.name == "eyes":
            turn = turn @ np.diag((1, 1, max(pose.eyes, 0.12)))
        offset = start - turn @ start
        if bone.parent:
            before, shift = moves[bone.parent]
            turn, offset = before @ turn, before @ offset + shift
        else:
            offset = offset + np.array((0, 0, find_height(look.body, pose) - bones[0].start[2]))
        moves[bone.name] = turn, offset
    return {name: (turn.astype(np.float32), offset.astype(np.float32)) for name, (turn, offset) in moves.items()}


def _scatter(parts: tuple[Part, ...], area: float) -> _Cloud:
    """Points on all parts, one on each `area` in squared units."""
    rng = np.random.default_rng(0)
    points, places, count = [], [], 0
    gathered: dict[str, list[tuple[NDArray[np.int64], NDArray[np.float64]]]] = {}
    for part in parts:
        corners = np.array([(f[0], f[n], f[n + 1]) for f in part.mesh.faces for n in range(1, len(f) - 1)])
        a, b, c = (part.mesh.points[corners[:, n]] for n in range(3))
        areas = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
        wanted = np.floor(areas / area + rng.random(len(areas))).astype(np.int64)
        chosen = np.repeat(np.arange(len(corners)), wanted)
        u, v = rng.random((2, len(chosen)))
        over = u + v > 1
        u, v = np.where(over, 1 - u, u), np.where(over, 1 - v, v)
        shares = np.stack([1 - u - v, u, v], axis=1)

        def blend(values: NDArray[np.float64], at: NDArray[np.int64], by: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.asarray((values[at] * by.reshape(*by.shape, *[1] * (values.ndim - 1))).sum(axis=1))

        at = corners[chosen]
        places.append(blend(_move_aside(part), at, shares))
        points.append(blend(part.mesh.points, at, shares))
        for bone, weights in part.weights.items():
            gathered.setdefault(bone, []).append((np.arange(count, count + len(at)), blend(weights, at, shares)))
        count += len(at)
    bones = {
        bone: (
            np.concatenate([numbers for numbers, _ in some]),
            np.concatenate([w for _, w in some]).astype(np.float32),
        )
        for bone, some in gathered.items()
    }
    low, high = np.array(BOX).T
    codes = np.rint((np.concatenate(places) - low) / (high - low) * 255).clip(0, 255).astype(np.uint8)
    return _Cloud(np.concatenate(points).astype(np.float32), codes, bones)


def _move_aside(part: Part) -> NDArray[np.float64]:
    """A part's points at rest, arms moved outwards."""
    out = part.mesh.points.copy()
    for side, sign in (("L", 1), ("R", -1)):
        for limb in _LIMBS:
            if (weights := part.weights.get(f"{limb}.{side}")) is not None:
                out[:, 0] += sign * _ASIDE * weights
    return out
