"""Sheets: where the cells of a picture are, and which of them are frames."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import ArtError

MAX_FRAMES = 4096
"""The service's limit for one strip."""
MODES = ("SIZE", "GRID")
_NAMED = 4
"""Sizes that a message suggests."""
_MAX_ROWS_TEXT = 200


@dataclass(frozen=True)
class Grid:
    """Equal cells that fill a sheet: their size in pixels, and how many there are across and down."""

    width: int
    height: int
    columns: int
    rows: int


@dataclass(frozen=True)
class SheetSettings:
    """How a sheet is cut."""

    mode: str = "SIZE"
    """SIZE: the cell's size counts; GRID: the number of cells counts."""
    width: int = 64
    height: int = 64
    columns: int = 1
    lines: int = 1
    """Rows of the grid, for GRID."""
    rows: str = ""
    """Rows to use, from 0, such as "0,2" or "0-3"; empty for all."""
    first: int = 0
    """The first frame to use, among those found."""
    count: int = 0
    """How many frames to use; 0 for all that follow."""


def find_grid(name: str, width: int, height: int, settings: SheetSettings) -> Grid:
    """The grid of a sheet.

    Args:
        name: what messages call the sheet.
        width: of the sheet in pixels.
        height: of the sheet in pixels.
        settings: how it is cut.

    Raises:
        ArtError: the cells do not fill the sheet exactly.
    """
    if settings.mode == "GRID":
        columns, rows = settings.columns, settings.lines
        if columns < 1 or rows < 1 or width % columns or height % rows:
            raise ArtError(
                f"{name} is {width} x {height} pixels, which {columns} x {rows} cells do not divide; change the number "
                "of columns or rows"
            )
        return Grid(width // columns, height // rows, columns, rows)
    side, tall = settings.width, settings.height
    if side < 1 or tall < 1 or width % side or height % tall:
        raise ArtError(
            f"{name} is {width} x {height} pixels, which frames of {side} x {tall} do not divide; "
            f"sizes that do: {suggest_sizes(width, height, side, tall)}"
        )
    return Grid(side, tall, width // side, height // tall)


def suggest_sizes(width: int, height: int, side: int, tall: int) -> str:
    """Frame sizes that divide a sheet, those next to `side` x `tall` first."""
    sizes = [(abs(w - side) + abs(h - tall), w, h) for w in list_divisors(width) for h in list_divisors(height)]
    return ", ".join(f"{w} x {h}" for _, w, h in sorted(sizes)[:_NAMED])


def list_divisors(length: int) -> list[int]:
    """The numbers that divide `length`, ascending."""
    small = [number for number in range(1, math.isqrt(length) + 1) if length % number == 0]
    return small + [length // number for number in reversed(small) if number * number != length]


def parse_rows(text: str, count: int, name: str = "The sheet") -> tuple[int, ...]:
    """Read "0,2" or "0-3" as rows of a sheet that has `count` of them; all rows when empty.

    Raises:
        ArtError: it is not of that form, or a row is not there.
    """
    if not text.strip():
        return tuple(range(count))
    if len(text) > _MAX_ROWS_TEXT:
        raise ArtError(f"Rows has {len(text)} characters, at most {_MAX_ROWS_TEXT}; name fewer rows")
    rows: list[int] = []
    for part in text.split(","):
        low, dash, high = (piece.strip() for piece in part.partition("-"))
        ends = (low, high) if dash else (low, low)
        if not all(end.isascii() and end.isdigit() and len(end) <= 6 for end in ends):
            raise ArtError(f"Rows is {text!r}; write numbers counted from 0, for example 0,2 or 0-3")
        first, last = int(ends[0]), int(ends[1])
        for row in (first, last):
            if row >= count:
                have = "1 row, number 0" if count == 1 else f"{count} rows, numbers 0 to {count - 1}"
                raise ArtError(f"{name} has {have}; there is no row {row}, name another one")
        rows += range(first, last + 1) if last >= first else range(first, last - 1, -1)
    return tuple(rows)


def cut_sheet(name: str, picture: NDArray[np.uint8], settings: SheetSettings) -> NDArray[np.uint8]:
    """The frames (N, h, w, 4) of a sheet (H, W, 4): cells with a visible pixel, in reading order.

    The same cells as the command line takes, so that the same settings give the same picture.

    Raises:
        ArtError: the grid does not fit, a row is not there, or nothing is visible.
    """
    height, width, _ = picture.shape
    grid = find_grid(name, width, height, settings)
    rows = parse_rows(settings.rows, grid.rows, name)
    cells = picture.reshape(grid.rows, grid.height, grid.columns, grid.width, 4).transpose(0, 2, 1, 3, 4)
    visible = np.asarray(cells[..., 3].any(axis=(2, 3)))
    places = [(row, int(column)) for row in rows for column in np.flatnonzero(visible[row])]
    if not places:
        where = f"row {settings.rows.strip()} of {name}" if settings.rows.strip() else name
        raise ArtError(f"Every frame in {where} is transparent; choose rows with a visible pixel, or another image")
    end = len(places) if settings.count == 0 else settings.first + settings.count
    chosen = places[settings.first : end]
    if not chosen:
        raise ArtError(
            f"{name} has {len(places)} frames, numbers 0 to {len(places) - 1}; First Frame is {settings.first}, "
            "lower it"
        )
    if len(chosen) > MAX_FRAMES:
        raise ArtError(f"{name} gives {len(chosen)} frames, at most {MAX_FRAMES}; use fewer rows or a shorter range")
    return np.ascontiguousarray(np.stack([cells[place] for place in chosen]))


def list_clips(name: str, picture: NDArray[np.uint8], settings: SheetSettings) -> list[tuple[int, NDArray[np.uint8]]]:
    """The rows of a sheet as clips of their own: (row, frames). Rows without a visible pixel are left out.

    Raises:
        ArtError: as `cut_sheet`.
    """
    height, width, _ = picture.shape
    rows = parse_rows(settings.rows, find_grid(name, width, height, settings).rows, name)
    clips = []
    for row in dict.fromkeys(rows):
        lone = SheetSettings(settings.mode, settings.width, settings.height, settings.columns, settings.lines, str(row))
        band = picture[row * (height // _count_rows(height, settings)) :][: height // _count_rows(height, settings)]
        if band[..., 3].any():
            clips.append((row, cut_sheet(name, picture, lone)))
    if not clips:
        raise ArtError(f"Every frame of {name} is transparent; choose another image")
    return clips


def _count_rows(height: int, settings: SheetSettings) -> int:
    return settings.lines if settings.mode == "GRID" else height // settings.height


def has_free_lines(picture: NDArray[np.uint8], side: int, tall: int) -> bool:
    """Whether cells of `side` x `tall` pixels divide a sheet (H, W, 4), and no art lies across the lines."""
    height, width, _ = picture.shape
    if width % side or height % tall:
        return False
    drawn = picture[..., 3] > 0
    # A line between cells is crossed where both of its neighbours are drawn; the last line is the edge.
    across = drawn[:, side - 1 : -1 : side] & drawn[:, side::side]
    down = drawn[tall - 1 : -1 : tall] & drawn[tall::tall]
    return not across.any() and not down.any()


def guess_size(picture: NDArray[np.uint8]) -> tuple[int, int]:
    """A frame size for a sheet (H, W, 4): the largest square cells whose borders are free of art.

    Square cells that divide the sheet, from 8 pixels; where none has free borders, the height of a strip, else all.
    """
    height, width, _ = picture.shape
    drawn = picture[..., 3] > 0
    best = None
    for side in list_divisors(math.gcd(width, height)):
        if side < 8 or side == width == height:
            continue
        if has_free_lines(picture, side, side):
            cells = np.asarray(drawn.reshape(height // side, side, width // side, side).any(axis=(1, 3)))
            # Cells smaller than a frame leave holes inside rows; of those that leave none, the smallest is the frame.
            if best is None and cells[:, 0].all():
                best = side
    if best is not None:
        return best, best
    return (height, height) if width % height == 0 else (width, height)
