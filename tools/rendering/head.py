"""Heads: skull and ears, simple faces that read at 64 pixels, hair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .looks import Look, shade
from .pieces import Piece, mirror
from .shapes import Point, make_capsule, make_dome, make_ellipsoid

if TYPE_CHECKING:
    from .figure import Places


def build_skull(look: Look, at: Places) -> list[Piece]:
    """Head, neck and ears."""
    x, y, z = at.head
    rx, ry, rz = at.radii
    pieces = [
        Piece(make_ellipsoid(at.head, at.radii, 18, 11), look.skin, "head"),
        Piece(make_ellipsoid((x, y - ry * 0.12, z - rz * 0.42), (rx * 0.74, ry * 0.78, rz * 0.55)), look.skin, "head"),
        Piece(
            make_capsule((0, 0, at.shoulders - 0.05), (0, 0, at.head[2] - rz * 0.5), 0.10),
            shade(look.skin, 0.85),
            "chest",
        ),
    ]
    if look.hat != "helmet":
        ear = make_ellipsoid((rx * 0.98, 0.0, z - rz * 0.08), (rx * 0.14, ry * 0.16, rz * 0.22))
        pieces += mirror(Piece(ear, shade(look.skin, 0.92), "head"))
    return pieces


def build_face(look: Look, at: Places, mouth: Point, eyes: Point) -> list[Piece]:
    """Eyes, brows, nose, mouth, beard and glasses."""
    rx, ry, rz = at.radii
    size = rz / 0.34
    x, y, z = rx * 0.40, eyes[1] + 0.02 * size, eyes[2]
    white, dark = (0.97, 0.97, 0.97), look.eye_colour if look.face != "dots" else (0.10, 0.08, 0.12)
    pieces: list[Piece] = []
    if look.face == "dots":
        pieces += mirror(Piece(make_ellipsoid((x, y, z), (0.058 * size, 0.05, 0.085 * size)), dark, "eyes"))
    else:
        wide = 1.18 if look.face == "wide" else 1.0
        high = 0.62 if look.face == "sleepy" else 1.0
        ball = make_ellipsoid((x, y, z), (0.092 * size * wide, 0.05, 0.105 * size * high))
        iris = make_ellipsoid((x * 0.94, y - 0.035, z - 0.006), (0.052 * size, 0.04, 0.072 * size * high))
        pieces += mirror(Piece(ball, white, "eyes")) + mirror(Piece(iris, dark, "eyes"))
        if look.face == "sleepy":
            lid = make_ellipsoid((x, y, z + 0.055 * size), (0.1 * size, 0.055, 0.03 * size))
            pieces += mirror(Piece(lid, shade(look.skin, 0.8), "head"))
    brow = make_capsule((x * 0.62, y + 0.01, z + 0.15 * size), (x * 1.42, y + 0.05, z + 0.155 * size), 0.022 * size)
    pieces += mirror(Piece(brow, shade(look.hair_colour, 0.8), "head"))
    nose = make_ellipsoid((0, -ry * 1.0, z - rz * 0.17), (0.036 * size, 0.045 * size, 0.030 * size))
    pieces.append(Piece(nose, shade(look.skin, 0.90), "head"))
    lips = make_ellipsoid((0, mouth[1] + 0.02, mouth[2]), (0.080 * size, 0.045, 0.020 * size))
    pieces.append(Piece(lips, (0.42, 0.10, 0.12), "mouth"))
    return pieces + _build_beard(look, at, mouth) + _build_glasses(look, (x, y, z), size)


def _build_beard(look: Look, at: Places, mouth: Point) -> list[Piece]:
    rx, ry, rz = at.radii
    colour = shade(look.hair_colour, 0.92)
    if look.beard == "full":
        chin = make_ellipsoid((0, -ry * 0.46, mouth[2] - rz * 0.32), (rx * 0.62, ry * 0.50, rz * 0.36))
        jaw = make_ellipsoid((rx * 0.66, -ry * 0.22, mouth[2] + rz * 0.02), (rx * 0.24, ry * 0.4, rz * 0.38))
        return [Piece(chin, colour, "head"), *mirror(Piece(jaw, colour, "head"))]
    if look.beard == "moustache":
        hair = make_capsule(
            (0.02, mouth[1], mouth[2] + 0.055), (rx * 0.42, mouth[1] + 0.06, mouth[2] + 0.02), 0.038, 0.02
        )
        return mirror(Piece(hair, colour, "head"))
    if look.beard == "goatee":
        return [Piece(make_ellipsoid((0, -ry * 0.74, mouth[2] - rz * 0.36), (0.09, 0.1, 0.13)), colour, "head")]
    return []


def _build_glasses(look: Look, eye: Point, size: float) -> list[Piece]:
    if not look.glasses:
        return []
    x, y, z = eye
    frame, glass = (0.12, 0.12, 0.15), (0.72, 0.86, 0.93)
    rim = make_ellipsoid((x, y - 0.02, z), (0.125 * size, 0.03, 0.125 * size))
    lens = make_ellipsoid((x, y - 0.045, z), (0.095 * size, 0.02, 0.095 * size))
    pupil = make_ellipsoid((x, y - 0.06, z), (0.04 * size, 0.02, 0.05 * size))
    bridge = make_capsule((-x, y - 0.03, z + 0.02), (x, y - 0.03, z + 0.02), 0.018)
    eyes = mirror(Piece(rim, frame, "head")) + mirror(Piece(lens, glass, "head")) + mirror(Piece(pupil, frame, "head"))
    return [Piece(bridge, frame, "head"), *eyes]


def build_hair(look: Look, at: Places) -> list[Piece]:
    """The hair's parts; what a hat covers is left out where it would show through."""
    if look.hair == "bald" or look.hat == "helmet":
        return []
    x, y, z = at.head
    rx, ry, rz = at.radii
    colour, darker = look.hair_colour, shade(look.hair_colour, 0.82)

    def ball(place: Point, radii: Point, tint: tuple[float, float, float] = colour) -> Piece:
        """An ellipsoid, in radii of the head from its middle."""
        centre = (x + place[0] * rx, y + place[1] * ry, z + place[2] * rz)
        return Piece(make_ellipsoid(centre, (radii[0] * rx, radii[1] * ry, radii[2] * rz)), tint, "head")

    cap = make_dome((0, 0, 0), (rx * 1.09, ry * 1.10, rz * 1.08), -12, 18).turn((-26, 0, 0)).move((x, y, z + rz * 0.02))
    fringe = [ball((side * 0.46, -0.82, 0.56), (0.36, 0.24, 0.22)) for side in (-1, 1)] + [
        ball((0, -0.88, 0.62), (0.4, 0.2, 0.2))
    ]
    pieces = [Piece(cap, colour, "head")]
    style = look.hair
    if style == "mohawk":
        spikes = ((-0.74, 0.78), (-0.34, 1.12), (0.12, 1.22), (0.56, 1.02), (0.92, 0.62))
        shaved = Piece(cap, shade(look.skin, 0.72), "head")
        return [shaved, *(ball((0, py, pz), (0.15, 0.32, 0.40)) for py, pz in spikes)]
    if style == "curly":
        ring = [(-0.8, -0.5, 0.6), (0.8, -0.5, 0.6), (0, -0.72, 0.86), (-1, 0.1, 0.3), (1, 0.1, 0.3), (-0.55, 0, 0.98)]
        ring += [(0.55, 0, 0.98), (0, 0.3, 1.05), (-0.8, 0.6, 0.4), (0.8, 0.6, 0.4), (0, 0.95, 0.4), (0, 0.95, -0.1)]
        return pieces + [ball(place, (0.42, 0.42, 0.40), colour if n % 2 else darker) for n, place in enumerate(ring)]
    if style == "spiky":
        tips = (
            (-0.7, -0.5, 0.9),
            (0, -0.75, 1.05),
            (0.7, -0.5, 0.9),
            (-0.9, 0.3, 0.75),
            (0.9, 0.3, 0.75),
            (0, 0.1, 1.3),
            (0, 0.85, 0.8),
        )
        spikes = [
            Piece(
                make_capsule(
                    (x + a * rx * 0.6, y + b * ry * 0.6, z + c * rz * 0.7),
                    (x + a * rx * 1.15, y + b * ry * 1.2, z + c * rz * 1.2),
                    0.34 * rx,
                    0.03,
                ),
                colour,
                "head",
            )
            for a, b, c in tips
        ]
        return pieces + spikes
    pieces += fringe
    if style in ("bob", "long"):
        drop = 0.62 if style == "bob" else 1.15
        pieces += [ball((side * 0.86, 0.16, -0.30 - drop * 0.2), (0.30, 0.62, 0.42 + drop * 0.4)) for side in (-1, 1)]
        pieces.append(ball((0, 0.66, -0.1 - drop * 0.42), (0.86, 0.44, 0.5 + drop * 0.5), darker))
    if style == "ponytail":
        pieces += [ball((0, 1.08, 0.42), (0.24, 0.24, 0.24), darker), ball((0, 1.38, -0.22), (0.26, 0.30, 0.66))]
    if style == "bun":
        pieces.append(ball((0, 0.42, 1.14), (0.44, 0.44, 0.40), darker))
    if style == "twintails":
        pieces += mirror(ball((1.18, 0.18, 0.42), (0.18, 0.2, 0.2), look.accent))
        pieces += mirror(ball((1.36, 0.2, -0.28), (0.28, 0.30, 0.72)))
    return pieces
