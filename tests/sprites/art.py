"""Art for the tests, all of it drawn here."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import Grid, read_clip

# No deadline: a machine that also trains is slow at times. A folder may serve all examples: each overwrites its file.
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def draw_figure(rng: np.random.Generator, width: int, height: int, look: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A figure (height, width, 4) with body, head and moving limbs, clear of the frame's edges; `look`: 4 colours."""
    frame = np.zeros((height, width, 4), dtype=np.uint8)
    centre, feet = width / 2 + rng.uniform(-0.06, 0.06) * width, height - 1 - max(1, round(height * 0.06))
    y, x = np.mgrid[:height, :width] + 0.0

    def fill(mask: NDArray[np.bool_], colour: int) -> None:
        frame[mask] = (*look[colour], 255)

    body = height * 0.18
    fill((abs(x - centre) < width * 0.16) & (abs(y - height * 0.55) < body), 0)
    for side in (-1, 1):
        swing = rng.uniform(0, 0.14) * width
        fill((abs(x - centre - side * (width * 0.08 + swing / 2)) < max(1, width * 0.06)) & (y > height * 0.6), 1)
        fill((abs(x - centre - side * width * 0.22) < max(1, width * 0.05)) & (abs(y - height * 0.5 - swing) < body), 2)
    fill((x - centre) ** 2 + (y - height * 0.25) ** 2 < (min(width, height) * 0.17) ** 2, 3)
    frame[feet + 1 :] = 0
    frame[:, 0] = frame[:, -1] = 0
    frame[0] = 0
    return frame


def draw_sheet(seed: int, grid: Grid, drawn: list[int] | None = None) -> NDArray[np.uint8]:
    """A sheet of one figure; `drawn` gives the number of drawn cells of each row, the others are empty."""
    rng = np.random.default_rng(seed)
    look = rng.integers(0, 256, (4, 3), dtype=np.uint8)
    sheet = np.zeros((grid.rows * grid.frame_height, grid.columns * grid.frame_width, 4), dtype=np.uint8)
    for row in range(grid.rows):
        for column in range(grid.columns if drawn is None else drawn[row]):
            y, x = row * grid.frame_height, column * grid.frame_width
            sheet[y : y + grid.frame_height, x : x + grid.frame_width] = draw_figure(
                rng, grid.frame_width, grid.frame_height, look
            )
    return sheet


def draw_clip(seed: int, count: int = 4, width: int = 32, height: int = 32) -> NDArray[np.uint8]:
    """Frames (count, height, width, 4) of one figure, hard alpha."""
    rng = np.random.default_rng(seed)
    look = rng.integers(0, 256, (4, 3), dtype=np.uint8)
    return np.stack([draw_figure(rng, width, height, look) for _ in range(count)])


@st.composite
def noise_clips(draw: st.DrawFn, side: int = 12, hard: bool = False, colours: int = 256) -> NDArray[np.uint8]:
    """Clips of random pixels in a random box, frames up to `side` high and wide; hard ones have alpha 0 or 255."""
    count, height, width = draw(st.integers(1, 4)), draw(st.integers(1, side)), draw(st.integers(1, side))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    frames = np.zeros((count, height, width, 4), dtype=np.uint8)
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    bottom, right = draw(st.integers(top + 1, height)), draw(st.integers(left + 1, width))
    inner = frames[:, top:bottom, left:right]
    look = rng.integers(0, 256, (colours, 4), dtype=np.uint8)
    inner[...] = look[rng.integers(0, colours, inner.shape[:3])]
    if hard:
        inner[..., 3] = np.where(inner[..., 3] < 100, 0, 255)
        frames[frames[..., 3] == 0] = 0
    return frames


def make_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def make_png(
    width: int, height: int, depth: int, colour: int, lines: list[bytes], *extra: tuple[bytes, bytes]
) -> bytes:
    """A PNG from the packed bytes of its lines; `extra`: chunks between header and pixels, such as tRNS."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + line for line in lines))
    chunks = [(b"IHDR", header), *extra, (b"IDAT", body), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(make_chunk(kind, data) for kind, data in chunks)


def save(pixels: np.ndarray, path: Path) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def fail(path: Path, match: str, **options: object) -> str:
    """Read, expect the error, return its message; every message is one line and names the file."""
    with pytest.raises(BitpuppetError, match=match) as info:
        read_clip(path, **options)  # type: ignore[arg-type]
    message = str(info.value)
    assert "\n" not in message
    assert path.name in message
    return message
