"""Tests of sprites.formats.aseprite and sprites.formats.compositing."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import Slice, SliceKey, Tag, read_clip
from bitpuppet.sprites.formats import aseprite
from bitpuppet.sprites.formats.compositing import read_aseprite

from .ase import (
    Ase,
    fill,
    make_cel,
    make_chunk,
    make_layer,
    make_link,
    make_old_palette,
    make_palette,
    make_slice,
    make_tags,
)

RED, GREEN, BLUE, CLEAR = (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255), (0, 0, 0, 0)


def read(ase: Ase) -> np.ndarray:
    return read_aseprite(ase.build(), "a.aseprite").frames


def refuse(data: bytes | Ase, match: str) -> None:
    with pytest.raises(BitpuppetError, match=match) as info:
        read_aseprite(data.build() if isinstance(data, Ase) else data, "a.aseprite")
    message = str(info.value)
    assert "a.aseprite" in message
    assert "\n" not in message
    assert ";" in message, "the remedy is missing"


def read_first(*chunks: bytes, **options: int) -> tuple[int, ...]:
    """The top left pixel of a single frame."""
    return tuple(read(Ase(frames=[list(chunks)], **options))[0, 0, 0].tolist())  # type: ignore[arg-type]


# Colour modes and palettes


def test_rgba_cels_are_placed_and_cut_at_the_edges() -> None:
    pixels = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    pixels[..., 3] = 255
    frames = read(Ase(frames=[[make_layer(), make_cel(0, pixels, at=(-1, 2))]]))
    expected = np.zeros((1, 3, 4, 4), dtype=np.uint8)
    expected[0, 2, :2] = pixels[0, 1:]
    assert np.array_equal(frames, expected)


def test_raw_cels_are_the_same_as_compressed_ones() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 4), dtype=np.uint8)
    pixels[..., 3] |= 1
    one, other = (read(Ase(frames=[[make_layer(), make_cel(0, pixels, raw=raw)]])) for raw in (True, False))
    assert np.array_equal(one, other)
    assert np.array_equal(one[0], pixels)


def test_grey_has_value_and_alpha() -> None:
    assert read_first(make_layer(), make_cel(0, fill((70, 200))), depth=16) == (70, 70, 70, 200)


def test_hidden_colour_is_cleared() -> None:
    assert read_first(make_layer(), make_cel(0, fill((9, 8, 7, 0)))) == CLEAR


def test_the_transparent_index_shows_in_background_layers_alone() -> None:
    palette = make_palette([RED, GREEN, (1, 2, 3, 128)])
    indices = np.array([[0, 1, 2, 5]])
    ase = Ase(height=1, depth=8, transparent=1, frames=[[palette, make_layer(), make_cel(0, indices)]])
    assert read(ase)[0, 0].tolist() == [list(RED), list(CLEAR), [1, 2, 3, 128], list(CLEAR)]
    ase.frames = [[palette, make_layer(flags=1 | 8), make_cel(0, indices)]]
    assert read(ase)[0, 0, 1].tolist() == list(GREEN)


def test_a_new_palette_counts_from_its_frame_on() -> None:
    first = [make_palette([CLEAR, RED], name="red"), make_layer(), make_cel(0, np.ones((3, 4)))]
    frames = [first, [make_palette([BLUE], first=1), make_link(0, 0)], [make_link(0, 1)]]
    assert read(Ase(depth=8, frames=frames))[:, 0, 0].tolist() == [list(RED), list(BLUE), list(BLUE)]


@pytest.mark.parametrize(("kind", "level", "seen"), [(4, 200, 200), (0x11, 63, 255), (0x0B, 32, 130)])
def test_old_palettes(kind: int, level: int, seen: int) -> None:
    old = make_old_palette([(level, 0, 0)], kind, skip=1)
    cel = make_cel(0, np.ones((3, 4)))
    assert read_first(old, make_layer(), cel, depth=8) == (seen, 0, 0, 255)
    # Beside a new one they are for old programs, whichever comes first.
    for chunks in ((old, make_palette([CLEAR, GREEN])), (make_palette([CLEAR, GREEN]), old)):
        assert read_first(*chunks, make_layer(), cel, depth=8) == GREEN


# Layers


def test_layers_lie_over_one_another_and_hidden_ones_do_not_show() -> None:
    cels = [make_cel(0, fill(RED)), make_cel(1, fill(GREEN)), make_cel(2, fill(BLUE))]
    layers = [make_layer(), make_layer(), make_layer(flags=0)]
    assert read_first(*layers, *cels) == GREEN
    assert read_first(make_layer(), make_layer(flags=1 | 64), make_layer(flags=0), *cels) == RED


def test_opacities_of_layer_and_cel_multiply() -> None:
    chunks = (make_layer(opacity=128), make_cel(0, fill(RED), opacity=128))
    assert read_first(*chunks) == (255, 0, 0, 64)
    assert read_first(*chunks, flags=0) == (255, 0, 0, 128), "the header says that layers have no opacity"


def test_half_a_layer_over_another_mixes() -> None:
    assert read_first(make_layer(), make_layer(opacity=128), make_cel(0, fill(RED)), make_cel(1, fill(GREEN))) == (
        127,
        128,
        0,
        255,
    )


def test_blend_modes_are_used() -> None:
    below, above = make_cel(0, fill((200, 100, 50, 255))), make_cel(1, fill((100, 100, 255, 255)))
    assert read_first(make_layer(), make_layer(blend=1), below, above) == (78, 39, 50, 255)
    assert read_first(make_layer(), make_layer(blend=16), below, above) == (255, 200, 255, 255)
    refuse(Ase(frames=[[make_layer("glow", blend=19)]]), "'glow' has blend mode 19")


def test_what_is_in_a_hidden_group_does_not_show() -> None:
    layers = [make_layer("g", flags=0, kind=1), make_layer(level=1), make_layer(level=0)]
    assert read_first(*layers, make_cel(1, fill(RED)), make_cel(2, fill(BLUE), at=(1, 0))) == CLEAR
    layers[0] = make_layer("g", kind=1)
    assert read_first(*layers, make_cel(1, fill(RED)), make_cel(2, fill(BLUE), at=(1, 0))) == RED


def test_groups_have_an_opacity_where_the_header_says_so() -> None:
    layers = [make_layer("g", kind=1, opacity=100), make_layer(level=1), make_layer(level=1)]
    cels = [make_cel(1, fill(RED)), make_cel(2, fill(GREEN))]
    assert read_first(*layers, *cels) == GREEN
    assert read_first(*layers, *cels, flags=3) == (0, 255, 0, 100)


def test_a_group_that_is_composited_blends_within_itself() -> None:
    """Multiplied with the red below it, green is black; in a group of its own there is nothing to multiply with."""
    layers = [make_layer(), make_layer("g", kind=1), make_layer(level=1, blend=1)]
    cels = [make_cel(0, fill(RED)), make_cel(2, fill(GREEN))]
    assert read_first(*layers, *cels, flags=1) == (0, 0, 0, 255)
    assert read_first(*layers, *cels, flags=3) == GREEN


def test_the_z_index_moves_a_cel() -> None:
    layers = [make_layer(), make_layer(), make_layer()]

    def show(*z: int) -> tuple[int, ...]:
        cels = [make_cel(i, fill(colour), z=z[i]) for i, colour in enumerate((RED, GREEN, BLUE))]
        return read_first(*layers, *cels)

    assert show(0, 0, 0) == BLUE
    assert show(0, 0, -1) == GREEN, "at one height, the larger z-index is above"
    assert show(2, 0, 0) == RED
    assert show(1, 0, -2) == RED


def test_linked_cels_show_the_pixels_at_their_own_place() -> None:
    frames = read(
        Ase(
            frames=[
                [make_layer(), make_cel(0, fill(RED, 1, 1))],
                [make_link(0, 0, at=(1, 0))],
                [make_link(0, 1, at=(2, 0), opacity=128)],
                [],
            ]
        )
    )
    assert [np.argwhere(frame[..., 3]).tolist() for frame in frames] == [[[0, 0]], [[0, 1]], [[0, 2]], []]
    assert frames[2, 0, 2].tolist() == [255, 0, 0, 128]


# Durations, tags, slices


def test_durations_come_from_the_frames_and_else_from_the_header() -> None:
    ase = Ase(frames=[[make_layer(), make_cel(0, fill(RED))], []], durations=[1, 65535], speed=70)
    assert read_aseprite(ase.build(), "a").durations_ms == (1, 65535)
    ase.durations = [0, 30]
    assert read_aseprite(ase.build(), "a").durations_ms == (70, 30)
    ase.speed = 0
    assert read_aseprite(ase.build(), "a").durations_ms == (100, 30)


def test_tags_and_slices(tmp_path: Path) -> None:
    chunks = [
        make_tags(("walk", 0, 1, 2, 3), ("läuft", 1, 2, 1, 0)),
        make_slice("hit", (0, 1, 2, 3, 4, 1, 1, 1, 1, 5, -6), (2, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0), flags=3),
        make_layer(),
        make_cel(0, fill(RED)),
    ]
    path = tmp_path / "hero.ase"
    ase = Ase(frames=[chunks, [make_cel(0, fill(GREEN))], [make_cel(0, fill(BLUE))]], durations=[10, 20, 30])
    path.write_bytes(ase.build())
    clip = read_clip(path)
    assert clip.name == "hero"
    assert clip.tags == (Tag("walk", 0, 1, "pingpong", 3), Tag("läuft", 1, 2, "reverse", 0))
    assert clip.slices == (
        Slice("hit", (SliceKey(0, (1, 2, 3, 4), (1, 1, 1, 1), (5, -6)), SliceKey(2, (0, 0, 1, 1), None, (0, 0)))),
    )
    late = read_clip(path, tag="LÄUFT")
    assert late.frames[:, 0, 0].tolist() == [list(GREEN), list(BLUE)]
    assert late.durations_ms == (20, 30)
    assert late.tags == (Tag("läuft", 0, 1, "reverse", 0),)
    assert late.slices[0].keys[0] == SliceKey(0, (1, 2, 3, 4), (1, 1, 1, 1), (5, -6))
    assert late.slices[0].keys[1].frame == 1
    with pytest.raises(BitpuppetError, match="has no tag 'run'; name one of 'walk', 'läuft'"):
        read_clip(path, tag="run")


def test_a_single_frame_is_a_sheet_where_the_frame_is_given(tmp_path: Path) -> None:
    path = tmp_path / "a.aseprite"
    path.write_bytes(Ase(width=4, height=2, frames=[[make_layer(), make_cel(0, fill(RED, 2, 4))]]).build())
    assert read_clip(path, (2, 2)).frames.shape == (2, 2, 2, 4)
    assert read_clip(path).frames.shape == (1, 2, 4, 4)


# What is refused


def test_tilemaps_are_refused_where_they_show() -> None:
    tiles = struct.pack("<HhhBHh5x", 0, 0, 0, 255, 3, 0)
    chunks = [make_layer("ground", kind=2), make_layer(), make_chunk(0x2005, tiles), make_cel(1, fill(RED))]
    refuse(Ase(frames=[chunks]), "'ground' is a tilemap, which is not read; make it an image layer")
    chunks[0] = make_layer("ground", kind=2, flags=0)
    assert read_first(*chunks) == RED


@pytest.mark.parametrize(
    ("ase", "match"),
    [
        (Ase(), "has 0 frames"),
        (Ase(width=0, frames=[[]]), "0x3 pixels"),
        (Ase(depth=24, frames=[[]]), "24 bits"),
        (Ase(width=65535, height=65535, frames=[[]]), "the limit is 32 million pixels"),
        (Ase(count=5000, frames=[[]]), "5000 frames, the limit is 4096"),
        (Ase(count=2, frames=[[]]), "ends after 0 of 4 bytes"),
        (Ase(frames=[[make_cel(0, fill(RED))]]), "of layer 0, there are 0"),
        (Ase(frames=[[make_layer(), make_link(0, 0)]]), "linked to frame 0, where its layer has nothing"),
        (Ase(frames=[[make_layer(), make_link(0, 9)]]), "linked to frame 9"),
        (Ase(frames=[[make_layer(level=1)]]), "1 groups deep"),
        (Ase(frames=[[make_layer(kind=7)]]), "unknown kind 7"),
        (Ase(frames=[[make_tags(("a", 0, 3, 0, 0))]]), "'a' ends with frame 3, the last one is 0"),
        (Ase(frames=[[make_tags(("a", 1, 0, 0, 0))]]), "a tag of frames 1 to 0"),
        (Ase(frames=[[make_layer(), make_cel(0, fill(RED), data=b"no zlib")]]), "cannot be decompressed"),
        (Ase(frames=[[make_layer(), make_cel(0, fill(RED), data=b"\1\2\3", raw=True)]]), "have 3 of 48 bytes"),
        (Ase(frames=[[make_chunk(0x2004, b"")]]), "a chunk of kind 0x2004 in frame 0 ends after 0 of"),
        (Ase(frames=[[struct.pack("<IH", 3, 0x2004)]]), "a chunk of 3 bytes"),
        (Ase(frames=[[make_layer(), make_cel(0, np.zeros((0, 0, 4)))]] * 1, flags=1, width=1, height=1), ""),
    ],
)
def test_broken_files_are_told_in_one_line(ase: Ase, match: str) -> None:
    if not match:  # an empty cel is no mistake
        assert read(ase).sum() == 0
        return
    refuse(ase, match)


def test_other_files_are_refused() -> None:
    refuse(b"", "is no Aseprite file")
    refuse(b"\x89PNG" * 100, "is no Aseprite file")


def test_a_bomb_is_refused_before_it_is_decompressed() -> None:
    head = struct.pack("<HhhBHh5xHH", 0, 0, 0, 255, 2, 0, 5000, 5000)
    frames = [[make_layer(), make_chunk(0x2005, head)], *[[make_link(0, 0)] for _ in range(11)]]
    refuse(Ase(frames=frames), "300 million pixels in its layers, the limit is 256 million")
    frames[0][1] = make_chunk(0x2005, head[:-4] + struct.pack("<HH", 65535, 65535))
    refuse(Ase(frames=frames), "65535x65535, the limit is 32 million pixels")


def test_counts_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aseprite, "MAX_LAYERS", 2)
    monkeypatch.setattr(aseprite, "MAX_TAGS", 1)
    refuse(Ase(frames=[[make_layer()] * 3]), "more than 2 layers")
    refuse(Ase(frames=[[make_tags(("a", 0, 0, 0, 0), ("b", 0, 0, 0, 0))]]), "2 tags, the limit is 1")
    refuse(Ase(frames=[[make_slice("a"), make_slice("b")]]), "more than 1 slices")
    nested = [make_layer(kind=1, level=level) for level in range(34)]
    monkeypatch.setattr(aseprite, "MAX_LAYERS", 99)
    refuse(Ase(frames=[nested]), "more than 32 groups in one another")
