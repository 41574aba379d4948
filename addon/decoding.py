"""Motion on the timeline: an Action with one constant key for each pose, and the way back to a strip.

The pose is an animated number, so that Blender's own tools edit it: keys are moved, deleted, copied and re-ordered in
the Dope Sheet. Keys of the type Extreme are locked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from . import results
from .asks import choose_tokens, find_tokens, make_plan, pack_strip
from .core.errors import ArtError
from .core.poses import Key, assemble, lay_out, read_plan
from .core.records import JobRecord, read_record
from .core.texts import name_result
from .session import add_entry, get_session, start
from .starting import make_record, read_cut

POSE = "bitpuppet_pose"
STRIP = "bitpuppet_strip"
STEP = "bitpuppet_step"
PATH = f'["{POSE}"]'
LOCKED = "EXTREME"
"""Blender's own key type, set with R in the Dope Sheet, shown in another colour."""
BETWEEN = "BREAKDOWN"
"""The key type that animators use for what leads from one pose to the next."""


def put_on_timeline(
    holder: bpy.types.Object, image: bpy.types.Image, start_frame: int, step: int, repeat: bool = False
) -> bpy.types.Action:
    """Give an object an Action with one constant key for each frame of a strip.

    Args:
        holder: any object; its earlier Action stays in the file.
        image: a result.
        start_frame: scene frame of the first key.
        step: scene frames from key to key.
        repeat: whether it plays over and over; a last key then says where the next round begins.

    Raises:
        ArtError: the image is no strip.
    """
    frames = results.read_frames(image)
    holder[STRIP] = image.name
    holder[STEP] = step
    holder[POSE] = 0
    limits = holder.id_properties_ui(POSE)
    limits.update(min=0, max=len(frames) - 1, description="Frame of the strip that is shown")
    holder.animation_data_create()
    action = bpy.data.actions.new(f"{image.name} motion")
    holder.animation_data.action = action
    for key in lay_out(len(frames), start_frame, step):
        holder[POSE] = key.pose
        holder.keyframe_insert(PATH, frame=key.time)
    if repeat:
        holder[POSE] = 0
        holder.keyframe_insert(PATH, frame=start_frame + len(frames) * step)
    for curve in list_curves(holder):
        for point in curve.keyframe_points:
            point.interpolation = "CONSTANT"
        if repeat:
            curve.modifiers.new("CYCLES")
    holder[POSE] = 0
    return action


def list_curves(holder: bpy.types.Object) -> Iterator[bpy.types.FCurve]:
    """The curves of an object's Action that key its pose, in every version of Blender from 4.2."""
    data = holder.animation_data
    if data is None or data.action is None:
        return
    for curve in _list_all_curves(data):
        if curve.data_path == PATH:
            yield curve


def read_keys(holder: bpy.types.Object) -> tuple[list[Key], float | None]:
    """The keys of an object's pose, and where the last pose ends if the Action is repeated."""
    keys, end = [], None
    for curve in list_curves(holder):
        points = sorted(curve.keyframe_points, key=lambda point: point.co.x)
        if len(points) > 1 and any(modifier.type == "CYCLES" for modifier in curve.modifiers):
            end = float(points.pop().co.x)
        keys += [
            Key(float(point.co.x), round(point.co.y), point.type == LOCKED, point.type == BETWEEN) for point in points
        ]
    return keys, end


def add_between(holder: bpy.types.Object, time: float) -> float:
    """Key an in-between near a scene frame; until it is drawn the pose before it is shown there.

    A strip has a frame every so many scene frames, and only there an in-between can be seen: it takes the nearest of
    those without a key, or comes after the key there, and all later keys make room.

    Returns:
        The scene frame of the new key.

    Raises:
        ArtError: there is no pose before or after it.
    """
    keys, end = read_keys(holder)
    step = max(1, int(holder.get(STEP, 1)))
    first = min((key.time for key in keys), default=0.0)
    place = first + step * round((time - first) / step)
    before = [key for key in keys if key.time <= place]
    if not before or max(end or first, *(key.time for key in keys)) <= place:
        raise ArtError(f"No two keys lie around frame {time:g}; go to a frame between two keys")
    if any(key.time == place for key in keys):
        later = [point for curve in list_curves(holder) for point in curve.keyframe_points if point.co.x > place]
        if min(point.co.x for point in later) <= place + step:
            for point in later:
                point.co.x += step
        place += step
    holder[POSE] = max(before, key=lambda key: key.time).pose
    holder.keyframe_insert(PATH, frame=place)
    for curve in list_curves(holder):
        for point in curve.keyframe_points:
            if point.co.x == place:
                point.type, point.interpolation = BETWEEN, "CONSTANT"
        curve.update()
    return place


def redecode(scene: bpy.types.Scene, holder: bpy.types.Object) -> str | None:
    """Make the strip that an object's Action shows: locked frames as they are, the others drawn anew.

    Returns:
        The job's id; None where nothing had to be drawn and the strip is there already.

    Raises:
        ArtError, ClientError: it cannot be done; the file is as it was.
    """
    image = bpy.data.images.get(holder.get(STRIP, ""))
    if image is None:
        raise ArtError(
            "The object has no motion; put a result's motion on the timeline", "bitpuppet.motion_to_timeline"
        )
    strip = results.read_frames(image)
    keys, end = read_keys(holder)
    plan = read_plan(keys, len(strip), max(1, int(holder.get(STEP, 1))), end)
    origin = _read_origin(image)
    source = origin.source if origin is not None and origin.source.image else None
    record = make_record(scene, "decode")
    record = replace(
        record,
        strip=image.name,
        target="" if record.target == image.name else record.target,  # its frames are still needed
        poses=plan.poses,
        locked=tuple(number for number, locked in enumerate(plan.locked) if locked),
        seconds=plan.seconds,
        percents=plan.percents,
        motion=replace(record.motion, image=image.name),
    )
    if source is not None:
        record = replace(record, source=source)
    if not plan.drawn:
        _store_at_once(scene, record, assemble(plan, strip, None))
        return None
    return start_decode(scene, record)


def start_decode(scene: bpy.types.Scene, record: JobRecord) -> str:
    """Ask for the unlocked frames of an edited strip; first for the motion's tokens where they are not known yet.

    Raises:
        ArtError, ClientError: it cannot be sent.
    """
    image = bpy.data.images.get(record.strip)
    if image is None:
        raise ArtError(f'The strip "{record.strip}" is gone; undo its deletion')
    strip, tokens = results.read_frames(image), results.read_tokens(image)
    if tokens is None or len(tokens) != len(strip):
        # The driving frames say best what the motion was; the strip itself says it where they are gone.
        origin = _read_origin(image)
        motion = read_cut(origin.motion) if origin is not None and origin.kind == "retarget" else None
        if motion is None or len(motion) != len(strip):
            motion = strip
        return start(scene, replace(record, kind="tokens"), {"motion": motion})
    content = read_cut(record.source)
    parts: dict[str, NDArray[Any]] = {
        **choose_tokens(tokens, make_plan(record)),
        "content": strip if content is None else content,
    }
    return start(scene, record, parts)


def keep_plan_tokens(image: bpy.types.Image, record: JobRecord, mixed: NDArray[np.uint16] | None = None) -> None:
    """Tell an edited strip its own tokens, so that it can be edited again without reading them from its pixels.

    Args:
        image: the edited strip.
        record: how it was made.
        mixed: the tokens that the backend told with it, where there are in-betweens.
    """
    origin = bpy.data.images.get(record.strip)
    tokens = results.read_tokens(origin) if origin is not None else None
    found = None if tokens is None else find_tokens(tokens, make_plan(record), mixed)
    if found is not None:
        results.keep_tokens(image, found)


def _store_at_once(scene: bpy.types.Scene, record: JobRecord, frames: NDArray[np.uint8]) -> None:
    """Only the timing changed, and every frame is locked: no backend is needed."""
    name = name_result("decode", record.source.image or record.motion.image, record.motion.image)
    image = results.store_result(name, pack_strip(frames), "", record, {"frames": len(frames), "drawn_frames": 0})
    keep_plan_tokens(image, record)
    item = add_entry(scene, f"local-{len(scene.bitpuppet.jobs)}-{image.name}", record, "done")
    item.image, item.title = image, image.name
    get_session().kept.pop(item.job, None)


def _read_origin(image: bpy.types.Image) -> JobRecord | None:
    try:
        return read_record(image.get(results.PREFIX + "settings", ""))
    except ArtError:
        return None


def _list_all_curves(data: bpy.types.AnimData) -> Iterator[bpy.types.FCurve]:
    action = data.action
    if hasattr(action, "fcurves"):
        yield from action.fcurves
        return
    for layer in action.layers:  # Blender 5: curves lie in a bag for each slot
        for strip in layer.strips:
            bag = strip.channelbag(data.action_slot) if data.action_slot is not None else None
            if bag is not None:
                yield from bag.fcurves
