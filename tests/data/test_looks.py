"""Looks of a clip: what stays, what is mirrored, turned and enlarged."""

from __future__ import annotations

import numpy as np
import pytest

from bitpuppet.data.looks import LEAST_ZOOM, MOST_DEGREES, MOST_ZOOM, Look, change_look, draw_look

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 4), dtype=np.uint8) | np.uint8([0, 0, 0, 255])
EYE, ONES = np.eye(3, dtype=np.float32), np.ones(3, dtype=np.float32)


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        (Look(False, 0.0, 1.0, EYE, ONES), FRAMES),
        (Look(True, 0.0, 1.0, EYE, ONES), FRAMES[:, :, ::-1]),
        (Look(False, 90.0, 1.0, EYE, ONES), np.rot90(FRAMES, axes=(1, 2))),
        (Look(True, 90.0, 1.0, EYE, ONES), np.rot90(FRAMES[:, :, ::-1], axes=(1, 2))),
        (Look(False, 0.0, 1.0, EYE[[2, 1, 0]], ONES), FRAMES[..., [2, 1, 0, 3]]),
    ],
    ids=["as it is", "mirrored", "turned", "mirrored, then turned", "recoloured"],
)
def test_pixels_go_where_the_look_says(look: Look, expected: np.ndarray) -> None:
    changed = change_look(FRAMES, look)
    assert abs(changed.astype(int) - expected).max() <= 1  # a turned place is a hair beside its pixel


def test_nearer_shows_the_middle_and_farther_repeats_the_border() -> None:
    frames = np.full((1, 32, 32, 4), 255, dtype=np.uint8)
    frames[:, :, 16:, :3] = 0
    frames[:, :4], frames[:, -4:] = 100, 100
    near = change_look(frames, Look(False, 0.0, 2.0, EYE, ONES))
    assert (near[0, :, :14] == 255).all() and (near[0, :, 18:, :3] == 0).all()
    far = change_look(frames, Look(False, 0.0, 0.75, EYE, ONES))
    assert (abs(far[0, :6].astype(int) - 100) <= 1).all() and (far[0, 12:20, :14] == 255).all()


def test_looks_differ_and_stay_a_face() -> None:
    looks = [draw_look(np.random.default_rng(number)) for number in range(200)]
    assert 70 < sum(look.mirrored for look in looks) < 130
    assert all(abs(look.degrees) <= MOST_DEGREES and LEAST_ZOOM <= look.zoom <= MOST_ZOOM for look in looks)
    assert np.ptp([look.degrees for look in looks]) > MOST_DEGREES
    again = draw_look(np.random.default_rng(3))
    assert again[:3] == looks[3][:3] and np.array_equal(again.matrix, looks[3].matrix)
