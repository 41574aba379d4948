"""GIF and APNG bytes, written here because Pillow joins equal neighbouring frames, and frames must be counted out."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence

import numpy as np
from einops import rearrange
from numpy.typing import NDArray

from bitpuppet.sprites.clip import DEFAULT_DURATION_MS, EmptyArtError, check_frames
from bitpuppet.sprites.palette import collect_palette, pack_colours, snap_frames

_GIF_COLOURS = 255
"""256 entries, of which one is the transparent one."""
_TRANSPARENT = 0
_MAX_CODE_BITS = 12
_MAX_UINT16 = 0xFFFF
_MAX_GIF_SIDE = _MAX_UINT16


def encode_gif(frames: NDArray[np.uint8], durations_ms: Sequence[int] = ()) -> bytes:
    """A looping GIF of frames (T, H, W, 4) with one global palette and disposal 2, so that frames do not pile up.

    Alpha is cut at 128; more than 255 colours are reduced. Durations are rounded to 10 ms, 20 ms at least (players
    slow shorter ones down to 100 ms).
    """
    durations = _complete_durations(frames, durations_ms)
    _, height, width, _ = frames.shape
    if max(height, width) > _MAX_GIF_SIDE:
        raise ValueError(f"a GIF is at most {_MAX_GIF_SIDE} pixels wide and high, not {width}x{height}")
    palette, indices = _index_frames(frames)
    bits = max(1, (len(palette) - 1).bit_length())
    table = np.zeros((1 << bits, 3), dtype=np.uint8)
    table[: len(palette)] = palette
    out = [b"GIF89a", struct.pack("<HHBBB", width, height, 0x80 | 0x70 | (bits - 1), _TRANSPARENT, 0), table.tobytes()]
    out.append(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", 0) + b"\0")
    code_bits = max(2, bits)
    for index, duration in zip(indices, durations, strict=True):
        hundredths = min(max(2, round(duration / 10)), _MAX_UINT16)
        out.append(b"\x21\xf9\x04" + struct.pack("<BHB", 2 << 2 | 1, hundredths, _TRANSPARENT) + b"\0")
        out.append(b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + bytes([code_bits]))
        packed = _pack_codes(_compress_lzw(index.tobytes(), code_bits))
        out.extend(bytes([len(packed[i : i + 255])]) + packed[i : i + 255] for i in range(0, len(packed), 255))
        out.append(b"\0")
    out.append(b"\x3b")
    return b"".join(out)


def encode_apng(frames: NDArray[np.uint8], durations_ms: Sequence[int] = ()) -> bytes:
    """A looping APNG of frames (T, H, W, 4), every byte kept. Durations are in ms, at most 65535."""
    durations = _complete_durations(frames, durations_ms)
    count, height, width, _ = frames.shape
    out = [b"\x89PNG\r\n\x1a\n", _make_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))]
    out.append(_make_chunk(b"acTL", struct.pack(">II", count, 0)))
    # Each line of pixels starts with the number of its filter: 0, none.
    lines = np.zeros((count, height, 1 + 4 * width), dtype=np.uint8)
    lines[..., 1:] = rearrange(frames, "t h w c -> t h (w c)")
    sequence = 0
    for frame, duration in enumerate(durations):
        # Disposal 0 (none) and blending 0 (source): each frame replaces the one before it entirely.
        delay = struct.pack(">HHBB", min(duration, _MAX_UINT16), 1000, 0, 0)
        out.append(_make_chunk(b"fcTL", struct.pack(">IIIII", sequence, width, height, 0, 0) + delay))
        sequence += 1
        data = zlib.compress(lines[frame].tobytes(), 9)
        if frame == 0:
            out.append(_make_chunk(b"IDAT", data))
        else:
            out.append(_make_chunk(b"fdAT", struct.pack(">I", sequence) + data))
            sequence += 1
    out.append(_make_chunk(b"IEND", b""))
    return b"".join(out)


def _complete_durations(frames: NDArray[np.uint8], durations_ms: Sequence[int]) -> tuple[int, ...]:
    check_frames(frames)
    durations = tuple(durations_ms) or (DEFAULT_DURATION_MS,) * len(frames)
    if len(durations) != len(frames) or min(durations) < 1:
        raise ValueError(f"{len(frames)} frames need as many durations of 1 ms or more, not {durations}")
    return durations


def _make_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _index_frames(frames: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A palette (P, 3) whose entry 0 is the transparent one, and the frames as indices (T, H, W) into it."""
    try:
        colours = collect_palette(frames, _GIF_COLOURS)
    except EmptyArtError:
        return np.zeros((2, 3), dtype=np.uint8), np.zeros(frames.shape[:3], dtype=np.uint8)
    snapped = snap_frames(frames, colours)
    packed, known = pack_colours(snapped[..., :3]), pack_colours(colours)
    order = np.argsort(known)
    indices = 1 + order[np.searchsorted(known[order], packed).clip(max=len(known) - 1)]
    indices = np.where(snapped[..., 3] > 0, indices, _TRANSPARENT)
    return np.concatenate([np.zeros((1, 3), dtype=np.uint8), colours]), indices.astype(np.uint8)


def _compress_lzw(data: bytes, code_bits: int) -> Iterator[tuple[int, int]]:
    """The codes of GIF's LZW as (code, bits), for pixels of `code_bits` bits (2..8)."""
    clear, end = 1 << code_bits, (1 << code_bits) + 1
    # A string is known by the code of all but its last pixel, and that pixel: small integers, no byte strings.
    table: dict[tuple[int, int], int] = {}
    next_code, bits = end + 1, code_bits + 1
    yield clear, bits
    current = data[0]
    for pixel in data[1:]:
        known = table.get((current, pixel))
        if known is not None:
            current = known
            continue
        yield current, bits
        if next_code < 1 << _MAX_CODE_BITS:
            table[current, pixel] = next_code
            # The decoder learns each string one code later than we do, so the width grows when this one is exceeded.
            if next_code == 1 << bits:
                bits += 1
            next_code += 1
        else:
            yield clear, bits
            table.clear()
            next_code, bits = end + 1, code_bits + 1
        current = pixel
    yield current, bits
    # The decoder has now caught up, which may widen the last code.
    yield end, bits + (next_code == 1 << bits and bits < _MAX_CODE_BITS)


def _pack_codes(codes: Iterator[tuple[int, int]]) -> bytes:
    """Codes to bytes, least significant bit first."""
    out = bytearray()
    buffer = filled = 0
    for code, bits in codes:
        buffer |= code << filled
        filled += bits
        while filled >= 8:
            out.append(buffer & 255)
            buffer >>= 8
            filled -= 8
    if filled:
        out.append(buffer)
    return bytes(out)
