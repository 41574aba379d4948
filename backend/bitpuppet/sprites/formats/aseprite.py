"""Aseprite files (`.aseprite`, `.ase`) to what they hold; nothing is decompressed or drawn here.

Source: `docs/ase-file-specs.md` of Aseprite, whose names of chunks and flags are used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites.clip import DEFAULT_DURATION_MS, MAX_PIXELS
from bitpuppet.sprites.formats.binary import Cursor, quote
from bitpuppet.sprites.images import check_pixels
from bitpuppet.sprites.tags import DIRECTIONS, MAX_TAGS, Slice, SliceKey, Tag

FILE_MAGIC, FRAME_MAGIC = 0xA5E0, 0xF1FA
HEADER_BYTES, FRAME_HEADER_BYTES, CHUNK_HEADER_BYTES = 128, 16, 6
OLD_PALETTE, OLD_PALETTES_OF_6_BITS = 0x0004, (0x000B, 0x0011)
LAYER, CEL, TAGS, PALETTE, SLICE = 0x2004, 0x2005, 0x2018, 0x2019, 0x2022
LAYER_OPACITY_VALID, GROUPS_COMPOSITED = 1, 2
VISIBLE, BACKGROUND, REFERENCE = 1, 8, 64
IMAGE_LAYER, GROUP_LAYER, TILEMAP_LAYER = 0, 1, 2
RAW_CEL, LINKED_CEL, COMPRESSED_CEL = 0, 1, 2

MAX_LAYERS = 4096
MAX_DEPTH = 32
"""Most groups inside one another."""
MAX_DRAWN_PIXELS = 8 * MAX_PIXELS
"""Most pixels of all cels together: a small file can hold a great many empty ones."""
CEL_COST = 1024
"""Pixels that a cel counts at least, since each one takes time, however small it is."""
_SUFFIX = "save it again in Aseprite"


@dataclass(frozen=True)
class Layer:
    """One layer or group. `parent`: index of its group, None at the top. `shown`: itself and all groups it is in."""

    name: str
    kind: int
    depth: int
    parent: int | None
    shown: bool
    background: bool
    blend: int
    opacity: int


@dataclass(frozen=True)
class Cel:
    """What one layer shows in one frame. `data`: pixels row by row, compressed by zlib where `packed`."""

    x: int
    y: int
    opacity: int
    z: int
    width: int
    height: int
    data: memoryview
    packed: bool


@dataclass
class Sprite:
    """A file, parsed. `cels` and `palettes` have one entry a frame: layer to cel, and RGBA (256, 4)."""

    width: int
    height: int
    depth: int
    """Bits of a pixel: 32 RGBA, 16 grey and alpha, 8 an index into the palette."""
    groups_composited: bool
    transparent: int
    layers: list[Layer] = field(default_factory=list)
    durations_ms: list[int] = field(default_factory=list)
    cels: list[dict[int, Cel]] = field(default_factory=list)
    palettes: list[NDArray[np.uint8]] = field(default_factory=list)
    tags: list[Tag] = field(default_factory=list)
    slices: list[Slice] = field(default_factory=list)


def parse_aseprite(data: bytes, name: str) -> Sprite:
    """Parse a file's bytes.

    Raises BitpuppetError, with `name` for the file, when it is none of Aseprite's, damaged, beyond MAX_PIXELS in all,
    MAX_FRAMES, MAX_LAYERS, MAX_TAGS or MAX_DRAWN_PIXELS, or shows a tilemap.
    """
    view = memoryview(data)
    if len(data) < HEADER_BYTES or int.from_bytes(data[4:6], "little") != FILE_MAGIC:
        raise BitpuppetError(f"{name} is no Aseprite file, or only its beginning; {_SUFFIX}")
    cursor = Cursor(view, name, "the file")
    header = cursor.take(HEADER_BYTES)
    _, _, frames, width, height, depth, flags, speed, _, _, transparent = header.unpack("IHHHHHIHIIB")
    if depth not in (8, 16, 32):
        raise BitpuppetError(f"{name} has {depth} bits a pixel, Aseprite writes 8, 16 or 32; {_SUFFIX}")
    if not frames or not width or not height:
        raise BitpuppetError(f"{name} has {frames} frames of {width}x{height} pixels; {_SUFFIX} with one at least")
    check_pixels(Path(name), width, height, frames)
    sprite = Sprite(width, height, depth, bool(flags & GROUPS_COMPOSITED), transparent)
    reader = _Reader(sprite, name, bool(flags & LAYER_OPACITY_VALID))
    for number in range(frames):
        size = int.from_bytes(cursor.take_bytes(4), "little")
        frame = cursor.take(max(size, FRAME_HEADER_BYTES) - 4, f"frame {number}")
        reader.read_frame(frame, number, speed)
    _check_names(sprite, name, frames)
    check_cost(sprite, name)
    return sprite


def check_cost(sprite: Sprite, name: str) -> None:
    """Raise BitpuppetError when drawing a sprite would take more than MAX_DRAWN_PIXELS."""
    groups = sum(layer.kind == GROUP_LAYER and layer.shown for layer in sprite.layers)
    canvases = groups * len(sprite.cels) if sprite.groups_composited else 0
    composited = canvases * (sprite.width * sprite.height + CEL_COST)
    shown = [
        cel.width * cel.height + CEL_COST
        for cels in sprite.cels
        for number, cel in cels.items()
        if sprite.layers[number].shown
    ]
    total = sum(shown) + composited
    if total > MAX_DRAWN_PIXELS:
        raise BitpuppetError(
            f"{name} has {total // 1_000_000} million pixels in its layers, the limit is "
            f"{MAX_DRAWN_PIXELS // 1_000_000} million; flatten the layers or split the file"
        )


def _check_names(sprite: Sprite, name: str, frames: int) -> None:
    """Tags and slices come before the frames that they name, so they are looked at last."""
    for tag in sprite.tags:
        if tag.last >= frames:
            raise BitpuppetError(
                f"{name}: the tag {quote(tag.name)} ends with frame {tag.last}, the last one is {frames - 1}; {_SUFFIX}"
            )
    for layer in sprite.layers:
        if layer.kind == TILEMAP_LAYER and layer.shown:
            raise BitpuppetError(
                f"{name}: the layer {quote(layer.name)} is a tilemap, which is not read; make it an image layer "
                "(Layer > Convert To > Layer) or hide it"
            )


class _Reader:
    """What is known while the frames of one file are read."""

    def __init__(self, sprite: Sprite, name: str, opacity_valid: bool) -> None:
        self._sprite = sprite
        self._name = name
        self._opacity_valid = opacity_valid
        self._palette = np.zeros((256, 4), dtype=np.uint8)
        self._new_palette = False
        self._groups: list[int] = []
        """Indices of the groups that the next layer may lie in, outermost first."""

    def read_frame(self, cursor: Cursor, number: int, speed: int) -> None:
        """One frame, from behind its size on."""
        magic, old_count, duration, _, new_count = cursor.unpack("HHHHI")
        if magic != FRAME_MAGIC:
            raise cursor.refuse("does not begin as a frame")
        self._sprite.durations_ms.append(duration or speed or DEFAULT_DURATION_MS)
        cels: dict[int, Cel] = {}
        self._sprite.cels.append(cels)
        for _ in range(new_count or old_count):
            size, kind = cursor.unpack("IH")
            if size < CHUNK_HEADER_BYTES:
                raise cursor.refuse(f"has a chunk of {size} bytes")
            chunk = cursor.take(size - CHUNK_HEADER_BYTES, f"a chunk of kind {kind:#06x} in frame {number}")
            if kind == LAYER:
                self._read_layer(chunk)
            elif kind == CEL:
                self._read_cel(chunk, number, cels)
            elif kind == TAGS:
                self._read_tags(chunk)
            elif kind == SLICE:
                self._read_slice(chunk)
            elif kind == PALETTE:
                self._read_palette(chunk)
            elif kind == OLD_PALETTE or kind in OLD_PALETTES_OF_6_BITS:
                self._read_old_palette(chunk, wide=kind == OLD_PALETTE)
        self._sprite.palettes.append(self._palette)

    def _read_layer(self, chunk: Cursor) -> None:
        layers = self._sprite.layers
        if len(layers) >= MAX_LAYERS:
            raise BitpuppetError(f"{self._name} has more than {MAX_LAYERS} layers, which is the limit; flatten some")
        flags, kind, level, _, _, blend, opacity, _, _, _ = chunk.unpack("HHHHHHBBBB")
        name = chunk.text()
        if level > len(self._groups):
            raise chunk.refuse(f"puts a layer {level} groups deep, where {len(self._groups)} are")
        if level > MAX_DEPTH:
            raise BitpuppetError(f"{self._name} has more than {MAX_DEPTH} groups in one another; take some apart")
        if kind not in (IMAGE_LAYER, GROUP_LAYER, TILEMAP_LAYER):
            raise chunk.refuse(f"has a layer of unknown kind {kind}")
        if (kind == GROUP_LAYER and not self._sprite.groups_composited) or not self._opacity_valid:
            opacity = 255
        if not flags & VISIBLE or flags & REFERENCE:
            shown = False  # reference layers are for looking at in Aseprite, which never exports them
        else:
            shown = all(layers[group].shown for group in self._groups[:level])
        parent = self._groups[level - 1] if level else None
        del self._groups[level:]
        if kind == GROUP_LAYER:
            self._groups.append(len(layers))
        layers.append(Layer(name, kind, level, parent, shown, bool(flags & BACKGROUND), blend, opacity))

    def _read_cel(self, chunk: Cursor, number: int, cels: dict[int, Cel]) -> None:
        layer, x, y, opacity, kind, z = chunk.unpack("HhhBHh")
        chunk.take_bytes(5)
        if layer >= len(self._sprite.layers):
            raise chunk.refuse(f"is of layer {layer}, there are {len(self._sprite.layers)}")
        if self._sprite.layers[layer].kind == TILEMAP_LAYER:
            return  # refused in the end where it shows
        if kind == LINKED_CEL:
            linked = chunk.number("H")
            target = self._sprite.cels[linked].get(layer) if linked < number else None
            if target is None:
                raise chunk.refuse(f"is linked to frame {linked}, where its layer has nothing")
            # A linked cel shares the pixels, but has a place of its own.
            cels[layer] = Cel(x, y, opacity, z, target.width, target.height, target.data, target.packed)
        elif kind in (RAW_CEL, COMPRESSED_CEL):
            width, height = chunk.unpack("HH")
            if width * height > MAX_PIXELS:
                raise BitpuppetError(
                    f"{self._name}: a cel of frame {number} is {width}x{height}, the limit is "
                    f"{MAX_PIXELS // 1_000_000} million pixels; crop it to the canvas"
                )
            data = chunk.take_bytes(chunk.left)
            cels[layer] = Cel(x, y, opacity, z, width, height, data, kind == COMPRESSED_CEL)
        else:
            raise chunk.refuse(f"is a cel of unknown kind {kind}")

    def _read_tags(self, chunk: Cursor) -> None:
        count = chunk.number("H")
        chunk.take_bytes(8)
        if count + len(self._sprite.tags) > MAX_TAGS:
            raise BitpuppetError(f"{self._name} has {count} tags, the limit is {MAX_TAGS}; delete some")
        for _ in range(count):
            first, last, direction, repeat = chunk.unpack("HHBH")
            chunk.take_bytes(10)
            name = chunk.text()
            if first > last or direction >= len(DIRECTIONS):
                raise chunk.refuse(f"has a tag of frames {first} to {last} in direction {direction}")
            self._sprite.tags.append(Tag(name, first, last, DIRECTIONS[direction], repeat))

    def _read_slice(self, chunk: Cursor) -> None:
        if len(self._sprite.slices) >= MAX_TAGS:
            raise BitpuppetError(f"{self._name} has more than {MAX_TAGS} slices, which is the limit; delete some")
        count, flags, _ = chunk.unpack("III")
        name = chunk.text()
        keys = []
        for _ in range(count):
            frame, x, y, width, height = chunk.unpack("IiiII")
            centre = pivot = None
            if flags & 1:
                left, top, inner_width, inner_height = chunk.unpack("iiII")
                if inner_width and inner_height:  # keys without a centre have an empty one
                    centre = (left, top, inner_width, inner_height)
            if flags & 2:
                across, down = chunk.unpack("ii")
                pivot = (across, down)
            keys.append(SliceKey(frame, (x, y, width, height), centre, pivot))
        keys.sort(key=lambda key: key.frame)
        self._sprite.slices.append(Slice(name, tuple(keys)))

    def _read_palette(self, chunk: Cursor) -> None:
        size, first, last = chunk.unpack("III")
        chunk.take_bytes(8)
        if first > last:
            raise chunk.refuse(f"has colours {first} to {last}")
        # Earlier frames keep their palette, and a smaller size takes colours away.
        palette = self._palette.copy() if self._new_palette else np.zeros_like(self._palette)
        palette[min(size, 256) :] = 0
        for entry in range(first, last + 1):
            has_name, *colour = chunk.unpack("HBBBB")
            if entry < len(palette):
                palette[entry] = colour
            if has_name & 1:
                chunk.text()
        self._palette, self._new_palette = palette, True

    def _read_old_palette(self, chunk: Cursor, *, wide: bool) -> None:
        if self._new_palette:
            return  # written for old programs beside the new one
        palette = self._palette.copy()
        entry = 0
        for _ in range(chunk.number("H")):
            skipped, count = chunk.unpack("BB")
            entry += skipped
            for _ in range(count or 256):
                colour = chunk.unpack("BBB")
                if entry < len(palette):
                    palette[entry] = (*(c if wide else (c << 2 | c >> 4) & 255 for c in colour), 255)
                entry += 1
        self._palette = palette
