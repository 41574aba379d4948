"""The Sprites benchmark (Li and Mandt, 2018): 1,296 characters, 9 motions of 8 frames, the standard split.

A full factorial: every swap (content of one character, motion of another) has a true target.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitpuppet.data.layers import LayerStore

CHARACTERS = 1296
TRAINING = 1000
FRAMES = 8
ATTRIBUTES = ("skin", "bottom", "top", "hair")
"""What identifies a character: six values each."""
MOTIONS: tuple[tuple[str, str], ...] = tuple(
    (action, view) for action in ("walk", "spellcast", "slash") for view in ("left", "front", "right")
)
"""(action, view), in the order of the judge's classes."""

_WALK, _CAST, _SLASH = (7, 0, 1, 2, 3, 4, 5, 6), (0, 1, 2, 3, 4, 5, 4, 6), (0, 1, 2, 3, 4, 5, 4, 0)
_CELLS = {
    "walk": {view: tuple(c + start for c in _WALK) for view, start in (("left", 118), ("front", 131), ("right", 144))},
    "spellcast": {
        view: tuple(c + start for c in _CAST) for view, start in (("left", 13), ("front", 26), ("right", 39))
    },
    "slash": {view: tuple(c + s for c in _SLASH) for view, s in (("left", 169), ("front", 182), ("right", 195))},
}


def motion_cells(motion: int) -> tuple[int, ...]:
    """The 8 grid cells (counted row by row, 13 columns) of motion 0..8."""
    action, view = MOTIONS[motion]
    return _CELLS[action][view]


@dataclass(frozen=True)
class BenchmarkCharacter:
    """Character 0..1295 of the benchmark."""

    number: int

    @property
    def attributes(self) -> tuple[int, int, int, int]:
        """(skin, bottom, top, hair), 0..5 each."""
        n = self.number
        return n // 216, n // 36 % 6, n // 6 % 6, n % 6

    @property
    def layers(self) -> tuple[str, ...]:
        """Sheets, bottom to top."""
        body, bottom, top, hair = self.attributes
        return (
            f"body/{body}.png",
            f"bottomwear/{bottom}.png",
            f"topwear/{top}.png",
            f"hair/{hair}.png",
            "shoes/1.png",
        )


def split_characters() -> tuple[list[BenchmarkCharacter], list[BenchmarkCharacter]]:
    """The 1,000 training and the 296 test characters, by the standard permutation."""
    order = np.random.RandomState(423).permutation(CHARACTERS)
    characters = [BenchmarkCharacter(int(number)) for number in order]
    return characters[:TRAINING], characters[TRAINING:]


class Benchmark:
    """Draws benchmark clips from the layer sheets under `root`."""

    def __init__(self, root: Path) -> None:
        self.store = LayerStore(root)

    def clip(self, character: BenchmarkCharacter, motion: int) -> NDArray[np.uint8]:
        """Straight-alpha RGBA frames, uint8 (8, 64, 64, 4)."""
        return self.store.compose(character.layers, motion_cells(motion))

    def find_tops(self, character: BenchmarkCharacter, motion: int) -> NDArray[np.int64]:
        """Which of the character's layers shows at each pixel of a clip, -1 for none, (8, 64, 64)."""
        return self.store.find_tops(character.layers, motion_cells(motion))
