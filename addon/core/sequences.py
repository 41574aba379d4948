"""Numbered PNG files, as Blender renders them, as one film that the service reads: each file is a frame of an AVI.

Nothing is decoded here: the files go as they are, with their alpha, and the service crops and scales them. No Blender.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitpuppet_client.limits import MAX_FRAMES, MAX_VIDEO_BYTES

from .errors import ArtError

SUFFIX = ".png"
_NUMBERED = re.compile(r"(.*?)(\d{1,9})(\.png)", re.IGNORECASE)
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEAD = 24
"""Bytes up to the end of the height."""
_HAS_INDEX, _KEY_FRAME = 0x10, 0x10


def list_files(path: Path) -> list[Path]:
    """The files of the sequence that a file belongs to, by their numbers; a file without a number is one frame.

    Raises:
        ArtError: the folder cannot be read, or there are too many files.
    """
    parts = _NUMBERED.fullmatch(path.name)
    if parts is None:
        return [path]
    found = {}
    try:
        for other in path.parent.iterdir():
            match = _NUMBERED.fullmatch(other.name)
            if match is not None and (match[1], match[3]) == (parts[1], parts[3]):
                found[int(match[2])] = other
    except OSError as error:
        raise ArtError(f"{path.parent} cannot be read ({error.strerror}); choose another folder") from error
    if len(found) > MAX_FRAMES:
        raise ArtError(f"{path.name} is one of {len(found)} files, at most {MAX_FRAMES}; move some to another folder")
    return [found[number] for number in sorted(found)] or [path]


def read_sequence(path: Path, rate: Fraction) -> NDArray[np.uint8]:
    """A sequence as the bytes (n,) of a film; it takes its time.

    Args:
        path: one of its files.
        rate: frames a second.

    Raises:
        ArtError: a file is missing, no PNG or of another size, or all of them are too large to be sent.
    """
    frames: list[bytes] = []
    size, total = (0, 0), 0
    for file in list_files(path):
        try:
            data = file.read_bytes()
        except OSError as error:
            raise ArtError(f"{file} cannot be read ({error.strerror}); choose another file") from error
        if not data.startswith(_SIGNATURE) or len(data) < _HEAD:
            raise ArtError(f"{file.name} is no PNG; render the frames as PNG")
        own = struct.unpack(">II", data[16:24])
        if frames and own != size:
            raise ArtError(
                f"{file.name} is {own[0]}x{own[1]}, the files before it are {size[0]}x{size[1]}; render all in one size"
            )
        size, total = own, total + len(data) + 32  # what the film adds for each, at most
        if total > MAX_VIDEO_BYTES:
            raise ArtError(
                f"The files up to {file.name} have {MAX_VIDEO_BYTES // 1_000_000} million bytes, more are not sent; "
                "render smaller or fewer frames"
            )
        frames.append(data)
    return np.frombuffer(make_film(frames, size, rate), np.uint8)


def make_film(files: Sequence[bytes], size: tuple[int, int], rate: Fraction) -> bytes:
    """An AVI of PNG files of one size (width, height in pixels), at `rate` frames a second.

    Source: Microsoft's AVI RIFF file reference; the codec is the four letters MPNG.
    """
    width, height = size
    largest = max(map(len, files))
    main = struct.pack(
        "<14I",
        round(1_000_000 / rate),
        0,
        0,
        _HAS_INDEX,
        len(files),
        0,
        1,
        largest,
        width,
        height,
        *[0] * 4,
    )
    stream = struct.pack(
        "<4s4sIHHIIIIIIII4H",
        b"vids",
        b"MPNG",
        0,
        0,
        0,
        0,
        rate.denominator,
        rate.numerator,
        0,
        len(files),
        largest,
        0xFFFFFFFF,
        0,
        *[0] * 4,
    )
    form = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 32, b"MPNG", width * height * 4, 0, 0, 0, 0)
    header = _list(b"hdrl", _chunk(b"avih", main), _list(b"strl", _chunk(b"strh", stream), _chunk(b"strf", form)))
    index, place = [], 4
    for data in files:
        index.append(struct.pack("<4sIII", b"00dc", _KEY_FRAME, place, len(data)))
        place += 8 + len(data) + len(data) % 2
    movie = _list(b"movi", *(_chunk(b"00dc", data) for data in files))
    body = b"".join((b"AVI ", header, movie, _chunk(b"idx1", b"".join(index))))
    return _chunk(b"RIFF", body)


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _list(name: bytes, *chunks: bytes) -> bytes:
    return _chunk(b"LIST", b"".join((name, *chunks)))
