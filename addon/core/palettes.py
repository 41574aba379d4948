"""Palettes: text files of pixel artists, the numbers that records keep, and Blender's linear colours."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .errors import ArtError

Colours = NDArray[np.uint8]
"""sRGB (P, 3)."""

MAX_COLOURS = 256
TEXT_SUFFIXES = (".gpl", ".pal", ".hex")
IMAGE_SUFFIXES = (".png", ".gif")
_MAX_BYTES = 1 << 20
_OPAQUE = 128
_HEX = re.compile(r"#?([0-9A-Fa-f]{6})([0-9A-Fa-f]{2})?")
_KNEE, _SLOPE, _POWER, _OFFSET = 0.0031308, 12.92, 2.4, 0.055
"""Of the sRGB curve."""


def read_file(path: Path) -> Colours:
    """The colours of a .gpl, .pal or .hex file, each once, in its order.

    Raises:
        ArtError: it cannot be read, or is no palette of 1 to 256 colours.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ArtError(f'"{path.name}" cannot be read ({error.strerror}); choose another file') from error
    if len(data) > _MAX_BYTES:
        raise ArtError(f'"{path.name}" is too large for a palette; choose another file')
    return parse(data, path.suffix.lower(), path.name)


def parse(data: bytes, suffix: str, name: str) -> Colours:
    """The colours of a file's bytes, as `read_file` gives them."""
    if suffix == ".pal" and data[:4] == b"RIFF":
        return check_colours(list(_parse_riff(data, name)), name)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # names of colours in old files of GIMP
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if suffix == ".hex":
        return check_colours([_parse_hex(line, name) for line in lines], name)
    if suffix == ".gpl" and lines[:1] == ["GIMP Palette"]:
        kept = [line for line in lines[1:] if not re.match(r"#|(Name|Columns|Channels)\s*:", line)]
    elif suffix == ".pal" and lines[:1] == ["JASC-PAL"]:
        kept = lines[3:]  # after the version and the number of colours
    else:
        raise ArtError(f'"{name}" is no palette that can be read; export it as .gpl, .pal or .hex')
    return check_colours([_parse_levels(line, name) for line in kept], name)


def collect_colours(pixels: NDArray[np.uint8], name: str) -> Colours:
    """The colours of a picture (H, W, 4): those of its opaque pixels, in reading order. Raises as `check_colours`."""
    opaque = pixels[pixels[..., 3] >= _OPAQUE][:, :3]
    _, first = np.unique(opaque, axis=0, return_index=True)
    return check_colours(opaque[np.sort(first)], name)


def check_colours(colours: Sequence[tuple[int, int, int]] | Colours, name: str) -> Colours:
    """The colours, each once. Raises ArtError unless they are 1 to 256."""
    rows = dict.fromkeys(tuple(int(level) for level in colour) for colour in colours)
    if not 1 <= len(rows) <= MAX_COLOURS:
        raise ArtError(f'"{name}" has {len(rows)} colors, a palette has 1 to {MAX_COLOURS}; use another one')
    return np.array(list(rows), dtype=np.uint8)


def pack(colours: Colours) -> tuple[int, ...]:
    """Each colour as one number, 0xRRGGBB, for records."""
    return tuple(int(red) << 16 | int(green) << 8 | int(blue) for red, green, blue in colours)


def unpack(numbers: Sequence[int]) -> Colours:
    """The inverse of `pack`."""
    return np.array([[one >> 16 & 255, one >> 8 & 255, one & 255] for one in numbers], dtype=np.uint8).reshape(-1, 3)


def to_bytes(levels: NDArray[np.float32], is_linear: bool) -> Colours:
    """Blender's colours (P, 3) as bytes; from 5.0 on it keeps them linear."""
    levels = np.clip(levels, 0, 1)
    if is_linear:
        curved = (1 + _OFFSET) * np.power(levels, 1 / _POWER) - _OFFSET
        levels = np.where(levels <= _KNEE, levels * _SLOPE, curved)
    return np.rint(levels * 255).astype(np.uint8)


def to_levels(colours: Colours, is_linear: bool) -> NDArray[np.float32]:
    """The inverse of `to_bytes`."""
    levels = colours.astype(np.float32) / np.float32(255)
    if is_linear:
        curved = np.power((levels + _OFFSET) / (1 + _OFFSET), _POWER)
        levels = np.where(levels <= _KNEE * _SLOPE, levels / _SLOPE, curved)
    return levels.astype(np.float32)


def _parse_hex(line: str, name: str) -> tuple[int, int, int]:
    match = _HEX.fullmatch(line)
    if match is None:
        raise ArtError(f'"{name}" has the line {line[:24]!r}, which is no color; write one a line, such as ff8800')
    red, green, blue = bytes.fromhex(match[1])
    return red, green, blue


def _parse_levels(line: str, name: str) -> tuple[int, int, int]:
    parts = line.split()[:3]
    levels = [int(part) if len(part) <= 3 and part.isascii() and part.isdecimal() else 256 for part in parts]
    if len(levels) < 3 or max(levels) > 255:
        raise ArtError(f'"{name}" has the line {line[:24]!r}, not red, green and blue from 0 to 255; correct it')
    return levels[0], levels[1], levels[2]


def _parse_riff(data: bytes, name: str) -> Iterator[tuple[int, int, int]]:
    """Microsoft's: RIFF, PAL, data, then a version, a count, and four bytes a colour."""
    count = struct.unpack_from("<H", data, 22)[0] if len(data) >= 24 else 0
    if data[8:16] != b"PAL data" or len(data) < 24 + 4 * count:
        raise ArtError(f'"{name}" is damaged; export it again as .pal, .gpl or .hex')
    for place in range(24, 24 + 4 * count, 4):
        yield data[place], data[place + 1], data[place + 2]
