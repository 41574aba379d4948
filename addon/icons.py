"""Small pictures in panels: thumbnails of results, and the flipbook that plays one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import bpy
import bpy.utils.previews
import numpy as np
from numpy.typing import NDArray

from . import results
from .core.errors import ArtError
from .core.pixels import crop_art, shrink_for_icon
from .session import get_session
from .state import current

SIDE = 192
"""Pixels of a flipbook's picture, in which frames of 32, 48 and 64 pixels are enlarged by whole numbers."""
THUMB = 64
MAX_THUMBS = 300
MAX_CHARTS = 20


@dataclass
class Icons:
    """The pictures that Blender was given."""

    thumbs: bpy.utils.previews.ImagePreviewCollection = field(default_factory=bpy.utils.previews.new)
    pages: bpy.utils.previews.ImagePreviewCollection = field(default_factory=bpy.utils.previews.new)
    """Frames of the flipbook, made when they are first shown."""
    charts: bpy.utils.previews.ImagePreviewCollection = field(default_factory=bpy.utils.previews.new)
    """Curve and sample of a training."""
    key: str = ""
    """What the flipbook shows."""
    frames: NDArray[np.uint8] | None = None
    started: float = 0.0
    shown: int = -1
    fps: float = 8.0


def get_icons() -> Icons:
    """The pictures of the registered add-on."""
    extras = current().extras
    if "icons" not in extras:
        extras["icons"] = Icons()
    found: Icons = extras["icons"]
    return found


def remove_icons() -> None:
    """Give all pictures back."""
    icons = current().extras.pop("icons", None)
    if icons is not None:
        bpy.utils.previews.remove(icons.thumbs)
        bpy.utils.previews.remove(icons.pages)
        bpy.utils.previews.remove(icons.charts)


def find_thumb(job: str, image: bpy.types.Image | None) -> int:
    """Icon of a result's middle frame; 0 where there is none."""
    if image is None:
        return 0
    icons = get_icons()
    name = f"{job} {image.name_full}"
    if name not in icons.thumbs:
        if len(icons.thumbs) >= MAX_THUMBS:
            icons.thumbs.clear()
        preview = icons.thumbs.new(name)
        try:
            frames = results.read_frames(image)
            _fill(preview, crop_art(frames[len(frames) // 2]), THUMB)
        except ArtError:
            pass  # it stays empty, and is not tried again at each drawing
    return icons.thumbs[name].icon_id


def find_page(item: bpy.types.PropertyGroup) -> int:
    """Icon of the frame that the flipbook of an entry shows now; 0 where it has none."""
    icons = get_icons()
    frames, fps = _open_book(icons, item), 8.0
    if frames is None or not len(frames):
        return 0
    if item.image is not None:
        fps = results.get_fps(item.image)
    now = time.monotonic()
    number = int((now - icons.started) * fps) % len(frames) if item.id_data.bitpuppet.play else 0
    name = str(number)
    if name not in icons.pages:
        _fill(icons.pages.new(name), frames[number], SIDE)
    icons.shown, icons.fps = number, fps
    return icons.pages[name].icon_id


def find_chart(name: str, draw: Callable[[], NDArray[np.uint8]]) -> int:
    """Icon of a picture that is drawn where its name is new, uint8 (H, W, 4); in its own size, for it may be fine."""
    charts = get_icons().charts
    if name not in charts:
        if len(charts) >= MAX_CHARTS:
            charts.clear()
        picture = draw()
        _fill(charts.new(name), picture, max(picture.shape[:2]))
    return charts[name].icon_id


def has_preview(item: bpy.types.PropertyGroup) -> bool:
    """Whether a job that is under way has shown how its frames look."""
    return item.job in get_session().previews


def _open_book(icons: Icons, item: bpy.types.PropertyGroup) -> NDArray[np.uint8] | None:
    """The frames of an entry: its result, or the preview of a running job."""
    preview = get_session().previews.get(item.job)
    if preview is not None:
        key = f"{item.job} step {item.step} {len(preview)}"
    elif item.image is not None:
        key = f"{item.job} {item.image.name_full} {item.image.get(results.PREFIX + 'job', '')}"
    else:
        return None
    if key != icons.key:
        if preview is None:
            try:
                preview = results.read_frames(item.image)
            except ArtError:
                preview = None
        icons.pages.clear()
        icons.key, icons.frames, icons.started = key, preview, time.monotonic()
    return icons.frames


def _fill(preview: bpy.types.ImagePreview, frame: NDArray[np.uint8], side: int) -> None:
    """Give Blender the pixels: bytes of RGBA in one 32-bit number each, bottom row first."""
    picture = np.ascontiguousarray(shrink_for_icon(frame, side)[::-1])
    numbers = picture.view(np.int32).ravel()
    preview.image_size = (side, side)
    preview.image_pixels.foreach_set(numbers)
    small = np.ascontiguousarray(shrink_for_icon(frame, THUMB)[::-1]).view(np.int32).ravel()
    preview.icon_size = (THUMB, THUMB)
    preview.icon_pixels.foreach_set(small)
