"""Results in the scene: an image plane, a strip of the sequencer, and motion as keyframes."""

from pathlib import Path

import bpy
from bpy.props import BoolProperty, IntProperty

from .. import decoding, results
from ..core.errors import ArtError
from ..core.files import write_files
from ..core.png import encode_png
from ..core.texts import make_file_name
from ..planes import add_plane, find_plane
from ..session import notify
from ..state import current
from .base import PLAIN, UNDOABLE, Guarded, need_result, poll_result

STEP = {
    "name": "Step",
    "description": "Scene frames for each frame of the strip; 0 for the strip's own frame rate",
    "default": 0,
    "min": 0,
    "max": 100,
}


class AddPlane(Guarded, bpy.types.Operator):
    """Add a plane that plays the strip with exact pixels, as it repeats over and over"""

    bl_idname = "bitpuppet.add_plane"
    bl_label = "Image Plane"
    bl_options = UNDOABLE

    step: IntProperty(**STEP)
    repeat: BoolProperty(name="Repeat", description="Play it over and over", default=True)
    exact: BoolProperty(
        name="Exact Colors",
        description="Set the scene's view transform to Standard and its dither to 0, or colors will differ",
        default=True,
    )
    textures: BoolProperty(
        name="Show Textures",
        description="Show textures in those 3D Views of this window that are in Solid, or the plane is grey there",
        default=True,
    )

    @classmethod
    def poll(cls, context):
        """Whether there is a result."""
        return poll_result(cls, context)

    def act(self, context):
        """Add it, and select it."""
        image, scene = need_result(context), context.scene
        plane = add_plane(scene, image)
        decoding.put_on_timeline(plane, image, scene.frame_start, self.step or find_step(scene, image), self.repeat)
        if self.exact:
            _set_exact(scene)
        if self.textures:
            _show_textures(context)
        _select(context, plane)


class MotionToTimeline(Guarded, bpy.types.Operator):
    """Key the result's poses on a plane. Move, hold, delete and re-order the keys, then press Re-decode"""

    bl_idname = "bitpuppet.motion_to_timeline"
    bl_label = "Motion to Timeline"
    bl_options = UNDOABLE

    step: IntProperty(**STEP)

    @classmethod
    def poll(cls, context):
        """Whether there is a result."""
        return poll_result(cls, context)

    def act(self, context):
        """Key the poses on the strip's plane, or on a new one."""
        image, scene = need_result(context), context.scene
        plane = find_plane(scene, image, context.active_object) or add_plane(scene, image)
        decoding.put_on_timeline(plane, image, scene.frame_current, self.step or find_step(scene, image))
        _set_exact(scene)
        _select(context, plane)


class OnMotion(Guarded):
    """An operator on the motion of the active object."""

    @classmethod
    def poll(cls, context):
        """Whether the active object has a motion of ours."""
        active = context.active_object
        if active is not None and active.get(decoding.STRIP) and any(decoding.list_curves(active)):
            return True
        cls.poll_message_set("Select the plane that has the motion on the timeline")
        return False


class LockPoses(OnMotion, bpy.types.Operator):
    """Lock the selected keys, which makes them Extreme keys: frames that show them stay untouched"""

    bl_idname = "bitpuppet.lock_poses"
    bl_label = "Lock Selected Keys"
    bl_options = UNDOABLE

    lock: BoolProperty(name="Lock", default=True, options={"SKIP_SAVE"})

    def act(self, context):
        """Change the type of the selected keys."""
        changed = 0
        for curve in decoding.list_curves(context.active_object):
            for point in curve.keyframe_points:
                if point.select_control_point:
                    point.type = decoding.LOCKED if self.lock else "KEYFRAME"
                    changed += 1
        if not changed:
            raise ArtError("No key is selected; select keys in the Dope Sheet")


class AddBetween(OnMotion, bpy.types.Operator):
    """Add an in-between after the current pose, as a Breakdown key; Re-decode draws it from the poses around it"""

    bl_idname = "bitpuppet.add_in_between"
    bl_label = "In-between"
    bl_options = UNDOABLE

    def act(self, context):
        """Insert the key, and show its frame."""
        scene = context.scene
        scene.frame_current = round(decoding.add_between(context.active_object, scene.frame_current))


class Redecode(OnMotion, bpy.types.Operator):
    """Make a new strip from the edited keys of the active object; locked frames stay untouched"""

    bl_idname = "bitpuppet.redecode"
    bl_label = "Re-decode"
    bl_options = PLAIN

    def act(self, context):
        """Start the job, or put the strip together where all is locked."""
        decoding.redecode(context.scene, context.active_object)


class AddStrip(Guarded, bpy.types.Operator):
    """Write the frames beside the .blend, and add them to the Video Sequencer as an image strip"""

    bl_idname = "bitpuppet.add_strip"
    bl_label = "Sequencer Strip"
    bl_options = PLAIN

    @classmethod
    def poll(cls, context):
        """Whether there is a result."""
        return poll_result(cls, context)

    def act(self, context):
        """Write the files off the main thread, then add the strip."""
        image, scene = need_result(context), context.scene
        if not bpy.data.filepath:
            raise ArtError("Strips of the sequencer are files beside the .blend; save it first", "wm.save_as_mainfile")
        frames = results.read_frames(image)
        step = find_step(scene, image)
        name, scene_name, start = image.name, scene.name, scene.frame_current
        folder = Path(bpy.data.filepath).parent / "bitpuppet" / make_file_name(name)
        paths = [folder / f"{number:04d}.png" for number in range(len(frames))]

        def work():
            write_files({path: encode_png(frame) for path, frame in zip(paths, frames, strict=True)})

        def finish(result, error):
            found = bpy.data.scenes.get(scene_name)
            if found is None:
                return
            if error is not None:
                notify(found, str(error))
                return
            _add_image_strip(found, name, paths, step, start)

        current().link.run(work, finish)


def find_step(scene, image):
    """Scene frames for one frame of a strip, by the frame rates of both."""
    rate = scene.render.fps / scene.render.fps_base
    return max(1, round(rate / results.get_fps(image)))


def _add_image_strip(scene, name, paths, step, start):
    editor = scene.sequence_editor or scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    channel = 1 + max((strip.channel for strip in strips), default=0)
    strip = strips.new_image(
        name=name, filepath=_shorten(paths[0]), channel=channel, frame_start=start, fit_method="ORIGINAL"
    )
    for number in range(1, len(paths) * step):
        strip.elements.append(paths[number // step].name)
    strip.frame_final_duration = len(paths) * step
    strip.blend_type = "ALPHA_OVER"
    strip.transform.filter = "NEAREST"


def _shorten(path):
    """A path as Blender writes it relative to the .blend."""
    return bpy.path.relpath(str(path))


def _set_exact(scene):
    scene.view_settings.view_transform = "Standard"
    scene.render.dither_intensity = 0.0


def _show_textures(context):
    for area in context.screen.areas if context.screen is not None else ():
        if area.type == "VIEW_3D" and area.spaces.active.shading.type == "SOLID":
            area.spaces.active.shading.color_type = "TEXTURE"


def _select(context, plane):
    context.view_layer.update()  # or it does not know the new object yet
    if context.view_layer.objects.get(plane.name) is None:
        return  # its collection is left out of this view layer
    for other in context.view_layer.objects:
        other.select_set(other == plane)
    context.view_layer.objects.active = plane


CLASSES = (AddPlane, MotionToTimeline, LockPoses, AddBetween, Redecode, AddStrip)
