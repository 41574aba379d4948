"""Palettes of the add-on: its files are read as the backend reads them, and no colour is changed on the way."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from bitpuppet_addon.core.errors import ArtError
from bitpuppet_addon.core.palettes import (
    check_colours,
    collect_colours,
    pack,
    parse,
    read_file,
    to_bytes,
    to_levels,
    unpack,
)

from bitpuppet.sprites.palette_files import parse_palette

ALL = np.stack([np.arange(256), np.arange(256)[::-1], np.arange(256) // 2], axis=1).astype(np.uint8)
RIFF = b"RIFF\x18\0\0\0PAL data\x0c\0\0\0\0\x03" + struct.pack("<H8B", 2, 1, 2, 3, 0, 255, 0, 128, 0)
GIMP = "GIMP Palette\nName: ü\nColumns: 4\n# a comment\n  1   2 3\tdark\n255 0 128\n1 2 3\n"


@pytest.mark.parametrize(
    ("suffix", "data"),
    [
        (".hex", b"\xef\xbb\xbf#ff8000\n\n0A0B0Cff\r\nff8000\n"),
        (".gpl", GIMP.encode("latin-1")),
        (".gpl", GIMP.encode()),
        (".pal", b"JASC-PAL\r\n0100\r\n2\r\n1 2 3\r\n255 0 128\r\n"),
        (".pal", RIFF),
    ],
)
def test_files_are_read_as_the_backend_reads_them(suffix: str, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"it{suffix.upper()}"
    path.write_bytes(data)
    wanted = parse_palette(data, suffix, "it")
    assert len(wanted) == 2
    np.testing.assert_array_equal(read_file(path), wanted)


@pytest.mark.parametrize(
    ("suffix", "data"),
    [
        (".hex", b""),
        (".hex", b"ff80"),
        (".hex", "\n".join(f"{one:06x}" for one in range(257)).encode()),
        (".gpl", b"1 2 3\n"),
        (".gpl", b"GIMP Palette\n1 2\n"),
        (".pal", b"JASC-PAL\n0100\n1\n1 2 256\n"),
        (".pal", RIFF[:-1]),
        (".pal", b"RIFF"),
        (".txt", b"ff8000"),
    ],
)
def test_what_is_no_palette_is_told_with_its_name(suffix: str, data: bytes) -> None:
    with pytest.raises(ArtError, match=r'"it".*;'):
        parse(data, suffix, "it")


def test_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArtError, match=r'"none\.hex" cannot be read'):
        read_file(tmp_path / "none.hex")


@pytest.mark.parametrize("is_linear", [False, True])
def test_each_byte_comes_back_from_blender(is_linear: bool) -> None:
    np.testing.assert_array_equal(to_bytes(to_levels(ALL, is_linear), is_linear), ALL)
    assert to_levels(ALL, True)[128, 0] == pytest.approx(0.2159, abs=1e-4)


def test_records_keep_colours_as_numbers() -> None:
    assert pack(np.array([[255, 128, 1]], np.uint8)) == (0xFF8001,)
    np.testing.assert_array_equal(unpack(pack(ALL)), ALL)
    assert unpack(()).shape == (0, 3)


def test_colours_of_a_picture_are_its_opaque_ones_once_in_order() -> None:
    pixels = np.array([[[9, 9, 9, 255], [1, 1, 1, 127], [2, 2, 2, 128], [9, 9, 9, 255]]], np.uint8)
    assert collect_colours(pixels, "a").tolist() == [[9, 9, 9], [2, 2, 2]]
    with pytest.raises(ArtError, match="0 colors"):
        collect_colours(pixels[:, :0], "a")
    assert check_colours([(1, 2, 3), (1, 2, 3)], "a").shape == (1, 3)
