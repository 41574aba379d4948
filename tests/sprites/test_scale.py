"""Tests of sprites.scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitpuppet.sprites import enlarge_frames, find_pixel_scale, reduce_frames

from .art import draw_clip, relaxed


@relaxed
@given(st.integers(0, 10_000), st.integers(1, 8))
def test_scale_is_found_and_undone(seed: int, k: int) -> None:
    frames = draw_clip(seed, count=2, width=24, height=32)
    large = enlarge_frames(frames, k)
    assert find_pixel_scale(large) == k
    assert np.array_equal(reduce_frames(large, k), frames)


def test_hidden_colour_does_not_matter() -> None:
    large = enlarge_frames(draw_clip(1), 3)
    hidden = large[..., 3] == 0
    large[hidden, :3] = np.random.default_rng(0).integers(0, 256, (hidden.sum(), 3), dtype=np.uint8)
    assert find_pixel_scale(large) == 3


def test_one_pixel_off_the_grid_is_enough() -> None:
    large = enlarge_frames(draw_clip(2), 4)
    large[-1, 61, 61] = (1, 2, 3, 255)
    assert find_pixel_scale(large) == 1


def test_a_phase_off_the_origin_is_no_scale() -> None:
    assert find_pixel_scale(np.roll(enlarge_frames(draw_clip(3), 4), 1, axis=2)) == 1


def test_little_evidence_is_no_scale() -> None:
    empty = np.zeros((2, 64, 64, 4), np.uint8)
    assert find_pixel_scale(empty) == 1
    assert find_pixel_scale(np.full_like(empty, 200)) == 1
    silhouette = empty.copy()
    silhouette[:, 16:48, 16:48] = (9, 9, 9, 255)
    assert find_pixel_scale(silhouette) == 1
    silhouette[:, 16:32, 16:48] = (200, 9, 9, 255)
    assert find_pixel_scale(silhouette[:1]) == 1


def test_sizes_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="reduced by 3"):
        reduce_frames(draw_clip(0), 3)
    with pytest.raises(ValueError, match="enlarged by 0"):
        enlarge_frames(draw_clip(0), 0)
