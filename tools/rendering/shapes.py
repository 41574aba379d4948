"""Closed meshes of simple bodies: turned profiles, ellipsoids, capsules and boxes with round edges; numpy alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float, float]
Points = NDArray[np.float64]
SEGMENTS = 14
RINGS = 9


@dataclass(frozen=True, eq=False)
class Mesh:
    """`points`: (N, 3). `faces`: corners of each as numbers of points, seen from outside against the clock."""

    points: Points
    faces: tuple[tuple[int, ...], ...]

    def move(self, offset: Point) -> Mesh:
        """The mesh elsewhere."""
        return Mesh(self.points + np.array(offset), self.faces)

    def scale(self, factors: Point) -> Mesh:
        """The mesh larger or smaller along the axes; factors are above 0."""
        return Mesh(self.points * np.array(factors), self.faces)

    def turn(self, degrees: Point) -> Mesh:
        """The mesh turned about x, then y, then z."""
        return Mesh(self.points @ make_rotation(degrees).T, self.faces)


def make_rotation(degrees: Point) -> Points:
    """The matrix (3, 3) that turns about x, then y, then z."""
    x, y, z = np.radians(degrees)
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


def turn_profile(profile: Sequence[tuple[float, float]], segments: int = SEGMENTS) -> Mesh:
    """A profile of (radius, height), from the bottom up, turned about z; both ends are closed."""
    angles = np.arange(segments) * (2 * np.pi / segments)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    rings = [np.column_stack([circle * radius, np.full(segments, height)]) for radius, height in profile]
    faces: list[tuple[int, ...]] = [tuple(range(segments))[::-1]]
    for ring in range(len(profile) - 1):
        start = ring * segments
        for one in range(segments):
            other = (one + 1) % segments
            faces.append((start + one, start + other, start + segments + other, start + segments + one))
    last = (len(profile) - 1) * segments
    faces.append(tuple(range(last, last + segments)))
    return Mesh(np.concatenate(rings), tuple(faces))


def make_ellipsoid(centre: Point, radii: Point, segments: int = SEGMENTS, rings: int = RINGS) -> Mesh:
    """An ellipsoid; its poles are small faces, which subdivision makes round."""
    angles = np.linspace(-np.pi / 2, np.pi / 2, rings + 1)
    angles[0], angles[-1] = angles[0] + 0.12, angles[-1] - 0.12
    profile = [(float(np.cos(angle)), float(np.sin(angle))) for angle in angles]
    return turn_profile(profile, segments).scale(radii).move(centre)


def make_dome(centre: Point, radii: Point, lowest: float, segments: int = SEGMENTS) -> Mesh:
    """The upper part of an ellipsoid, down to `lowest` degrees from its equator (below 0: past the equator)."""
    angles = np.linspace(np.radians(lowest), np.pi / 2 - 0.12, RINGS)
    profile = [(float(np.cos(angle)), float(np.sin(angle))) for angle in angles]
    return turn_profile([(profile[0][0] * 0.9, profile[0][1]), *profile], segments).scale(radii).move(centre)


def make_capsule(start: Point, end: Point, radius: float, end_radius: float | None = None, segments: int = 10) -> Mesh:
    """A tube with round ends between two points, of one radius or two."""
    low, high = radius, radius if end_radius is None else end_radius
    axis = np.array(end) - np.array(start)
    length = float(np.linalg.norm(axis))
    quarter = np.radians((80, 45, 0))
    profile = [(low * float(np.cos(a)), -low * float(np.sin(a))) for a in quarter]
    profile += [(high * float(np.cos(a)), length + high * float(np.sin(a))) for a in quarter[::-1]]
    mesh = turn_profile(profile, segments)
    return Mesh(mesh.points @ _aim(axis / length).T + np.array(start), mesh.faces)


def make_box(centre: Point, sides: Point, edge: float = 0.25) -> Mesh:
    """A box whose edges are round by a part of its shortest side, 0 to 0.5."""
    half = np.array(sides) / 2
    cut = edge * half.min() * 2
    signs = (-1, 1)
    # Each corner becomes three points, one on each of its faces.
    points: list[Points] = []
    index: dict[tuple[int, int, int, int], int] = {}
    for corner in ((x, y, z) for x in signs for y in signs for z in signs):
        for axis in range(3):
            inner = half - cut
            inner[axis] = half[axis]
            index[(*corner, axis)] = len(points)
            points.append(np.array(corner) * inner)
    faces: list[tuple[int, ...]] = []
    for axis in range(3):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        for sign in signs:
            ring = []
            for pair in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
                corner = [0, 0, 0]
                corner[axis], corner[one], corner[other] = sign, *pair
                ring.append(index[(corner[0], corner[1], corner[2], axis)])
            faces.append(tuple(ring if sign > 0 else ring[::-1]))
    faces += [face for face in _list_bevels(index)]
    return Mesh(np.array(points) + np.array(centre), _face_outwards(np.array(points), faces))


def make_ring(centre: Point, radius: float, thickness: float, height: float, depth: float = 1.0) -> Mesh:
    """A belt or band about z: a short tube that reaches `thickness` beyond its radius; `depth` scales y."""
    outer = radius + thickness
    profile = [(radius * 0.9, -height / 2), (outer, -height / 2), (outer, height / 2), (radius * 0.9, height / 2)]
    return turn_profile(profile).scale((1, depth, 1)).move(centre)


def _aim(direction: Points) -> Points:
    """A rotation (3, 3) that takes z to a direction."""
    helper = np.array([1.0, 0, 0]) if abs(direction[0]) < 0.9 else np.array([0, 1.0, 0])
    side = np.cross(helper, direction)
    side /= np.linalg.norm(side)
    return np.column_stack([np.cross(side, direction), side, direction])


def _list_bevels(index: dict[tuple[int, int, int, int], int]) -> list[tuple[int, ...]]:
    """Faces along the edges of a box and at its corners."""
    faces: list[tuple[int, ...]] = []
    for axis in range(3):
        one, other = (axis + 1) % 3, (axis + 2) % 3
        for first in (-1, 1):
            for second in (-1, 1):
                low, high = [0, 0, 0], [0, 0, 0]
                low[axis], high[axis] = -1, 1
                low[one] = high[one] = first
                low[other] = high[other] = second
                keys = [(*low, one), (*high, one), (*high, other), (*low, other)]
                faces.append(tuple(index[key] for key in keys))  # type: ignore[index]
    for corner in {key[:3] for key in index}:
        faces.append(tuple(index[(*corner, axis)] for axis in range(3)))
    return sorted(faces)


def _face_outwards(points: Points, faces: list[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    """Faces of a convex body about the origin, turned so that all are seen from outside."""
    result = []
    for face in faces:
        a, b, c = (points[number] for number in face[:3])
        outward = np.dot(np.cross(b - a, c - a), points[list(face)].mean(axis=0)) > 0
        result.append(face if outward else face[::-1])
    return tuple(result)
