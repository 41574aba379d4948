"""A writer of Aseprite files for the tests, chunk by chunk, so that broken and unusual ones can be made too."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

import numpy as np

SIZES = {8: 1, 16: 2, 32: 4}


def make_text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<H", len(data)) + data


def make_chunk(kind: int, data: bytes) -> bytes:
    return struct.pack("<IH", 6 + len(data), kind) + data


def make_layer(
    name: str = "L", *, flags: int = 1, kind: int = 0, level: int = 0, blend: int = 0, opacity: int = 255
) -> bytes:
    extra = struct.pack("<I", 0) if kind == 2 else b""
    head = struct.pack("<HHHHHHB3x", flags, kind, level, 0, 0, blend, opacity)
    return make_chunk(0x2004, head + make_text(name) + extra)


def make_cel(
    layer: int,
    pixels: np.ndarray,
    *,
    at: tuple[int, int] = (0, 0),
    opacity: int = 255,
    z: int = 0,
    raw: bool = False,
    data: bytes | None = None,
) -> bytes:
    """`pixels`: (height, width) of indices, or (height, width, channels) as stored."""
    head = struct.pack("<HhhBHh5x", layer, *at, opacity, 0 if raw else 2, z)
    size = struct.pack("<HH", pixels.shape[1], pixels.shape[0])
    stored = pixels.astype(np.uint8).tobytes()
    if data is None:
        data = stored if raw else zlib.compress(stored)
    return make_chunk(0x2005, head + size + data)


def make_link(layer: int, frame: int, *, at: tuple[int, int] = (0, 0), opacity: int = 255) -> bytes:
    return make_chunk(0x2005, struct.pack("<HhhBHh5xH", layer, *at, opacity, 1, 0, frame))


def make_tags(*tags: tuple[str, int, int, int, int]) -> bytes:
    """Each: name, first, last, direction, repeat."""
    entries = b"".join(
        struct.pack("<HHBH6x4x", first, last, direction, repeat) + make_text(name)
        for name, first, last, direction, repeat in tags
    )
    return make_chunk(0x2018, struct.pack("<H8x", len(tags)) + entries)


def make_palette(colours: list[tuple[int, int, int, int]], first: int = 0, name: str = "") -> bytes:
    entries = b"".join(
        struct.pack("<HBBBB", bool(name), *colour) + (make_text(name) if name else b"") for colour in colours
    )
    last = first + len(colours) - 1
    return make_chunk(0x2019, struct.pack("<III8x", last + 1, first, last) + entries)


def make_old_palette(colours: list[tuple[int, int, int]], kind: int = 4, skip: int = 0) -> bytes:
    data = struct.pack("<HBB", 1, skip, len(colours)) + b"".join(struct.pack("<BBB", *colour) for colour in colours)
    return make_chunk(kind, data)


def make_slice(name: str, *keys: tuple[int, ...], flags: int = 0) -> bytes:
    """Each key: frame, x, y, width, height, then the centre's four for flag 1 and the pivot's two for flag 2."""
    data = struct.pack("<III", len(keys), flags, 0) + make_text(name)
    for key in keys:
        form = "<IiiII" + ("iiII" if flags & 1 else "") + ("ii" if flags & 2 else "")
        data += struct.pack(form, *key)
    return make_chunk(0x2022, data)


@dataclass
class Ase:
    """A file to be: frames are lists of chunks."""

    width: int = 4
    height: int = 3
    depth: int = 32
    flags: int = 1
    transparent: int = 0
    speed: int = 0
    frames: list[list[bytes]] = field(default_factory=list)
    durations: list[int] = field(default_factory=list)
    count: int | None = None
    """Frames that the header tells, where it lies."""

    def build(self) -> bytes:
        body = b""
        for number, chunks in enumerate(self.frames):
            duration = self.durations[number] if self.durations else 100
            size = 16 + sum(map(len, chunks))
            body += struct.pack("<IHHH2xI", size, 0xF1FA, len(chunks), duration, len(chunks)) + b"".join(chunks)
        count = len(self.frames) if self.count is None else self.count
        head = struct.pack(
            "<IHHHHHIHIIB3xHBB", 128 + len(body), 0xA5E0, count, self.width, self.height, self.depth, self.flags,
            self.speed, 0, 0, self.transparent, 256, 1, 1,
        )  # fmt: skip
        return head.ljust(128, b"\0") + body


def fill(colour: tuple[int, ...], height: int = 3, width: int = 4) -> np.ndarray:
    """A cel of one colour, (height, width, channels)."""
    return np.tile(np.array(colour, dtype=np.uint8), (height, width, 1))
