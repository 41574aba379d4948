"""Tests of sprites.grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bitpuppet.sprites import MIN_CONFIDENCE, Grid, cut_grid, find_grid

from .art import draw_sheet, relaxed


def make_case(seed: int) -> tuple[NDArray[np.uint8], Grid]:
    """A random sheet: frames of 16..96 pixels, every second one square, rows of different length, flat background."""
    rng = np.random.default_rng(seed)
    width = height = int(rng.integers(4, 25)) * 4
    if seed % 2:
        height = int(np.clip(int(rng.integers(4, 25)) * 4, width / 1.8, width * 1.8)) // 4 * 4
    grid = Grid(max(16, width), max(16, height), int(rng.integers(3, 10)), int(rng.integers(1, 6)))
    drawn = [grid.columns] + [
        int(rng.integers((grid.columns + 1) // 2, grid.columns + 1)) for _ in range(grid.rows - 1)
    ]
    sheet = draw_sheet(seed, grid, drawn if seed % 3 else None)
    if seed % 4 == 0:
        sheet[sheet[..., 3] == 0] = (255, 0, 255, 255)
    return sheet, grid


def test_random_sheets() -> None:
    wrong, unsure = [], []
    for seed in range(120):
        sheet, grid = make_case(seed)
        guess = find_grid(sheet)
        assert 0 <= guess.confidence <= 1
        if guess.confidence < MIN_CONFIDENCE:
            unsure.append(seed)
        elif guess.grid != grid:
            wrong.append((seed, grid, guess))
    assert not wrong
    assert len(unsure) <= 3


@pytest.mark.parametrize("side", [16, 24, 32, 48, 64, 96])
@pytest.mark.parametrize("count", [2, 4, 9])
def test_square_strips_are_sure(side: int, count: int) -> None:
    guess = find_grid(draw_sheet(side, Grid(side, side, count, 1)))
    assert guess.grid == Grid(side, side, count, 1)
    assert guess.confidence > 0.8
    assert "strip" in guess.reason


def test_a_painted_strip_is_told_by_its_shape() -> None:
    sheet = np.random.default_rng(0).integers(0, 256, (32, 128, 4), dtype=np.uint8)
    sheet[..., 3] = 255
    guess = find_grid(sheet)
    assert guess.grid == Grid(32, 32, 4, 1)
    assert guess.confidence >= MIN_CONFIDENCE


def test_a_wide_sheet_is_no_strip() -> None:
    grid = Grid(64, 64, 8, 4)
    guess = find_grid(draw_sheet(5, grid))
    assert guess.grid == grid
    assert guess.confidence >= MIN_CONFIDENCE


def test_one_figure_is_one_frame() -> None:
    guess = find_grid(draw_sheet(6, Grid(48, 64, 1, 1)))
    assert guess.grid == Grid(48, 64, 1, 1)
    assert guess.confidence >= MIN_CONFIDENCE


def test_rows_may_end_early_and_rows_may_be_empty_at_the_end() -> None:
    grid = Grid(32, 32, 6, 4)
    guess = find_grid(draw_sheet(7, grid, [6, 3, 4, 0]))
    assert guess.grid == grid


def test_nothing_and_noise_are_not_sure() -> None:
    assert find_grid(np.zeros((64, 96, 4), np.uint8)).confidence == 0
    noise = np.random.default_rng(0).integers(0, 256, (251, 509, 4), dtype=np.uint8)
    assert find_grid(noise).confidence < MIN_CONFIDENCE


@relaxed
@given(st.integers(1, 7), st.integers(1, 7), st.integers(1, 5), st.integers(1, 5))
def test_cells_are_cut_in_reading_order(width: int, height: int, columns: int, rows: int) -> None:
    sheet = np.random.default_rng(0).integers(0, 256, (rows * height, columns * width, 4), dtype=np.uint8)
    cells = cut_grid(sheet, Grid(width, height, columns, rows))
    assert cells.shape == (rows * columns, height, width, 4)
    for index, cell in enumerate(cells):
        y, x = index // columns * height, index % columns * width
        assert np.array_equal(cell, sheet[y : y + height, x : x + width])


def test_a_grid_that_does_not_fill_the_sheet_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fill"):
        cut_grid(np.zeros((10, 10, 4), np.uint8), Grid(4, 4, 2, 2))


@relaxed
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_any_sheet_gets_an_answer(width: int, height: int, seed: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    sheet = np.zeros((height, width, 4), np.uint8)
    sheet[rng.random((height, width)) < density] = 255
    guess = find_grid(sheet)
    assert 0 <= guess.confidence <= 1
    assert len(cut_grid(sheet, guess.grid)) == guess.grid.columns * guess.grid.rows
