"""The frames of an Aseprite sprite: its cels, layer by layer, blended as the program shows them."""

from __future__ import annotations

import zlib
from collections import defaultdict
from pathlib import Path

import numpy as np
from einops import rearrange
from numpy.typing import NDArray

from bitpuppet.errors import BitpuppetError
from bitpuppet.sprites.clip import MAX_PIXELS, Clip, clear_hidden
from bitpuppet.sprites.formats.aseprite import (
    GROUP_LAYER,
    IMAGE_LAYER,
    Cel,
    Layer,
    Sprite,
    parse_aseprite,
)
from bitpuppet.sprites.formats.binary import quote
from bitpuppet.sprites.formats.blending import BLEND_MODES, NORMAL, blend_onto, multiply_levels
from bitpuppet.sprites.images import check_pixels

Canvas = NDArray[np.uint8]
_FIRST_HSL, _LAST_HSL = BLEND_MODES.index("hsl_hue"), BLEND_MODES.index("hsl_luminosity")


def read_aseprite(data: bytes, name: str) -> Clip:
    """The clip of a file's bytes: all frames as Aseprite exports them, with durations, tags and slices.

    RGB under alpha 0 is cleared. Raises BitpuppetError as `parse_aseprite` does, and where pixels are damaged.
    """
    sprite = parse_aseprite(data, name)
    frames = draw_sprite(sprite, name)
    return Clip(
        frames,
        tuple(sprite.durations_ms),
        name=Path(name).stem,
        tags=tuple(sprite.tags),
        slices=tuple(sprite.slices),
    )


def draw_sprite(sprite: Sprite, name: str) -> Canvas:
    """Frames (T, H, W, 4) of a parsed sprite. Raises BitpuppetError where a cel's pixels are damaged."""
    _check_groups(sprite, name)
    shape = (len(sprite.cels), sprite.height, sprite.width, 4)
    check_pixels(Path(name), sprite.width, sprite.height, len(sprite.cels))
    frames = np.zeros(shape, dtype=np.uint8)
    composited = sprite.groups_composited
    groups = [i for i, layer in enumerate(sprite.layers) if composited and layer.shown and layer.kind == GROUP_LAYER]
    for number, canvas in enumerate(frames):
        _Painter(sprite, groups, number, name).paint(None, canvas)
    return clear_hidden(frames)


def _check_groups(sprite: Sprite, name: str) -> None:
    """Each group that is composited on its own needs a canvas; nested ones need theirs at the same time."""
    for layer in sprite.layers:
        if layer.shown and layer.blend >= len(BLEND_MODES):
            raise BitpuppetError(
                f"{name}: the layer {quote(layer.name)} has blend mode {layer.blend}, known are 0 to "
                f"{len(BLEND_MODES) - 1}; choose another one in Aseprite"
            )
    depth = max((layer.depth + 1 for layer in sprite.layers if layer.shown and layer.kind == GROUP_LAYER), default=0)
    if sprite.groups_composited and depth * sprite.width * sprite.height > 2 * MAX_PIXELS:
        raise BitpuppetError(
            f"{name} has groups {depth} deep on {sprite.width}x{sprite.height} pixels, the limit is "
            f"{2 * MAX_PIXELS // 1_000_000} million pixels in all groups; merge or ungroup layers"
        )


class _Painter:
    """Paints one frame."""

    def __init__(self, sprite: Sprite, groups: list[int], number: int, name: str) -> None:
        self._sprite = sprite
        self._number = number
        self._name = name
        self._cels = sprite.cels[number]
        self._members: dict[int | None, list[tuple[tuple[int, int], int]]] = defaultdict(list)
        """Layers by the group whose canvas they are blended onto, each with its height there."""
        for index, cel in self._cels.items():
            layer = sprite.layers[index]
            if layer.shown and layer.kind == IMAGE_LAYER:
                owner = layer.parent if sprite.groups_composited else None
                # A cel's z-index moves it up or down by so many layers; of two at one height, the moved one is above.
                self._members[owner].append(((index + cel.z, cel.z), index))
        for index in groups:
            self._members[sprite.layers[index].parent].append(((index, 0), index))

    def paint(self, group: int | None, canvas: Canvas) -> None:
        """Blend onto `canvas` all that shows of a group (index of its layer, None for the whole sprite)."""
        for _, index in sorted(self._members[group]):
            layer = self._sprite.layers[index]
            if layer.kind == GROUP_LAYER:
                own = np.zeros_like(canvas)
                self.paint(index, own)
                blend_onto(canvas, own, self._find_mode(layer), layer.opacity)
            else:
                self._paint_cel(layer, self._cels[index], canvas)

    def _paint_cel(self, layer: Layer, cel: Cel, canvas: Canvas) -> None:
        left, top = max(cel.x, 0), max(cel.y, 0)
        right, bottom = min(cel.x + cel.width, self._sprite.width), min(cel.y + cel.height, self._sprite.height)
        opacity = int(multiply_levels(np.array(cel.opacity, dtype=np.int32), layer.opacity))
        if left < right and top < bottom and opacity:
            stored = self._decode(layer, cel)[top - cel.y : bottom - cel.y, left - cel.x : right - cel.x]
            blend_onto(canvas[top:bottom, left:right], self._colour(stored, layer), self._find_mode(layer), opacity)

    def _find_mode(self, layer: Layer) -> int:
        """Grey sprites know no hue, and Aseprite blends those modes as normal ones there."""
        return NORMAL if self._sprite.depth == 16 and _FIRST_HSL <= layer.blend <= _LAST_HSL else layer.blend

    def _decode(self, layer: Layer, cel: Cel) -> NDArray[np.uint8]:
        """The pixels of a cel as stored, (height, width, bytes)."""
        size = self._sprite.depth // 8
        wanted = cel.width * cel.height * size
        data: bytes | memoryview = cel.data
        if cel.packed:
            try:
                # Never more than is wanted: a few bytes can stand for gigabytes.
                data = zlib.decompressobj().decompress(cel.data, wanted)
            except zlib.error as error:
                raise self._refuse(layer, "cannot be decompressed") from error
        if len(data) < wanted:
            raise self._refuse(layer, f"have {len(data)} of {wanted} bytes")
        flat = np.frombuffer(data, dtype=np.uint8, count=wanted)
        return rearrange(flat, "(h w c) -> h w c", h=cel.height, w=cel.width)

    def _colour(self, pixels: NDArray[np.uint8], layer: Layer) -> Canvas:
        """RGBA (H, W, 4) of stored pixels."""
        if self._sprite.depth == 32:
            return pixels
        if self._sprite.depth == 16:
            return pixels[..., [0, 0, 0, 1]]
        palette = self._sprite.palettes[self._number]
        if not layer.background:
            palette = palette.copy()
            palette[self._sprite.transparent] = 0
        return palette[pixels[..., 0]]

    def _refuse(self, layer: Layer, reason: str) -> BitpuppetError:
        return BitpuppetError(
            f"{self._name} is damaged (the pixels of layer {quote(layer.name)} in frame {self._number} {reason}); "
            "save it again in Aseprite"
        )
