"""Rendered characters without Blender: looks, shapes, skeletons, motion and files of tools/rendering."""

from __future__ import annotations

import importlib
import json
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitpuppet.sprites import read_clip

TOOLS = Path(__file__).parents[2] / "tools"


def load(name: str) -> ModuleType:
    """A module of tools/, which is no package of the project's."""
    sys.path.insert(0, str(TOOLS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(TOOLS))


looks, shapes, figure, motion, files = (
    load(f"rendering.{name}") for name in ("looks", "shapes", "figure", "motion", "files")
)


def list_meshes() -> Iterator[Any]:
    yield shapes.make_ellipsoid((1, 2, 3), (0.5, 0.2, 0.9))
    yield shapes.make_capsule((0, 0, 0), (0.3, -0.4, 0.5), 0.1, 0.2)
    yield shapes.make_capsule((0, 0, 1), (0, 0, 0), 0.1)
    yield shapes.make_capsule((0, 0, 0), (1, 0, 0), 0.1)
    yield shapes.make_dome((0, 0, 0), (1, 1, 1), -20).turn((10, 20, 30))
    yield shapes.make_box((0.5, 0, 0), (0.2, 0.4, 0.6))
    yield shapes.make_ring((0, 0, 1), 0.3, 0.05, 0.1)


@pytest.mark.parametrize("mesh", [*list_meshes()])
def test_meshes_are_closed_and_seen_from_outside(mesh: Any) -> None:
    edges = Counter(edge for face in mesh.faces for edge in pairwise((*face, face[0])))
    assert set(edges.values()) == {1}
    assert all((after, before) in edges for before, after in edges)  # each edge once in each direction
    middle = mesh.points.mean(axis=0)
    volume = 0.0
    for face in mesh.faces:
        corners = mesh.points[list(face)] - middle
        volume += sum(np.linalg.det(np.stack([corners[0], a, b])) for a, b in pairwise(corners[1:])) / 6
    assert volume > 0


def test_a_capsule_reaches_both_of_its_points() -> None:
    mesh = shapes.make_capsule((1, 2, 3), (1.5, 1, 3.5), 0.1, 0.05)
    for end, radius in (((1, 2, 3), 0.1), ((1.5, 1, 3.5), 0.05)):
        nearest = np.linalg.norm(mesh.points - np.array(end), axis=1).min()
        assert nearest == pytest.approx(radius, abs=0.005)


def test_looks_are_the_same_for_a_seed_and_differ_between_seeds() -> None:
    assert looks.draw_look(3, 5) == looks.draw_look(3, 5)
    drawn = [looks.draw_look(0, number) for number in range(60)]
    assert len({(look.hair, look.hat, look.top, look.bottom, look.prop, look.back) for look in drawn}) > 50
    assert {look.body.name for look in drawn[:7]} == {body.name for body in looks.BODIES}
    assert looks.draw_look(1, 0) != drawn[0]
    for look in drawn:
        assert looks.measure_contrast(look.top_colour, look.bottom_colour) > 0.15
        assert looks.measure_contrast(look.skin, look.hair_colour) > 0.2


@pytest.mark.parametrize("number", range(24))
def test_every_part_follows_bones_that_are_there(number: int) -> None:
    look = looks.draw_look(7, number)
    bones = figure.list_bones(look.body)
    names = [bone.name for bone in bones]
    assert len(set(names)) == len(names)
    assert all(bone.parent in ("", *names[:place]) for place, bone in enumerate(bones))
    assert all(np.linalg.norm(np.subtract(bone.end, bone.start)) > 0.01 for bone in bones)
    for part in figure.build_parts(look):
        assert np.isfinite(part.mesh.points).all()
        assert set(part.weights) <= set(names)
        assert np.sum(list(part.weights.values()), axis=0) == pytest.approx(1)
        assert all(0 <= value <= 1 for value in part.colour)
        assert part.mesh.points[:, 2].min() > -0.7  # only what is held hangs below the soles
    top = max(part.mesh.points[:, 2].max() for part in figure.build_parts(look))
    assert 1.3 < top < figure.find_view(look) < 4


@pytest.mark.parametrize("action", motion.ACTIONS)
def test_poses_stay_in_the_range_of_joints(action: str) -> None:
    known = {bone.name for bone in figure.list_bones(looks.BODIES[0])}
    for pose in [motion.make_pose(action, n / 16) for n in range(16)]:
        assert set(pose.turns) <= known
        for side in ("L", "R"):
            knee, elbow = pose.turns.get(f"shin.{side}", (0,))[0], pose.turns.get(f"forearm.{side}", (0,))[0]
            assert knee >= 0  # knees bend backwards, elbows forwards
            assert -150 <= elbow <= 0
        assert 0 <= pose.mouth <= 1
        assert 0 <= pose.eyes <= 1
        for body in looks.BODIES:
            highest = body.leg + motion.FOOT + motion.JUMP + 1e-9
            assert 0.35 * body.leg < motion.find_height(body, pose) <= highest


def test_actions_are_cycles_and_differ() -> None:
    for action in motion.ACTIONS:
        start, end = motion.make_pose(action, 0.0), motion.make_pose(action, 1.0)
        assert (end.yaw - start.yaw) % 360 == pytest.approx(0)
        for bone, turn in start.turns.items():
            assert end.turns[bone] == pytest.approx(turn, abs=1e-6)
    moments = {action: repr([motion.make_pose(action, n / 8) for n in range(8)]) for action in motion.ACTIONS}
    assert len(set(moments.values())) == len(moments)
    assert max(motion.make_pose("jump", n / 8).lift for n in range(8)) == pytest.approx(motion.JUMP)
    assert {motion.make_pose("walk", n / 8).lift for n in range(8)} == {0.0}


def test_a_standing_foot_is_on_the_ground() -> None:
    for body in looks.BODIES:
        assert motion.find_height(body, motion.Pose()) == pytest.approx(body.leg + motion.FOOT)


@given(st.integers(1, 5), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_png_is_read_back(height: int, width: int, seed: int) -> None:
    import io

    from PIL import Image

    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 4), dtype=np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(files.encode_png(pixels)))), pixels)


def test_a_folder_is_gone_on_with(tmp_path: Path) -> None:
    plan = files.Plan((0, 1), actions=("walk", "nod"), directions=("front",), frames=2, size=16)
    files.open_folder(tmp_path / "a", plan)
    assert [(look.name, todo) for look, todo in files.list_missing(tmp_path / "a", plan)] == [
        ("0000", ["walk", "nod"]),
        ("0001", ["walk", "nod"]),
    ]
    look = looks.draw_look(0, 0)
    frames = np.full((2, 16, 16, 4), 200, dtype=np.uint8)
    files.write_sheet(tmp_path / "a" / "0000" / "walk.png", [frames])
    assert next(iter(files.list_missing(tmp_path / "a", plan)))[1] == ["nod"]
    files.write_sheet(tmp_path / "a" / "0000" / "nod.png", [frames, frames])
    files.write_character(tmp_path / "a", look, plan)
    assert [look.name for look, _ in files.list_missing(tmp_path / "a", plan)] == ["0001"]
    data = json.loads((tmp_path / "a" / "0000" / "character.json").read_text())
    assert (data["frame"], data["rows"], data["sheets"]["nod"]) == ([16, 16], ["front"], "nod.png")
    sheet = read_clip(tmp_path / "a" / "0000" / "nod.png", tuple(data["frame"]), rows=[1])
    assert np.array_equal(sheet.frames, frames)
    files.open_folder(tmp_path / "a", plan)
    other = files.Plan((0,), actions=("walk", "nod"), directions=("front",), frames=4, size=16)
    with pytest.raises(ValueError, match=r"was made with other settings \(frames\)"):
        files.open_folder(tmp_path / "a", other)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.txt").write_text("")
    with pytest.raises(ValueError, match="holds other files"):
        files.open_folder(tmp_path / "b", plan)
    assert not [file for file in tmp_path.rglob("*") if file.name.endswith(".tmp")]


@pytest.mark.parametrize(
    "values",
    [
        {"frames": 0},
        {"size": 8},
        {"actions": ("fly",)},
        {"directions": ("front", "front")},
        {"samples": 999},
        {"seed": -1},
    ],
)
def test_plans_out_of_range_are_told(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"it must"):
        files.Plan((0,), **values)


def test_numbers_of_characters() -> None:
    assert files.read_characters("3") == (0, 1, 2)
    assert files.read_characters("5-7") == (5, 6, 7)
    for text in ("", "x", "1-x", "-3", "1-2-3"):
        with pytest.raises(ValueError, match="write for example 100 or 100-199"):
            files.read_characters(text)
    with pytest.raises(ValueError, match="names none"):
        files.Plan(files.read_characters("7-5"))


def test_bad_usage_is_told_without_blender(capsys: pytest.CaptureFixture[str]) -> None:
    tool = load("render_characters")
    with pytest.raises(SystemExit) as stopped:
        tool.main(["--out", "x", "--actions", "fly"])
    assert stopped.value.code == 2
    assert "--actions is 'fly', it must name some of walk" in capsys.readouterr().err
    assert "bpy" not in sys.modules
