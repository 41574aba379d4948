"""Cycles: which frames come next when an animation simply goes on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bitpuppet.jobs.seams import measure_change

ALIKE = 0.1
"""Frames are the same in two turns of a cycle if they differ by less than this share of a mean step."""


def find_period(frames: NDArray[np.uint8]) -> int:
    """The shortest period, in frames, that frames (T, H, W, 4) go through at least twice, else T.

    Pixels decide, not motion tokens: of a quiet animation all frames may share their tokens.
    """
    count = len(frames)
    steps = [measure_change(first, second) for first, second in pairwise(frames)]
    limit = ALIKE * sum(steps) / max(1, len(steps))
    for period in range(1, count // 2 + 1):
        pairs = zip(frames[period:], frames[:-period], strict=True)
        if all(measure_change(first, second) <= limit for first, second in pairs):
            return period
    return count


def list_next(count: int, period: int, frames: int, *, loop: bool = False) -> NDArray[np.int64]:
    """Which of the `count` given frames the next `frames` ones repeat, when the last `period` of them go on.

    With `loop` the frame after them is the first one: where whole periods do not fit into `frames`, they pass a little
    faster or slower, evenly.

    Args:
        count: 1 or more.
        period: 1..count; `find_period` says which.
        frames: 1 or more.
        loop: end where the first frame follows.

    Returns:
        int64 (frames,) in 0..count-1.
    """
    ticks = np.arange(1, frames + 1)
    if loop:
        arrival = max(-(-count // period), round((count + frames) / period)) * period
        ticks = ticks * (arrival - count + 1) // (frames + 1)
    numbers = count - 1 + ticks
    return np.where(numbers < count, numbers, count - period + (numbers - count) % period).astype(np.int64)


def match_frames(drawn: NDArray[np.int64], given: NDArray[np.int64]) -> list[int | None]:
    """For each frame of tokens (N, groups), the given frame (T, groups) with the same ones, or None.

    Several poses may share their tokens: then the one that comes next in time is meant.
    """
    places: dict[bytes, list[int]] = {}
    for number, row in enumerate(given):
        places.setdefault(row.tobytes(), []).append(number)
    matches: list[int | None] = []
    last = len(given) - 1
    for row in drawn:
        found = places.get(row.tobytes())
        if found is None:
            matches.append(None)
        else:
            last = _next_after(last, found, len(given))
            matches.append(last)
    return matches


def _next_after(last: int, places: Sequence[int], count: int) -> int:
    return min(places, key=lambda place: (place - last - 1) % count)
