"""`eval custom`: a fair base line, new characters that training never sees, and finite figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bitpuppet.data.character_set import Character, CharacterAnimation
from bitpuppet.data.custom import Frames
from bitpuppet.data.likeness import match_colours
from bitpuppet.errors import BitpuppetError
from bitpuppet.evaluation.custom import FOLDER, measure_trial, run_eval_custom
from bitpuppet.evaluation.families import FAMILIES, Trial, Wanted, find_animation, read_family, split_family
from bitpuppet.evaluation.neighbour import predict_from_neighbour, rank_neighbours
from bitpuppet.model.bcd import BitrateControlledDiffusion
from bitpuppet.model.preset import PRESETS
from bitpuppet.model.weights import save_weights
from bitpuppet.sprites import place_clip
from bitpuppet.training.tuning_recipe import TuningRecipe

TINY = PRESETS["tiny"]
COLOURS = {"a": (200, 40, 40), "b": (40, 200, 40), "c": (60, 60, 220), "d": (200, 200, 30)}
MOTIONS = {"walk": 4, "jump": 2, "hit": 1}


def draw_figure(colour: tuple[int, int, int], motion: str, frames: int, width: int = 6) -> Frames:
    art = np.zeros((frames, 16, 16, 4), np.uint8)
    art[:, 6:15, 4 : 4 + width] = (*colour, 255)
    art[:, 3:6, 5:8] = (255 - colour[0], 128, 90, 255)
    for number in range(frames):
        row = {"walk": 8, "jump": 3, "hit": 12}[motion] + number
        art[number, row, 1:4] = (10, *colour[1:], 255)
    return art


def draw_character(name: str, width: int = 6) -> Character:
    animations = (
        CharacterAnimation(motion, draw_figure(COLOURS[name], motion, frames, width), (100,) * frames)
        for motion, frames in MOTIONS.items()
    )
    return Character(name, tuple(animations))


@pytest.fixture
def family() -> tuple[Character, ...]:
    return tuple(draw_character(name) for name in "abcd")


@pytest.fixture
def folder(tmp_path: Path, family: tuple[Character, ...]) -> Path:
    """A data folder with one family in it, one sheet for each animation."""
    for character in family:
        place = tmp_path / FOLDER / f"grafxkid_{character.name}"
        place.mkdir(parents=True)
        for animation in character.animations:
            strip = np.concatenate(list(animation.frames), axis=1)
            Image.fromarray(strip).save(place / f"{animation.name}.png")
        description = {
            "name": place.name,
            "frame_width": 16,
            "frame_height": 16,
            "sheets": {f"{animation.name}.png": {} for animation in character.animations},
            "animations": [
                {"name": a.name, "sheet": f"{a.name}.png", "frames": [[n, 0] for n in range(len(a.frames))]}
                for a in character.animations
            ],
        }
        (place / f"{place.name}.json").write_text(json.dumps(description))
    return tmp_path


def test_a_family_is_read_from_its_sheets(folder: Path, family: tuple[Character, ...]) -> None:
    read = read_family(folder / FOLDER, "grafxkid", 64)
    assert [character.name for character in read] == [f"grafxkid_{name}" for name in "abcd"]
    assert np.array_equal(read[1].animations[0].frames, family[1].animations[0].frames)
    assert read_family(folder / FOLDER, "grafxkid", 8) == (), "larger than the canvas"
    with pytest.raises(BitpuppetError, match="no sheets of tmw"):
        read_family(folder / FOLDER, "tmw", 64)


def test_new_characters_are_not_trained_on(family: tuple[Character, ...]) -> None:
    trial = split_family("f", family)
    assert trial.new_characters == ("d",)
    assert [character.name for character in trial.training.characters] == ["a", "b", "c"]
    assert {case.given.name for case in trial.wanted} == {"walk"}, "the longest is given"
    assert {case.wanted.name for case in trial.wanted} == {"jump", "hit"}
    assert all(driver.name in "abc" for case in trial.wanted for driver in case.drivers)
    with pytest.raises(BitpuppetError, match="no two characters"):
        split_family("f", family[:1])


def test_the_base_line_is_perfect_for_a_mere_recolouring(family: tuple[Character, ...]) -> None:
    fat = draw_character("b", width=9)
    trial = split_family("f", (family[0], fat, family[3]))
    case = trial.wanted[0]
    ranked = rank_neighbours(case, 64)
    assert [neighbour.character.name for neighbour in ranked] == ["a", "b"] and ranked[0].likeness == 1
    true, _ = place_clip(case.wanted.frames, 64)
    assert np.array_equal(predict_from_neighbour(case, ranked[0], 64), true)


def test_colours_are_matched_by_place_and_then_by_looks() -> None:
    theirs, ours = np.zeros((1, 2, 2, 4), np.uint8), np.zeros((1, 2, 2, 4), np.uint8)
    theirs[0, 0], ours[0, 0] = (10, 0, 0, 255), (0, 0, 250, 255)
    ours[0, 1] = (0, 250, 0, 255)
    match = match_colours(theirs, ours)
    assert match.apply(theirs)[0, 0, 0].tolist() == [0, 0, 250, 255]
    green = np.array([[[20, 200, 20, 255], [0, 0, 0, 0]]], np.uint8)
    assert match.apply(green).tolist() == [[[0, 250, 0, 255], [0, 0, 0, 0]]]


def test_a_driver_must_have_the_length(family: tuple[Character, ...]) -> None:
    assert find_animation(family[0], "walk", 4) is not None and find_animation(family[0], "walk", 3) is None


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_weights(path, BitrateControlledDiffusion(TINY).state_dict(), TINY, {})
    return path


def test_all_ways_are_measured(folder: Path, weights: Path, tmp_path: Path) -> None:
    stages: list[str] = []
    recipe = TuningRecipe(steps=2, pairs=1, content_frames=1, target_frames=1, base_every=0, looks=1)
    evaluation = run_eval_custom(
        families=("grafxkid",),
        minutes=1,
        recipe=recipe,
        preset="tiny",
        weights=weights,
        device="cpu",
        data=folder,
        runs=tmp_path / "runs",
        pictures=tmp_path,
        watch=lambda stage, done, total: stages.append(stage),
    )
    (report,) = evaluation.families
    assert set(report.figures) == {"trained", "zero_shot", "lent", "neighbour", "still", "ceiling"}
    assert report.figures["neighbour"]["exact"] == 1 and report.new == ("grafxkid_d",)
    assert 0 <= report.figures["trained"]["exact"] <= 1 and report.frames == 3 and report.tuning["steps"] == 2
    assert json.loads(json.dumps(evaluation.to_json(), allow_nan=False))["families"][0]["family"] == "grafxkid"
    assert evaluation.to_table().row_count == 6
    assert (tmp_path / "grafxkid.png").is_file() and (tmp_path / "runs" / "grafxkid").is_dir()
    assert {"training grafxkid", "drawing grafxkid"} == set(stages)


def test_the_true_frames_are_the_ceiling(family: tuple[Character, ...]) -> None:
    class Knowing:
        """Draws what is true."""

        preset = TINY

        def retarget(self, content: Frames, motion: Frames, *, seed: int = 0) -> object:
            true = next(np.array(w.wanted.frames) for w in trial.wanted if len(w.wanted.frames) == len(motion))

            class Drawn:
                frames = place_clip(true, 64)[0]

            return Drawn

    trial = split_family("f", family)
    report = measure_trial(trial, {"trained": Knowing()})  # type: ignore[dict-item]
    assert report.figures["trained"] == report.figures["ceiling"] and "zero_shot" not in report.figures


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"families": ("nobody",)}, "nobody"), ({"minutes": -1.0}, "--minutes is -1"), ({"families": ()}, "no family")],
)
def test_mistakes_are_named(settings: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(BitpuppetError, match=message):
        run_eval_custom(data=tmp_path, **settings)  # type: ignore[arg-type]


def test_all_families_of_the_data_folder_can_be_split(data_folder: Path) -> None:
    for name in FAMILIES:
        trial = split_family(name, read_family(data_folder / FOLDER, name, 64))
        assert isinstance(trial, Trial) and all(isinstance(case, Wanted) and case.drivers for case in trial.wanted)
