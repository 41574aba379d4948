"""Tests of sprites.anchor."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import (
    clear_hidden,
    count_cut_pixels,
    find_baseline,
    find_content_box,
    place_clip,
    restore_clip,
)

from .art import draw_clip, noise_clips, relaxed


def box_clip(
    width: int, height: int, left: int, top: int, right: int, bottom: int, count: int = 2
) -> NDArray[np.uint8]:
    frames = np.zeros((count, height, width, 4), dtype=np.uint8)
    frames[0, top:bottom, left:right] = (10, 20, 30, 255)
    return frames


@relaxed
@given(noise_clips(side=40), st.integers(8, 32))
def test_what_is_accepted_comes_back_exactly(frames: NDArray[np.uint8], canvas: int) -> None:
    frames = clear_hidden(frames)
    box = find_content_box(frames)
    fits = box is None or max(box.width, box.height) <= canvas
    if not fits:
        with pytest.raises(BitpuppetError, match=f"canvas holds {canvas}x{canvas}"):
            place_clip(frames, canvas)
        return
    placed, anchor = place_clip(frames, canvas)
    assert placed.shape == (len(frames), canvas, canvas, 4)
    assert np.array_equal(restore_clip(placed, anchor), frames)
    assert count_cut_pixels(placed, anchor) == 0


def test_the_canvas_size_is_left_alone() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 4), dtype=np.uint8)
    placed, anchor = place_clip(frames, 64)
    assert (anchor.left, anchor.top) == (0, 0)
    assert np.array_equal(placed, frames)


def test_small_frames_stand_on_the_baseline_centred_by_their_width() -> None:
    placed, anchor = place_clip(box_clip(48, 48, left=2, top=10, right=12, bottom=40), 64)
    box = find_content_box(placed)
    assert box is not None
    assert box.bottom - 1 == find_baseline(64) == 61
    assert (anchor.left, box.left) == (8, 10)


def test_high_content_goes_lower_than_the_baseline_before_it_is_cut() -> None:
    placed, anchor = place_clip(box_clip(32, 64, left=0, top=0, right=32, bottom=63), 64)
    assert find_content_box(placed) == (16, 0, 48, 63)
    assert anchor.top == 0


def test_large_frames_are_cut_by_one_window() -> None:
    frames = box_clip(200, 180, left=150, top=20, right=170, bottom=60)
    frames[1, 30:50, 140:160] = (1, 2, 3, 255)
    placed, anchor = place_clip(frames, 64)
    box = find_content_box(placed)
    assert box == (17, 22, 47, 62)
    assert np.array_equal(restore_clip(placed, anchor), frames)


def test_all_frames_move_by_the_same_offset() -> None:
    frames = draw_clip(3, count=5, width=40, height=44)
    frames[2] = np.roll(frames[2], -6, axis=0)
    placed, anchor = place_clip(frames, 64)
    shifted = np.roll(np.pad(frames, ((0, 0), (0, 20), (0, 24), (0, 0))), (anchor.top, anchor.left), axis=(1, 2))
    assert np.array_equal(placed, shifted)


def test_too_large_content_names_sizes_and_remedy() -> None:
    with pytest.raises(BitpuppetError, match=r"art is 70x20 pixels.*64x64; use smaller art, a preset.*integer scale"):
        place_clip(box_clip(100, 100, left=5, top=5, right=75, bottom=25), 64)


def test_cut_pixels_are_counted_for_other_lengths() -> None:
    _, anchor = place_clip(draw_clip(0, count=2, width=32, height=32), 64)
    made = np.full((7, 64, 64, 4), 255, dtype=np.uint8)
    restored = restore_clip(made, anchor)
    assert restored.shape == (7, 32, 32, 4)
    inside = 7 * 32 * (32 if anchor.top + 32 <= 64 else 64 - anchor.top)
    assert count_cut_pixels(made, anchor) == made[..., 3].size - inside


def test_frames_of_another_canvas_are_refused() -> None:
    _, anchor = place_clip(draw_clip(0), 64)
    with pytest.raises(ValueError, match="anchor's canvas is 64"):
        restore_clip(draw_clip(0), anchor)


def test_empty_clips_have_no_content_but_a_place() -> None:
    frames = np.zeros((2, 100, 20, 4), dtype=np.uint8)
    placed, anchor = place_clip(frames, 64)
    assert find_content_box(placed) is None
    assert np.array_equal(restore_clip(placed, anchor), frames)
