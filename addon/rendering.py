"""Frames of the scene as a sheet: one row for each direction, rendered frame by frame to a temporary folder.

A copy of the scene is rendered, so that no setting of the user's changes. Only an object that is turned is touched, in
its delta rotation, which no animation of it uses; the copy remembers what it was.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from .asks import Frames
from .core.errors import ArtError
from .images import MAX_PIXELS, read_pixels
from .session import notify
from .state import current, redraw
from .takes import Take, store_take

MARK = "bitpuppet_render"
"""On the copy of the scene: whom it turns, and the delta rotation before that."""
TICK = 0.05
"""Seconds between looks at a render in a window."""
_MAX_SHOTS = 4096


@dataclass(frozen=True)
class Shot:
    """One frame to render."""

    row: int
    frame: int
    camera: str
    turn: float
    """Of the object about its Z axis, in radians."""


@dataclass
class Run:
    """A render that is under way."""

    scene: str
    copy: str
    sheet: str
    folder: Path
    shots: list[Shot]
    rows: int
    turned: str = ""
    done: int = 0
    cancelled: bool = False
    pictures: dict[tuple[int, int], Frames] = field(default_factory=dict)


def plan_shots(scene: bpy.types.Scene) -> list[Shot]:
    """The frames to render, row by row.

    Raises:
        ArtError: there is no camera or object, or there are too many frames.
    """
    settings = scene.bitpuppet.render
    cameras = [scene.camera] if scene.camera is not None else []
    if settings.views == "CAMERAS":
        cameras = sorted((one for one in scene.objects if one.type == "CAMERA"), key=lambda one: one.name)
    if not cameras:
        raise ArtError("The scene has no camera; add one, and aim it at the character", "object.camera_add")
    turns = [0.0]
    if settings.views == "OBJECT":
        if settings.turned is None or scene.objects.get(settings.turned.name) is None:
            raise ArtError("There is no object to turn; choose one that is in this scene")
        if settings.turned.rotation_mode == "AXIS_ANGLE":
            raise ArtError(f'"{settings.turned.name}" rotates by axis and angle; set its rotation mode to XYZ Euler')
        turns = [number * math.tau / settings.directions for number in range(settings.directions)]
    frames = range(scene.frame_start, scene.frame_end + 1, settings.step)
    views = [(camera.name, turn) for camera in cameras for turn in turns]
    count, size = len(frames) * len(views), settings.width * settings.height
    if count > _MAX_SHOTS or count * size > MAX_PIXELS:
        raise ArtError(
            f"This is {count} frames of {settings.width} x {settings.height} pixels, at most {_MAX_SHOTS} frames and "
            f"{MAX_PIXELS // 1_000_000} million pixels; raise Step, or shorten the scene's frame range"
        )
    return [Shot(row, frame, *view) for row, view in enumerate(views) for frame in frames]


def get_run() -> Run | None:
    """The render that is under way, if any."""
    run: Run | None = current().extras.get("rendering")
    return run


def begin(context: bpy.types.Context, sheet: str) -> Run:
    """Begin to render the scene's frames; `sheet` is what they become, source or motion.

    In a window this returns at once, and a timer renders a frame at each turn; in background it returns when all is
    there.

    Raises:
        ArtError: it cannot be rendered.
    """
    if get_run() is not None:
        raise ArtError("Frames are being rendered already; wait, or cancel that", "bitpuppet.cancel_render")
    scene = context.scene
    shots = plan_shots(scene)
    copy = _copy_scene(scene)
    settings = scene.bitpuppet.render
    turned = settings.turned.name if settings.views == "OBJECT" else ""
    folder = Path(tempfile.mkdtemp(prefix="bitpuppet-"))
    run = Run(scene.name, copy.name, sheet, folder, shots, shots[-1].row + 1, turned)
    copy[MARK] = turned
    if turned:
        copy[MARK + "_delta"] = list(_get_delta(settings.turned))
    current().extras["rendering"] = run
    if bpy.app.background:
        while step(run):
            pass
    else:
        bpy.app.timers.register(_tick, first_interval=0.0)
    return run


def step(run: Run) -> bool:
    """Go on by one frame at most; whether there is more to do."""
    if not bpy.app.background and bpy.app.is_job_running("RENDER"):
        return True  # the user's own render goes first
    copy, scene = bpy.data.scenes.get(run.copy), bpy.data.scenes.get(run.scene)
    if copy is None or scene is None:  # undone, or the file was closed
        _end(run)
        return False
    try:
        if run.cancelled:
            raise ArtError("")
        if run.done:
            _read_shot(run, run.shots[run.done - 1])
        if run.done == len(run.shots):
            _finish(run, scene)
            return False
        _render(run, copy, run.shots[run.done])
        run.done += 1
    except (ArtError, RuntimeError) as error:
        _end(run)
        notify(scene, str(error))
        return False
    return True


def clean_file() -> None:
    """Remove what a render left in a file that was saved, or undone, in the middle of it."""
    for copy in [scene for scene in bpy.data.scenes if MARK in scene]:
        _restore(copy)
        bpy.data.scenes.remove(copy)


def stop() -> None:
    """End a render at once, when the add-on is disabled or another file is opened."""
    run = get_run()
    if run is not None:
        _end(run)


def _render(run: Run, copy: bpy.types.Scene, shot: Shot) -> None:
    copy.camera = bpy.data.objects[shot.camera]
    copy.frame_start = copy.frame_end = shot.frame
    copy.render.filepath = str(run.folder / f"{shot.row:03d}-")
    turned = bpy.data.objects.get(run.turned)
    if turned is not None:
        _turn(turned, copy, shot.turn)
    # A render job of its own would leave the main thread free, but one job after the other ends Blender now and then
    # (GLXBadContext with Workbench and Cycles, seen in 4.3): each has a graphics context that the next one may meet.
    if bpy.app.background:
        bpy.ops.render.render(animation=True, scene=copy.name)
        return
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.render.render(animation=True, scene=copy.name)


def _read_shot(run: Run, shot: Shot) -> None:
    """Take a rendered frame, and delete its file."""
    path = run.folder / f"{shot.row:03d}-{shot.frame:04d}.png"
    if not path.is_file():
        raise ArtError("A frame was not rendered; look into Blender's console, and press Render Frames again")
    image = bpy.data.images.load(str(path))
    try:
        run.pictures[shot.row, shot.frame] = read_pixels(image)
    finally:
        bpy.data.images.remove(image)
        path.unlink()


def _finish(run: Run, scene: bpy.types.Scene) -> None:
    settings = scene.bitpuppet.render
    frames = sorted({shot.frame for shot in run.shots})
    rows = [np.stack([run.pictures[row, frame] for frame in frames]) for row in range(run.rows)]
    rate = scene.render.fps / scene.render.fps_base / settings.step
    _end(run)
    store_take(Take(scene.name, run.sheet, f"{scene.name} render", rows, rate), "press Render Frames again")


def _end(run: Run) -> None:
    """Put everything back; the temporary folder goes."""
    current().extras.pop("rendering", None)
    if not bpy.app.background and bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    copy = bpy.data.scenes.get(run.copy)
    if copy is not None:
        _restore(copy)
        bpy.data.scenes.remove(copy)
    shutil.rmtree(run.folder, ignore_errors=True)


def _restore(copy: bpy.types.Scene) -> None:
    turned = bpy.data.objects.get(copy.get(MARK, ""))
    delta = copy.get(MARK + "_delta")
    if turned is not None and delta is not None:
        _set_delta(turned, list(delta))


def _copy_scene(scene: bpy.types.Scene) -> bpy.types.Scene:
    settings = scene.bitpuppet.render
    copy = scene.copy()
    copy.name = "Bitpuppet Render"
    copy.bitpuppet.jobs.clear()
    render = copy.render
    render.engine = settings.engine
    render.resolution_x, render.resolution_y, render.resolution_percentage = settings.width, settings.height, 100
    render.pixel_aspect_x = render.pixel_aspect_y = 1.0
    render.film_transparent = True
    render.use_border = render.use_sequencer = render.use_compositing = False
    render.dither_intensity = 0.0
    render.filter_size = 1.0 if settings.soft else 0.01  # without a blur to the neighbours, pixels are hard
    render.use_file_extension = render.use_overwrite = True
    render.use_placeholder = render.use_stamp = render.use_multiview = False
    formats = render.image_settings
    if hasattr(formats, "media_type"):  # Blender 5
        formats.media_type = "IMAGE"
    formats.file_format, formats.color_mode, formats.color_depth = "PNG", "RGBA", "8"
    copy.view_settings.view_transform = "Standard"
    copy.view_settings.exposure, copy.view_settings.gamma = 0.0, 1.0
    copy.display.render_aa = "16" if settings.soft else "OFF"
    if settings.engine == "CYCLES" and hasattr(copy, "cycles"):
        copy.cycles.samples = settings.samples
        copy.cycles.use_denoising = False
        copy.cycles.pixel_filter_type = "BOX"
    return copy


def _turn(turned: bpy.types.Object, copy: bpy.types.Scene, angle: float) -> None:
    from mathutils import Quaternion

    delta = list(copy[MARK + "_delta"])
    if turned.rotation_mode == "QUATERNION":
        delta = list(Quaternion((0, 0, 1), angle) @ Quaternion(delta))
    else:
        delta[2] += angle
    _set_delta(turned, delta)


def _get_delta(turned: bpy.types.Object) -> Any:
    return turned.delta_rotation_quaternion if turned.rotation_mode == "QUATERNION" else turned.delta_rotation_euler


def _set_delta(turned: bpy.types.Object, delta: list[float]) -> None:
    if len(delta) == 4:
        turned.delta_rotation_quaternion = delta
    else:
        turned.delta_rotation_euler = delta


def _tick() -> float | None:
    """The window's timer."""
    run = get_run()
    goes_on = run is not None and step(run)
    redraw()
    return TICK if goes_on else None


def count_shots(scene: bpy.types.Scene) -> tuple[int, int]:
    """Rows and frames a row that the settings ask for, for the panel; 0 rows where they cannot be rendered."""
    try:
        shots = plan_shots(scene)
    except ArtError:
        return 0, 0
    rows = shots[-1].row + 1 if shots else 0
    return rows, len(shots) // rows if rows else 0
