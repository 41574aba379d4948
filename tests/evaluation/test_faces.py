"""Figures of faces: what moves and turns and who it is, from landmarks and embeddings that are made here."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.evaluation.faces import (
    LANDMARKS,
    LEFT_EYE,
    RIGHT_EYE,
    BundledMeter,
    measure_identity,
    measure_motion,
    measure_pose,
)


@pytest.fixture
def face() -> NDArray[np.float64]:
    """One face, its eyes' corners ten pixels apart."""
    points = np.random.default_rng(0).normal(size=(LANDMARKS, 3)) * 5
    points[LEFT_EYE], points[RIGHT_EYE] = (-5, 0, 0), (5, 0, 0)
    return points


def move(face: NDArray[np.float64], across: NDArray[np.float64]) -> NDArray[np.float64]:
    points = np.repeat(face[None], len(across), axis=0)
    points[..., 0] += across[:, None]
    return points


def turn(face: NDArray[np.float64], degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    angles = np.radians(degrees)
    turns = np.zeros((len(angles), 3, 3))
    turns[:, 0, 0] = turns[:, 2, 2] = np.cos(angles)
    turns[:, 0, 2], turns[:, 2, 0], turns[:, 1, 1] = np.sin(angles), -np.sin(angles), 1
    return np.einsum("tij,pj->tpi", turns, face)


def test_motion_is_of_the_clip_whatever_the_face(face: NDArray[np.float64]) -> None:
    driving = move(face, np.array([-2.0, 0.0, 2.0]))
    larger = move(face * 2 + 50, np.array([-4.0, 0.0, 4.0]))  # another face at another place, which moves as far
    assert measure_motion(larger, driving) == pytest.approx(0, abs=1e-9)
    still = move(face, np.zeros(3))
    assert measure_motion(still, driving) == pytest.approx((0.2 + 0 + 0.2) / 3)


def test_frames_without_a_face_do_not_count(face: NDArray[np.float64]) -> None:
    driving = move(face, np.array([-2.0, 2.0, -2.0, 2.0]))
    some = driving.copy()
    some[2:] = np.nan
    assert measure_motion(some, driving) == pytest.approx(0, abs=1e-9)
    none = np.full_like(driving, np.nan)
    assert np.isnan(measure_motion(none, driving)) and np.isnan(measure_pose(none, driving))
    assert np.isnan(measure_identity(np.full((2, 128), np.nan), np.ones((2, 128))))


def test_turns_are_told_in_degrees(face: NDArray[np.float64]) -> None:
    driving = turn(face, np.array([-20.0, 0.0, 20.0]))
    assert measure_pose(driving, driving) == pytest.approx(0, abs=1e-3)
    assert measure_pose(turn(face, np.zeros(3)), driving) == pytest.approx(40 / 3, abs=0.5)
    assert measure_pose(turn(face, np.array([-10.0, 0.0, 10.0])), driving) == pytest.approx(20 / 3, abs=0.5)


def test_identity_is_one_for_the_same_and_less_for_others() -> None:
    one, other = np.zeros((3, 128)), np.zeros((2, 128))
    other[:, 0] = 0.7
    assert measure_identity(one, one) == 1
    assert measure_identity(one, other) == pytest.approx(0.3)


def test_missing_packages_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        BitpuppetError, match=r"not installed; install them with: pip install 'bitpuppet\[eval-heads\]'"
    ):
        BundledMeter()
