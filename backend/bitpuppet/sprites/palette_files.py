"""Palettes from files: GIMP (.gpl), JASC and Microsoft (.pal), lists of hex colours (.hex) and images (.png, .gif)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from einops import rearrange
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites.formats.binary import quote
from bitpuppet.sprites.images import read_bytes, read_picture
from bitpuppet.sprites.palette import MAX_COLOURS, OPAQUE_ALPHA, pack_colours

TEXT_SUFFIXES = (".gpl", ".pal", ".hex")
IMAGE_SUFFIXES = (".png", ".gif")
MAX_PALETTE_BYTES = 1 << 20
_HEX = re.compile(r"#?([0-9A-Fa-f]{6})([0-9A-Fa-f]{2})?")


def read_palette(path: Path) -> NDArray[np.uint8]:
    """The colours of a palette file, uint8 (P, 3), P from 1 to 256, each one once, in the order of the file.

    Of an image, the colours of its opaque pixels in reading order. Raises BitpuppetError when the file cannot be read,
    is no palette, or has more than 256 colours.
    """
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        frames = read_picture(path).frames
        return _finish(frames[frames[..., 3] >= OPAQUE_ALPHA][:, :3], str(path))
    if suffix not in TEXT_SUFFIXES:
        known = ", ".join((*TEXT_SUFFIXES, *IMAGE_SUFFIXES))
        raise BitpuppetError(f"{path} is no palette by its name; name a file that ends in one of {known}")
    return parse_palette(read_bytes(path, MAX_PALETTE_BYTES), suffix, str(path))


def parse_palette(data: bytes, suffix: str, name: str) -> NDArray[np.uint8]:
    """The colours of a file's bytes as `read_palette` gives them; `suffix`: one of TEXT_SUFFIXES."""
    if suffix == ".pal" and data[:4] == b"RIFF":
        return _finish(_parse_riff(data, name), name)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # names of colours in old GIMP files
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if suffix == ".hex":
        colours = [_parse_hex(line, number, name) for number, line in lines]
    elif suffix == ".pal":
        colours = list(_parse_jasc(lines, name))
    else:
        colours = list(_parse_gimp(lines, name))
    return _finish(np.array(colours, dtype=np.uint8).reshape(-1, 3), name)


def _finish(colours: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    """Each colour once, where it was first."""
    if not len(colours):
        raise BitpuppetError(f"{name} has no colours; name a palette with at least one")
    _, first = np.unique(pack_colours(colours), return_index=True)
    if len(first) > MAX_COLOURS:
        raise BitpuppetError(
            f"{name} has {len(first)} colours, a palette has {MAX_COLOURS} at most; name a smaller one, or a number of "
            "colours"
        )
    return colours[np.sort(first)]


def _parse_hex(line: str, number: int, name: str) -> tuple[int, int, int]:
    match = _HEX.fullmatch(line)
    if not match:
        raise BitpuppetError(
            f"{name}, line {number} is {quote(line)}, not a colour; write one colour a line, such as ff8800"
        )
    red, green, blue = bytes.fromhex(match[1])
    return red, green, blue


def _parse_gimp(lines: list[tuple[int, str]], name: str) -> Iterator[tuple[int, int, int]]:
    if not lines or lines[0][1] != "GIMP Palette":
        raise BitpuppetError(f"{name} does not begin with 'GIMP Palette'; export the palette again as .gpl")
    for number, line in lines[1:]:
        if not line.startswith("#") and not re.match(r"(Name|Columns|Channels)\s*:", line):
            yield _parse_levels(line, number, name)


def _parse_jasc(lines: list[tuple[int, str]], name: str) -> Iterator[tuple[int, int, int]]:
    if len(lines) < 3 or lines[0][1] != "JASC-PAL":
        raise BitpuppetError(f"{name} is neither a JASC nor a Microsoft palette; export it again as .pal, .gpl or .hex")
    for number, line in lines[3:]:  # after the version and the number of colours
        yield _parse_levels(line, number, name)


def _parse_levels(line: str, number: int, name: str) -> tuple[int, int, int]:
    parts = line.split()[:3]
    levels = [int(part) if len(part) <= 3 and part.isascii() and part.isdecimal() else 256 for part in parts]
    if len(levels) < 3 or max(levels) > 255:
        raise BitpuppetError(
            f"{name}, line {number} is {quote(line)}, not red, green and blue from 0 to 255; correct it"
        )
    return levels[0], levels[1], levels[2]


def _parse_riff(data: bytes, name: str) -> NDArray[np.uint8]:
    """Microsoft's palette: RIFF, PAL, data, then a version, a count, and four bytes a colour."""
    broken = BitpuppetError(f"{name} is damaged or no palette; export it again as .pal, .gpl or .hex")
    if len(data) < 24 or data[8:16] != b"PAL data":
        raise broken
    (count,) = struct.unpack_from("<H", data, 22)
    if len(data) < 24 + 4 * count:
        raise broken
    return rearrange(np.frombuffer(data, np.uint8, 4 * count, 24), "(n c) -> n c", c=4)[:, :3]
