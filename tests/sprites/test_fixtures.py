"""Files that the real programs wrote: all are read, and come back identically from every format with tags."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bitpuppet.sprites import Clip, Tag, clear_hidden, read_clip, write_clip
from bitpuppet.sprites.images import read_picture


@pytest.fixture(scope="module")
def fixtures(data_folder: Path) -> Path:
    return data_folder / "importer_fixtures"


def check_round_trips(clip: Clip, folder: Path) -> None:
    for name, layout in (("a.json", "json"), ("b.json", "json-hash"), ("c.aseprite", "aseprite")):
        write_clip(clip, folder / name, layout)
        back = read_clip(folder / name)
        assert np.array_equal(back.frames, clip.frames)
        assert (back.durations_ms, back.tags, back.slices) == (clip.durations_ms, clip.tags, clip.slices)


def test_every_file_is_read_and_comes_back(fixtures: Path, tmp_path: Path) -> None:
    files = sorted(fixtures.rglob("*.aseprite"))
    assert len(files) == 12
    for file in files:
        check_round_trips(read_clip(file), tmp_path)


def test_the_pixels_are_those_of_aseprites_own_export(fixtures: Path, tmp_path: Path) -> None:
    """kayahr.png is what Aseprite 1.3 exported of kayahr.aseprite, trimmed."""
    drawn = read_clip(fixtures / "kayahr" / "kayahr.aseprite")
    exported = read_clip(fixtures / "kayahr" / "kayahr.aseprite.json")
    assert drawn.frames.shape == (1, 32, 32, 4)
    assert np.array_equal(drawn.frames, exported.frames)
    picture = read_picture(fixtures / "kayahr" / "kayahr.png").frames[0]
    assert np.array_equal(drawn.frames[0, 1:31, 6:26], clear_hidden(picture))
    assert drawn.tags == exported.tags == (Tag("Tag1", 0, 0), Tag("Tag2", 0, 0, "pingpong_reverse", 2))
    check_round_trips(exported, tmp_path)


def test_tags_have_their_directions_and_repeats(fixtures: Path) -> None:
    clip = read_clip(fixtures / "godot_wizard" / "sample_test_file.aseprite")
    tags = {tag.name: tag for tag in clip.tags}
    assert tags["4-ping-pong-reverse"].direction == "pingpong_reverse"
    assert (tags["9-ping-pong-repeat-3"].direction, tags["9-ping-pong-repeat-3"].repeat) == ("pingpong", 3)
    varied = read_clip(fixtures / "godot_wizard" / "sample_test_file.aseprite", tag="10-variable-frame-length")
    assert varied.durations_ms == clip.durations_ms[5:8]
    assert len(set(varied.durations_ms)) > 1


def test_hidden_layers_and_links(fixtures: Path) -> None:
    folder = fixtures / "aseprite_official_tests"
    link = read_clip(folder / "link.aseprite")
    assert len(link) == 2
    assert link.tags == (Tag("Tag", 0, 1),)
    empty = read_clip(folder / "1empty3.aseprite")
    assert [bool(frame[..., 3].any()) for frame in empty.frames] == [True, False, True]


def test_the_animations_of_a_packed_sheet(fixtures: Path, tmp_path: Path) -> None:
    path = fixtures / "texturepacker_melonjs" / "texture.json"
    walk = read_clip(path, tag="walk")
    assert walk.frames.shape == (11, 96, 75, 4)
    sheet = read_picture(path.with_suffix(".png")).frames[0]
    # walk0001.png lies at (160, 100) of page 0 in the JSON.
    assert np.array_equal(walk.frames[0], clear_hidden(sheet[100:196, 160:235]))
    check_round_trips(walk, tmp_path)
    for tag in ("coin", "fly_dead", "fly_normal", "fly_fly", "slime_dead", "slime_normal", "slime_walk"):
        check_round_trips(read_clip(path, tag=tag), tmp_path)
