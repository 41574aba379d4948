"""Moments in time to frames at a constant rate, and pictures to their crop and size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites.clip import Clip
from bitpuppet.sprites.video.settings import VideoSettings

MAX_HARD_COLOURS = 256
"""Colours up to which a picture counts as pixel art."""
T = TypeVar("T")


@dataclass(frozen=True)
class Moment(Generic[T]):
    """A picture, when it is shown first, and how long, in seconds from the video's start."""

    time: Fraction
    length: Fraction
    picture: T


def sample_moments(
    moments: Iterable[Moment[T]], rate: Fraction, native: Fraction, start: Fraction, end: Fraction | None
) -> Iterator[T]:
    """The picture that is shown at `start`, a frame later, and so on at `rate` frames a second until the end.

    `native`: about how many pictures a second there are. Times in files are rounded, so each is looked up a quarter of
    the shorter interval late: at the file's own rate every picture comes once.
    """
    step = 1 / rate
    late = min(step, 1 / native) / 4
    number, current = 0, None
    for moment in moments:
        while current is not None and start + number * step + late < moment.time:
            if end is not None and start + number * step + late > end:
                return
            yield current.picture
            number += 1
        current = moment
        if end is not None and moment.time >= end:
            break
    if current is not None:
        stop = current.time + current.length
        stop = stop if end is None else min(stop, end)
        # Where lengths in the file are wrong, what is shown at the start is shown all the same.
        while start + number * step + late <= stop or (number == 0 and start < stop):
            yield current.picture
            number += 1


def count_durations(rate: Fraction, first: int, count: int) -> tuple[int, ...]:
    """Milliseconds of `count` frames at a constant rate from number `first` on; their rounding does not add up."""
    times = [round(1000 * number / rate) for number in range(first, first + count + 1)]
    return tuple(max(1, after - before) for before, after in pairwise(times))


def find_target(settings: VideoSettings, width: int, height: int) -> tuple[int, int]:
    """Width and height of a frame that is made of a picture of this size. Errors as in `Crop.find_box`."""
    wanted = settings.size if isinstance(settings.size, tuple) else None
    if settings.crop is not None:
        _, _, width, height = settings.crop.find_box(width, height, wanted)
    if isinstance(settings.size, int):
        longer = max(width, height)
        return max(1, round(width * settings.size / longer)), max(1, round(height * settings.size / longer))
    return wanted or (width, height)


def fit_picture(picture: NDArray[np.uint8], settings: VideoSettings, hard: bool) -> NDArray[np.uint8]:
    """Crop and scale RGBA (H, W, 4); `hard` takes the nearest pixel, else areas are averaged, weighted by alpha."""
    height, width, _ = picture.shape
    target = find_target(settings, width, height)
    if settings.crop is not None:
        wanted = settings.size if isinstance(settings.size, tuple) else None
        left, top, wide, high = settings.crop.find_box(width, height, wanted)
        picture = picture[top : top + high, left : left + wide]
    height, width, _ = picture.shape
    if (width, height) == target:
        return np.ascontiguousarray(picture)
    smooth = Image.Resampling.BILINEAR if min(target[0] / width, target[1] / height) > 1 else Image.Resampling.BOX
    image = Image.fromarray(np.ascontiguousarray(picture))
    return np.asarray(image.resize(target, Image.Resampling.NEAREST if hard else smooth))


def is_hard(picture: NDArray[np.uint8], settings: VideoSettings, lossless: bool) -> bool:
    """Whether frames are made with the nearest pixel, judged by the first picture RGBA (H, W, 4)."""
    if settings.sampling != "auto":
        return settings.sampling == "nearest"
    if not lossless:
        return False
    return len(np.unique(np.ascontiguousarray(picture).view(np.uint32))) <= MAX_HARD_COLOURS


def cut_clip(clip: Clip, settings: VideoSettings) -> Clip:
    """What the settings take of a clip that is in memory; its tags go where the timing changes."""
    if settings.is_whole:
        return clip
    frames, durations, tags = clip.frames, clip.durations_ms, clip.tags
    if settings.fps is not None or settings.start or settings.end is not None:
        chosen, durations = _retime(clip, settings)
        if not chosen:
            raise BitpuppetError(f"{clip.name} ends before --range begins, at {float(settings.start):g} s; correct it")
        frames, tags = frames[chosen], ()
    hard = is_hard(frames[0], settings, lossless=True)
    fitted = np.stack([fit_picture(frame, settings, hard) for frame in frames])
    return Clip(fitted, durations, name=clip.name, tags=tags)


def _retime(clip: Clip, settings: VideoSettings) -> tuple[list[int], tuple[int, ...]]:
    """Numbers of the frames to take, and their durations in milliseconds; without a rate, these stay as they are."""
    ends = list(accumulate(clip.durations_ms))
    moments = [
        Moment(Fraction(end - length, 1000), Fraction(length, 1000), number)
        for number, (end, length) in enumerate(zip(ends, clip.durations_ms, strict=True))
    ]
    if settings.fps is not None:
        native = Fraction(1000 * len(clip), ends[-1])
        chosen = list(sample_moments(moments, settings.fps, native, settings.start, settings.end))
        return chosen, count_durations(settings.fps, 0, len(chosen))
    chosen = [
        moment.picture
        for moment in moments
        if moment.time + moment.length > settings.start and (settings.end is None or moment.time < settings.end)
    ]
    return chosen, tuple(clip.durations_ms[number] for number in chosen)
