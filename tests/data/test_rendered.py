"""Folders of rendered characters as a source of the mixture; the art is drawn here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from bitpuppet.data.duets import draw_duet
from bitpuppet.data.mixture import Mixture, Share
from bitpuppet.data.poses import UNNAMED
from bitpuppet.data.rendered import RenderedSource, open_rendered
from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import Clip
from bitpuppet.sprites.writer import write_sheet

ACTIONS, DIRECTIONS = ("walk", "nod"), ("front", "right")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve characters of one colour each; every motion has blocks at places of its own."""
    root = tmp_path_factory.mktemp("rendered")
    plan = {"size": 32, "actions": ACTIONS, "directions": DIRECTIONS, "frames": 4}
    (root / "rendered.json").write_text(json.dumps(plan))
    for number in range(12):
        home = root / f"{number:04d}"
        home.mkdir()
        for a, action in enumerate(ACTIONS):
            rows = []
            for d in range(2):
                frames = np.zeros((4, 32, 32, 4), dtype=np.uint8)
                for t, frame in enumerate(frames):
                    frame[8 + 4 * a : 30, 4 + 3 * t + 2 * d : 14 + 3 * t] = (20 * number + 10, 99, 0, 255)
                    frame[29, 12:20] = (20 * number + 10, 99, 0, 128)
                rows.append(Clip(frames))
            write_sheet(rows, home / f"{action}.png")
        if number != 11:  # one that is still being rendered
            (home / "character.json").write_text("{}")
    return root


def test_complete_characters_are_split_by_their_numbers(folder: Path) -> None:
    found = open_rendered(folder)
    assert len(found.characters) == 11
    assert found.held_out == ("0009",)
    assert found.motions == (("walk", "front"), ("walk", "right"), ("nod", "front"), ("nod", "right"))
    clip = found.read("0003", 3)
    assert clip.shape == (4, 32, 32, 4)
    assert set(np.unique(clip[..., 0])) == {0, 70}
    assert set(np.unique(clip[..., 3])) == {0, 128, 255}


def test_another_character_drives_in_the_same_poses(folder: Path) -> None:
    source = RenderedSource(folder, 64)
    for seed in range(20):
        scene = source.draw_scene(np.random.default_rng(seed), 0, 3)
        assert len(scene.clips) == 3
        assert np.array_equal(scene.clips[0][..., 3], scene.driver[..., 3])
        colours = {int(clip[..., 0].max()) for clip in scene.clips}
        assert len(colours) == 1
        assert int(scene.driver[..., 0].max()) not in colours | {190}  # nor the one that is held out
    batch = Mixture([Share(source, 1.0, 0.0)]).draw(0, 2, 3, 4)
    assert batch.target.shape == (2, 4, 64, 64, 4)


def test_two_characters_of_a_duet_do_the_same_in_all_frames(folder: Path) -> None:
    source = RenderedSource(folder, 64)
    for seed in range(8):
        duet = draw_duet(source, np.random.default_rng(seed), 0, 16)
        assert duet.one.shape == duet.other.shape == (16, 64, 64, 4)
        assert np.array_equal(duet.one[..., 3], duet.other[..., 3])
        assert len(np.unique(duet.one[..., 3], axis=0)) == len(np.unique(duet.names, axis=0)) > 4
        assert len({side[..., 0].max() for side in (duet.one, duet.other)}) == 2


def test_poses_are_named_after_the_sheets(folder: Path) -> None:
    source = RenderedSource(folder, 64)
    seen: dict[tuple[int, int], set[tuple[tuple[int, ...], tuple[int, ...]]]] = {}
    for seed in range(20):
        scene = source.draw_scene(np.random.default_rng(seed), 0, 4)
        assert scene.names is not None
        for clip, names in zip(scene.clips, scene.names, strict=True):
            block = clip[0, ..., 3] == 255
            corner = int(block.any(axis=1).argmax()), int(block.any(axis=0).argmax())
            seen.setdefault(corner, set()).add((tuple(names[:, 0]), tuple(names[:, 1])))
    down, right = (0, 0, 0, 0), (2, 2, 2, 2)
    walk, nod = (0, 2, 4, 6), (8, 10, 12, 14)
    rows, columns = (sorted({corner[axis] for corner in seen}) for axis in (0, 1))
    assert [[seen[row, column] for column in columns] for row in rows] == [
        [{(down, walk)}, {(right, walk)}],
        [{(down, nod)}, {(right, nod)}],
    ]


def test_turning_and_oblique_directions_have_no_name(folder: Path, tmp_path: Path) -> None:
    plan = json.loads((folder / "rendered.json").read_text())
    plan |= {"actions": ["nod", "turn"], "directions": ["front", "front-left"]}
    (tmp_path / "rendered.json").write_text(json.dumps(plan))
    for number in ("0000", "0001"):
        shutil.copytree(folder / number, tmp_path / number)
        (tmp_path / number / "walk.png").rename(tmp_path / number / "turn.png")
    source = RenderedSource(tmp_path, 64)
    scene = source.draw_scene(np.random.default_rng(0), 0, 4)
    assert scene.names is not None
    known = sorted(tuple(names[:, 0]) for names in scene.names)
    assert known == [(UNNAMED,) * 4] * 3 + [(0,) * 4]


def test_folders_that_cannot_be_used_are_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BitpuppetError, match=r"rendered\.json does not exist"):
        open_rendered(tmp_path)
    for text, match in (
        ("[", "no JSON that"),
        ("[]", "no JSON object"),
        ("{}", "lacks size"),
        (json.dumps({"size": 8, "actions": ["../a"], "directions": ["front"]}), "lacks size"),
    ):
        (tmp_path / "rendered.json").write_text(text)
        with pytest.raises(BitpuppetError, match=match):
            open_rendered(tmp_path)
    (tmp_path / "rendered.json").write_text((folder / "rendered.json").read_text())
    with pytest.raises(BitpuppetError, match="holds no complete character"):
        open_rendered(tmp_path)
    with pytest.raises(BitpuppetError, match="frames of 32 pixels, the canvas has 16"):
        RenderedSource(folder, 16)
    with pytest.raises(BitpuppetError, match="has 1 characters to draw from"):
        RenderedSource(folder, 64, held_out=True)
