"""Frames that become a scene's source or motion, whether they were rendered or read from a film: a packed sheet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import bpy

from . import results
from .asks import Frames
from .core.pixels import join_sheet
from .core.png import encode_png
from .images import store_picture
from .session import notify
from .state import current

FPS = (0.1, 240.0)
"""Ends of the panel's frame rate."""


@dataclass(frozen=True)
class Take:
    """Frames, and what they are for."""

    scene: str
    """Name of the scene."""
    sheet: str
    """What they become, source or motion."""
    name: str
    """Of the image."""
    rows: list[Frames]
    """Each (T, H, W, 4)."""
    fps: float
    wrapped: bool = False
    """Whether all rows are one clip."""


def store_take(take: Take, remedy: str, topic: str = "", on_done: Callable[[], None] = lambda: None) -> None:
    """Pack the frames as an image of the file, and choose it. Coding takes longer than a tick may, so it is a thread's.

    Args:
        take: the frames.
        remedy: what the user can do where it fails, such as "press Render Frames again".
        topic: the panel that shows that, as `notify` has it.
        on_done: called when it is over, however it went.
    """

    def finish(png: bytes | None, error: Exception | None) -> None:
        scene = bpy.data.scenes.get(take.scene)
        if scene is not None and (error is not None or png is None):
            notify(scene, f"The frames could not be stored ({error}); {remedy}", topic=topic)
        elif scene is not None and png is not None:
            _choose(scene, take, png)
            notify(scene, "")
        on_done()

    current().link.run(lambda: encode_png(join_sheet(take.rows)), finish)


def _choose(scene: bpy.types.Scene, take: Take, png: bytes) -> None:
    image = store_picture(take.name, png)
    height, width = take.rows[0].shape[1:3]
    results.mark_frames(image, sum(map(len, take.rows)), (width, height), take.fps, wrapped=take.wrapped)
    chosen = getattr(scene.bitpuppet, take.sheet)
    chosen.rows, chosen.first, chosen.count = "", 0, 0
    chosen.image = image
    if take.sheet == "motion":  # or the result would not move as fast as what drives it
        scene.bitpuppet.settings.fps = min(max(take.fps, FPS[0]), FPS[1])
