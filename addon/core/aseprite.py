"""Sheet data as Aseprite writes it (File > Export Sprite Sheet, JSON Data, Array), so that engines can read it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

APP = "https://www.aseprite.org/"
"""What importers look for; Aseprite's own value."""


@dataclass(frozen=True)
class Row:
    """A clip on a sheet. Each begins on a line of its own."""

    name: str
    frames: int
    fps: float


def count_lines(rows: Sequence[Row], columns: int) -> int:
    """Lines of frames that the clips take, `columns` frames in a line."""
    return sum(-(-row.frames // columns) for row in rows)


def describe_sheet(image: str, size: tuple[int, int], rows: Sequence[Row], columns: int) -> str:
    """The JSON text for a sheet of equal frames.

    Args:
        image: file name of the picture, without its folder.
        size: width and height of one frame in pixels.
        rows: the clips from the top, at least one; each is a tag.
        columns: frames in one line; a longer clip goes on in the next line.
    """
    width, height = size
    frames, tags = [], []
    for place, (row, number, column, line) in enumerate(_list_cells(rows, columns)):
        if number == 0:
            tags.append(
                {
                    "name": row.name,
                    "from": place,
                    "to": place + row.frames - 1,
                    "direction": "forward",
                    "color": "#000000ff",
                }
            )
        frames.append(
            {
                "filename": f"{image.rsplit('.', 1)[0]} {place}.aseprite",
                "frame": {"x": column * width, "y": line * height, "w": width, "h": height},
                "rotated": False,
                "trimmed": False,
                "spriteSourceSize": {"x": 0, "y": 0, "w": width, "h": height},
                "sourceSize": {"w": width, "h": height},
                "duration": _find_duration(number, row.fps),
            }
        )
    meta = {
        "app": APP,
        "version": "1.3",
        "image": image,
        "format": "RGBA8888",
        "size": {"w": columns * width, "h": count_lines(rows, columns) * height},
        "scale": "1",
        "frameTags": tags,
        "layers": [{"name": "Bitpuppet", "opacity": 255, "blendMode": "normal"}],
        "slices": [],
    }
    return json.dumps({"frames": frames, "meta": meta}, indent=1)


def _list_cells(rows: Sequence[Row], columns: int) -> Iterator[tuple[Row, int, int, int]]:
    """Clip, number in the clip, column and line of each frame."""
    line = 0
    for row in rows:
        for number in range(row.frames):
            yield row, number, number % columns, line + number // columns
        line += -(-row.frames // columns)


def _find_duration(number: int, fps: float) -> int:
    """Whole milliseconds of a frame; rounded so that they add up to the clip's length."""
    return max(1, round((number + 1) * 1000 / fps) - round(number * 1000 / fps))
