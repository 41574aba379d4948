"""Tests of sprites.clip."""

from __future__ import annotations

import numpy as np
import pytest

from bitpuppet.sprites import Clip, clear_hidden

from .art import draw_clip


def test_defaults_follow_the_number_of_frames() -> None:
    clip = Clip(draw_clip(0, count=3, width=20, height=30))
    assert clip.durations_ms == (100, 100, 100)
    assert clip.rows == (0, 0, 0)
    assert (len(clip), clip.width, clip.height) == (3, 20, 30)


@pytest.mark.parametrize("frames", [np.zeros((2, 4, 4, 3), np.uint8), np.zeros((0, 4, 4, 4), np.uint8)])
def test_wrong_shapes_are_refused(frames: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8"):
        Clip(frames)


def test_wrong_type_is_refused() -> None:
    with pytest.raises(ValueError, match="float64"):
        Clip(np.zeros((1, 4, 4, 4)))  # type: ignore[arg-type]


def test_wrong_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 frames, 1 durations"):
        Clip(draw_clip(0, count=2), durations_ms=(10,))
    with pytest.raises(ValueError, match="1 ms"):
        Clip(draw_clip(0, count=1), durations_ms=(0,))


def test_hidden_colour_is_cleared_and_the_rest_kept() -> None:
    pixels = np.array([[9, 8, 7, 0], [9, 8, 7, 1]], dtype=np.uint8)
    assert clear_hidden(pixels).tolist() == [[0, 0, 0, 0], [9, 8, 7, 1]]
