"""How drawn frames become exact pixel art: one choice for the command line, files of jobs, and evaluation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import ExactSettings, make_exact, read_palette, snap_frames
from bitpuppet.sprites.formats.binary import quote
from bitpuppet.sprites.palette import MAX_COLOURS, OPAQUE_ALPHA

Frames = NDArray[np.uint8]
SOURCE = "source"
DEFAULT_STEPS = ExactSettings(grid=False)
"""Art leaves and enters jobs on its own pixel grid: the canvas never holds enlarged art, so that step has no work."""


@dataclass(frozen=True)
class PixelOptions:
    """What the user asks for; the names are the long options of the command line."""

    palette: str = SOURCE
    """The character's own colours ("source"), so many of them ("16"), or the name of a palette file."""
    hard_alpha: bool = True
    outline: bool = False
    orphans: bool = True
    patterns: bool = False

    def __post_init__(self) -> None:
        """Raise BitpuppetError for a number of colours that no palette has."""
        if self._count is not None and not 1 <= self._count <= MAX_COLOURS:
            raise BitpuppetError(
                f"--palette is {quote(self.palette)}, a palette has 1 to {MAX_COLOURS} colours; change it"
            )

    def resolve(self) -> ExactSettings:
        """The steps to take.

        Raises:
            BitpuppetError: the palette file cannot be read.
        """
        colours: NDArray[np.uint8] | int | None = self._count
        if colours is None and self.palette != SOURCE:
            colours = read_palette(Path(self.palette))
        return replace(
            DEFAULT_STEPS,
            alpha=self.hard_alpha,
            colours=colours,
            outline=self.outline,
            orphans=self.orphans,
            patterns=self.patterns,
        )

    @property
    def _count(self) -> int | None:
        text = self.palette.strip()
        # So many digits that no palette has as many colours, and few enough to be read at once.
        return int(text[:6]) if text.isascii() and text.isdecimal() else None


OWN_PIXELS = PixelOptions()
"""The character's own colours, all steps that do more good than harm."""


def lock_pixels(drawn: NDArray[Any], content: Frames, palette: Frames, steps: ExactSettings = DEFAULT_STEPS) -> Frames:
    """Bring drawn frames to the character's pixels: uint8 (T, H, W, 4).

    Args:
        drawn: (T, H, W, 4), uint8 or floats in 0..255.
        content: true frames of the character, uint8 (N, h, w, 4).
        palette: its colours, uint8 (P, 3), as `collect_palette` gives them.
        steps: which to take; alpha is 0 or 255 with the step `alpha`.
    """
    if not steps.alpha:
        return make_exact(drawn, content, steps).frames
    hard = drawn.copy()
    hard[..., 3] = np.where(drawn[..., 3] >= OPAQUE_ALPHA, 255, 0)
    return make_exact(hard, snap_frames(content, palette), steps).frames


def count_colours(palette: Frames, steps: ExactSettings) -> int:
    """Colours that `lock_pixels` keeps to, for reports."""
    if steps.colours is None:
        return len(palette)
    return min(steps.colours, len(palette)) if isinstance(steps.colours, int) else len(steps.colours)
