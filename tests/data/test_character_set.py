"""Tests of character sets: folders, `.toml` files, and what is refused."""

from __future__ import annotations

import json
import os
import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bitpuppet.data.character_set import CharacterSet, read_character_set, survey_character_set
from bitpuppet.data.set_file import plan_file
from bitpuppet.data.set_plan import Key, find_frame, name_animations, strip_size
from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import Clip, Tag, clear_hidden, write_apng, write_clip
from bitpuppet.sprites.images import read_picture

from .sheets import draw, save_rows, save_strip

Frames = NDArray[np.uint8]
CASES = int(os.environ.get("BITPUPPET_FUZZ_CASES", "100"))


def outline(found: CharacterSet) -> dict[str, dict[str, int]]:
    """Frames of each animation of each character."""
    return {c.name: {a.name: len(a.frames) for a in c.animations} for c in found.characters}


def write_toml(folder: Path, text: str) -> Path:
    path = folder / "set.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refuse(read: Callable[[], object], match: str) -> None:
    with pytest.raises(BitpuppetError, match=match) as info:
        read()
    assert "\n" not in str(info.value)


def test_each_folder_is_a_character_and_each_sheet_an_animation(tmp_path: Path) -> None:
    folder = tmp_path / "my set"
    for seed, name in enumerate(("frog", "small_pig")):
        save_strip(draw(3, seed), folder / name / f"{name.title()} Idle_16x16.png")
        save_strip(draw(5, seed), folder / name / f"{name.title()} Run (16_x_16).png")
    (folder / "frog" / "licence.txt").write_text("mine")
    (folder / "frog" / "notes.json").write_text('{"author": "me"}')
    (folder / ".hidden").mkdir()
    found = read_character_set(folder)
    assert found.name == "my set"
    assert outline(found) == {"frog": {"idle": 3, "run": 5}, "small_pig": {"idle": 3, "run": 5}}
    assert np.array_equal(found.characters[1].animations[1].frames, draw(5, 1))
    assert found.characters[0].animations[0].durations == (100, 100, 100)


def test_sheets_side_by_side_are_characters_by_their_rows_or_tags(tmp_path: Path) -> None:
    for seed, name in enumerate(("knight", "mage")):
        save_rows([draw(4, seed), draw(4, seed + 5)], tmp_path / f"{name}_16x16.png")
    tags = (Tag("walk", 0, 2), Tag("hit", 3, 4))
    write_clip(Clip(draw(5, 9), (50, 60, 70, 80, 90), tags=tags), tmp_path / "rogue.json")
    found = read_character_set(tmp_path)
    rows = {"row 0": 4, "row 1": 4}
    assert outline(found) == {"knight": rows, "mage": rows, "rogue": {"walk": 3, "hit": 2}}
    assert found.characters[2].animations[1].durations == (80, 90)


def test_sheets_of_one_animation_side_by_side_are_one_character(tmp_path: Path) -> None:
    folder = tmp_path / "hero"
    save_strip(draw(3), folder / "hero_idle_16x16.png")
    save_strip(draw(4), folder / "hero_run_16x16.png")
    save_rows([draw(2), draw(2)], folder / "hero_attack_16x16.png")
    assert outline(read_character_set(folder)) == {"hero": {"attack 0": 2, "attack 1": 2, "idle": 3, "run": 4}}


def test_animations_may_be_animations(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    write_apng(draw(3), tmp_path / "cat" / "walk.png", (10, 20, 30))
    for number, frame in enumerate(draw(2, 4)):
        save_strip(frame[None], tmp_path / "cat" / "sit" / f"{number}.png")
    cat = read_character_set(tmp_path).characters[0]
    assert {a.name: a.durations for a in cat.animations} == {"sit": (100, 100), "walk": (10, 20, 30)}


def test_sizes_of_a_character_become_one(tmp_path: Path) -> None:
    save_strip(draw(2, width=16, height=16), tmp_path / "a" / "idle_16x16.png")
    save_strip(draw(2, width=24, height=20), tmp_path / "a" / "jump_24x20.png")
    idle, jump = read_character_set(tmp_path).characters[0].animations
    assert idle.frames.shape == jump.frames.shape == (2, 20, 24, 4)
    assert np.array_equal(idle.frames[:, 4:, 4:20], draw(2))
    assert idle.frames.sum() == draw(2).sum()


def test_empty_cells_are_left_out_and_counted(tmp_path: Path) -> None:
    frames = np.concatenate([draw(2), np.zeros((1, 16, 16, 4), np.uint8), draw(2), np.zeros((3, 16, 16, 4), np.uint8)])
    save_strip(frames, tmp_path / "a" / "run_16x16.png")
    (reading,) = survey_character_set(tmp_path).characters[0].animations
    assert (len(reading.frames), reading.empty) == (4, 1)


def test_a_background_is_found_and_its_key_takes_it_away(tmp_path: Path) -> None:
    frames = draw(4)
    painted = frames.copy()
    painted[painted[..., 3] == 0] = (255, 0, 255, 255)
    save_strip(painted, tmp_path / "a" / "run_16x16.png")
    (reading,) = survey_character_set(tmp_path).characters[0].animations
    assert reading.background == "ff00ff"
    for key in (Key(), Key((255, 0, 255))):
        (keyed,) = survey_character_set(tmp_path, key=key).characters[0].animations
        assert keyed.background is None
        assert np.array_equal(keyed.frames, frames)
    write_toml(tmp_path, 'key = "#ff00ff"')
    assert np.array_equal(read_character_set(tmp_path).characters[0].animations[0].frames, frames)


NINJA = """
name = "ninjas"
frame = "16x16"
duration = 120

[animations.walk_down]
columns = 0
rows = "0-3"

[animations.walk_up]
columns = 1
rows = "0-3"

[animations.hit]
cells = [5, 2]
duration = [30, 40]

[characters.red]
sheet = "red/1.png"

[characters."blau grün"]
folder = "blue"
sheet = "2.png"

[characters.frog]
animations.jump = { sheet = "frog.gif", duration = 50 }
animations.swim = { sheet = "frog.json", tag = "SWIM" }

[characters.pig]
folder = "pig"
"""


def make_ninjas(folder: Path) -> dict[str, Frames]:
    sheets = {"red/1.png": draw(8, 1), "blue/2.png": draw(8, 2)}
    for name, frames in sheets.items():
        save_rows([frames[n : n + 2] for n in range(0, 8, 2)], folder / name)
    write_clip(Clip(draw(3, 3)), folder / "frog.gif")
    write_clip(Clip(draw(4, 4), tags=(Tag("swim", 1, 3),)), folder / "frog.json")
    save_strip(draw(2, 5), folder / "pig" / "pig_idle.png")
    save_strip(draw(3, 5), folder / "pig" / "pig_run.png")
    return sheets


def test_a_file_says_which_cells_are_what(tmp_path: Path) -> None:
    sheets = make_ninjas(tmp_path)
    path = write_toml(tmp_path, NINJA)
    found = read_character_set(path)
    ninja = {"walk_down": 4, "walk_up": 4, "hit": 2}
    assert outline(found) == {
        "red": ninja,
        "blau grün": ninja,
        "frog": {"jump": 3, "swim": 3},
        "pig": {"idle": 2, "run": 3},
    }
    down, up, hit = found.characters[1].animations
    frames = sheets["blue/2.png"]
    assert np.array_equal(down.frames, frames[[0, 2, 4, 6]])
    assert np.array_equal(up.frames, frames[[1, 3, 5, 7]])
    assert np.array_equal(hit.frames, frames[[5, 2]])
    assert (down.durations, hit.durations) == ((120,) * 4, (30, 40))
    assert found.characters[2].animations[0].durations == (50, 50, 50)
    assert outline(read_character_set(tmp_path)) == outline(found)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("name = ", "not TOML"),
        ("colour = 3", "colour is not known here"),
        ('frame = "16"', "frame is '16', it must be"),
        ("frame = 16", "write a text in quotes"),
        ('key = "pink"', "no colour key"),
        ("duration = 0", "1 to 3600000 milliseconds"),
        ("duration = true", "milliseconds"),
        ("characters = 3", "no table of tables"),
        ("[animations.walk]", r"add a table \[characters.NAME\]"),
        ("[characters.a]", "give it a sheet"),
        ('[characters.a]\nsheet = "/etc/passwd"', "leads out of the folder"),
        ('[characters.a]\nsheet = "../a.png"', "leads out of the folder"),
        ('[characters.a]\nsheet = "C:\\\\a.png"', "leads out of the folder"),
        ('[characters.a]\nsheet = "link.png"', "leads out of the folder"),
        ('[characters.a]\nsheet = "a\\u0000.png"', "write a text in quotes"),
        ('[characters.a]\nsheet = "missing.png"', "missing.png does not exist"),
        ('[characters.a]\nfolder = "missing"', "cannot be listed"),
        ('[characters.a]\nfolder = "empty"', "folder without sheets"),
        ('[characters.a]\nsheet = "run.png"\nframe = "7x16"', "does not divide"),
        ('[characters.a]\nanimations.run = { sheet = "run.png", cells = 4 }', "names cell 4"),
        ('[characters.a]\nanimations.run = { sheet = "run.png", rows = 1 }', "names row 1"),
        ('[characters.a]\nanimations.run = { sheet = "run.png", columns = "2-9" }', "names column 4"),
        ('[characters.a]\nanimations.run = { sheet = "run.png", cells = "3-1" }', "the range 3-1 is empty"),
        ('[characters.a]\nanimations.run = { sheet = "run.png", cells = [] }', "write numbers from 0 on"),
        ('[characters.a]\nanimations.run = { sheet = "run.png", cells = 1, tag = "a" }', "told twice"),
        ('[characters.a]\nanimations.run = { sheet = "run.png", tag = "a" }', "has no tags"),
        ('[characters.a]\nanimations.run = { sheet = "run.png", duration = [1, 2] }', "4 frames and 2 durations"),
        ("[characters.a]\nanimations.run = { rows = 1 }", "without a sheet"),
        ('[characters.a]\nsheet = "broken.png"', "is damaged or cut short|is not a PNG"),
        ('[characters.a]\nsheet = "blank.png"', "nothing is drawn"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, text: str, match: str) -> None:
    folder = tmp_path / "set"
    strip = save_strip(draw(4), folder / "run.png")
    save_strip(draw(4), tmp_path / "outside.png")
    save_strip(np.zeros((2, 16, 16, 4), np.uint8), folder / "blank.png")
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    (folder / "empty").mkdir()
    (folder / "broken.png").write_bytes(strip.read_bytes()[:60])
    path = write_toml(folder, text)
    refuse(lambda: read_character_set(path), match)


def test_a_damaged_sheet_does_not_hide_the_others(tmp_path: Path) -> None:
    save_strip(draw(4), tmp_path / "a" / "run_16x16.png")
    (tmp_path / "a" / "jump_16x16.png").write_bytes(b"no image")
    (tmp_path / "a" / "hit.json").write_text("{")
    (character,) = survey_character_set(tmp_path).characters
    assert [one.name for one in character.animations] == ["run"]
    assert len(character.errors) == 2
    refuse(lambda: read_character_set(tmp_path), "not JSON|is not a PNG|damaged")


def test_what_is_no_set(tmp_path: Path) -> None:
    refuse(lambda: read_character_set(tmp_path), "holds no sheets")
    refuse(lambda: read_character_set(tmp_path / "nothing"), "does not exist")
    refuse(lambda: read_character_set(Path("a\0b")), "cannot be opened|does not exist")
    (tmp_path / "a.txt").write_text("x")
    refuse(lambda: read_character_set(tmp_path / "a.txt"), "no character set")
    save_strip(draw(4), tmp_path / "hero_16x16.png")
    assert outline(read_character_set(tmp_path / "hero_16x16.png")) == {"hero": {"row 0": 4}}


def test_sheets_without_a_grid_name_the_remedy(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1, 48, 112, 4), dtype=np.uint8)
    noise[..., 3] = 255
    save_strip(noise, tmp_path / "a" / "run.png")
    refuse(lambda: read_character_set(tmp_path), "put the size of a frame behind its name")
    reading = survey_character_set(tmp_path, frame=(16, 16)).characters[0]
    assert [one.name for one in reading.animations] == ["row 0", "row 1", "row 2"]


def test_reading_can_be_watched_and_stopped(tmp_path: Path) -> None:
    for name in "abc":
        save_strip(draw(2), tmp_path / name / "run_16x16.png")
    seen: list[tuple[int, int, str]] = []
    read_character_set(tmp_path, lambda *step: seen.append(step))
    assert seen == [(0, 3, "a"), (1, 3, "b"), (2, 3, "c")]

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_character_set(tmp_path, stop)


def test_names() -> None:
    paths = [Path(name) for name in ("LilWiz_Casting_Spell_(32_x_32).png", "LilWiz Idle.png")]
    assert name_animations(paths, "grafxkid_lilwiz") == ["casting_spell", "idle"]
    assert name_animations([Path("walk_left.png"), Path("walk_right.png")], "hero") == ["walk_left", "walk_right"]
    assert name_animations([Path("Run.png"), Path("run.gif")], "hero") == ["run", "run 2"]
    assert (find_frame("Idle_32x30"), find_frame("run (8 x 9)"), find_frame("run2"), find_frame("0x4")) == (
        (32, 30),
        (8, 9),
        None,
        None,
    )
    assert (strip_size("Idle_32x30"), strip_size("32x32")) == ("Idle", "32x32")


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.sampled_from(["run.png", "16x16", "corner", "0-2", "../x", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "frame", "key", "duration", "animations", "characters", "sheet", "cells", "a"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=CASES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=st.dictionaries(st.sampled_from(["frame", "animations", "characters", "key", "name"]), values))
def test_any_file_is_a_set_or_one_line(tmp_path: Path, table: dict[str, object]) -> None:
    save_strip(draw(4), tmp_path / "run.png")
    text = "\n".join(f"{key} = {write_value(value)}" for key, value in table.items())
    try:
        plan_file(write_toml(tmp_path, text))
    except BitpuppetError as error:
        assert "\n" not in str(error)


def write_value(value: object) -> str:
    if value is None:
        return '""'
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {write_value(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(write_value, value)) + "]"
    return json.dumps(value)


@pytest.mark.parametrize(
    ("family", "characters", "animations"),
    [("pixelfrog_*_[fmgd]*", 4, 7), ("grafxkid_*", 5, 2)],
)
def test_real_families_are_read_by_their_names(
    data_folder: Path, tmp_path: Path, family: str, characters: int, animations: int
) -> None:
    for folder in sorted((data_folder / "custom_sheets").glob(family)):
        (tmp_path / folder.name).symlink_to(folder)
    found = read_character_set(tmp_path)
    assert len(found.characters) >= characters
    assert all(len(one.animations) >= animations for one in found.characters)


NINJAS = """
frame = "16x16"
animations.walk_down = { columns = 0, rows = "0-3" }
animations.walk_up = { columns = 1, rows = "0-3" }
animations.walk_left = { columns = 2, rows = "0-3" }
animations.walk_right = { columns = 3, rows = "0-3" }
animations.attack_left = { cells = 18 }
animations.jump_down = { cells = 20 }

[characters.ninja_adventure_char01]
folder = "ninja_adventure_char01"
sheet = "1.png"

[characters.ninja_adventure_char13]
sheet = "ninja_adventure_char13/13.png"
"""
MONSTERS = """
duration = 75

[characters.tmw_bandit]
frame = "64x64"
animations.stand_down = { sheet = "tmw_bandit/bandit.png", cells = 0 }
animations.walk_left = { sheet = "tmw_bandit/bandit.png", cells = "19-24" }
animations.walk_right = { sheet = "tmw_bandit/bandit.png", rows = 6, columns = "1-6" }

[characters.tmw_croc]
folder = "tmw_croc"
sheet = "croc.png"
frame = "30x22"
animations.spawn_default = { cells = "64-73" }
"""


@pytest.mark.parametrize("text", [NINJAS, MONSTERS])
def test_real_sheets_are_cut_as_a_file_says(data_folder: Path, tmp_path: Path, text: str) -> None:
    sheets = data_folder / "custom_sheets"
    path = write_toml(tmp_path, text)
    for name in tomllib.loads(text)["characters"]:
        shutil.copytree(sheets / name, tmp_path / name)
    for character in read_character_set(path).characters:
        described = json.loads((sheets / character.name / f"{character.name}.json").read_text())
        width, height = described["frame_width"], described["frame_height"]
        wanted = {one["name"]: one for one in described["animations"]}
        for animation in character.animations:
            one = wanted[animation.name]
            sheet = read_picture(sheets / character.name / one["sheet"]).frames[0]
            cells = [sheet[y * height : (y + 1) * height, x * width : (x + 1) * width] for x, y in one["frames"]]
            assert np.array_equal(animation.frames, clear_hidden(np.stack(cells))), animation.name


def test_the_files_of_the_guide_are_read(tmp_path: Path) -> None:
    guide = Path(__file__).parents[2] / "docs" / "own-characters.md"
    texts = re.findall(r"```toml\n(.*?)```", guide.read_text(encoding="utf-8"), re.DOTALL)
    assert len(texts) == 2
    for folder in ("frog", "virtual guy"):
        save_strip(draw(2), tmp_path / folder / "run.png")
    plans = [plan_file(write_toml(tmp_path, text)) for text in texts]
    assert [len(plan.characters) for plan in plans] == [2, 3]
    assert [len(one.sheets) for one in plans[1].characters] == [1, 1, 3]
    assert plans[0].characters[1].sheets[0].key == Key((255, 0, 255))
