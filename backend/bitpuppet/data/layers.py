"""Layer sheets, and characters composed from them.

A layered character is a pile of sheets that share one grid (one garment each). Both the Liberated Pixel Cup wardrobe
(`lpc.py`) and the Sprites benchmark (`benchmark.py`) are drawn this way, on the same 13 x 21 grid of 64 px cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from einops import rearrange
from numpy.typing import NDArray
from PIL import Image

from bitpuppet.errors import BitpuppetError

CELL = 64
"""Side of a cell, in pixels."""
COLUMNS, ROWS = 13, 21
"""Cells of an LPC sheet."""


@dataclass(frozen=True)
class LayerSheet:
    """The visible pixels of one sheet, cell by cell, so that composing touches only them.

    Pixels of cell n (row-major) are `positions[starts[n]:starts[n + 1]]` (flat index in the cell) and `colours` alike.
    """

    positions: NDArray[np.uint16]
    colours: NDArray[np.uint8]
    starts: NDArray[np.int64]

    @classmethod
    def read(cls, path: Path) -> LayerSheet:
        """Read a sheet of 832 x 1344 pixels; any colour mode (many LPC files are palette or LA images)."""
        try:
            with Image.open(path) as image:
                rgba = np.asarray(image.convert("RGBA"))
        except OSError as error:
            raise BitpuppetError(f"{path}: cannot be read as an image ({error}); restore the data folder") from error
        if rgba.shape[:2] != (ROWS * CELL, COLUMNS * CELL):
            raise BitpuppetError(f"{path}: a layer sheet is {COLUMNS * CELL}x{ROWS * CELL} pixels, this one is not")
        cells = rearrange(rgba, "(r h) (c w) a -> (r c) (h w) a", r=ROWS, c=COLUMNS)
        cell, position = np.nonzero(cells[..., 3])
        starts = np.searchsorted(cell, np.arange(ROWS * COLUMNS + 1))
        return cls(position.astype(np.uint16), cells[cell, position], starts)

    def covers(self, cell: int) -> bool:
        """Whether the cell has a visible pixel."""
        return bool(self.starts[cell + 1] > self.starts[cell])

    def cut(self, cell: int) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
        """Positions (N,) and colours (N, 4) of one cell's visible pixels."""
        span = slice(self.starts[cell], self.starts[cell + 1])
        return self.positions[span], self.colours[span]

    def paint(self, frame: NDArray[np.uint8], cell: int) -> None:
        """Lay one cell over `frame` ((h w) 4, changed in place) with the usual "over" operator on straight alpha."""
        positions, top = self.cut(cell)
        alpha = top[:, 3]
        if (alpha == 255).all():
            frame[positions] = top
            return
        below = frame[positions].astype(np.float32)
        a = alpha.astype(np.float32)[:, None] / 255
        b = below[:, 3:] / 255 * (1 - a)
        out = a + b
        rgb = (top[:, :3] * a + below[:, :3] * b) / out
        frame[positions] = np.rint(np.concatenate([rgb, out * 255], axis=1)).astype(np.uint8)


class LayerStore:
    """All sheets under one folder; each is read once, when it is first asked for.

    The whole LPC set takes about 1 GB in memory, so a short run that needs a few characters stays small.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._sheets: dict[str, LayerSheet] = {}

    def sheet(self, name: str) -> LayerSheet:
        """The sheet at `name`, a path relative to the root."""
        if name not in self._sheets:
            self._sheets[name] = LayerSheet.read(self.root / name)
        return self._sheets[name]

    def compose(self, layers: Sequence[str], cells: Sequence[int]) -> NDArray[np.uint8]:
        """Draw a character.

        Args:
            layers: sheet names, bottom to top.
            cells: cell numbers of the grid, counted row by row.

        Returns:
            Straight-alpha RGBA frames, uint8 (len(cells), 64, 64, 4), RGB 0 under alpha 0.
        """
        frames = np.zeros((len(cells), CELL * CELL, 4), np.uint8)
        sheets = [self.sheet(layer) for layer in layers]
        for frame, cell in zip(frames, cells, strict=True):
            for sheet in sheets:
                sheet.paint(frame, cell)
        return rearrange(frames, "t (h w) a -> t h w a", h=CELL)

    def find_tops(self, layers: Sequence[str], cells: Sequence[int]) -> NDArray[np.int64]:
        """Which layer shows at each pixel.

        Args:
            layers: sheet names, bottom to top.
            cells: cell numbers of the grid, counted row by row.

        Returns:
            The place in `layers` of the topmost layer that is opaque there (alpha 128 or more), or -1, (T, 64, 64).
        """
        tops = np.full((len(cells), CELL * CELL), -1, np.int64)
        for number, sheet in enumerate(self.sheet(layer) for layer in layers):
            for top, cell in zip(tops, cells, strict=True):
                positions, colours = sheet.cut(cell)
                top[positions[colours[:, 3] >= 128]] = number
        return rearrange(tops, "t (h w) -> t h w", h=CELL)
