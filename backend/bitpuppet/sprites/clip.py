"""Frames in time order, and what belongs to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites.tags import Slice, Tag

DEFAULT_DURATION_MS = 100
MAX_PIXELS = 32_000_000
"""Most pixels an image may have; for an animation or a folder, all frames together."""
MAX_FRAMES = 4096
"""Most frames a clip may have."""


class EmptyArtError(BitpuppetError):
    """The art has no visible pixel. A type of its own, so that callers can tell it from art that cannot be read."""


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames in time order.

    `frames`: uint8 (T, H, W, 4), RGBA with straight alpha, T >= 1.
    `durations_ms`: T times, each in milliseconds and >= 1.
    `rows`: T numbers, the row of the sheet that each frame was cut from; 0 for strips, animations and folders.
    `name`: what to call the clip in messages and labels.
    `tags`, `slices`: named stretches of frames, and named rectangles, where the file has them.

    Raises ValueError when these do not fit together.
    """

    frames: NDArray[np.uint8]
    durations_ms: tuple[int, ...] = ()
    rows: tuple[int, ...] = ()
    name: str = "clip"
    tags: tuple[Tag, ...] = ()
    slices: tuple[Slice, ...] = ()

    def __post_init__(self) -> None:
        check_frames(self.frames)
        count = len(self.frames)
        # A frozen dataclass can only be completed this way; the defaults need the number of frames.
        if not self.durations_ms:
            object.__setattr__(self, "durations_ms", (DEFAULT_DURATION_MS,) * count)
        if not self.rows:
            object.__setattr__(self, "rows", (0,) * count)
        if len(self.durations_ms) != count or len(self.rows) != count:
            raise ValueError(f"{count} frames, {len(self.durations_ms)} durations and {len(self.rows)} rows")
        if min(self.durations_ms) < 1:
            raise ValueError("a duration is at least 1 ms")
        if any(tag.last >= count for tag in self.tags):
            raise ValueError(f"a tag reaches beyond the {count} frames")

    def __len__(self) -> int:
        return len(self.frames)

    def with_frames(self, frames: NDArray[np.uint8], name: str) -> Clip:
        """Other frames (T, H', W', 4) with the timing, rows and tags of these; slices belong to the picture and go."""
        return Clip(frames, self.durations_ms, self.rows, name, self.tags)

    def cut(self, first: int, last: int) -> Clip:
        """The frames from `first` to `last`, both inside, with the tags and slices that are whole in there."""
        count = last + 1 - first
        kept = slice(first, last + 1)
        return Clip(
            self.frames[kept],
            self.durations_ms[kept],
            self.rows[kept],
            self.name,
            tuple(tag for old in self.tags if (tag := old.shift(first, count)) is not None),
            tuple(one for old in self.slices if (one := old.shift(first, count)) is not None),
        )

    @property
    def height(self) -> int:
        """Height of a frame in pixels."""
        return int(self.frames.shape[1])

    @property
    def width(self) -> int:
        """Width of a frame in pixels."""
        return int(self.frames.shape[2])


def check_frames(frames: NDArray[np.uint8]) -> None:
    """Raise ValueError unless `frames` is uint8 (T, H, W, 4) with no axis of length 0."""
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 4 or 0 in frames.shape:
        raise ValueError(f"frames are uint8 (T, H, W, 4), not {frames.dtype} {frames.shape}")


def clear_hidden(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Copy of RGBA pixels (..., 4) in which fully transparent ones are 0, 0, 0, 0: equal looks become equal bytes."""
    return np.where(frames[..., 3:] > 0, frames, np.uint8(0))
