"""Tests of sprites.palette_files."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import read_palette
from bitpuppet.sprites.palette_files import TEXT_SUFFIXES, parse_palette

from .art import save

COLOURS = [[255, 136, 0], [0, 0, 0], [1, 2, 3]]
RIFF = (
    b"RIFF\x20\0\0\0PAL data\x18\0\0\0\0\x03" + struct.pack("<H", 3) + bytes([255, 136, 0, 0] + [0] * 4 + [1, 2, 3, 0])
)
FILES = {
    ".gpl": b"GIMP Palette\nName: A\nColumns: 3\n#\n255 136   0\tOrange one\n  0   0   0\n1 2 3\n1 2 3\n",
    ".pal": b"JASC-PAL\r\n0100\r\n3\r\n255 136 0\r\n0 0 0\r\n1 2 3\r\n",
    ".hex": b"ff8800\n#000000ff\n\n010203\n",
}
CASES = int(os.environ.get("BITPUPPET_FUZZ_CASES", "100"))


@pytest.mark.parametrize("suffix", FILES)
def test_every_format_gives_its_colours(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix.upper()}"
    path.write_bytes(FILES[suffix])
    assert read_palette(path).tolist() == COLOURS
    path.write_bytes(b"\xef\xbb\xbf" + FILES[suffix])  # the mark of Windows editors
    assert read_palette(path).tolist() == COLOURS


def test_palettes_of_microsoft(tmp_path: Path) -> None:
    (tmp_path / "a.pal").write_bytes(RIFF)
    assert read_palette(tmp_path / "a.pal").tolist() == COLOURS


def test_images_give_their_opaque_colours_in_reading_order(tmp_path: Path) -> None:
    pixels = np.array([[[9, 9, 9, 0], [255, 136, 0, 255], [0, 0, 0, 128]], [[1, 2, 3, 255]] * 3], dtype=np.uint8)
    assert read_palette(save(pixels, tmp_path / "a.png")).tolist() == COLOURS


def test_old_gimp_files_with_other_letters() -> None:
    assert len(parse_palette(b"GIMP Palette\n1 2 3 gr\xfcn\n", ".gpl", "a.gpl")) == 1


@pytest.mark.parametrize(
    ("suffix", "data", "match"),
    [
        (".gpl", b"1 2 3\n", "does not begin with 'GIMP Palette'"),
        (".gpl", b"GIMP Palette\n", "has no colours"),
        (".gpl", b"GIMP Palette\n1 2\n", "line 2 is '1 2', not red, green and blue"),
        (".gpl", b"GIMP Palette\n1 2 256\n", "from 0 to 255"),
        (".pal", b"1 2 3\n", "neither a JASC nor a Microsoft palette"),
        (".pal", RIFF[:-1], "damaged or no palette"),
        (".pal", b"RIFF", "damaged or no palette"),
        (".hex", b"ff88\n", "line 1 is 'ff88', not a colour"),
        (".hex", b"\n".join(b"%06x" % number for number in range(257)), "257 colours, a palette has 256 at most"),
    ],
)
def test_broken_files_are_told_in_one_line(suffix: str, data: bytes, match: str) -> None:
    with pytest.raises(BitpuppetError, match=match) as info:
        parse_palette(data, suffix, "my.palette")
    assert "my.palette" in str(info.value)
    assert "\n" not in str(info.value)


def test_other_names_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(BitpuppetError, match="no palette by its name; name a file that ends in one of"):
        read_palette(tmp_path / "a.txt")
    with pytest.raises(BitpuppetError, match="does not exist"):
        read_palette(tmp_path / "a.hex")


@settings(max_examples=CASES, deadline=None)
@given(
    st.sampled_from(TEXT_SUFFIXES), st.sampled_from([*FILES.values(), RIFF]), st.integers(0, 60), st.binary(max_size=9)
)
def test_damaged_files(suffix: str, data: bytes, place: int, put: bytes) -> None:
    try:
        palette = parse_palette(data[:place] + put + data[place + len(put) :], suffix, "my.palette")
    except BitpuppetError as error:
        assert "\n" not in str(error)
    else:
        assert palette.dtype == np.uint8
        assert palette.shape[1:] == (3,)
        assert 1 <= len(palette) <= 256
