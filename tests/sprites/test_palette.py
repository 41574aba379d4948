"""Tests of sprites.palette."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bitpuppet.sprites import EmptyArtError, collect_palette, snap_frames, srgb_to_oklab

from .art import draw_clip, noise_clips, relaxed


def paint(colours: list[tuple[int, int, int, int]]) -> NDArray[np.uint8]:
    return np.array(colours, dtype=np.uint8)[None, None]


def test_sorted_by_frequency_then_by_value() -> None:
    frames = paint([(9, 0, 0, 255), (0, 9, 0, 255), (0, 0, 9, 255), (0, 9, 0, 128), (200, 200, 200, 127)])
    assert collect_palette(frames).tolist() == [[0, 9, 0], [0, 0, 9], [9, 0, 0]]


def test_no_opaque_pixel_is_an_error() -> None:
    with pytest.raises(EmptyArtError, match="no colours"):
        collect_palette(paint([(1, 2, 3, 127)]))


@pytest.mark.parametrize("limit", [1, 16, 255, 256])
def test_many_colours_are_reduced_to_colours_of_the_art(limit: int) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 40, 40, 4), dtype=np.uint8)
    frames[..., 3] = 255
    palette = collect_palette(frames, limit)
    assert limit * 0.8 <= len(palette) <= limit
    assert {tuple(c) for c in palette.tolist()} <= {tuple(c) for c in frames[..., :3].reshape(-1, 3).tolist()}
    assert np.array_equal(palette, collect_palette(frames, limit))
    # A palette that is any good halves the error of one mean colour at least, once it has some colours to give.
    if limit >= 16:
        lab = srgb_to_oklab(frames[..., :3])
        error = np.square(srgb_to_oklab(snap_frames(frames, palette)[..., :3]) - lab).sum(axis=-1).mean()
        assert error < 0.5 * np.square(lab - lab.mean(axis=(0, 1, 2))).sum(axis=-1).mean()


@relaxed
@given(noise_clips(hard=True, colours=40))
def test_frames_of_the_palette_come_back_exactly(frames: NDArray[np.uint8]) -> None:
    if not frames.any():
        return
    snapped = snap_frames(frames, collect_palette(frames))
    assert np.array_equal(snapped, frames)
    assert np.array_equal(snap_frames(snapped.astype(np.float32), collect_palette(frames)), frames)


@relaxed
@given(st.integers(0, 2**24 - 2))
def test_colours_one_step_apart_are_told_apart(value: int) -> None:
    pair = np.array([[v >> 16, v >> 8 & 255, v & 255] for v in (value, value + 1)], dtype=np.uint8)
    frames = np.concatenate([pair, np.full((2, 1), 255, np.uint8)], axis=1)[None, None]
    assert np.array_equal(snap_frames(frames, pair), frames)


@relaxed
@given(noise_clips(), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_snapping_takes_the_nearest_colour(frames: NDArray[np.uint8], count: int, seed: int) -> None:
    palette = np.random.default_rng(seed).integers(0, 256, (count, 3), dtype=np.uint8)
    snapped = snap_frames(frames, palette)
    opaque = frames[..., 3] >= 128
    assert np.array_equal(snapped[..., 3], np.where(opaque, 255, 0))
    assert not snapped[~opaque].any()
    wanted = srgb_to_oklab(frames[opaque][:, :3]).astype(np.float64)
    targets = srgb_to_oklab(palette).astype(np.float64)
    best = np.sqrt(((wanted[:, None] - targets) ** 2).sum(axis=-1).min(axis=1, initial=9))
    got = np.sqrt(((wanted - srgb_to_oklab(snapped[opaque][:, :3])) ** 2).sum(axis=-1))
    assert np.all(got <= best + 1e-3)
    assert np.array_equal(snap_frames(snapped, palette), snapped)


def test_floats_are_rounded_and_clipped() -> None:
    palette = np.array([[0, 0, 0], [255, 255, 255]], dtype=np.uint8)
    frames = np.array([[[[300.0, 260, 255.4, 128], [-20, 0.4, 0, 400], [9, 9, 9, 127.4]]]], dtype=np.float32)
    assert snap_frames(frames, palette)[0, 0].tolist() == [[255] * 4, [0, 0, 0, 255], [0] * 4]


def test_empty_palette_is_refused() -> None:
    with pytest.raises(ValueError, match="P >= 1"):
        snap_frames(draw_clip(0), np.zeros((0, 3), np.uint8))
