"""Which frames come next when an animation simply goes on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitpuppet.jobs.cycles import find_period, list_next, match_frames


def as_tokens(*numbers: int) -> np.ndarray:
    return np.array([(number, number // 2, 7) for number in numbers])


def paint(*levels: int) -> np.ndarray:
    frames = np.full((len(levels), 4, 4, 4), 255, dtype=np.uint8)
    frames[..., :3] = np.array(levels, dtype=np.uint8)[:, None, None, None]
    return frames


@pytest.mark.parametrize(
    ("levels", "period"),
    [
        ((10, 90, 50, 10, 90, 50), 3),
        ((10, 90, 50, 10, 90), 5),
        ((10,), 1),
        ((40, 40, 40), 1),
        ((10, 90, 10, 90, 10), 2),
        ((10, 20, 30, 40), 4),
        ((10, 90, 50, 12, 88, 51), 3),
        ((10, 90, 50, 30, 90, 50), 6),
    ],
)
def test_period_is_one_that_is_gone_through_twice(levels: tuple[int, ...], period: int) -> None:
    assert find_period(paint(*levels)) == period


def test_frames_go_round() -> None:
    assert list_next(4, 4, 6).tolist() == [0, 1, 2, 3, 0, 1]
    assert list_next(5, 2, 5).tolist() == [3, 4, 3, 4, 3]
    assert list_next(1, 1, 3).tolist() == [0, 0, 0]


@pytest.mark.parametrize(("frames", "expected"), [(4, [0, 1, 2, 3]), (8, [0, 1, 2, 3] * 2)])
def test_whole_cycles_are_left_as_they_are(frames: int, expected: list[int]) -> None:
    assert list_next(4, 4, frames, loop=True).tolist() == expected


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 200))
def test_a_loop_ends_where_the_first_frame_follows(count: int, period: int, frames: int) -> None:
    period = min(period, count)
    numbers = list_next(count, period, frames, loop=True)
    assert len(numbers) == frames
    assert numbers.min() >= 0 and numbers.max() < count
    # From the last given frame to the first one after the new ones, at an even pace.
    steps = np.diff(np.concatenate([[count - 1], numbers, [0]])) % period
    assert (steps.sum() - (1 - count)) % period == 0
    if frames >= 2 * period >= 8:
        assert steps.max() <= 2, "no more than twice the pace"


def test_numbers_of_a_cycle_stay_in_its_last_period() -> None:
    assert list_next(6, 3, 7).tolist() == [3, 4, 5, 3, 4, 5, 3]


def test_a_pose_is_matched_with_the_given_frame_that_comes_next() -> None:
    given_tokens = as_tokens(5, 6, 5, 8)
    assert match_frames(as_tokens(5, 6, 5, 8, 5, 9, 8), given_tokens) == [0, 1, 2, 3, 0, None, 3]
    assert match_frames(as_tokens(5, 5, 5), given_tokens) == [0, 2, 0]
