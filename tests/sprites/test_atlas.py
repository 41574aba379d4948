"""Tests of sprites.formats.atlas, values and files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import Slice, SliceKey, Tag, read_clip
from bitpuppet.sprites.formats.atlas import parse_atlas, split_number
from bitpuppet.sprites.formats.values import MAX_JSON_BYTES

from .art import fail, save


def draw(count: int = 4, width: int = 6, height: int = 5) -> np.ndarray:
    """Frames (count, height, width, 4) in which every pixel is another one."""
    frames = np.zeros((count, height, width, 4), dtype=np.uint8)
    flat = frames.reshape(-1, 4)
    flat[:, 0], flat[:, 1], flat[:, 3] = np.arange(len(flat)) % 251, np.arange(len(flat)) // 251, 255
    return frames


def describe(x: int, y: int, width: int, height: int, **others: Any) -> dict[str, Any]:
    return {"frame": {"x": x, "y": y, "w": width, "h": height}} | others


def box(left: int, top: int, width: int, height: int) -> dict[str, int]:
    return {"x": left, "y": top, "w": width, "h": height}


def write(folder: Path, root: Any, name: str = "hero.json") -> Path:
    path = folder / name
    path.write_text(root if isinstance(root, str) else json.dumps(root), encoding="utf-8")
    return path


@pytest.fixture
def strip(tmp_path: Path) -> np.ndarray:
    """Four frames of 6x5 in hero.png."""
    frames = draw()
    save(np.concatenate(list(frames), axis=1), tmp_path / "hero.png")
    return frames


PLAIN = [describe(6 * number, 0, 6, 5) for number in range(4)]


@pytest.mark.parametrize("kind", ["array", "hash"])
def test_aseprite_keeps_the_order_durations_tags_and_slices(tmp_path: Path, strip: np.ndarray, kind: str) -> None:
    frames = [frame | {"duration": 10 * (number + 1)} for number, frame in enumerate(PLAIN)]
    names = ["hero 3.ase", "hero 0.ase", "hero 1.ase", "hero 2.ase"]
    meta = {
        "app": "http://www.aseprite.org/",
        "image": "hero.png",
        "size": {"w": 24, "h": 5},
        "frameTags": [
            {"name": "walk", "from": 1, "to": 2, "direction": "pingpong_reverse", "repeat": "2"},
            {"name": "all", "from": 0, "to": 3},
        ],
        "slices": [{"name": "hit", "keys": [{"frame": 0, "bounds": box(-1, 2, 3, 4), "pivot": {"x": 1, "y": -2}}]}],
    }
    listed: Any = [frame | {"filename": name} for name, frame in zip(names, frames, strict=True)]
    if kind == "hash":
        listed = dict(zip(names, frames, strict=True))
    path = write(tmp_path, {"frames": listed, "meta": meta})
    clip = read_clip(path)
    assert np.array_equal(clip.frames, strip)
    assert clip.durations_ms == (10, 20, 30, 40)
    assert clip.tags == (Tag("walk", 1, 2, "pingpong_reverse", 2), Tag("all", 0, 3))
    assert clip.slices == (Slice("hit", (SliceKey(0, (-1, 2, 3, 4), None, (1, -2)),)),)
    walk = read_clip(path, tag="walk")
    assert np.array_equal(walk.frames, strip[1:3])
    assert walk.tags == (Tag("walk", 0, 1, "pingpong_reverse", 2),)


def test_trimmed_frames_get_their_margin_back(tmp_path: Path, strip: np.ndarray) -> None:
    trimmed = describe(1, 1, 2, 3, trimmed=True, spriteSourceSize=box(4, 5, 2, 3), sourceSize={"w": 10, "h": 9})
    clip = read_clip(write(tmp_path, {"frames": {"a.png": trimmed}, "meta": {"image": "hero.png"}}))
    expected = np.zeros((1, 9, 10, 4), dtype=np.uint8)
    expected[0, 5:8, 4:6] = strip[0, 1:4, 1:3]
    assert np.array_equal(clip.frames, expected)


def test_the_inner_padding_of_aseprite_is_taken_away(tmp_path: Path, strip: np.ndarray) -> None:
    padded = describe(0, 0, 6, 5, spriteSourceSize=box(0, 0, 4, 3), sourceSize={"w": 4, "h": 3}, duration=100)
    assert np.array_equal(read_clip(write(tmp_path, {"frames": [padded]})).frames[0], strip[0, 1:4, 1:5])


def test_rotated_frames_are_turned_back(tmp_path: Path) -> None:
    """TexturePacker turns clockwise and tells the size as it was before."""
    frame = draw(1)[0]
    sheet = np.zeros((8, 9, 4), dtype=np.uint8)
    sheet[1:7, 2:7] = np.rot90(frame, -1)
    save(sheet, tmp_path / "hero.png")
    rotated = describe(2, 1, 6, 5, rotated=True, spriteSourceSize=box(1, 0, 6, 5), sourceSize={"w": 7, "h": 5})
    clip = read_clip(write(tmp_path, {"frames": {"a": rotated}}))
    assert np.array_equal(clip.frames[0, :, 1:], frame)
    assert not clip.frames[0, :, 0].any()


def test_packed_frames_are_sorted_by_their_numbers(tmp_path: Path, strip: np.ndarray) -> None:
    names = ["walk10.png", "idle.png", "walk2.png", "walk1.png"]
    path = write(tmp_path, {"frames": dict(zip(names, PLAIN, strict=True)), "meta": {"app": "texturepacker"}})
    clip = read_clip(path)
    assert clip.tags == (Tag("walk", 0, 2), Tag("idle", 3, 3))
    assert np.array_equal(clip.frames, strip[[3, 2, 0, 1]])
    assert clip.durations_ms == (100,) * 4
    assert np.array_equal(read_clip(path, tag="Idle").frames, strip[[1]])


def test_named_animations_are_tags(tmp_path: Path, strip: np.ndarray) -> None:
    root = {"frames": dict(zip("abcd", PLAIN, strict=True)), "animations": {"run": ["c", "a", "c"], "odd": ["x"]}}
    clip = read_clip(write(tmp_path, root))
    assert np.array_equal(clip.frames[:3], strip[[2, 0, 2]])
    assert clip.tags[0] == Tag("run", 0, 2)
    assert len(clip) == 5


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("hero/walk_03.png", ("hero/walk", 3)),
        ("walk (12)", ("walk", 12)),
        ("idle.png", ("idle", 0)),
        ("007", ("", 7)),
        ("v1.5", ("v1", 5)),
        ("", ("", 0)),
        ("_" * 9 + "1" * 500, ("", 111111111)),
    ],
)
def test_numbers_are_split_off(name: str, split: tuple[str, int]) -> None:
    assert split_number(name) == split


def test_multipacks_of_phaser(tmp_path: Path, strip: np.ndarray) -> None:
    save(strip[0], tmp_path / "one.png")
    save(strip[1], tmp_path / "two.png")
    textures = [
        {"image": f"{name}.png", "size": {"w": 6, "h": 5}, "frames": [PLAIN[0] | {"filename": f"walk{number}"}]}
        for number, name in ((2, "one"), (1, "two"))
    ]
    assert np.array_equal(read_clip(write(tmp_path, {"textures": textures})).frames, strip[[1, 0]])


def test_multipacks_of_pixi(tmp_path: Path, strip: np.ndarray) -> None:
    paths = []
    for number, other in ((0, 1), (1, 0)):
        save(strip[number], tmp_path / f"h-{number}.png")
        meta = {"image": f"h-{number}.png", "related_multi_packs": [f"h-{other}.json"]}
        paths.append(write(tmp_path, {"frames": {f"w{number}": PLAIN[0]}, "meta": meta}, f"h-{number}.json"))
    for path in paths:
        assert np.array_equal(read_clip(path).frames, strip[:2])


def test_the_image_is_looked_for_in_the_folder_of_the_json(tmp_path: Path, strip: np.ndarray) -> None:
    (tmp_path / "sub").mkdir()
    save(strip[0], tmp_path / "sub" / "a.png")
    save(strip[1], tmp_path / "b.png")
    for image, number in (("sub/a.png", 0), ("/home/me/b.png", 1), ("..\\art\\b.png", 1), ("C:\\b.png", 1)):
        path = write(tmp_path, {"frames": [PLAIN[0]], "meta": {"image": image}})
        assert np.array_equal(read_clip(path).frames, strip[[number]])
    fail(write(tmp_path, {"frames": [PLAIN[0]], "meta": {"image": ".."}}), "names the file '..', which is none")


def test_frames_of_several_sizes_ask_for_a_tag(tmp_path: Path, strip: np.ndarray) -> None:
    path = write(tmp_path, {"frames": {"a1": PLAIN[0], "b1": describe(0, 0, 3, 3)}})
    fail(path, "frames of 6x5, 3x3, a clip has one size; name one of its tags, which are 'a', 'b'")
    assert read_clip(path, tag="b").frames.shape == (1, 3, 3, 4)


@pytest.mark.parametrize(
    ("root", "match"),
    [
        ("", "is an empty file"),
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ('{"frames": [' + "9" * 5000 + "]}", "is no JSON"),
        ("[]", "is \\[\\], not an object"),
        ({"layers": []}, "neither frames nor textures"),
        ({"frames": []}, "names no frames"),
        ({"frames": 7}, "frames is 7, neither an object nor a list"),
        ({"frames": [7]}, r"frames\[0\] is 7, not an object"),
        ('{"frames": {"a": {}, "a": {}}}', "two frames or values have one name.*array"),
        ({"frames": [{}]}, r"frames\[0\].frame is None"),
        ({"frames": [describe(-1, 0, 1, 1)]}, r"frame.x is -1, not a whole number from 0 to 1000000"),
        ({"frames": [describe(0, 0, 10**9, 1)]}, "not a whole number"),
        ({"frames": [describe(0, 0, True, 1)]}, "is True, not a whole number"),
        ('{"frames": [{"frame": {"x": NaN, "y": 0, "w": 1, "h": 1}}]}', "is nan"),
        ({"frames": [describe(0, 0, 6, 5, rotated=90)]}, "rotated is 90, neither true nor false"),
        ({"frames": [describe(0, 0, 6, 5, vertices=[[0, 0]])]}, "cut as a polygon"),
        ({"frames": [describe(0, 0, 6, 5, spriteSourceSize=box(0, 0, 5, 5))]}, "6x5 in the sheet and 5x5"),
        ({"frames": [describe(0, 0, 6, 5, sourceSize={"w": 5, "h": 5})]}, "beyond its own size of 5x5"),
        ({"frames": [describe(20, 0, 6, 5)]}, "reaches beyond its image of 24x5"),
        ({"frames": [describe(0, 0, 0, 0)]}, "frames of 0x0 pixels"),
        ({"frames": [describe(0, 0, 1, 1, sourceSize={"w": 99999, "h": 99999})]}, "the limit is 32 million"),
        ({"frames": [PLAIN[0]] * 4097}, "4097 frames, the limit is 4096"),
        ({"frames": [PLAIN[0]], "animations": {"a": ["0"] * 5000}}, "5000 frames, the limit"),
        ({"frames": [PLAIN[0]], "meta": {"size": {"w": 9, "h": 9}}}, "is 24x5, hero.json was written for 9x9"),
        ({"frames": [PLAIN[0]], "meta": {"frameTags": [{"name": "a", "from": 0, "to": 1}]}}, "and there are 1 frames"),
        ({"frames": [PLAIN[0]], "meta": {"frameTags": [{"from": 0, "to": 0, "direction": "up"}]}}, "'up'"),
        ({"frames": [PLAIN[0]], "meta": {"frameTags": [{}] * 5000}}, "5000 tags, the limit"),
        ({"frames": [PLAIN[0]], "meta": {"slices": [{}] * 5000}}, "too many slices"),
        ({"frames": [PLAIN[0]], "meta": {"related_multi_packs": ["a"] * 64}}, "64 images, the limit is 64"),
        ({"textures": [{}] * 65}, "65 images, the limit is 64"),
        ({"frames": [PLAIN[0]], "meta": {"image": "none.png"}}, "does not exist"),
    ],
)
def test_broken_files_are_told_in_one_line(tmp_path: Path, strip: np.ndarray, root: Any, match: str) -> None:
    path = write(tmp_path, root)
    with pytest.raises(BitpuppetError, match=match) as info:
        read_clip(path)
    message = str(info.value)
    assert "\n" not in message
    assert ";" in message, "the remedy is missing"


def test_large_files_are_not_parsed(tmp_path: Path) -> None:
    with pytest.raises(BitpuppetError, match="the limit for a JSON is 8 MiB"):
        parse_atlas(b" " * (MAX_JSON_BYTES + 1), "a.json")
    (tmp_path / "a.json").write_bytes(b" " * (MAX_JSON_BYTES + 1))
    fail(tmp_path / "a.json", "more than 8 MiB")


def test_other_files_have_no_tags(tmp_path: Path, strip: np.ndarray) -> None:
    fail(tmp_path / "hero.png", "has no tags, so not 'walk'", frame=(6, 5), tag="walk")
