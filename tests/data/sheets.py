"""Small sheets for the tests of character sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Frames = NDArray[np.uint8]


def draw(count: int, seed: int = 0, width: int = 16, height: int = 16) -> Frames:
    """Frames (T, H, W, 4) of a block that moves, different for each seed."""
    frames = np.zeros((count, height, width, 4), dtype=np.uint8)
    colour = np.random.default_rng(seed).integers(0, 256, 3)
    for number, frame in enumerate(frames):
        frame[height // 2 : height - 1, 3 + number % 4 : width - 4] = (*colour, 255)
        frame[height // 2 - 1, 4 + number % 4] = (255, 255, 255, 255)
    return frames


def save_strip(frames: Frames, path: Path) -> Path:
    """Frames side by side as a PNG, in a folder that is made where it is missing."""
    return save_rows([frames], path)


def save_rows(rows: list[Frames], path: Path) -> Path:
    """Strips under one another as a PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate([np.concatenate(list(row), axis=1) for row in rows])).save(path)
    return path


def save_set(folder: Path) -> Path:
    """Two characters with two animations each."""
    for seed, name in enumerate(("frog", "pig")):
        save_strip(draw(3, seed), folder / name / "idle_16x16.png")
        save_strip(draw(4, seed), folder / name / "run_16x16.png")
    return folder
