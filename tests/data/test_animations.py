"""Whole animations and how a game plays them on."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitpuppet.data.animations import LPC_FALL, PUPPET_FRAMES, draw_benchmark, draw_lpc, draw_puppets, play


@pytest.mark.parametrize(
    ("count", "again", "length", "start", "expected"),
    [
        (4, 0, 9, 0, [0, 1, 2, 3, 0, 1, 2, 3, 0]),
        (4, 0, 5, 2, [2, 3, 0, 1, 2]),
        (4, 1, 9, 0, [0, 1, 2, 3, 1, 2, 3, 1, 2]),
        (3, 2, 6, 0, [0, 1, 2, 2, 2, 2]),
        (1, 0, 3, 0, [0, 0, 0]),
        (3, None, 6, 1, [1, 2, 2, 2, 2, 2]),
    ],
)
def test_frames_that_a_game_shows(count: int, again: int | None, length: int, start: int, expected: list[int]) -> None:
    assert play(count, again, length, start).tolist() == expected


@given(st.integers(1, 30), st.integers(0, 29), st.integers(1, 100), st.integers(0, 29))
def test_every_frame_follows_the_one_before(count: int, again: int, length: int, start: int) -> None:
    again, start = again % count, start % count
    shown = play(count, again, length, start)
    assert shown[0] == start
    for before, after in pairwise(shown):
        assert after == (before + 1 if before + 1 < count else again)


def test_puppets_are_whole_animations_of_training() -> None:
    drawn = list(draw_puppets(np.random.default_rng(0), 3, 2, 64))
    assert len(drawn) == 6
    assert {len(one.frames) for one in drawn} <= set(PUPPET_FRAMES)
    assert all(one.frames.shape[1:] == (64, 64, 4) and one.again == 0 for one in drawn)
    again = list(draw_puppets(np.random.default_rng(0), 3, 2, 64))
    assert all(np.array_equal(one.frames, other.frames) for one, other in zip(drawn, again, strict=True))
    held = list(draw_puppets(np.random.default_rng(0), 1, 2, 64, held_out=True))
    assert not any(np.array_equal(held[0].frames, one.frames) for one in drawn)


def test_layered_characters(data_folder: Path) -> None:
    drawn = list(draw_benchmark(data_folder / "sprites", np.random.default_rng(0), 1, 64))
    assert len(drawn) == 9
    assert {one.frames.shape for one in drawn} == {(8, 64, 64, 4)}
    rows = list(draw_lpc(data_folder / "lpc", np.random.default_rng(0), 1, 64))
    by_name = {one.name: one for one in rows}
    assert all(one.again == 1 for name, one in by_name.items() if name in ("row 8", "row 11"))
    fall = by_name.get(f"row {LPC_FALL}")
    assert fall is None or fall.again == len(fall.frames) - 1
