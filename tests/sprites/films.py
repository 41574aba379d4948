"""Videos for the tests, all of them written here."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]
LEVELS = tuple(range(10, 250, 20))
"""Grey level of each frame: twelve that no codec confuses."""


def draw_levels(count: int = len(LEVELS), width: int = 32, height: int = 24) -> Frames:
    """Opaque grey frames (count, height, width, 4), each of its own level, with a white corner at the top left."""
    frames = np.full((count, height, width, 4), 255, dtype=np.uint8)
    for frame, level in zip(frames, LEVELS * (count // len(LEVELS) + 1), strict=False):
        frame[..., :3] = level
    frames[:, : height // 4, : width // 4, :3] = 255
    return frames


def read_levels(frames: Frames) -> list[int]:
    """Number of the level that the lower right of each frame shows."""
    height, width = frames.shape[1:3]
    shown = frames[:, height // 2 :, width // 2 :, :3].mean(axis=(1, 2, 3))
    return [int(np.argmin(np.abs(np.array(LEVELS) - level))) for level in shown]


def write_film(
    path: Path,
    frames: Frames,
    rate: Fraction | int = 25,
    *,
    codec: str = "mpeg4",
    pixels: str = "yuv420p",
    times_ms: Sequence[int] | None = None,
    rotation: int = 0,
    sound: bool = False,
    picture: bool = True,
) -> Path:
    """Write RGBA frames as a video; `times_ms` makes the rate vary, `rotation` is said in the header alone."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate) if picture else None
        speaker = container.add_stream("aac", rate=8000) if sound else None
        if stream is not None:
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = pixels
            stream.options = {"qscale": "1"}
            if rotation:
                stream.set_display_rotation(rotation)
            base = Fraction(1, 1000) if times_ms is not None else 1 / Fraction(rate)
            stream.codec_context.time_base = base
            for number, frame in enumerate(frames):
                shown = av.VideoFrame.from_ndarray(frame, format="rgba").reformat(format=pixels)
                shown.pts, shown.time_base = number if times_ms is None else times_ms[number], base
                container.mux(stream.encode(shown))
            container.mux(stream.encode(None))
        if speaker is not None:
            hush = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
            hush.sample_rate, hush.pts = 8000, 0
            container.mux(speaker.encode(hush))
            container.mux(speaker.encode(None))
    return path
