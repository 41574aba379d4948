"""The bank: whose pose is whose, what moves with a borrowed pose, and how the bank is kept in a file."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitpuppet.data import custom
from bitpuppet.data.bank import TRUST, Bank
from bitpuppet.data.character_set import Character, CharacterAnimation, CharacterSet
from bitpuppet.data.custom import CustomSource, Pose
from bitpuppet.data.likeness import Frames, compare_poses, index_colours, measure_likeness
from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import place_clip

CANVAS = 32
RED, BLUE = ((200, 30, 30), (240, 200, 160)), ((20, 60, 220), (90, 70, 60))


def draw_figure(colours: tuple[tuple[int, int, int], ...], heights: list[int], *, hat: bool = False) -> Frames:
    """A head with an eye on a body; it rises by `heights` pixels, and a hat, if there is one, with it."""
    art = np.zeros((len(heights), 20, 20, 4), np.uint8)
    for frame, height in zip(art, heights, strict=True):
        top = 10 - height
        frame[top : top + 6, 6:13] = (*colours[1], 255)
        frame[top + 2, 8] = frame[top + 2, 11] = (0, 0, 0, 255)
        frame[top + 6 : 19, 7:12] = (*colours[0], 255)
        if hat:
            frame[top - 2 : top, 5:14] = (250, 250, 0, 255)
    return art


def draw_character(name: str, colours: tuple[tuple[int, int, int], ...], *, hat: bool = False) -> Character:
    motions = {"walk": [0, 1, 0, 2], "jump": [3, 4, 3]}
    return Character(
        name,
        tuple(
            CharacterAnimation(motion, draw_figure(colours, heights, hat=hat), (100,) * len(heights))
            for motion, heights in motions.items()
        ),
    )


def place(character: Character, animation: int) -> Frames:
    return place_clip(character.animations[animation].frames, CANVAS)[0]


def test_likeness_is_blind_to_colours_and_not_to_poses() -> None:
    red, blue = (index_colours(draw_figure(colours, [0, 4])) for colours in (RED, BLUE))
    assert measure_likeness(red[0], blue[0]) == 1 and measure_likeness(red[0], blue[1]) < 0.9
    assert compare_poses(red, blue).argmax(axis=1).tolist() == [0, 1]


def test_numbers_of_colours_begin_at_one() -> None:
    full = np.full((1, 2, 2, 4), 255, np.uint8)
    assert (index_colours(full) == 1).all()
    full[0, 0, 0, 3] = 127
    assert index_colours(full).tolist() == [[[0, 1], [1, 1]]]


def test_a_bank_lends_poses_in_the_colours_of_the_new_character() -> None:
    new, old = draw_character("new", RED), draw_character("old", BLUE)
    (met,) = Bank([old], CANVAS).introduce(place(new, 0))
    assert met.number == 0 and met.likeness == 1
    assert np.array_equal(met.lend([4, 5, 6]), place(new, 1))


def test_what_only_the_new_character_has_moves_with_the_pose() -> None:
    new, old = draw_character("new", RED, hat=True), draw_character("old", BLUE)
    (met,) = Bank([old], CANVAS).introduce(place(new, 0))
    lent, true = met.lend([4, 5]), place(new, 1)[:2]
    recoloured = met.colours.apply(met.frames[4:6])
    shown = true[..., 3] > 0
    right, without = ((frames == true).all(axis=-1)[shown].mean() for frames in (lent, recoloured))
    assert without < 0.9 < 0.95 < right


def test_strangers_and_oneself_lend_nothing() -> None:
    new, bank = draw_character("new", RED), Bank([draw_character("old", BLUE), draw_character("new", RED)], CANVAS)
    assert {one.number for one in bank.introduce(place(new, 0))} == {0, 1}
    assert [one.number for one in bank.introduce(place(new, 0), without=1)] == [0]
    dot = np.zeros((1, CANVAS, CANVAS, 4), np.uint8)
    assert bank.introduce(dot) == []
    dot[0, 0, 0] = 255
    assert bank.introduce(dot) == []


def test_scenes_borrow_from_others_and_never_look_at_the_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(custom, "SHARE_HYBRID", 0.0)  # in a hybrid's other part, the first one is an other one
    characters = [draw_character("new", RED, hat=True), draw_character("old", BLUE)]
    spoilt = CharacterAnimation("jump", characters[0].animations[1].frames[:, ::-1].copy(), (100,) * 3)
    lent = []
    for jump in (characters[0].animations[1], spoilt):
        first = Character("new", (characters[0].animations[0], jump))
        source = CustomSource(CharacterSet("s", (first, characters[1])), CANVAS)
        source.targets = [Pose(0, 1)]
        scenes = [source.draw_scene(np.random.default_rng(seed), 0, 2) for seed in range(20)]
        found = [scene for scene in scenes if scene.lent is not None]
        assert 10 < len(found) <= 20
        assert all(scene.lent.shape == (1, 3, CANVAS, CANVAS, 4) for scene in found)
        lent.append([scene.lent for scene in found])
    assert all(np.array_equal(*pair) for pair in zip(*lent, strict=True))


def test_a_bank_is_read_back_as_it_was() -> None:
    bank = Bank([draw_character("old", BLUE), draw_character("new", RED, hat=True)], CANVAS)
    read = Bank.from_text(bank.to_text(), CANVAS)
    assert [one.name for one in read.characters] == ["old", "new"]
    for one, other in zip(bank.characters, read.characters, strict=True):
        for a, b in zip(one.animations, other.animations, strict=True):
            assert a.name == b.name and a.durations == b.durations and np.array_equal(a.frames, b.frames)
    assert read.locate(1, "jump", 3).tolist() == [4, 5, 6] and read.locate(1, "jump", 4) is None


def test_a_packed_bank_keeps_its_trust() -> None:
    bank = Bank([draw_character("old", BLUE)], CANVAS, 0.9)
    assert Bank.from_text(bank.to_text(), CANVAS).trust == 0.9
    values = json.loads(bank.to_text())
    del values["trust"]  # as in files of earlier versions
    assert Bank.from_text(json.dumps(values), CANVAS).trust == TRUST
    for wrong in (-1, 1e9, "much", None):
        with pytest.raises(BitpuppetError, match="damaged"):
            Bank.from_text(json.dumps(values | {"trust": wrong}), CANVAS)


@pytest.mark.parametrize("shape", [[0, 4, 4], [-1, 4, 4], [10**9, 10**9, 4], [2, 20, 20], [1], "abc", None])
def test_sizes_that_do_not_fit_are_refused(shape: object) -> None:
    values = json.loads(Bank([draw_character("old", BLUE)], CANVAS).to_text())
    values["characters"][0]["animations"][0]["shape"] = shape
    with pytest.raises(BitpuppetError, match="damaged"):
        Bank.from_text(json.dumps(values), CANVAS)


VALUES = st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5)


@given(st.text() | VALUES.map(json.dumps) | VALUES.map(lambda value: json.dumps({"characters": [{"name": value}]})))
def test_what_is_no_bank_is_refused(text: str) -> None:
    with pytest.raises(BitpuppetError, match="damaged"):
        Bank.from_text(text, CANVAS)
