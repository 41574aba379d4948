"""Scenes of an animator's characters: the right drivers, one place for content and target, and what is held out."""

from __future__ import annotations

import numpy as np
import pytest

from bitpuppet.data import custom
from bitpuppet.data.character_set import Character, CharacterAnimation, CharacterSet
from bitpuppet.data.custom import CustomSource, Pose, fit_character, flip, hold_out, join_scenes, list_targets
from bitpuppet.data.mixture import Mixture, Share
from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import enlarge_frames, place_clip, place_like


def draw_animation(name: str, frames: int, colour: int, size: int = 16, rise: int = 0) -> CharacterAnimation:
    """A figure whose arm is at another height in each frame; it stands `rise` pixels above the ground."""
    art = np.zeros((frames, size, size, 4), np.uint8)
    bottom = size - 1 - rise
    art[:, bottom - 8 : bottom, 5:10] = (colour, 80, 40, 255)
    art[:, bottom - 10 : bottom - 8, 6:9] = (240, colour, 10, 255)
    for number in range(frames):
        art[number, bottom - 2 - number, 10:13] = (20, 30, colour, 255)
    return CharacterAnimation(name, art, (100,) * frames)


def draw_character(name: str, colour: int, *animations: tuple[str, int]) -> Character:
    return Character(name, tuple(draw_animation(a, n, colour) for a, n in animations))


def make_set() -> CharacterSet:
    return CharacterSet(
        "trio",
        (
            draw_character("ada", 200, ("walk", 4), ("jump", 2)),
            draw_character("bob", 120, ("walk", 4), ("jump", 3)),
            draw_character("eve", 60, ("walk", 4)),
        ),
    )


def test_drivers_have_the_name_and_the_length_of_the_target() -> None:
    source = CustomSource(make_set(), 64)
    assert source.find_drivers(Pose(0, 0)) == [Pose(1, 0), Pose(2, 0)]
    assert source.find_drivers(Pose(0, 1)) == [], "the other jump has another length"


def test_characters_with_one_animation_are_drivers_alone() -> None:
    assert list_targets(make_set().characters) == [Pose(0, 0), Pose(0, 1), Pose(1, 0), Pose(1, 1)]
    alone = CharacterSet("alone", make_set().characters[2:])
    with pytest.raises(BitpuppetError, match=r"alone.*two animations"):
        CustomSource(alone, 64)


def test_the_target_stands_where_the_content_says() -> None:
    high = Character("hop", (draw_animation("idle", 2, 90), draw_animation("jump", 2, 90, rise=4)))
    source = CustomSource(CharacterSet("s", (high,)), 64)
    scene = source.make_scene(Pose(0, 1), [0], Pose(0, 1))
    feet = [int(np.flatnonzero(clip[..., 3].any(axis=(0, 2)))[-1]) for clip in (*scene.clips, scene.driver)]
    assert feet[0] == feet[1] - 4, "the jump keeps its height over the idle"
    assert feet[2] == feet[1], "a driver is placed by itself, as in use"


def test_place_like_cuts_what_sticks_out() -> None:
    frames = draw_animation("idle", 1, 90).frames
    placed, anchor = place_clip(frames, 16)
    assert np.array_equal(place_like(frames, anchor), placed)
    tall = np.full((1, 16, 40, 4), 255, np.uint8)
    assert place_like(tall, anchor).shape == (1, 16, 16, 4)


def test_enlarged_art_is_reduced_by_one_factor() -> None:
    rng = np.random.default_rng(0)
    small = rng.integers(0, 255, (2, 16, 16, 4), dtype=np.uint8)
    small[..., 3] = 255
    big = CharacterAnimation("walk", enlarge_frames(small, 3), (100, 100))
    fitted = fit_character(Character("big", (big,)), 64)
    assert np.array_equal(fitted.animations[0].frames, small)


def test_art_beyond_the_canvas_is_refused_by_name() -> None:
    frames = np.full((2, 80, 70, 4), 255, np.uint8)
    frames[:, ::2] = (1, 2, 3, 255)
    walk = CharacterAnimation(
        "walk", np.pad(draw_animation("walk", 2, 90).frames, ((0, 0), (0, 64), (0, 54), (0, 0))), (1, 1)
    )
    large = Character("giant", (walk, CharacterAnimation("roar", frames, (1, 1))))
    with pytest.raises(BitpuppetError, match=r"giant, roar: the art is 70x80.*64x64; leave"):
        CustomSource(CharacterSet("s", (large,)), 64)


def test_art_that_shines_through_is_refused_by_name() -> None:
    solid = draw_animation("walk", 2, 90)
    ghost = CharacterAnimation("float", solid.frames // np.array([1, 1, 1, 3], np.uint8), solid.durations)
    with pytest.raises(BitpuppetError, match=r"boo, float: no pixel has alpha 128"):
        CustomSource(CharacterSet("s", (Character("boo", (solid, ghost)),)), 64)


def test_batches_depend_on_the_step_alone() -> None:
    mixture = Mixture([Share(CustomSource(make_set(), 64), 1.0, 0.5)], seed=3)
    first, again, other = (mixture.draw(step, 4, 3, 4, in_order=True) for step in (5, 5, 6))
    assert np.array_equal(first.target, again.target) and not np.array_equal(first.target, other.target)
    assert first.target.shape == (4, 4, 64, 64, 4) and first.target[..., 3].any(axis=(1, 2, 3)).all()


def test_what_is_held_out_is_no_target_and_is_shown_by_others() -> None:
    characters = make_set().characters
    held = hold_out(characters)
    assert held == [Pose(0, 0)], "the walk is the only motion that two characters with another animation share"
    source = CustomSource(make_set(), 64, held_out=held)
    assert Pose(0, 0) not in source.targets and source.find_drivers(held[0])
    assert hold_out(characters[2:]) == []


def test_a_hybrid_has_the_upper_part_of_one_and_the_lower_part_of_the_other() -> None:
    trio = (*make_set().characters[:1], draw_character("joe", 33, ("walk", 4), ("jump", 2)))
    source = CustomSource(CharacterSet("pair", trio), 64)
    upper, lower = (source.make_scene(Pose(n, 0), [1], Pose(n, 0)) for n in (0, 1))
    joined = join_scenes(upper, lower, np.random.default_rng(0))
    for one, other, clip in zip(upper.clips, lower.clips, joined.clips, strict=True):
        assert np.array_equal(clip[..., 3], one[..., 3]), "both have one shape here"
        own = (clip == one).all(axis=(2, 3))  # rows of each frame
        cut = own.argmin(axis=1)
        assert (cut > 40).all() and all((row[:c]).all() for row, c in zip(own, cut, strict=True))
        assert not any((clip == other).all(axis=(2, 3))[n, c] for n, c in enumerate(cut)), "in other colours"
    assert np.array_equal(joined.driver, upper.driver)


def test_only_who_performs_the_same_makes_a_hybrid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(custom, "SHARE_HYBRID", 1.0)
    joined: list[int] = []
    monkeypatch.setattr(custom, "join_scenes", lambda upper, lower, rng: joined.append(1) or upper)
    rng = np.random.default_rng(0)
    CustomSource(CharacterSet("s", make_set().characters[:2]), 64).draw_scene(rng, 0, 2)
    assert not joined, "the jumps have other lengths"
    trio = (*make_set().characters[:1], draw_character("joe", 33, ("walk", 4), ("jump", 2)))
    held = [Pose(1, 0), Pose(1, 1)]
    CustomSource(CharacterSet("s", trio), 64, held_out=held).draw_scene(rng, 0, 2)
    assert not joined, "what is held out is not drawn in part either"
    CustomSource(CharacterSet("s", trio), 64).draw_scene(rng, 0, 2)
    assert joined


def test_mirrored_scenes_are_mirrored_as_a_whole() -> None:
    frames = draw_animation("walk", 2, 90).frames
    assert np.array_equal(flip(flip(frames)), frames) and not np.array_equal(flip(frames), frames)


def test_occupied_patches_are_counted() -> None:
    most, union = CustomSource(make_set(), 64).count_occupied(8)
    assert 1 <= most <= union <= 9
