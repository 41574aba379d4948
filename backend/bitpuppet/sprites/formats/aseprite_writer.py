"""Clips to Aseprite files: one layer, one cel a frame, with durations, tags, slices and the palette."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from bitpuppet.sprites.clip import Clip, EmptyArtError, clear_hidden
from bitpuppet.sprites.formats.aseprite import (
    CEL,
    CHUNK_HEADER_BYTES,
    COMPRESSED_CEL,
    FILE_MAGIC,
    FRAME_HEADER_BYTES,
    FRAME_MAGIC,
    HEADER_BYTES,
    IMAGE_LAYER,
    LAYER,
    LAYER_OPACITY_VALID,
    LINKED_CEL,
    PALETTE,
    SLICE,
    TAGS,
    VISIBLE,
)
from bitpuppet.sprites.palette import collect_palette
from bitpuppet.sprites.tags import DIRECTIONS, Slice, Tag

_MAX_UINT16 = 0xFFFF
_MAX_INT16 = 0x7FFF
_EDITABLE = 2
_FORM = "<IHHHHHIHIIB3xHBBhhHH84x"
_COLOUR_PROFILE, _SRGB = 0x2007, 1


def encode_aseprite(clip: Clip, layer: str = "Layer 1") -> bytes:
    """An RGBA sprite of a clip. RGB under alpha 0 is cleared; equal frames are linked; durations up to 65535 ms.

    Raises ValueError when a side is longer than 65535 pixels.
    """
    if max(clip.width, clip.height) > _MAX_UINT16:
        raise ValueError(f"a sprite is at most {_MAX_UINT16} pixels wide and high, not {clip.width}x{clip.height}")
    palette = _list_colours(clip.frames)
    before = [
        _make_chunk(_COLOUR_PROFILE, struct.pack("<HHI8x", _SRGB, 0, 0)),
        _make_palette(palette),
        _make_chunk(
            LAYER, struct.pack("<HHHHHHB3x", VISIBLE | _EDITABLE, IMAGE_LAYER, 0, 0, 0, 0, 255) + _make_text(layer)
        ),
        *([_make_tags(clip.tags)] if clip.tags else []),
        *map(_make_slice, clip.slices),
    ]
    body = []
    seen: dict[bytes, int] = {}
    for number, (frame, duration) in enumerate(zip(clear_hidden(clip.frames), clip.durations_ms, strict=True)):
        chunks = [*(before if number == 0 else []), *_make_cel(frame, number, seen)]
        size = FRAME_HEADER_BYTES + sum(map(len, chunks))
        count = min(len(chunks), _MAX_UINT16)
        head = struct.pack("<IHHH2xI", size, FRAME_MAGIC, count, min(duration, _MAX_UINT16), len(chunks))
        body += [head, *chunks]
    size = HEADER_BYTES + sum(map(len, body))
    # 32 bits a pixel, square pixels, and a grid of 16 pixels as new sprites have it.
    head = struct.pack(
        _FORM, size, FILE_MAGIC, len(clip), clip.width, clip.height, 32, LAYER_OPACITY_VALID, 100,
        0, 0, 0, len(palette), 1, 1, 0, 0, 16, 16,
    )  # fmt: skip
    return b"".join([head, *body])


def _list_colours(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Up to 256 colours (P, 3), so that the program's palette shows those of the art."""
    try:
        return collect_palette(frames)
    except EmptyArtError:
        return np.zeros((1, 3), dtype=np.uint8)


def _make_chunk(kind: int, data: bytes) -> bytes:
    return struct.pack("<IH", CHUNK_HEADER_BYTES + len(data), kind) + data


def _make_text(text: str) -> bytes:
    data = text.encode("utf-8", errors="replace")[:_MAX_UINT16]
    return struct.pack("<H", len(data)) + data


def _make_palette(palette: NDArray[np.uint8]) -> bytes:
    entries = b"".join(struct.pack("<HBBBB", 0, *colour, 255) for colour in palette.tolist())
    return _make_chunk(PALETTE, struct.pack("<III8x", len(palette), 0, len(palette) - 1) + entries)


def _make_tags(tags: Sequence[Tag]) -> bytes:
    entries = b"".join(
        struct.pack("<HHBH10x", tag.first, tag.last, DIRECTIONS.index(tag.direction), min(tag.repeat, _MAX_UINT16))
        + _make_text(tag.name)
        for tag in tags
    )
    return _make_chunk(TAGS, struct.pack("<H8x", len(tags)) + entries)


def _make_slice(one: Slice) -> bytes:
    # The flags hold for all keys of a slice: a key without a centre or a pivot gets an empty one.
    centred = any(key.centre for key in one.keys)
    pivoted = any(key.pivot for key in one.keys)
    data = struct.pack("<III", len(one.keys), centred | pivoted << 1, 0) + _make_text(one.name)
    for key in one.keys:
        data += struct.pack("<IiiII", key.frame, *key.bounds)
        if centred:
            data += struct.pack("<iiII", *(key.centre or (0, 0, 0, 0)))
        if pivoted:
            data += struct.pack("<ii", *(key.pivot or (0, 0)))
    return _make_chunk(SLICE, data)


def _make_cel(frame: NDArray[np.uint8], number: int, seen: dict[bytes, int]) -> Iterable[bytes]:
    """The chunk of a frame (H, W, 4), none for an empty one; cut to what is visible, as the program does."""
    rows, columns = np.flatnonzero(frame[..., 3].any(axis=1)), np.flatnonzero(frame[..., 3].any(axis=0))
    if not len(rows):
        return
    top, left = min(int(rows[0]), _MAX_INT16), min(int(columns[0]), _MAX_INT16)
    pixels = frame[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1]
    data = struct.pack("<HH", pixels.shape[1], pixels.shape[0]) + zlib.compress(pixels.tobytes(), 9)
    first = seen.setdefault(struct.pack("<hh", left, top) + data, number)
    kind = COMPRESSED_CEL if first == number else LINKED_CEL
    head = struct.pack("<HhhBHh5x", 0, left, top, 255, kind, 0)
    yield _make_chunk(CEL, head + (data if first == number else struct.pack("<H", first)))
