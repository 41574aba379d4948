"""Results: packed image data-blocks that know how they were made and how they are cut."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .asks import Strip
from .core.errors import ArtError
from .core.pixels import split_sheet
from .core.records import JobRecord
from .images import read_pixels, store_picture

PREFIX = "bitpuppet_"
WRAPPED = PREFIX + "wrapped"
"""On a sheet whose rows are one clip, which would have been too wide as a strip."""


def store_result(
    name: str, strip: Strip, job: str, record: JobRecord, report: Mapping[str, Any], number: int = 1
) -> bpy.types.Image:
    """A result as an image data-block, packed, with its settings and the job's id as custom properties.

    Args:
        name: of a new data-block.
        strip: the picture.
        job: the backend's id.
        record: what was asked for; its `target` is used again by the first variation.
        report: what the backend used.
        number: of the variation, from 1.
    """
    image = store_picture(name, strip.png, record.target if number == 1 else "")
    for key in [key for key in image.keys() if key.startswith(PREFIX)]:  # noqa: SIM118 - an ID is no dictionary
        del image[key]
    image[PREFIX + "job"] = job
    image[PREFIX + "kind"] = record.kind
    image[PREFIX + "settings"] = record.to_text()
    image[PREFIX + "report"] = json.dumps({key: _make_plain(value) for key, value in report.items()})
    mark_frames(image, strip.frames, (strip.width, strip.height), record.fps, wrapped=strip.rows > 1)
    return image


def mark_frames(
    image: bpy.types.Image, frames: int, size: tuple[int, int], fps: float, *, wrapped: bool = False
) -> None:
    """Note on an image how it is cut.

    Args:
        image: a strip or sheet.
        frames: how many there are.
        size: width and height of a frame, in pixels.
        fps: frames a second.
        wrapped: see WRAPPED.
    """
    image[PREFIX + "frames"] = frames
    image[PREFIX + "frame_width"], image[PREFIX + "frame_height"] = size
    image[PREFIX + "fps"] = float(fps)
    if wrapped:
        image[WRAPPED] = True


def is_result(image: bpy.types.Image | None) -> bool:
    """Whether an image says how it is cut: a result, or frames that were rendered."""
    return image is not None and bool(image.get(PREFIX + "frame_width")) and bool(image.get(PREFIX + "frames"))


def read_frames(image: bpy.types.Image | None) -> NDArray[np.uint8]:
    """The frames (T, H, W, 4) of a result strip.

    Raises:
        ArtError: it is none, or not the strip any more that it was.
    """
    if not is_result(image):
        name = f'"{image.name}"' if image is not None else "There is no image that"
        raise ArtError(f"{name} is no strip of Bitpuppet; choose a finished entry of the history")
    assert image is not None
    pixels = read_pixels(image)
    height, width = image[PREFIX + "frame_height"], image[PREFIX + "frame_width"]
    if pixels.shape[0] % height or pixels.shape[1] % width:
        raise ArtError(f'"{image.name}" has another size than when it was made; use another image')
    cells = split_sheet(pixels, width, height)
    if image.get(WRAPPED):
        return cells[: image[PREFIX + "frames"]]
    if pixels.shape[0] == height:
        return cells
    return np.ascontiguousarray(cells[cells[..., 3].any(axis=(1, 2))])


def get_size(image: bpy.types.Image) -> tuple[int, int]:
    """Width and height of a result's frames."""
    return int(image[PREFIX + "frame_width"]), int(image[PREFIX + "frame_height"])


def get_fps(image: bpy.types.Image) -> float:
    """Frames per second of a result."""
    return float(image.get(PREFIX + "fps", 12.0)) or 12.0


def read_report(image: bpy.types.Image) -> dict[str, Any]:
    """What the backend used; empty where it is damaged."""
    try:
        report = json.loads(image.get(PREFIX + "report", "{}"))
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


def keep_tokens(image: bpy.types.Image, tokens: NDArray[Any]) -> None:
    """Store motion tokens (T, groups) on an image."""
    image[PREFIX + "tokens"] = json.dumps(np.asarray(tokens).tolist(), separators=(",", ":"))


def read_tokens(image: bpy.types.Image) -> NDArray[np.uint16] | None:
    """Motion tokens (T, groups) of an image; None where there are none that can be read."""
    try:
        tokens = np.asarray(json.loads(image.get(PREFIX + "tokens", "null")))
    except (ValueError, TypeError):
        return None
    if tokens.ndim != 2 or tokens.dtype.kind != "i" or tokens.min(initial=0) < 0 or tokens.max(initial=0) > 0xFFFF:
        return None
    return tokens.astype(np.uint16)


def show_image(image: bpy.types.Image) -> bool:
    """Show an image in an Image Editor: one that shows a result or nothing, else one that shows source or motion.

    Returns:
        Whether there is such an editor.
    """
    manager = bpy.context.window_manager
    editors = [
        area
        for window in (manager.windows if manager else ())
        for area in window.screen.areas
        if area.type == "IMAGE_EDITOR" and area.spaces.active.ui_mode in {"VIEW", "PAINT"}
    ]
    sheets = {sheet.image for scene in bpy.data.scenes for sheet in (scene.bitpuppet.source, scene.bitpuppet.motion)}
    free = [area for area in editors if (shown := area.spaces.active.image) is None or is_result(shown)]
    free += [area for area in editors if area.spaces.active.image in sheets and not area.spaces.active.use_image_pin]
    if free:
        free[0].spaces.active.image = image
        free[0].tag_redraw()
    return bool(free)


def _make_plain(value: Any) -> Any:
    """A value of a report that JSON can hold."""
    return list(value) if isinstance(value, tuple) else value
