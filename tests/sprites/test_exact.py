"""Tests of sprites.exact."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bitpuppet.sprites import EmptyArtError, ExactSettings, clear_hidden, enlarge_frames, make_exact
from bitpuppet.sprites.images import read_picture

from .art import draw_clip, noise_clips, relaxed

OFF = ExactSettings(grid=False, alpha=False, palette=False, outline=False, orphans=False, patterns=False)
RIM, BODY, EYE = (20, 10, 30, 255), (200, 150, 100, 255), (250, 250, 250, 255)


def draw_hero() -> NDArray[np.uint8]:
    """Two frames (2, 44, 20, 4): a body with a rim all around and one bright pixel in it."""
    frames = np.zeros((2, 44, 20, 4), dtype=np.uint8)
    for number, frame in enumerate(frames):
        frame[4 : 40 - number, 3:17] = RIM
        frame[5 : 39 - number, 4:16] = BODY
        frame[8, 8 + number] = EYE
    return frames


def only(step: str) -> ExactSettings:
    return replace(OFF, **{step: True})


@relaxed
@given(noise_clips(side=16, colours=6) | noise_clips(), st.integers(1, 3))
def test_true_frames_stay_as_they_are(frames: NDArray[np.uint8], scale: int) -> None:
    frames = enlarge_frames(clear_hidden(frames), scale)
    if not frames[..., 3].any():
        return
    result = make_exact(frames[::-1], frames, ExactSettings(outline=True))
    assert np.array_equal(result.frames, frames[::-1])
    assert set(result.changed.values()) == {0}


def test_every_step_can_be_switched_off() -> None:
    hero = draw_hero()
    noise = np.random.default_rng(0).integers(0, 256, hero.shape, dtype=np.uint8)
    noise[..., 3] |= 1
    assert np.array_equal(make_exact(noise, hero, OFF).frames, noise)
    assert make_exact(noise, hero, OFF).changed == {}
    steps = [field.name for field in fields(ExactSettings) if field.name != "colours"]
    for step in steps:
        assert list(make_exact(noise, hero, only(step)).changed) == [step]
    assert list(make_exact(noise, hero, ExactSettings(outline=True, patterns=True)).changed) == steps
    assert list(make_exact(noise, hero).changed) == [step for step in steps if step not in ("outline", "patterns")]


def test_colours_and_alpha_become_those_of_the_reference() -> None:
    hero = draw_hero()
    drawn = hero.astype(np.float64)
    drawn += np.random.default_rng(0).uniform(-9, 9, drawn.shape)
    result = make_exact(drawn, hero)
    assert np.array_equal(result.frames, hero)
    assert result.changed["palette"] > 0


def test_shadows_keep_their_alpha() -> None:
    hero = draw_hero()
    hero[:, 40:42, 5:15] = (0, 0, 0, 90)
    drawn = hero.copy()
    drawn[0, 40, 5:15, 3] = 99
    drawn[0, 0, 0] = (5, 5, 5, 30)
    assert np.array_equal(make_exact(drawn, hero, only("alpha")).frames, hero)


def test_another_palette_is_kept_to() -> None:
    palette = np.array([[0, 0, 0], [255, 255, 255]], dtype=np.uint8)
    hero = draw_hero()
    result = make_exact(hero, hero, ExactSettings(colours=palette))
    shown = result.frames[result.frames[..., 3] > 0]
    assert {tuple(colour) for colour in shown[:, :3].tolist()} == {(0, 0, 0), (255, 255, 255)}
    again = make_exact(result.frames, hero, ExactSettings(colours=palette))
    assert np.array_equal(again.frames, result.frames)
    with pytest.raises(ValueError, match="palette is uint8"):
        make_exact(hero, hero, ExactSettings(colours=palette[:0]))


def test_a_number_of_colours_is_not_exceeded() -> None:
    hero = draw_hero()
    for count in (1, 2, 3, 200):
        shown = make_exact(hero, hero, ExactSettings(colours=count)).frames.reshape(-1, 4)
        assert len(np.unique(shown[shown[:, 3] > 0], axis=0)) == min(count, 3)


def test_the_rim_is_closed() -> None:
    hero = draw_hero()
    broken = hero.copy()
    broken[0, 4, 6] = broken[0, 4, 9] = BODY
    broken[0, 12, 16] = BODY
    result = make_exact(broken, hero, only("outline"))
    assert np.array_equal(result.frames, hero)
    assert result.changed == {"outline": 3}


def test_art_without_a_rim_gets_none() -> None:
    hero = draw_hero()
    hero[:, 4:40, 3:17] = np.where(hero[:, 4:40, 3:17, 3:] > 0, BODY, 0)
    hero[:, 10, 3:17] = RIM
    swapped = hero[:, :, ::-1].copy()
    assert make_exact(swapped, hero, only("outline")).changed == {"outline": 0}


def test_the_edge_of_the_frame_is_no_rim() -> None:
    full = np.full((1, 12, 12, 4), BODY, dtype=np.uint8)
    full[0, 5:7, 5:7] = 0
    full[0, 4:8, [4, 7]] = full[0, [4, 7], 4:8] = RIM
    assert make_exact(full, full, only("outline")).changed == {"outline": 0}


def test_single_wrong_pixels_go_and_the_eye_stays() -> None:
    hero = draw_hero()
    dirty = hero.copy()
    dirty[0, 15, 10] = EYE  # as an eye in the body is: the reference has such pixels
    expected = dirty.copy()
    dirty[0, 12, 12] = RIM
    dirty[0, 1, 1] = BODY  # dust beside the body
    dirty[1, 14, 6] = 0  # a hole in it
    result = make_exact(dirty, hero, only("orphans"))
    assert np.array_equal(result.frames, expected)
    assert result.changed == {"orphans": 3}


def test_patterns_that_the_reference_never_breaks_are_mended() -> None:
    rng = np.random.default_rng(1)
    tile = np.concatenate([rng.integers(0, 256, (9, 9, 3)), np.full((9, 9, 1), 255)], axis=-1).astype(np.uint8)
    frames = np.zeros((1, 40, 40, 4), dtype=np.uint8)
    frames[0, 4:13, 4:13] = frames[0, 24:33, 20:29] = frames[0, 4:13, 24:33] = tile  # three times: a rule
    frames[0, 20:29, 5:14] = frames[0, 30:39, 5:14] = tile[::-1]  # twice: none
    broken = frames[:, ::-1, ::-1].copy()
    broken[0] = 0
    broken[0, 8:17, 11:20] = broken[0, 22:31, 11:20] = tile
    broken[0, 8:17, 28:37] = tile[::-1]
    expected = broken.copy()
    broken[0, 12, 15] = broken[0, 26, 13] = (1, 2, 3, 255)
    broken[0, 12, 32] = expected[0, 12, 32] = (4, 5, 6, 255)
    result = make_exact(broken, frames, only("patterns"))
    assert np.array_equal(result.frames, expected)
    assert result.changed == {"patterns": 2}
    assert np.array_equal(make_exact(broken[:, :, ::-1], frames, only("patterns")).frames, expected[:, :, ::-1])


def test_pixels_off_the_grid_are_brought_back() -> None:
    rng = np.random.default_rng(0)
    small = np.concatenate([rng.integers(0, 256, (2, 9, 8, 3)), np.full((2, 9, 8, 1), 255)], axis=-1).astype(np.uint8)
    large = enlarge_frames(small, 3)
    crooked = large.copy()
    crooked[:, ::3, 1::3] = 7
    assert np.array_equal(make_exact(crooked, large, only("grid")).frames, large)


def test_sizes_may_differ_and_nothing_has_no_palette() -> None:
    hero = draw_hero()
    assert make_exact(hero[:, 2:22, 1:19], hero).frames.shape == (2, 20, 18, 4)
    with pytest.raises(EmptyArtError):
        make_exact(hero, np.zeros_like(hero))
    assert not make_exact(np.zeros_like(hero), hero).frames.any()
    with pytest.raises(ValueError, match="uint8"):
        make_exact(hero[0], hero)


def test_drawn_puppets_get_nearer_to_the_truth() -> None:
    """Noise on single pixels is taken away by the clip's own other frames."""
    clip = draw_clip(3, count=6)
    truth, reference = clip[:2], clip[2:]
    rng = np.random.default_rng(0)
    noisy = truth.copy()
    places = rng.random(truth.shape[:3]) < 0.02
    noisy[places] = clip[0, 16, 16]
    result = make_exact(noisy, reference)
    before, after = (np.count_nonzero((frames != truth).any(axis=-1)) for frames in (noisy, result.frames))
    assert after < before / 2


# Every sheet of the data folder: true pixel art


def check_sheet(path: Path) -> None:
    sheet = clear_hidden(read_picture(path).frames)
    if sheet[..., 3].any():
        result = make_exact(sheet, sheet, ExactSettings(outline=True))
        assert np.array_equal(result.frames, sheet), path
        assert set(result.changed.values()) == {0}


def test_no_true_sheet_of_other_styles_is_changed(data_folder: Path) -> None:
    sheets = sorted((data_folder / "custom_sheets").rglob("*.png"))
    assert len(sheets) > 100
    for path in sheets:
        check_sheet(path)


@pytest.mark.slow
def test_no_true_sheet_is_changed(data_folder: Path) -> None:
    sheets = sorted(path for folder in ("lpc", "sprites") for path in (data_folder / folder).rglob("*.png"))
    assert len(sheets) > 2000
    for path in sheets[:: int(os.environ.get("BITPUPPET_SHEET_STEP", "40"))]:  # all of them, with 1, take an hour
        check_sheet(path)
