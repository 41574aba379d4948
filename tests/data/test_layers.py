"""Layer sheets composite as Pillow does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bitpuppet.data.layers import CELL, COLUMNS, ROWS, LayerSheet, LayerStore
from bitpuppet.errors import BitpuppetError


def _write_sheet(path: Path, seed: int, alphas: list[int]) -> Image.Image:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, size=(ROWS * CELL, COLUMNS * CELL, 4), dtype=np.uint8)
    pixels[..., 3] = rng.choice(alphas, size=pixels.shape[:2])
    image = Image.fromarray(pixels)
    image.save(path)
    return image


@pytest.mark.parametrize("alphas", [[0, 255], [0, 90, 255]])
def test_composition_equals_pillows(tmp_path: Path, alphas: list[int]) -> None:
    below = _write_sheet(tmp_path / "a.png", 1, alphas)
    above = _write_sheet(tmp_path / "b.png", 2, alphas)
    cells = (0, 14, 272)
    frames = LayerStore(tmp_path).compose(("a.png", "b.png"), cells)
    whole = np.asarray(Image.alpha_composite(below, above)).astype(int)
    for frame, cell in zip(frames.astype(int), cells, strict=True):
        row, column = divmod(cell, COLUMNS)
        true = whole[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]
        assert (frame[..., 3] == true[..., 3]).all()
        visible = true[..., 3] > 0
        assert np.abs(frame - true)[visible].max() <= (0 if alphas == [0, 255] else 2)
        assert (frame[~visible] == 0).all()


def test_covers_tells_empty_cells(tmp_path: Path) -> None:
    pixels = np.zeros((ROWS * CELL, COLUMNS * CELL, 4), np.uint8)
    pixels[CELL + 3, 5] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    sheet = LayerSheet.read(tmp_path / "a.png")
    assert [cell for cell in range(ROWS * COLUMNS) if sheet.covers(cell)] == [COLUMNS]


def test_wrong_files_are_named(tmp_path: Path) -> None:
    Image.new("RGBA", (64, 64)).save(tmp_path / "small.png")
    (tmp_path / "text.png").write_text("no image")
    for name in ("small.png", "text.png", "absent.png"):
        with pytest.raises(BitpuppetError, match=name):
            LayerSheet.read(tmp_path / name)
