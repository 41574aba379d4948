"""Bounds of rendered swaps: what somebody reaches who draws nothing, but knows the character's true frames.

Each answer is a choice among frames. One knows the truth and may only use what the model was given; the other knows all
frames of the character, those that are asked for among them, and may only go by the driver's motion tokens. The first
says how much has to be drawn, the second how much the tokens say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from bitpuppet.evaluation.swaps import Swap

Frames = NDArray[np.uint8]


@runtime_checkable
class MotionReader(Protocol):
    """An engine that reads motion and compares it; `Engine` is one."""

    def encode_motion(self, motion: Frames) -> NDArray[np.int64]:
        """See `Engine.encode_motion`."""
        ...

    def compare_motion(self, tokens: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.float32]:
        """See `Engine.compare_motion`."""
        ...


def choose_given(swap: Swap) -> Frames:
    """For each true frame the content frame with the least squared error in RGB on black, (T, H, W, 4)."""
    given, true = _blacken(swap.content), _blacken(swap.target)
    errors = np.stack([np.square(given - frame).sum(axis=(1, 2, 3)) for frame in true])
    nearest: NDArray[np.intp] = errors.argmin(axis=1)
    return np.take(swap.content, nearest, axis=0)


class OwnFrames:
    """All frames of characters, found by motion tokens; each character's are read once."""

    def __init__(self, reader: MotionReader, read: Callable[[str], Frames]) -> None:
        """`read` gives all frames (N, canvas, canvas, 4) of the character of a name, `reader` their tokens."""
        self._reader, self._read = reader, read
        self._known: dict[str, tuple[Frames, NDArray[np.int64]]] = {}

    def choose(self, character: str, tokens: NDArray[np.int64]) -> Frames:
        """For each row of tokens (T, groups) the frame whose own tokens mean the nearest motion, (T, H, W, 4)."""
        if character not in self._known:
            frames = self._read(character)
            self._known[character] = frames, self._reader.encode_motion(frames)
        frames, own = self._known[character]
        nearest: NDArray[np.intp] = self._reader.compare_motion(tokens, own).argmin(axis=1)
        return np.take(frames, nearest, axis=0)


def _blacken(frames: Frames) -> NDArray[np.float64]:
    return frames[..., :3] * (frames[..., 3:] / 255)
