"""Videos to clips: all of one at once, or in windows, so that a long one needs no more memory than a short one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites.clip import MAX_FRAMES, MAX_PIXELS, Clip
from bitpuppet.sprites.video.container import Video, VideoInfo, open_video
from bitpuppet.sprites.video.sampling import (
    Moment,
    count_durations,
    find_target,
    fit_picture,
    is_hard,
    sample_moments,
)
from bitpuppet.sprites.video.settings import VideoSettings

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

MAX_SECONDS = 3600
"""Most seconds of a video that are read in one go."""
WINDOW_FRAMES = 64
Watch = Callable[[int, int], None]
"""(frames that are there, frames in all or 0 where that is not known); whatever it raises ends the reading."""


def probe_video(path: str | Path, data: BinaryIO | None = None) -> VideoInfo:
    """What the header of a video says. `data` and errors as in `open_video`."""
    with open_video(path, data) as video:
        return video.info


def read_video(
    path: str | Path,
    settings: VideoSettings | None = None,
    data: BinaryIO | None = None,
    watch: Watch | None = None,
) -> Clip:
    """What the settings take of a video, as one clip at a constant frame rate.

    `data`: the file's bytes where they are not on this disk; `path` is then only what messages call it. `watch`: for
    progress and cancelling.

    Raises BitpuppetError as `open_video`, and when the range is empty or longer than MAX_SECONDS, the crop reaches
    beyond the picture, or the clip has more than MAX_FRAMES or MAX_PIXELS; as far as the header says it, before
    anything is decoded.
    """
    path, settings = Path(path), settings or VideoSettings()
    with open_video(path, data) as video:
        rate = settings.fps or video.info.rate
        seconds = _check_seconds(video, settings)
        expected = 0 if seconds is None else max(1, round(seconds * rate))
        if seconds is not None:
            # Turned pictures have their sides exchanged: the crop is looked at when one has been seen.
            pixels = _count_pixels(video.info, settings)
            _check_clip(path, max(1, int(seconds * rate)), pixels, rate, settings)
        frames: list[NDArray[np.uint8]] = []

        def tell() -> None:
            if watch is not None:
                watch(len(frames), expected)

        for frame in _read_frames(video, settings, rate, tell):
            frames.append(frame)
            if len(frames) % 16 == 1:
                _check_clip(path, len(frames), frame.shape[0] * frame.shape[1], rate, settings)
        _check_clip(path, len(frames), frames[0].shape[0] * frames[0].shape[1], rate, settings)
        return Clip(np.stack(frames), count_durations(rate, 0, len(frames)), name=path.stem)


def read_windows(
    path: str | Path, settings: VideoSettings | None = None, frames: int = WINDOW_FRAMES, overlap: int = 0
) -> Iterator[Clip]:
    """What the settings take of a video, in clips of up to `frames` frames, decoded as they are asked for.

    Each window after the first begins with the last `overlap` frames of the one before it, so that results can be
    joined without a seam. No more than one window and one picture is held. The file stays open until the iterator
    ends or is closed.

    Raises BitpuppetError as `read_video`, but for the limits of a clip, which here hold for a window; ValueError
    unless 0 <= overlap < frames <= MAX_FRAMES.
    """
    if not 0 <= overlap < frames <= MAX_FRAMES:
        raise ValueError(f"windows of {frames} frames cannot overlap by {overlap}")
    path, settings = Path(path), settings or VideoSettings()
    with open_video(path) as video:
        rate = settings.fps or video.info.rate
        _check_seconds(video, settings)
        source = _read_frames(video, settings, rate)
        first, kept = 0, list(islice(source, 1))
        _check_clip(path, frames, kept[0].shape[0] * kept[0].shape[1], rate, settings)
        fresh = len(kept)
        while True:
            new = list(islice(source, frames - len(kept)))
            if not new and not fresh:
                return
            window = np.stack(kept + new)
            kept, fresh = list(window[len(window) - overlap :].copy()) if overlap else [], 0
            yield Clip(window, count_durations(rate, first, len(window)), name=path.stem)
            first += len(window) - overlap


def _read_frames(
    video: Video, settings: VideoSettings, rate: Fraction, tell: Callable[[], None] = lambda: None
) -> Iterator[NDArray[np.uint8]]:
    """Cropped and scaled frames RGBA (H, W, 4), one at least, all of the first one's size.

    `tell` is called after each picture that is decoded, also of those on the way to the range.
    """
    hard, drawn, fitted, count = False, None, None, 0

    def decode() -> Iterator[Moment[VideoFrame]]:
        for moment in video.decode(settings.start):
            tell()
            yield moment

    for picture in sample_moments(decode(), rate, video.info.rate, settings.start, settings.end):
        if count > MAX_SECONDS * rate:
            raise BitpuppetError(_describe_length(video.path, None))
        if picture is not drawn:
            pixels = video.draw(picture)
            if fitted is None:
                hard = is_hard(pixels, settings, video.info.lossless)
            try:
                new = fit_picture(pixels, settings, hard)
            except BitpuppetError as error:
                raise BitpuppetError(f"{video.path}: {error}") from error
            if fitted is not None and new.shape != fitted.shape:
                raise BitpuppetError(
                    f"{video.path} changes its size to {new.shape[1]}x{new.shape[0]}; give all of it one --size"
                )
            drawn, fitted = picture, new
        assert fitted is not None
        yield fitted
        count += 1
    if not count:
        if settings.start:
            raise BitpuppetError(f"{video.path} ends before --range begins, at {_tell(settings.start)}; correct it")
        raise BitpuppetError(f"{video.path} has no picture that can be decoded; convert it again")


def _check_seconds(video: Video, settings: VideoSettings) -> Fraction | None:
    """Seconds that will be read, as far as is known before. Raises BitpuppetError beyond MAX_SECONDS or the end."""
    ends = [end for end in (video.info.seconds, settings.end) if end is not None]
    if video.info.seconds is not None and settings.start >= video.info.seconds > 0:
        raise BitpuppetError(
            f"{video.path} is {_tell(video.info.seconds)} long, --range begins at {_tell(settings.start)}; correct it"
        )
    seconds = min(ends) - settings.start if ends else None
    if seconds is not None and seconds > MAX_SECONDS:
        raise BitpuppetError(_describe_length(video.path, seconds))
    return seconds


def _describe_length(path: Path, seconds: Fraction | None) -> str:
    length = "goes on" if seconds is None else f"would be read for {_tell(seconds)}"
    return (
        f"{path} {length}, the limit is {_tell(Fraction(MAX_SECONDS))} (hours:minutes:seconds) at a time; "
        "name a part, such as --range 0:00-10:00"
    )


def _count_pixels(info: VideoInfo, settings: VideoSettings) -> int:
    try:
        width, height = find_target(settings, info.width, info.height)
    except BitpuppetError:
        return 1
    return width * height


def _check_clip(path: Path, count: int, pixels: int, rate: Fraction, settings: VideoSettings) -> None:
    """Raise BitpuppetError when so many frames of so many pixels are too much for one clip."""
    if count > MAX_FRAMES:
        least = float(settings.start)
        part = f"--range {least:g}-{least + MAX_FRAMES // rate:g}"
        raise BitpuppetError(
            f"{path} has {count} frames at {float(rate):g} a second, the limit is {MAX_FRAMES}; "
            f"name a part, such as {part}, or a lower --fps"
        )
    if count * pixels > MAX_PIXELS:
        raise BitpuppetError(
            f"{path} has {count * pixels // 1_000_000} million pixels in {count} frames, the limit is "
            f"{MAX_PIXELS // 1_000_000} million in all; give --size 64x64, a --crop, or a part with --range"
        )


def _tell(seconds: Fraction) -> str:
    """Seconds as people read them: 7.5 s, or 1:02:03."""
    if seconds < 60:
        return f"{float(seconds):g} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"
