"""Image files to exact RGBA pixels: checked by their header first, never larger than the limit."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites.clip import DEFAULT_DURATION_MS, MAX_FRAMES, MAX_PIXELS

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GIF_SIGNATURES = (b"GIF87a", b"GIF89a")
_HEADER_BYTES = 26
_FORMATS = ("PNG", "GIF")
"""What Pillow may try. Its other parsers (some call outside programs) are nothing that sprites need."""

# What Pillow raises for damaged files, found by fuzzing. Warnings are here for those who turn them into errors.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
    struct.error,
    zlib.error,
    Warning,
    Image.DecompressionBombError,
)


@dataclass(frozen=True, eq=False)
class Picture:
    """The decoded frames of one file.

    `frames`: uint8 (T, H, W, 4). `durations_ms`: T times. `animated`: whether the file itself tells its frames.
    """

    frames: NDArray[np.uint8]
    durations_ms: tuple[int, ...]
    animated: bool


def read_size(path: Path) -> tuple[int, int]:
    """Width and height from the header of a PNG or GIF, nothing decoded. BitpuppetError when it is neither."""
    with open_file(path) as file:
        return _parse_header(file, path)[:2]


def read_picture(path: Path) -> Picture:
    """Decode a PNG, APNG or GIF; a still image is one frame.

    Raises BitpuppetError when the file is missing, unreadable, damaged, no such image, or beyond the limits of
    MAX_PIXELS (all frames together) and MAX_FRAMES.
    """
    with open_file(path) as file:
        width, height, depth = _parse_header(file, path)
        check_pixels(path, width, height, 1)
        file.seek(0)
        try:
            with Image.open(file, formats=_FORMATS) as image:
                return _decode(image, path, depth)
        except _DAMAGE as error:
            raise BitpuppetError(
                f"{path} is damaged or cut short ({_first_line(error)}); export it again as PNG"
            ) from error


def check_pixels(path: Path, width: int, height: int, frames: int) -> None:
    """Raise BitpuppetError when `frames` frames of this size go beyond MAX_FRAMES or MAX_PIXELS."""
    if frames > MAX_FRAMES:
        raise BitpuppetError(f"{path} has {frames} frames, the limit is {MAX_FRAMES}; split it into shorter clips")
    if width * height * frames > MAX_PIXELS:
        size = f"{width}x{height} pixels" + (f" in {frames} frames" if frames > 1 else "")
        raise BitpuppetError(
            f"{path} is {size}, the limit is {MAX_PIXELS // 1_000_000} million pixels in all; split it or scale it down"
        )


def read_bytes(path: Path, limit: int) -> bytes:
    """All bytes of a file. Raises BitpuppetError when it cannot be read or has more than `limit` bytes."""
    with open_file(path) as file:
        try:
            data = file.read(limit + 1)
        except OSError as error:
            raise BitpuppetError(f"{path} cannot be read ({_first_line(error)}); copy it to another disk") from error
    if len(data) > limit:
        raise BitpuppetError(f"{path} has more than {limit >> 20} MiB, which is the limit; split it into smaller files")
    if not data:
        raise BitpuppetError(f"{path} is an empty file; export it again")
    return data


@contextmanager
def open_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading. BitpuppetError when it is missing, may not be read, or is no plain file."""
    try:
        # Opening a named pipe would wait for ever.
        if path.exists() and not path.is_file():
            raise BitpuppetError(f"{path} is not a file with an image in it; name a PNG, APNG or GIF")
        file = path.open("rb")
    except FileNotFoundError as error:
        raise BitpuppetError(f"{path} does not exist; check the name and the folder") from error
    except PermissionError as error:
        raise BitpuppetError(f"{path} may not be read; give yourself the permission to read it") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise BitpuppetError(f"{path} cannot be opened ({_first_line(error)}); check the name") from error
    with file:
        yield file


def _parse_header(file: BinaryIO, path: Path) -> tuple[int, int, int]:
    """Width, height and bits per channel as the first bytes of a PNG or GIF tell them."""
    try:
        head = file.read(_HEADER_BYTES)
    except OSError as error:
        raise BitpuppetError(f"{path} cannot be read ({_first_line(error)}); copy it to another disk") from error
    if head.startswith(_PNG_SIGNATURE) and len(head) == _HEADER_BYTES and head[12:16] == b"IHDR":
        width, height, depth = struct.unpack(">IIB", head[16:25])
    elif head.startswith(_GIF_SIGNATURES) and len(head) >= 10:
        (width, height), depth = struct.unpack("<HH", head[6:10]), 8
    elif not head:
        raise BitpuppetError(f"{path} is an empty file; export it again")
    else:
        raise BitpuppetError(f"{path} is not a PNG, APNG or GIF image; export the art in one of these formats")
    if not width or not height:
        raise BitpuppetError(f"{path} is {width}x{height} pixels; an image has at least one pixel, export it again")
    return width, height, depth


def _decode(image: Image.Image, path: Path, depth: int) -> Picture:
    count = getattr(image, "n_frames", 1)
    # An APNG may carry a still image for old viewers that is no part of the animation.
    first = 1 if getattr(image, "default_image", False) and count > 1 else 0
    width, height = image.size
    check_pixels(path, width, height, count - first)
    frames = np.empty((count - first, height, width, 4), dtype=np.uint8)
    durations = []
    for index in range(count):
        image.seek(index)
        # The frames of a GIF may reach beyond its header's size: looked at before memory is taken for them.
        if image.size != (width, height):
            raise ValueError(f"frame {index} is {image.width}x{image.height}, not {width}x{height}")
        image.load()
        if index < first:
            continue
        frames[index - first] = _convert(image, depth)
        durations.append(_read_duration(image))
    return Picture(frames, tuple(durations), animated=count > 1)


def _read_duration(image: Image.Image) -> int:
    """Milliseconds of the current frame. 0 means "as fast as possible", which players show at 100 ms."""
    duration = image.info.get("duration", 0)
    return max(1, round(duration)) if duration > 0 else DEFAULT_DURATION_MS


def _convert(image: Image.Image, depth: int) -> NDArray[np.uint8]:
    """RGBA uint8 (H, W, 4) of an image of any mode that PNG and GIF have; of 16 bits the upper 8 are kept."""
    transparent = image.info.get("transparency")
    if image.mode.startswith("I"):
        # Pillow clips 16-bit grey at 255 instead of scaling it.
        wide = np.asarray(image).astype(np.int64)
        grey = (wide >> 8).astype(np.uint8)
        alpha = np.where(wide == transparent, 0, 255).astype(np.uint8)
        return np.stack([grey, grey, grey, alpha], axis=-1)
    # Pillow scales the pixels to 8 bits but leaves the transparent colour at the depth of the file.
    if image.mode == "L" and isinstance(transparent, int) and depth in (2, 4):
        image.info["transparency"] = transparent * (85 if depth == 2 else 17)
    elif image.mode == "RGB" and isinstance(transparent, tuple) and depth == 16:
        image.info["transparency"] = tuple(value >> 8 for value in transparent)
    rgba = np.asarray(image.convert("RGBA"))
    if transparent is not None and "transparency" in image.info:
        image.info["transparency"] = transparent
    return rgba


def _first_line(error: BaseException) -> str:
    """The error in one line, so that messages stay one line."""
    text = str(error.strerror if isinstance(error, OSError) and error.strerror else error).strip()
    return text.splitlines()[0] if text else type(error).__name__
