"""Tests of sprites.images."""

from __future__ import annotations

import io
import os
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import (
    Clip,
    Grid,
    encode_apng,
    encode_gif,
    read_clip,
)

from .art import draw_clip, draw_sheet, fail, make_chunk, make_png, relaxed, save

# Modes


def lines16(*values: int) -> list[bytes]:
    return [struct.pack(f">{len(values)}H", *values)]


CASES = int(os.environ.get("BITPUPPET_FUZZ_CASES", "100"))
PALETTE = (b"PLTE", bytes([1, 2, 3, 4, 5, 6]))
MODES = {
    "grey 1 bit": (make_png(2, 1, 1, 0, [b"\x40"]), [[0] * 3 + [255], [255] * 4]),
    "grey 1 bit, tRNS": (make_png(2, 1, 1, 0, [b"\x40"], (b"tRNS", b"\0\0")), [[0] * 4, [255] * 4]),
    "grey 2 bits, tRNS": (make_png(2, 1, 2, 0, [b"\x60"], (b"tRNS", b"\0\2")), [[85, 85, 85, 255], [170, 170, 170, 0]]),
    "grey 4 bits, tRNS": (make_png(2, 1, 4, 0, [b"\x1e"], (b"tRNS", b"\0\1")), [[17, 17, 17, 0], [238, 238, 238, 255]]),
    "grey 8 bits": (make_png(2, 1, 8, 0, [b"\5\6"]), [[5, 5, 5, 255], [6, 6, 6, 255]]),
    "grey 8 bits, tRNS": (make_png(2, 1, 8, 0, [b"\5\6"], (b"tRNS", b"\0\5")), [[5, 5, 5, 0], [6, 6, 6, 255]]),
    "grey 16 bits": (make_png(2, 1, 16, 0, lines16(0x0500, 0xC8C8)), [[5, 5, 5, 255], [200, 200, 200, 255]]),
    "grey 16 bits, tRNS": (
        make_png(2, 1, 16, 0, lines16(0x0501, 0x0500), (b"tRNS", b"\5\1")),
        [[5, 5, 5, 0], [5, 5, 5, 255]],
    ),
    "grey and alpha": (make_png(2, 1, 8, 4, [bytes([5, 6, 7, 0])]), [[5, 5, 5, 6], [7, 7, 7, 0]]),
    "grey and alpha, 16 bits": (make_png(1, 1, 16, 4, lines16(0x0505, 0x8080)), [[5, 5, 5, 128]]),
    "rgb": (make_png(1, 1, 8, 2, [bytes([1, 2, 3])]), [[1, 2, 3, 255]]),
    "rgb, tRNS": (
        make_png(2, 1, 8, 2, [bytes([1, 2, 3, 1, 2, 4])], (b"tRNS", bytes([0, 1, 0, 2, 0, 3]))),
        [[1, 2, 3, 0], [1, 2, 4, 255]],
    ),
    "rgb 16 bits, tRNS": (
        make_png(2, 1, 16, 2, lines16(0x0100, 0x02FF, 3, 0x0900, 0x0900, 0x0900), (b"tRNS", b"\1\0\2\xff\0\3")),
        [[1, 2, 0, 0], [9, 9, 9, 255]],
    ),
    "rgba, hidden colour": (make_png(2, 1, 8, 6, [bytes(range(8))[:3] + b"\0" + b"\7\7\7\7"]), [[0, 1, 2, 0], [7] * 4]),
    "rgba 16 bits": (make_png(1, 1, 16, 6, lines16(0x0101, 0x0202, 0x0303, 0x0404)), [[1, 2, 3, 4]]),
    "palette": (make_png(2, 1, 8, 3, [b"\0\1"], PALETTE), [[1, 2, 3, 255], [4, 5, 6, 255]]),
    "palette, half transparent": (
        make_png(2, 1, 4, 3, [b"\x01"], PALETTE, (b"tRNS", b"\7\0")),
        [[1, 2, 3, 7], [4, 5, 6, 0]],
    ),
    "palette, one transparent": (
        make_png(2, 1, 2, 3, [b"\x10"], PALETTE, (b"tRNS", b"\xff\0")),
        [[1, 2, 3, 255], [4, 5, 6, 0]],
    ),
}


@pytest.mark.parametrize("name", MODES)
def test_every_mode_becomes_exact_rgba(tmp_path: Path, name: str) -> None:
    data, pixels = MODES[name]
    (tmp_path / "a.png").write_bytes(data)
    clip = read_clip(tmp_path / "a.png", (len(pixels), 1))
    assert clip.frames[0, 0].tolist() == pixels


# Files that are no good


def test_files_that_are_not_there_or_no_images(tmp_path: Path) -> None:
    fail(tmp_path / "a.png", "does not exist")
    (tmp_path / "a.png").write_bytes(b"")
    fail(tmp_path / "a.png", "empty file")
    (tmp_path / "a.png").write_bytes(b"BM" + bytes(100))
    fail(tmp_path / "a.png", "not a PNG, APNG or GIF")
    (tmp_path / "a.png").write_bytes(make_png(0, 5, 8, 6, []))
    fail(tmp_path / "a.png", "0x5")
    with pytest.raises(BitpuppetError, match="cannot be opened"):
        read_clip("a\0b.png")
    with pytest.raises(BitpuppetError, match="cannot be opened"):
        read_clip(tmp_path / ("a" * 300 + ".png"))


def test_files_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(draw_sheet(0, Grid(32, 32, 2, 1)), tmp_path / "a.png")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    # Not by chmod: tests may run as root, who may read everything.
    monkeypatch.setattr(Path, "open", refuse)
    fail(path, "may not be read")
    monkeypatch.setattr(Path, "iterdir", refuse)
    fail(tmp_path, "may not be listed")


def test_every_cut_of_a_png_is_an_error_or_the_image(tmp_path: Path) -> None:
    sheet = draw_sheet(0, Grid(32, 32, 2, 1))
    data = save(sheet, tmp_path / "a.png").read_bytes()
    refused = 0
    for length in range(len(data)):
        (tmp_path / "a.png").write_bytes(data[:length])
        try:
            clip = read_clip(tmp_path / "a.png", (32, 32))
        except BitpuppetError as error:
            refused += 1
            assert re.search("empty file|not a PNG|damaged or cut short", str(error))
        else:
            assert np.array_equal(np.concatenate(list(clip.frames), axis=1), sheet)
    # Only the end, with checksums and no pixels, may be missing.
    assert refused >= len(data) - 24


def test_huge_images_are_refused_by_their_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(Image, "open", refuse)
    for width, height in [(8001, 4000), (100_000, 100_000), (2**31 - 1, 2**31 - 1)]:
        (tmp_path / "a.png").write_bytes(make_png(width, height, 8, 6, []))
        fail(tmp_path / "a.png", f"{width}x{height} pixels, the limit is 32 million")
    (tmp_path / "a.gif").write_bytes(b"GIF89a\xff\xff\xff\xff\0\0\0;")
    fail(tmp_path / "a.gif", "65535x65535 pixels, the limit is 32 million")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [6_000, 12_000, 60_000])
@pytest.mark.parametrize("first", [True, False])
def test_frames_that_reach_beyond_a_gif_are_refused(tmp_path: Path, side: int, first: bool) -> None:
    data = encode_gif(SMALL)
    places = [match.start() for match in re.finditer(rb"\x2c\0\0\0\0\x08\0\x08\0", data)]
    at = places[0 if first else 1]
    data = data[: at + 5] + struct.pack("<HH", side, side) + data[at + 9 :]
    (tmp_path / "a.gif").write_bytes(data)
    fail(tmp_path / "a.gif", "damaged or cut short|the limit is 32 million")


def test_all_frames_together_are_limited(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 1000, 1000, 8, 6, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"acTL", struct.pack(">II", 33, 0)), (b"IDAT", b""), (b"IEND", b"")]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(make_chunk(*chunk) for chunk in chunks))
    fail(tmp_path / "a.png", "1000x1000 pixels in 33 frames, the limit is 32 million")
    (tmp_path / "b.png").write_bytes(encode_apng(np.full((4097, 1, 1, 4), 255, np.uint8)))
    fail(tmp_path / "b.png", "4097 frames, the limit is 4096")


def read_or_refuse(path: Path, data: bytes) -> Clip | None:
    path.write_bytes(data)
    try:
        return read_clip(path)
    except BitpuppetError as error:
        assert "\n" not in str(error)
        return None


@relaxed
@given(data=st.binary(max_size=200), head=st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"GIF87a"]))
def test_random_bytes(tmp_path: Path, data: bytes, head: bytes) -> None:
    read_or_refuse(tmp_path / "a.png", head + data)


def damage(data: bytes, places: list[tuple[float, int]]) -> bytes:
    damaged = bytearray(data)
    for place, value in places:
        damaged[min(int(place * len(damaged)), len(damaged) - 1)] = value
    return bytes(damaged)


def repair(data: bytes) -> bytes:
    """A PNG with every checksum put right, so that damage gets past it."""
    out, at = bytearray(data), 8
    while at + 12 <= len(out):
        end = at + 8 + struct.unpack(">I", out[at : at + 4])[0]
        out[end : end + 4] = struct.pack(">I", zlib.crc32(out[at + 4 : end]))
        at = end + 4
    return bytes(out[: max(len(data), 8)])


def save_indexed() -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(draw_clip(0, count=1)[0]).quantize(8)
    image.save(buffer, format="PNG", transparency=bytes([0, 9]))
    return buffer.getvalue()


SMALL = draw_clip(0, count=3, width=8, height=8)
SAMPLES: dict[str, Callable[[], bytes]] = {
    "apng": lambda: encode_apng(SMALL),
    "gif": lambda: encode_gif(SMALL),
    "indexed": save_indexed,
}


@settings(relaxed, max_examples=max(150, CASES))
@given(
    kind=st.sampled_from(sorted(SAMPLES)),
    places=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=4),
    keep=st.floats(0, 1) | st.just(1.0),
    fixed=st.booleans(),
)
@pytest.mark.filterwarnings("ignore:Invalid APNG")
def test_damaged_files(tmp_path: Path, kind: str, places: list[tuple[float, int]], keep: float, fixed: bool) -> None:
    data = damage(SAMPLES[kind](), places)
    if fixed and kind != "gif":
        data = repair(data)
    read_or_refuse(tmp_path / f"a.{'gif' if kind == 'gif' else 'png'}", data[: int(keep * len(data))])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_are_no_images(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    fail(tmp_path / "a.png", "is not a file")
