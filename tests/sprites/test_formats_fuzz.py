"""Damaged Aseprite files and JSON: whatever comes in, a clip or one line comes out."""

from __future__ import annotations

import json
import os
import struct
from copy import deepcopy

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites import MAX_FRAMES, MAX_PIXELS, Clip
from bitpuppet.sprites.formats.atlas import parse_atlas, sort_pieces
from bitpuppet.sprites.formats.compositing import read_aseprite
from bitpuppet.sprites.formats.files import cut_pieces

from .ase import Ase, fill, make_cel, make_layer, make_link, make_old_palette, make_palette, make_slice, make_tags

CASES = int(os.environ.get("BITPUPPET_FUZZ_CASES", "100"))
"""Of each fuzzing test; 10,000 in the long run."""
fuzzing = settings(max_examples=CASES, deadline=None)

NOISE = np.random.default_rng(0).integers(0, 256, (3, 4, 4), dtype=np.uint8)
LAYERS = [
    make_layer("back"),
    make_layer("group", kind=1, opacity=200),
    make_layer("in it", level=1, blend=13),
    make_layer("over", blend=2, opacity=90),
]
RGBA = Ase(
    flags=3,
    frames=[
        [
            make_tags(("walk", 0, 2, 3, 2), ("idle", 1, 1, 0, 0)),
            make_slice("hit", (0, 1, 1, 2, 2, 0, 0), flags=2),
            *LAYERS,
            make_cel(0, NOISE, at=(-1, 1)),
            make_cel(2, NOISE, z=1),
            make_cel(3, NOISE[:2, :2], at=(2, 2), raw=True),
        ],
        [make_link(0, 0), make_cel(3, NOISE, opacity=10)],
        [make_link(0, 1), make_link(3, 1)],
    ],
).build()
INDEXED = Ase(
    depth=8,
    transparent=2,
    frames=[
        [
            make_old_palette([(1, 2, 3), (4, 5, 6)], skip=1),
            make_palette([(9, 9, 9, 255)] * 5, name="grey"),
            make_layer(flags=9),
            make_cel(0, NOISE[..., 0]),
        ],
        [make_palette([(7, 7, 7, 99)], first=3), make_link(0, 0)],
    ],
).build()
GREY = Ase(depth=16, frames=[[make_layer(blend=12), make_cel(0, fill((5, 6)))]]).build()
EXTREME = (0, 1, 127, 128, 255, 256, 32767, 32768, 65535, 2**31 - 1, 2**31, 2**32 - 1)


@st.composite
def damage(draw: st.DrawFn, sources: tuple[bytes, ...]) -> bytes:
    """One of the files with bits flipped, numbers made extreme, bytes put in or out, or its end cut off."""
    data = bytearray(draw(st.sampled_from(sources)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(data) - 1)))
        kind = draw(st.sampled_from(("flip", "number", "cut", "insert", "remove")))
        if kind == "flip" and data:
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "number":
            form = draw(st.sampled_from("BHI"))
            value = draw(st.sampled_from(EXTREME)) & ((1 << 8 * struct.calcsize(form)) - 1)
            data[place : place + struct.calcsize(form)] = struct.pack(f"<{form}", value)
        elif kind == "cut":
            del data[place:]
        elif kind == "insert":
            data[place:place] = draw(st.binary(max_size=9))
        elif kind == "remove":
            del data[place : place + draw(st.integers(1, 9))]
    return bytes(data)


def check_clip(clip: Clip) -> None:
    assert len(clip) <= MAX_FRAMES
    assert clip.frames.size <= 4 * MAX_PIXELS
    assert all(tag.last < len(clip) for tag in clip.tags)


def check_message(error: BitpuppetError, name: str) -> None:
    message = str(error)
    assert name in message
    assert "\n" not in message
    assert len(message) < 600


@fuzzing
@given(damage((RGBA, INDEXED, GREY)))
def test_damaged_aseprite_files(data: bytes) -> None:
    try:
        clip = read_aseprite(data, "hero.aseprite")
    except BitpuppetError as error:
        check_message(error, "hero.aseprite")
    else:
        check_clip(clip)


@fuzzing
@given(st.binary(max_size=300))
def test_any_bytes_behind_a_header(body: bytes) -> None:
    try:
        check_clip(read_aseprite(GREY[:128] + body, "hero.aseprite"))
    except BitpuppetError as error:
        check_message(error, "hero.aseprite")


def test_the_undamaged_files_are_read() -> None:
    for data, count in ((RGBA, 3), (INDEXED, 2), (GREY, 1)):
        assert len(read_aseprite(data, "hero.aseprite")) == count


RECTANGLE = {"x": 0, "y": 0, "w": 2, "h": 2}
HASH = {
    "frames": {
        "walk1.png": {"frame": RECTANGLE, "rotated": True, "trimmed": True, "spriteSourceSize": RECTANGLE},
        "walk2.png": {"frame": RECTANGLE, "sourceSize": {"w": 2, "h": 2}, "spriteSourceSize": RECTANGLE},
    },
    "animations": {"walk": ["walk2.png", "walk1.png"]},
    "meta": {"image": "a.png", "size": {"w": 8, "h": 8}, "related_multi_packs": ["b.json"]},
}
ARRAY = {
    "frames": [{"filename": "0", "frame": RECTANGLE, "duration": 20}, {"filename": "1", "frame": RECTANGLE}],
    "meta": {
        "app": "aseprite",
        "frameTags": [{"name": "a", "from": 0, "to": 1, "direction": "reverse", "repeat": "3"}],
        "slices": [{"name": "s", "keys": [{"frame": 0, "bounds": RECTANGLE, "pivot": {"x": 1, "y": 1}}]}],
    },
}
TEXTURES = {"textures": [{"image": "a.png", "frames": [ARRAY["frames"][0]]}]}  # type: ignore[index]
VALUES = (
    st.none()
    | st.booleans()
    | st.sampled_from((-1, 0, 1, 2, 10**6, 10**7, 2**63, 1e300, float("nan"), "", "x", "9" * 30, [], {}, [[]], [{}]))
    | st.text(max_size=4)
)


def list_places(value: object, way: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way, *(place for key, one in inner for place in list_places(one, (*way, key)))]


@st.composite
def spoil(draw: st.DrawFn) -> bytes:
    """One of the JSON files with values exchanged or taken away."""
    root = json.loads(json.dumps(draw(st.sampled_from((HASH, ARRAY, TEXTURES)))))
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(list_places(root)[1:] or [("frames",)]))
        inner = root
        for key in way:
            inner = inner[key]
        if draw(st.booleans()) or isinstance(inner, list):
            inner[last] = deepcopy(draw(VALUES))  # the next exchange may put something into it
        else:
            inner.pop(last, None)
    return json.dumps(root).encode()


def read_atlas(data: bytes) -> None:
    image = np.zeros((8, 8, 4), dtype=np.uint8)
    try:
        check_clip(cut_pieces(sort_pieces(parse_atlas(data, "hero.json"), "hero.json"), lambda _: image, "hero.json"))
    except BitpuppetError as error:
        check_message(error, "hero.json")


@fuzzing
@given(spoil())
def test_spoilt_json(data: bytes) -> None:
    read_atlas(data)


@fuzzing
@given(damage(tuple(json.dumps(root).encode() for root in (HASH, ARRAY, TEXTURES))))
def test_damaged_json(data: bytes) -> None:
    read_atlas(data)


def test_the_unspoilt_json_is_read() -> None:
    for root, count in ((HASH, 2), (ARRAY, 2), (TEXTURES, 1)):
        assert len(parse_atlas(json.dumps(root).encode(), "hero.json").pieces) == count
