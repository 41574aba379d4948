"""Exact pixels: Blender's floats and back, strips, alpha, places, PNG bytes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from bitpuppet_addon.core.pixels import (
    crop_art,
    harden_alpha,
    join_sheet,
    join_strip,
    place_clip,
    read_rows,
    shrink_for_icon,
    split_sheet,
    wrap_frames,
    write_rows,
)
from bitpuppet_addon.core.png import encode_png
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

PICTURES = arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(4)))
CLIPS = arrays(np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 6), st.just(4)))


@settings(deadline=None)
@given(PICTURES)
def test_floats_and_back_are_exact(picture: np.ndarray) -> None:
    height, width, _ = picture.shape
    floats = write_rows(picture)
    assert floats.dtype == np.float32
    assert (read_rows(floats, width, height) == picture).all()
    assert (floats[:4] * 255).round().tolist() == picture[-1, 0].tolist(), "Blender's first row is the lowest"


@settings(deadline=None)
@given(CLIPS, st.integers(1, 20))
def test_sheet_and_back_are_exact(frames: np.ndarray, widest: int) -> None:
    count, height, width, _ = frames.shape
    assert join_strip(frames).shape == (height, count * width, 4)
    assert (split_sheet(join_strip(frames), width, height) == frames).all()
    rows = wrap_frames(frames, widest)
    sheet = join_sheet(rows)
    assert sheet.shape[1] <= max(widest, width)
    assert (len(rows) == 1) == (count * width <= widest or count == 1)
    assert (split_sheet(sheet, width, height)[:count] == frames).all()


def test_short_rows_of_a_sheet_end_in_nothing() -> None:
    one, two = np.full((3, 2, 2, 4), 9, dtype=np.uint8), np.full((1, 2, 2, 4), 7, dtype=np.uint8)
    sheet = join_sheet([one, two])
    assert sheet.shape == (4, 6, 4)
    assert (sheet[:2] == 9).all() and (sheet[2:, :2] == 7).all() and (sheet[2:, 2:] == 0).all()


@settings(deadline=None)
@given(PICTURES)
def test_png_keeps_every_byte(picture: np.ndarray) -> None:
    image = Image.open(io.BytesIO(encode_png(picture)))
    image.load()
    assert image.mode == "RGBA"
    assert (np.asarray(image) == picture).all()


def test_hard_alpha_knows_two_values() -> None:
    frame = np.array([[[[10, 20, 30, 127], [10, 20, 30, 128], [1, 2, 3, 255], [9, 9, 9, 0]]]], dtype=np.uint8)
    assert harden_alpha(frame).tolist() == [[[[0, 0, 0, 0], [10, 20, 30, 255], [1, 2, 3, 255], [0, 0, 0, 0]]]]


@pytest.mark.parametrize(("anchor", "place"), [("SOURCE", (1, 0)), ("GROUND", (6, 3)), ("CENTER", (3, 3))])
def test_clip_is_placed_as_a_whole(anchor: str, place: tuple[int, int]) -> None:
    frames = np.zeros((2, 8, 8, 4), dtype=np.uint8)
    frames[0, 1, 0] = 255
    frames[1, 2, 1] = 255
    moved = place_clip(frames, anchor)
    y, x = place
    assert moved[0, y, x].all() and moved[1, y + 1, x + 1].all(), "the motion is what it was"
    assert np.count_nonzero(moved[..., 3]) == 2


@settings(deadline=None)
@given(PICTURES, st.sampled_from([4, 16]))
def test_icons_are_square_and_take_no_new_colours(picture: np.ndarray, side: int) -> None:
    icon = shrink_for_icon(picture, side)
    assert icon.shape == (side, side, 4)
    colours = {tuple(one) for one in picture.reshape(-1, 4)} | {(0, 0, 0, 0)}
    assert {tuple(one) for one in icon.reshape(-1, 4)} <= colours


def test_art_is_cropped_to_what_is_visible() -> None:
    picture = np.zeros((6, 8, 4), dtype=np.uint8)
    assert crop_art(picture).shape == (6, 8, 4)
    picture[2:5, 3:4, 3] = 1
    assert crop_art(picture).shape == (3, 1, 4)
