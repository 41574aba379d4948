"""Which point of the body each pixel shows (tools/rendering/surfaces.py), without Blender."""

from __future__ import annotations

import importlib
import sys
from math import cos, radians, sin
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

TOOLS = Path(__file__).parents[2] / "tools"


def load(name: str) -> ModuleType:
    """A module of tools/, which is no package of the project's."""
    sys.path.insert(0, str(TOOLS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(TOOLS))


surfaces, looks, motion, figure, files, view = (
    load(f"rendering.{name}") for name in ("surfaces", "looks", "motion", "figure", "files", "view")
)
SIZE = 64


def decode(shown: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Places at rest (..., 3) in units."""
    low, high = np.array(surfaces.BOX).T
    return np.asarray(shown[..., :3] / 255 * (high - low) + low)


def find_pixels(look: object, places: NDArray[np.float64], turned: float) -> NDArray[np.float64]:
    """Columns and rows (..., 2) at which the camera sees places."""
    tall, tilt = figure.find_view(look) / (1 - view.FLOOR), radians(view.ELEVATION)
    c, s = cos(radians(turned)), sin(radians(turned))
    across, back = c * places[..., 0] - s * places[..., 1], s * places[..., 0] + c * places[..., 1]
    up = back * sin(tilt) + (places[..., 2] - tall * (0.5 - view.FLOOR)) * cos(tilt)
    return np.stack([SIZE * (0.5 + across / tall), SIZE * (0.5 - up / tall)], axis=-1)


@pytest.mark.parametrize("direction", ["front", "right", "back", "front-left"])
def test_at_rest_a_point_is_seen_where_it_is(direction: str) -> None:
    look = looks.draw_look(0, 3)
    (shown,) = surfaces.Surface(look, SIZE).show([motion.Pose()], [direction])
    assert shown.shape == (1, SIZE, SIZE, 4)
    rows, columns = np.nonzero(shown[0, ..., 3])
    assert 300 < len(rows) < 2000
    places = decode(shown[0, rows, columns])
    body = np.abs(places[:, 0]) < look.body.shoulders  # arms are told elsewhere
    assert body.mean() > 0.5
    seen = find_pixels(look, places, motion.DIRECTIONS[direction])
    wrong = np.abs(seen - np.stack([columns + 0.5, rows + 0.5], axis=-1))[body]
    assert wrong.max() < 0.75  # half a pixel, and what 8 bits leave out


def test_arms_are_told_apart_from_the_body_and_from_each_other() -> None:
    look = looks.draw_look(0, 0)
    (front,), (back,) = surfaces.Surface(look, SIZE).show([motion.Pose()], ["front", "back"])
    for shown, sign in ((front, 1), (back, -1)):
        rows, columns = np.nonzero(shown[..., 3])
        across = decode(shown[rows, columns])[:, 0]
        aside = look.body.shoulders + 0.2
        assert (across > aside).sum() > 10
        assert (across < -aside).sum() > 10
        assert sign * (columns[across > aside].mean() - columns[across < -aside].mean()) > 8


def test_a_point_keeps_its_code_while_it_moves() -> None:
    look = looks.draw_look(0, 5)
    (shown,) = surfaces.Surface(look, SIZE).show([motion.make_pose("jump", phase) for phase in (0.0, 0.5)], ["front"])
    ground, air = shown
    tall = figure.find_view(look) / (1 - view.FLOOR)
    lift = motion.JUMP / tall * SIZE * cos(radians(view.ELEVATION))
    heads = []
    for frame in (ground, air):
        places = decode(frame)
        head = (frame[..., 3] > 0) & (places[..., 2] > figure.find_places(look.body).neck + 0.1)
        heads.append(np.nonzero(head)[0].mean())
    assert heads[0] - heads[1] == pytest.approx(lift, abs=2.0)
    codes = ({tuple(code) for code in frame[frame[..., 3] > 0][:, :3].tolist()} for frame in shown)
    one, other = (np.array(sorted(some), dtype=np.float64) for some in codes)
    nearest = np.linalg.norm(one[:, None] - other[None], axis=-1).min(axis=1)
    assert (nearest < 6).mean() > 0.85  # most of what one frame shows, the other shows too


def test_only_what_is_missing_is_made(tmp_path: Path) -> None:
    plan = files.Plan((0,), actions=("walk", "nod"), directions=("front",), frames=2, size=16)
    look = looks.draw_look(0, 0)
    (tmp_path / look.name).mkdir()
    assert files.list_bare(tmp_path, look, plan) == ["walk", "nod"]
    assert files.add_surfaces(tmp_path, look, plan) == 2
    assert files.list_bare(tmp_path, look, plan) == []
    walk = tmp_path / look.name / "walk.surface.png"
    first = walk.read_bytes()
    walk.unlink()
    assert files.add_surfaces(tmp_path, look, plan) == 1
    assert walk.read_bytes() == first
    assert files.add_surfaces(tmp_path, look, plan) == 0
