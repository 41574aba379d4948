"""The grid of a sheet: found by its gutters, cut exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from einops import rearrange
from numpy.typing import NDArray

MIN_CONFIDENCE = 0.5
"""Confidence from which a guess may be used without asking."""
_MIN_SIDE = 8
"""Pixels; smaller frames are too small to tell from the parts of a drawing."""
_MAX_ASPECT = 3
"""How many times as high as wide, or wide as high, a guessed frame may be."""
_MAX_CELLS = 4096
_MAX_SINGLE = 128
"""Pixels up to which a drawing that no line parts is taken for one frame."""
_MAX_PAINTED = 0.9
"""Part of the pixels that a drawing on a background covers at most."""
_MAX_STRIP_CROSSING = 1.05
"""Art on the cuts of a strip, next to what any line cuts: a drawing that a cut halves has more than that."""
_FULL_LEAD = 0.15
"""Lead over the next grid from which the guess is not in doubt."""


@dataclass(frozen=True)
class Grid:
    """Equal cells that fill a sheet: the size of a cell in pixels, and how many there are across and down."""

    frame_width: int
    frame_height: int
    columns: int
    rows: int


@dataclass(frozen=True)
class GridGuess:
    """The likeliest grid of a sheet, how sure it is (0..1), and why, in words for the user."""

    grid: Grid
    confidence: float
    reason: str


class _Score(NamedTuple):
    """One candidate. All but the grid are in 0..1."""

    total: float
    clean: float
    filled: float
    alike: float
    grid: Grid


def cut_grid(rgba: NDArray[np.uint8], grid: Grid) -> NDArray[np.uint8]:
    """Cells (N, frame_height, frame_width, 4) of a sheet (H, W, 4) in reading order, empty ones included.

    Raises ValueError when the grid does not fill the sheet exactly.
    """
    height, width, _ = rgba.shape
    if (height, width) != (grid.frame_height * grid.rows, grid.frame_width * grid.columns):
        raise ValueError(f"{grid} does not fill a sheet of {width}x{height}")
    return rearrange(rgba, "(r h) (c w) k -> (r c) h w k", r=grid.rows, c=grid.columns).copy()


def find_grid(rgba: NDArray[np.uint8]) -> GridGuess:
    """Guess the grid of a sheet uint8 (H, W, 4) from transparent gutters and the likeness of its cells.

    Candidates are the frame sizes from 8 pixels that divide the sheet. Of a sheet without transparent pixels, the
    colour of the corner counts as background, for this guess only.
    """
    height, width, _ = rgba.shape
    drawn = _find_drawn(rgba)
    if not drawn.any():
        return GridGuess(Grid(width, height, 1, 1), 0.0, "nothing is drawn on the sheet")
    scores = _score_candidates(drawn)
    guess = GridGuess(Grid(width, height, 1, 1), 0.0, "no frame size divides the sheet along gutters")
    if scores:
        guess = _judge(scores, drawn)
    strip = Grid(height, height, width // height, 1)
    doubtful = guess.confidence < MIN_CONFIDENCE or guess.grid.columns == 1
    if strip.columns > 1 and width % height == 0 and height >= _MIN_SIDE and guess.grid.rows == 1 and doubtful:
        # Painted backgrounds leave no gutters. Then the shape decides, unless art lies across the cuts.
        if _measure_crossings(drawn)[height] <= _MAX_STRIP_CROSSING:
            return GridGuess(strip, 0.6, "the width is a multiple of the height: a strip of square frames")
        return replace(guess, confidence=min(guess.confidence, 0.4))
    return guess


def _find_drawn(rgba: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where the art is (H, W)."""
    visible = rgba[..., 3] > 0
    if visible.all():
        visible = (rgba != rgba[0, 0]).any(axis=-1)
    return visible


def list_divisors(length: int) -> list[int]:
    """The numbers that divide `length`, ascending."""
    small = [n for n in range(1, math.isqrt(length) + 1) if length % n == 0]
    return small + [length // n for n in reversed(small) if n * n != length]


def _measure_crossings(drawn: NDArray[np.bool_]) -> dict[int, float]:
    """For each frame width: how much art its lines cut, 0 (none) to 1 (as much as any line would) or more."""
    _, width = drawn.shape
    # A line is crossed where both of its neighbours are drawn: art that only touches it is no evidence against it.
    cuts = np.count_nonzero(drawn[:, 1:] & drawn[:, :-1], axis=0)
    usual = cuts.mean() if len(cuts) else 0.0
    crossings = {}
    for side in list_divisors(width):
        if side < min(_MIN_SIDE, width):
            continue
        lines = cuts[side - 1 :: side]
        crossings[side] = float(lines.mean() / usual) if len(lines) and usual else 0.0
    return crossings


def _score_candidates(drawn: NDArray[np.bool_]) -> list[_Score]:
    height, width = drawn.shape
    across, down = _measure_crossings(drawn), _measure_crossings(drawn.T)
    total = np.zeros((height + 1, width + 1), dtype=np.int64)
    total[1:, 1:] = drawn.cumsum(axis=0).cumsum(axis=1)
    scores = []
    for w, cut_x in across.items():
        for h, cut_y in down.items():
            grid = Grid(w, h, width // w, height // h)
            if max(w, h) > _MAX_ASPECT * min(w, h) or grid.columns * grid.rows > _MAX_CELLS:
                continue
            clean = max(0.0, 1 - cut_x) * max(0.0, 1 - cut_y)
            corners = total[::h, ::w]
            counts = corners[1:, 1:] - corners[:-1, 1:] - corners[1:, :-1] + corners[:-1, :-1]
            filled = _measure_filled(counts > 0)
            if clean * filled < 0.3:
                continue
            alike = _measure_alike(drawn, grid)
            scores.append(_Score(_weigh(grid, clean, filled, alike), clean, filled, alike, grid))
    return sorted(scores, key=lambda score: score.total, reverse=True)


def _measure_filled(occupied: NDArray[np.bool_]) -> float:
    """How many cells (R, C) are drawn of those before the last drawn one of their row, and rows before the last one."""
    columns = occupied.shape[1]
    reach = np.where(occupied.any(axis=1), columns - occupied[:, ::-1].argmax(axis=1), 0)
    last = int(np.flatnonzero(reach)[-1])
    reach = np.where(reach[: last + 1] > 0, reach[: last + 1], columns)
    return float(np.count_nonzero(occupied) / reach.sum())


def _measure_alike(drawn: NDArray[np.bool_], grid: Grid) -> float:
    """How equal the boxes around the art of the drawn cells are."""
    cells = rearrange(drawn, "(r h) (c w) -> (r c) h w", h=grid.frame_height, w=grid.frame_width)
    across, down = np.any(cells, axis=1), np.any(cells, axis=2)
    kept = np.any(across, axis=1)
    spreads = []
    for profile in (across[kept], down[kept]):
        side = profile.shape[1]
        starts, ends = profile.argmax(axis=1), profile[:, ::-1].argmax(axis=1)
        spreads += [starts.std() / side, ends.std() / side]
    return float(max(0.0, 1 - 2 * np.mean(spreads)))


def _count_proofs(drawn: NDArray[np.bool_], grid: Grid) -> int:
    """Lines of the grid that part drawn cells: only these could have been crossed."""
    cells = rearrange(drawn, "(r h) (c w) -> r c h w", h=grid.frame_height, w=grid.frame_width)
    occupied = np.any(cells, axis=(2, 3))
    parted = np.any(occupied[:, 1:] & occupied[:, :-1], axis=0), np.any(occupied[1:] & occupied[:-1], axis=1)
    return sum(int(np.count_nonzero(lines)) for lines in parted)


def _weigh(grid: Grid, clean: float, filled: float, alike: float) -> float:
    """How likely a candidate is, next to the others. The exponents were chosen on real and on drawn sheets."""
    aspect = abs(np.log2(grid.frame_width / grid.frame_height))
    even = 1.0 if grid.frame_width % 8 == 0 and grid.frame_height % 8 == 0 else 0.97
    # Twice a true frame is as clean as the frame itself: of clean grids, the finer one is the likelier.
    fine = (grid.columns * grid.rows) ** 0.25
    return float(clean**1.2 * filled * alike * np.exp(-0.12 * aspect) * even * fine)


def _judge(scores: list[_Score], drawn: NDArray[np.bool_]) -> GridGuess:
    """The guess that the first of the scores makes."""
    best = scores[0]
    grid = best.grid
    if grid.columns * grid.rows == 1:
        # A painted oblong has no line free of art either, and may be anything.
        whole = grid.frame_width == grid.frame_height or drawn.mean() < _MAX_PAINTED
        likely = whole and max(grid.frame_width, grid.frame_height) <= _MAX_SINGLE
        return GridGuess(grid, 0.6 if likely else 0.3, "no line across the sheet is free of art")
    strip = grid.rows == 1 and grid.frame_width == grid.frame_height
    proof = 1 - 0.5 ** (_count_proofs(drawn, grid) + 2 * strip)
    # Coarser grids made of the same cells are no rivals: they are clean because this one is.
    rivals = (s for s in scores if s.grid.frame_width % grid.frame_width or s.grid.frame_height % grid.frame_height)
    lead = 1 - max((rival.total for rival in rivals), default=0.0) / best.total
    sure = 0.5 + 0.5 * min(1.0, lead / _FULL_LEAD)
    confidence = best.clean**2.5 * best.filled**0.5 * best.alike**0.5 * proof * sure
    shape = "a strip of square frames" if strip else f"{grid.columns} x {grid.rows} cells"
    reason = (
        f"{shape}, gutters {best.clean:.0%} clean, {best.filled:.0%} of the cells drawn, art {best.alike:.0%} alike"
    )
    return GridGuess(grid, confidence, reason)
