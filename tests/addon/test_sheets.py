"""Sheets: the cells that are taken are those of the command line, and what does not fit is told with a remedy."""

from __future__ import annotations

import numpy as np
import pytest
from bitpuppet_addon.core.errors import ArtError
from bitpuppet_addon.core.sheets import (
    Grid,
    SheetSettings,
    cut_sheet,
    find_grid,
    guess_size,
    has_free_lines,
    list_clips,
    parse_rows,
)
from hypothesis import given, settings
from hypothesis import strategies as st


def draw_sheet(cells: list[list[int]], width: int = 10, height: int = 12) -> np.ndarray:
    """A sheet whose cell of value v > 0 has a block of colour v; 0 leaves it empty."""
    sheet = np.zeros((len(cells) * height, len(cells[0]) * width, 4), dtype=np.uint8)
    for y, row in enumerate(cells):
        for x, value in enumerate(row):
            if value:
                sheet[y * height + 2 : y * height + 10, x * width + 2 : x * width + 8] = (value, 0, 0, 255)
    return sheet


def read_values(frames: np.ndarray) -> list[int]:
    return [int(frame[5, 5, 0]) for frame in frames]


SIZE = SheetSettings(width=10, height=12)


def test_cells_come_in_reading_order_without_empty_ones() -> None:
    frames = cut_sheet("it", draw_sheet([[1, 2, 0], [3, 0, 4]]), SIZE)
    assert frames.shape == (4, 12, 10, 4)
    assert read_values(frames) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("rows", "first", "count", "wanted"),
    [("1", 0, 0, [3, 4]), ("1,0", 0, 0, [3, 4, 1, 2]), ("0-1", 1, 2, [2, 3]), ("", 3, 9, [4]), ("1-0", 0, 1, [3])],
)
def test_rows_and_range_choose(rows: str, first: int, count: int, wanted: list[int]) -> None:
    settings = SheetSettings(width=10, height=12, rows=rows, first=first, count=count)
    assert read_values(cut_sheet("it", draw_sheet([[1, 2, 0], [3, 0, 4]]), settings)) == wanted


def test_grid_and_size_are_the_same_cells() -> None:
    sheet = draw_sheet([[1, 2], [3, 4]])
    by_grid = cut_sheet("it", sheet, SheetSettings("GRID", columns=2, lines=2))
    assert (by_grid == cut_sheet("it", sheet, SIZE)).all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            SheetSettings(width=9, height=12),
            "20 x 24 pixels, which frames of 9 x 12 do not divide; sizes that do: 10 x 12",
        ),
        (SheetSettings("GRID", columns=3, lines=2), "3 x 2 cells do not divide"),
        (SheetSettings(width=10, height=12, rows="2"), "2 rows, numbers 0 to 1; there is no row 2"),
        (SheetSettings(width=10, height=12, rows="a"), "for example 0,2 or 0-3"),
        (SheetSettings(width=10, height=12, first=4), "has 4 frames, numbers 0 to 3; First Frame is 4"),
    ],
)
def test_what_does_not_fit_is_told(settings: SheetSettings, words: str) -> None:
    with pytest.raises(ArtError, match=words.replace("(", r"\(")):
        cut_sheet("it", draw_sheet([[1, 2], [3, 4]]), settings)


def test_transparent_sheet_is_told() -> None:
    with pytest.raises(ArtError, match="transparent"):
        cut_sheet("it", draw_sheet([[0, 0]]), SIZE)
    with pytest.raises(ArtError, match="transparent"):
        list_clips("it", draw_sheet([[0, 0]]), SIZE)


def test_rows_become_clips_and_empty_ones_are_left_out() -> None:
    clips = list_clips("it", draw_sheet([[1, 2], [0, 0], [3, 0]]), SIZE)
    assert [(row, read_values(frames)) for row, frames in clips] == [(0, [1, 2]), (2, [3])]


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_text_for_rows_is_read_or_refused(text: str) -> None:
    try:
        rows = parse_rows(text, 5)
    except ArtError:
        return
    assert all(0 <= row < 5 for row in rows)


@pytest.mark.parametrize(("columns", "rows", "side"), [(4, 2, 16), (3, 3, 32), (8, 1, 16)])
def test_frame_size_is_found_by_empty_lines(columns: int, rows: int, side: int) -> None:
    sheet = np.zeros((rows * side, columns * side, 4), dtype=np.uint8)
    for y in range(rows):
        for x in range(columns):
            sheet[y * side + 1 : y * side + side - 1, x * side + 2 : x * side + side - 2] = 255
    assert guess_size(sheet) == (side, side)


def test_frame_size_of_one_drawing_is_the_whole() -> None:
    assert guess_size(np.full((30, 20, 4), 255, dtype=np.uint8)) == (20, 30)


def test_grid_tells_cells_across_and_down() -> None:
    assert find_grid("it", 20, 24, SIZE) == Grid(10, 12, 2, 2)


def test_lines_are_free_where_no_art_lies_across_them() -> None:
    sheet = np.zeros((48, 192, 4), dtype=np.uint8)
    for x in range(4):
        sheet[8:40, x * 48 + 10 : x * 48 + 38] = 255
    assert has_free_lines(sheet, 48, 48)
    assert not has_free_lines(sheet, 64, 48), "the line at 64 runs through the second drawing"
    assert not has_free_lines(sheet, 48, 24)
    assert not has_free_lines(sheet, 50, 48), "it does not even divide the sheet"
