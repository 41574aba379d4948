"""Clips to a sheet and the JSON that Aseprite writes beside it, as game engines read it.

The array form numbers its frames "0", "1", ..., as Phaser's `createFromAseprite` wants them; the hash form names them
"NAME 0", "NAME 1", ... and lists each tag under `animations`, as PixiJS wants it. Both have durations and tags.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from einops import rearrange
from numpy.typing import NDArray

from bitpuppet.sprites.clip import Clip
from bitpuppet.sprites.tags import Slice, Tag

_MAX_WIDTH = 2048
"""Of a sheet in pixels, where frames are narrower; graphics cards take at least that."""


def draw_packed_sheet(clip: Clip) -> NDArray[np.uint8]:
    """All frames in reading order in rows as long as fit, RGBA (H, W, 4); cells that are left over are transparent."""
    columns = _count_columns(clip)
    rows = -(-len(clip) // columns)
    cells = np.zeros((rows * columns, clip.height, clip.width, 4), dtype=np.uint8)
    cells[: len(clip)] = clip.frames
    return rearrange(cells, "(r c) h w rgba -> (r h) (c w) rgba", c=columns)


def encode_atlas(clip: Clip, image: str, *, as_hash: bool = False) -> bytes:
    """The JSON for `draw_packed_sheet` of the same clip. `image`: the name of the sheet's file."""
    columns = _count_columns(clip)
    rows = -(-len(clip) // columns)
    names = [f"{clip.name} {number}" if as_hash else str(number) for number in range(len(clip))]
    frames = [_describe_frame(clip, number, columns) for number in range(len(clip))]
    listed: Any = (
        dict(zip(names, frames, strict=True))
        if as_hash
        else [{"filename": name} | frame for name, frame in zip(names, frames, strict=True)]
    )
    animations = {tag.name: [names[number] for number in tag.list_played()] for tag in clip.tags}
    meta = {
        "app": "bitpuppet",
        "version": "1.0",
        "image": image,
        "format": "RGBA8888",
        "size": {"w": columns * clip.width, "h": rows * clip.height},
        "scale": "1",
        "frameTags": [_describe_tag(tag) for tag in clip.tags],
        "slices": [_describe_slice(one) for one in clip.slices],
    }
    root = {"frames": listed} | ({"animations": animations} if as_hash and animations else {}) | {"meta": meta}
    return (json.dumps(root, indent=1, ensure_ascii=False) + "\n").encode("utf-8", errors="replace")


def _count_columns(clip: Clip) -> int:
    return min(len(clip), max(1, _MAX_WIDTH // clip.width))


def _describe_frame(clip: Clip, number: int, columns: int) -> dict[str, Any]:
    row, column = divmod(number, columns)
    size = {"w": clip.width, "h": clip.height}
    return {
        "frame": {"x": column * clip.width, "y": row * clip.height} | size,
        "rotated": False,
        "trimmed": False,
        "spriteSourceSize": {"x": 0, "y": 0} | size,
        "sourceSize": size,
        "duration": clip.durations_ms[number],
    }


def _describe_tag(tag: Tag) -> dict[str, Any]:
    described: dict[str, Any] = {"name": tag.name, "from": tag.first, "to": tag.last, "direction": tag.direction}
    # Aseprite writes the number as a text, and leaves it out where the tag plays for ever.
    return described | ({"repeat": str(tag.repeat)} if tag.repeat else {}) | {"color": "#000000ff"}


def _describe_slice(one: Slice) -> dict[str, Any]:
    keys = []
    for key in one.keys:
        described: dict[str, Any] = {"frame": key.frame, "bounds": dict(zip("xywh", key.bounds, strict=True))}
        if key.centre is not None:
            described["center"] = dict(zip("xywh", key.centre, strict=True))
        if key.pivot is not None:
            described["pivot"] = dict(zip("xy", key.pivot, strict=True))
        keys.append(described)
    return {"name": one.name, "color": "#0000ffff", "keys": keys}
