"""Clothes on the body, and what a character wears and carries."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from .looks import Colour, Look, shade
from .motion import FOOT
from .pieces import Piece, mirror
from .shapes import Mesh, Point, make_box, make_capsule, make_dome, make_ellipsoid, make_ring, turn_profile

if TYPE_CHECKING:
    from .figure import Places

STEEL: Colour = (0.72, 0.76, 0.82)
WOOD: Colour = (0.47, 0.30, 0.17)
GOLD: Colour = (0.93, 0.74, 0.25)
LEATHER: Colour = (0.40, 0.25, 0.15)


def dress(look: Look, at: Places) -> list[Piece]:
    """Torso, arms, legs and feet, in clothes."""
    return [*_make_torso(look, at), *_make_arms(look, at), *_make_legs(look, at), *_make_feet(look)]


def _make_torso(look: Look, at: Places) -> list[Piece]:
    body = look.body
    wide, hip, waist = body.shoulders, max(body.hips + body.leg_radius * 0.75, body.belly * 0.8), body.belly
    depth = 0.72 if waist < 0.28 else 0.88
    low, high = at.hips, at.shoulders
    tall = high - low
    shirt = STEEL if look.top == "armour" else look.top_colour
    chest = turn_profile(
        [
            (hip * 0.9, low + 0.02),
            (max(hip, waist), low + 0.28 * tall),
            (waist * 1.02, low + 0.5 * tall),
            (max(wide * 0.86, waist * 0.86), low + 0.76 * tall),
            (wide * 0.80, low + 0.90 * tall),
            (wide * 0.40, high + 0.03),
        ],
        18,
    ).scale((1, depth, 1))
    bottom = look.bottom_colour
    if look.bottom == "robe":
        bottom = look.top_colour
    pelvis = turn_profile(
        [(hip * 0.72, low - 0.10), (hip * 1.03, low - 0.02), (hip * 1.05, low + 0.10), (hip * 0.9, low + 0.14)], 18
    ).scale((1, depth, 1))
    pieces = [Piece(chest, shirt, "chest"), Piece(pelvis, bottom, "hips")]
    front = -depth * waist
    if look.top == "vest":
        middle = low + tall * 0.5
        vest = chest.move((0, 0, -middle)).scale((1.07, 1.07, 0.94)).move((0, 0, middle))
        shown = make_ellipsoid((0, front * 0.70, low + tall * 0.56), (waist * 0.36, waist * depth * 0.48, tall * 0.46))
        pieces += [Piece(vest, look.accent, "chest"), Piece(shown, shirt, "chest")]
    elif look.top == "armour":
        pad = make_ellipsoid(
            (wide * 1.08, 0, high - body.arm_radius * 0.6),
            (body.arm_radius * 1.9, body.arm_radius * 1.8, body.arm_radius * 1.3),
        )
        pieces += mirror(Piece(pad, look.accent, "arm.L"))
    elif look.stripes:
        for height in (0.34, 0.62):
            band = make_ring((0, 0, low + tall * height), max(waist, wide * 0.8) * 1.0, 0.025, tall * 0.10, depth)
            pieces.append(Piece(band, look.accent, "chest"))
    if look.belt:
        belt = make_ring((0, 0, low + 0.09), hip * 1.04, 0.02, 0.085, depth)
        buckle = make_box((0, -(hip * 1.04 + 0.02) * depth - 0.012, low + 0.09), (0.10, 0.05, 0.09))
        pieces += [Piece(belt, LEATHER, "hips"), Piece(buckle, GOLD, "hips")]
    return pieces + _make_neckwear(look, at, front)


def _make_neckwear(look: Look, at: Places, front: float) -> list[Piece]:
    high = at.shoulders
    if look.neck == "scarf":
        ring = make_ring((0, -0.01, high + 0.03), 0.17, 0.04, 0.13, 0.95)
        end = make_box((0.10, front * 0.86 - 0.03, high - 0.18), (0.11, 0.06, 0.30))
        return [Piece(ring, look.accent, "chest"), Piece(end, shade(look.accent, 0.85), "chest")]
    if look.neck == "collar":
        return [Piece(make_ring((0, 0, high + 0.01), 0.15, 0.05, 0.07, 0.9), shade(look.top_colour, 1.4), "chest")]
    if look.neck == "tie" and look.top != "armour":
        tie = make_box((0, front * 1.0 - 0.02, high - look.body.torso * 0.38), (0.09, 0.05, look.body.torso * 0.5))
        return [Piece(tie, look.accent, "chest")]
    return []


def _make_arms(look: Look, at: Places) -> list[Piece]:
    body = look.body
    x, top, radius = body.shoulders, at.shoulders - body.arm_radius, body.arm_radius
    elbow, wrist = top - body.arm / 2, top - body.arm
    sleeve = shade(look.top_colour, 0.90)
    if look.top == "armour":
        sleeve = shade(STEEL, 0.82)
    upper = look.skin if look.top == "bare" else sleeve
    lower = sleeve if look.top in ("long", "armour") else look.skin
    hand = shade(look.accent, 0.9) if look.gloves else look.skin
    pieces = mirror(Piece(make_capsule((x, 0, top), (x, 0, elbow), radius * 1.08, radius * 0.92), upper, "arm.L"))
    pieces += mirror(Piece(make_capsule((x, 0, elbow), (x, 0, wrist), radius * 0.92, radius * 0.8), lower, "forearm.L"))
    if look.top == "short":
        pieces += mirror(
            Piece(make_capsule((x, 0, top), (x, 0, elbow + 0.1), radius * 1.22, radius * 1.2), sleeve, "arm.L")
        )
        pieces += mirror(Piece(make_capsule((x, 0, elbow + 0.06), (x, 0, elbow), radius * 0.9), look.skin, "arm.L"))
    palm = make_ellipsoid((x, -0.01, wrist - radius * 0.7), (radius * 0.98, radius * 1.12, radius * 1.22))
    thumb = make_ellipsoid(
        (x - radius * 0.2, -radius * 1.0, wrist - radius * 0.4), (radius * 0.4, radius * 0.6, radius * 0.55)
    )
    return pieces + mirror(Piece(palm, hand, "hand.L")) + mirror(Piece(thumb, shade(hand, 0.92), "hand.L"))


def _make_legs(look: Look, at: Places) -> list[Piece]:
    body = look.body
    x, top, radius = body.hips, at.hips, body.leg_radius
    knee = top - body.leg / 2
    cloth, style = look.bottom_colour, look.bottom
    if style == "robe":
        cloth = shade(look.top_colour, 0.6)
    upper = look.skin if style == "skirt" else cloth
    lower = look.skin if style in ("skirt", "shorts") else cloth
    wide = 1.45 if style == "puffy" else 1.0
    pieces = mirror(
        Piece(make_capsule((x, 0, top), (x, 0, knee), radius * 1.12 * wide, radius * 0.95 * wide), upper, "leg.L")
    )
    shin = make_capsule((x, 0, knee), (x, 0, FOOT + 0.02), radius * 0.95, radius * 0.74)
    if style == "puffy":
        shin = make_capsule((x, 0, knee), (x, 0, FOOT + body.leg * 0.16), radius * 1.35, radius * 1.15)
        ankle = make_capsule((x, 0, FOOT + body.leg * 0.2), (x, 0, FOOT + 0.02), radius * 0.7)
        pieces += mirror(Piece(ankle, look.skin, "shin.L"))
    pieces += mirror(Piece(shin, shade(lower, 0.93), "shin.L"))
    if style == "shorts":
        leg = make_capsule((x, 0, top), (x, 0, knee + 0.06), radius * 1.25, radius * 1.28)
        return pieces + mirror(Piece(leg, cloth, "leg.L"))
    if style in ("skirt", "robe"):
        hip = max(body.hips + radius, body.belly * 0.85)
        hem = FOOT + body.leg * (0.42 if style == "skirt" else 0.06)
        colour = look.bottom_colour if style == "skirt" else look.top_colour
        span = top + 0.10 - hem
        profile = [(hip * (1.0 + 0.52 * (1 - step / 6)), hem + span * step / 6) for step in range(7)]
        pieces.append(Piece(turn_profile(profile, 20).scale((1, 0.86, 1)), colour, "skirt"))
        trim = [
            (radius_ * 1.03, height)
            for radius_, height in ((profile[0][0], hem - 0.01), (profile[0][0] * 0.985, hem + 0.07))
        ]
        pieces.append(Piece(turn_profile(trim, 20).scale((1, 0.86, 1)), look.accent, "skirt"))
    return pieces


def _make_feet(look: Look) -> list[Piece]:
    body = look.body
    x, radius = body.hips, max(body.leg_radius, 0.09)
    colour = look.skin if look.shoes == "bare" else look.shoe_colour
    long = radius * 1.9
    foot = make_ellipsoid((x, -long * 0.38, FOOT * 0.62), (radius * 1.06, long, FOOT * 0.72))
    pieces = mirror(Piece(foot, colour, "foot.L"))
    if look.shoes != "bare":
        sole = make_ellipsoid((x, -long * 0.38, FOOT * 0.22), (radius * 1.12, long * 1.03, FOOT * 0.3))
        pieces += mirror(Piece(sole, shade(colour, 0.6), "foot.L"))
    if look.shoes == "boots":
        shaft = make_capsule((x, 0, FOOT), (x, 0, FOOT + body.leg * 0.30), radius * 1.02, radius * 1.14)
        cuff = make_ring((x, 0, FOOT + body.leg * 0.36), radius * 1.12, 0.02, 0.07)
        pieces += mirror(Piece(shaft, colour, "shin.L")) + mirror(Piece(cuff, look.accent, "shin.L"))
    return pieces


def wear(look: Look, at: Places, eyes: Point) -> list[Piece]:
    """Hat, what is on the back, and what is in the hands."""
    return [*_make_hat(look, at), *_make_back(look, at), *_make_prop(look, at)]


def _make_hat(look: Look, at: Places) -> list[Piece]:
    x, y, z = at.head
    rx, ry, rz = at.radii
    colour, kind = look.accent, look.hat

    def dome(lowest: float, size: float, tilt: float = -14) -> Piece:
        mesh = make_dome((0, 0, 0), (rx * size, ry * size, rz * size), lowest, 18).turn((tilt, 0, 0))
        return Piece(mesh.move((x, y, z + rz * 0.06)), colour, "head")

    if kind == "cap":
        brim = make_ellipsoid((0, -ry * 1.12, z + rz * 0.42), (rx * 0.74, ry * 0.56, rz * 0.08))
        return [dome(12, 1.20), Piece(brim, shade(colour, 0.75), "head")]
    if kind == "beanie":
        pompom = make_ellipsoid((0, 0.04, z + rz * 1.36), (rx * 0.26, ry * 0.26, rz * 0.26))
        fold = (
            make_ring((0, 0, 0), rx * 1.14, 0.05, rz * 0.26, ry / rx).turn((-14, 0, 0)).move((0, 0.02, z + rz * 0.42))
        )
        return [dome(14, 1.18), Piece(fold, shade(colour, 0.75), "head"), Piece(pompom, (0.95, 0.95, 0.95), "head")]
    if kind == "helmet":
        plate = (
            make_dome((0, 0, 0), (rx * 1.18, ry * 1.18, rz * 1.16), -4, 18).turn((-20, 0, 0)).move((x, y, z + rz * 0.1))
        )
        crest = make_ellipsoid((0, ry * 0.2, z + rz * 1.12), (rx * 0.14, ry * 0.95, rz * 0.34))
        return [Piece(plate, STEEL, "head"), Piece(crest, colour, "head")]
    if kind in ("wizard", "straw"):
        tint = colour if kind == "wizard" else (0.88, 0.72, 0.36)
        brim = turn_profile([(rx * 1.5, -0.02), (rx * 1.62, 0.0), (rx * 1.5, 0.025)], 20)
        tip = [(rx * 1.02, 0.0), (rx * 0.72, rz * 0.55), (rx * 0.36, rz * 1.1), (rx * 0.06, rz * 1.62)]
        crown = [(rx * 1.0, 0.0), (rx * 0.98, rz * 0.3), (rx * 0.8, rz * 0.55), (rx * 0.4, rz * 0.66)]
        cone = turn_profile(tip if kind == "wizard" else crown, 18)
        band = make_ring((0, 0, rz * 0.1), rx * 1.0, 0.015, rz * 0.18)
        place = (0.0, ry * 0.10, z + rz * 0.52)
        meshes = ((brim, tint), (cone, tint), (band, shade(tint, 0.55)))
        return [Piece(mesh.turn((-10, 0, 0)).move(place), hue, "head") for mesh, hue in meshes]
    if kind == "crown":
        ring = make_ring((0, 0, z + rz * 0.74), rx * 0.86, 0.03, rz * 0.24)
        spots = ((0, -1), (0.87, -0.5), (-0.87, -0.5), (0.87, 0.5), (-0.87, 0.5), (0, 1))
        tips = [make_ellipsoid((a * rx * 0.86, b * rx * 0.86, z + rz * 0.98), (0.06, 0.06, 0.14)) for a, b in spots]
        gem = make_ellipsoid((0, -rx * 0.94, z + rz * 0.76), (0.05, 0.04, 0.055))
        return [
            Piece(ring, GOLD, "head"),
            *(Piece(tip, GOLD, "head") for tip in tips),
            Piece(gem, (0.8, 0.1, 0.2), "head"),
        ]
    if kind == "band":
        band = make_ring((0, 0, 0), rx * 1.10, 0.02, rz * 0.20, ry / rx).turn((-10, 0, 0)).move((0, 0, z + rz * 0.44))
        knot = make_ellipsoid((0.06, ry * 1.2, z + rz * 0.40), (0.09, 0.09, 0.09))
        return [Piece(band, colour, "head"), Piece(knot, colour, "head")]
    if kind == "ears":
        ear = make_capsule((rx * 0.58, 0, z + rz * 0.82), (rx * 0.80, 0.02, z + rz * 1.32), rx * 0.30, 0.03)
        inner = make_capsule((rx * 0.60, -0.07, z + rz * 0.88), (rx * 0.77, -0.05, z + rz * 1.20), rx * 0.15, 0.02)
        return mirror(Piece(ear, shade(look.hair_colour, 0.9), "head")) + mirror(
            Piece(inner, (0.93, 0.62, 0.62), "head")
        )
    if kind == "horns":
        horn = make_capsule((rx * 0.7, 0, z + rz * 0.66), (rx * 1.12, -0.05, z + rz * 1.28), rx * 0.24, 0.02)
        return mirror(Piece(horn, (0.93, 0.89, 0.78), "head"))
    return []


def _make_back(look: Look, at: Places) -> list[Piece]:
    body, high, tall = look.body, at.shoulders, look.body.torso
    behind = max(body.belly, body.shoulders * 0.8) * (0.72 if body.belly < 0.28 else 0.88)
    if look.back == "cape":
        long = tall + body.leg * 0.55
        profile = [(body.shoulders * (1.35 - 0.55 * step / 5), -long + long * step / 5) for step in range(6)]
        cape = turn_profile(profile, 16).scale((1, 0.20, 1)).turn((9, 0, 0)).move((0, behind * 0.92, high + 0.0))
        return [Piece(cape, look.accent, "chest")]
    if look.back == "backpack":
        bag = make_box((0, behind + 0.12, high - tall * 0.42), (body.shoulders * 1.35, 0.26, tall * 0.74), 0.3)
        pocket = make_box((0, behind + 0.26, high - tall * 0.55), (body.shoulders * 0.9, 0.10, tall * 0.34), 0.3)
        return [Piece(bag, look.accent, "chest"), Piece(pocket, shade(look.accent, 0.7), "chest")]
    if look.back == "quiver":
        case = make_capsule((-0.12, behind + 0.08, high - tall * 0.7), (0.12, behind + 0.08, high), 0.09)
        tips = [
            make_capsule((0.1 + d, behind + 0.08, high), (0.17 + d, behind + 0.08, high + 0.22), 0.022)
            for d in (0, 0.07)
        ]
        return [Piece(case, LEATHER, "chest"), *(Piece(tip, look.accent, "chest") for tip in tips)]
    if look.back == "wings":
        upper = make_ellipsoid((0.34, 0, 0.1), (0.36, 0.045, 0.17)).turn((0, -30, 18))
        lower = make_ellipsoid((0.26, 0, -0.1), (0.26, 0.04, 0.13)).turn((0, 12, 18))
        place = (0.03, behind * 0.9, high - tall * 0.3)
        return mirror(Piece(upper.move(place), shade(look.accent, 1.25), "chest")) + mirror(
            Piece(lower.move(place), look.accent, "chest")
        )
    if look.back == "tail":
        points = ((0, 0.16, 0.0), (0, 0.34, 0.04), (0, 0.48, 0.18), (0, 0.52, 0.36))
        links = pairwise(points)
        meshes = [make_capsule(a, b, 0.075, 0.075).move((0, 0.02, at.hips + 0.02)) for a, b in links]
        tip = make_ellipsoid((0, 0.54, at.hips + 0.42), (0.10, 0.10, 0.13))
        hue = look.hair_colour
        return [*(Piece(mesh, hue, "hips") for mesh in meshes), Piece(tip, shade(hue, 1.5), "hips")]
    return []


def _make_prop(look: Look, at: Places) -> list[Piece]:
    """In the left hand, since the right one waves; upright, in front of the fist."""
    body = look.body
    x = body.shoulders
    z = at.shoulders - body.arm_radius * 1.7 - body.arm
    y = -body.arm_radius * 0.6
    reach = min(0.8, z + 0.15)

    hand = (x, y, z)

    def part(at: Point, mesh: Mesh, colour: Colour) -> Piece:
        return Piece(mesh.move(at), colour, "hand.L")

    if look.prop == "sword":
        blade = make_box((0, -0.42, 0), (0.035, 0.62, 0.11), 0.3)
        guard = make_box((0, -0.10, 0), (0.07, 0.06, 0.27), 0.3)
        grip = make_capsule((0, 0.12, 0), (0, -0.08, 0), 0.035)
        return [part(hand, blade, STEEL), part(hand, guard, GOLD), part(hand, grip, LEATHER)]
    if look.prop == "axe":
        shaft = make_capsule((0, 0.16, 0), (0, -0.56, 0), 0.032)
        head = make_box((0, -0.48, 0.12), (0.05, 0.20, 0.26), 0.25)
        return [part(hand, shaft, WOOD), part(hand, head, STEEL)]
    if look.prop == "staff":
        shaft = make_capsule((0, 0, -reach), (0, 0, 0.72), 0.035)
        orb = make_ellipsoid((0, 0, 0.80), (0.12, 0.12, 0.12))
        return [part(hand, shaft, WOOD), part(hand, orb, look.accent)]
    if look.prop == "lantern":
        loop = make_capsule((0, 0, 0), (0, 0, -0.12), 0.02)
        glass = make_ellipsoid((0, 0, -0.22), (0.10, 0.10, 0.12))
        lid = make_dome((0, 0, -0.16), (0.12, 0.12, 0.09), 0)
        return [part(hand, loop, LEATHER), part(hand, glass, (1.0, 0.86, 0.42)), part(hand, lid, (0.25, 0.25, 0.3))]
    if look.prop == "shield":
        plate = make_ellipsoid((0.10, -0.02, 0.06), (0.06, 0.27, 0.31))
        boss = make_ellipsoid((0.16, -0.02, 0.06), (0.04, 0.12, 0.13))
        return [part(hand, plate, look.accent), part(hand, boss, GOLD)]
    if look.prop == "book":
        cover = make_box((0.02, -0.04, -0.04), (0.09, 0.22, 0.27), 0.15)
        pages = make_box((0.02, -0.055, -0.04), (0.055, 0.22, 0.235), 0.1)
        return [part(hand, cover, look.accent), part(hand, pages, (0.95, 0.93, 0.85))]
    return []
