"""The scene in Blender: a character as one mesh on an armature, light, camera, and its frames as pixels."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from math import cos, radians, sin
from pathlib import Path

import bpy
import numpy as np
from mathutils import Euler, Matrix
from numpy.typing import NDArray

from .figure import Part, build_parts, find_view, list_bones
from .looks import Colour, Look
from .motion import DIRECTIONS, Pose, find_height

_FLOOR = 0.07
"""Part of the picture that is below the soles, seen a little from above."""
ELEVATION = 9.0
"""Degrees that the camera looks down."""
_COARSE = 128
"""Pixels of a frame up to which the corners of the meshes are too small to be seen."""
ENGINES = {"workbench": "BLENDER_WORKBENCH", "cycles": "CYCLES"}


class Stage:
    """One character before a camera. Only one stage can be in use: Blender has one scene."""

    def __init__(self, look: Look, size: int, engine: str, samples: int, scratch: Path) -> None:
        """Build everything anew.

        Args:
            look: the character.
            size: side of a frame in pixels.
            engine: one of ENGINES.
            samples: of Cycles; Workbench takes 16 for its edges.
            scratch: a folder for single frames, which are read and removed.
        """
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.look = look
        self._scratch = scratch
        self._rig = _make_rig(look)
        _make_mesh(look, self._rig, size)
        _place_camera(find_view(look) / (1 - _FLOOR))
        if engine == "cycles":
            _place_lamps()
        _set_up(size, engine, samples, scratch)

    def render(self, poses: list[Pose], direction: str) -> NDArray[np.uint8]:
        """The poses seen from a direction, a name in DIRECTIONS: RGBA (T, size, size, 4) with straight alpha."""
        scene = bpy.context.scene
        scene.frame_start, scene.frame_end = 0, len(poses) - 1

        def take_pose(current: bpy.types.Scene, _: object = None) -> None:
            # Blender also goes back to the frame that it was at before.
            self._take(poses[current.frame_current % len(poses)], DIRECTIONS[direction])

        bpy.app.handlers.frame_change_pre.append(take_pose)
        try:
            with _hushed():
                bpy.ops.render.render(animation=True)
        finally:
            bpy.app.handlers.frame_change_pre.remove(take_pose)
        return np.stack(list(self._collect(len(poses))))

    def save(self, path: Path) -> None:
        """The scene as a .blend file, to look at."""
        bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=True)

    def _take(self, pose: Pose, turned: float) -> None:
        rig = self._rig
        rig.rotation_euler = (0, 0, radians(turned + pose.yaw))
        rest = list_bones(self.look.body)[0].start[2]
        for bone in rig.pose.bones:
            degrees = pose.turns.get(bone.name, (0.0, 0.0, 0.0))
            turn = Euler([radians(angle) for angle in degrees], "XYZ").to_matrix()
            axes = bone.bone.matrix_local.to_3x3()
            # Poses are in the axes of the character; a bone's own axes follow its direction.
            bone.rotation_quaternion = (axes.inverted() @ turn @ axes).to_quaternion()
        lift = Matrix.Translation((0, 0, find_height(self.look.body, pose) - rest))
        root = rig.pose.bones["root"]
        root.location = root.bone.matrix_local.to_3x3().inverted() @ lift.to_translation()
        rig.pose.bones["mouth"].scale = _stretch(rig, "mouth", 1 + 3.2 * pose.mouth)
        rig.pose.bones["eyes"].scale = _stretch(rig, "eyes", max(pose.eyes, 0.12))

    def _collect(self, count: int) -> Iterator[NDArray[np.uint8]]:
        for number in range(count):
            path = self._scratch / f"{number:04d}.png"
            image = bpy.data.images.load(str(path))
            width, height = image.size
            values = np.empty(width * height * 4, dtype=np.float32)
            image.pixels.foreach_get(values)
            bpy.data.images.remove(image)
            path.unlink()
            pixels = np.rint(values * 255).astype(np.uint8).reshape(height, width, 4)[::-1]
            yield np.where(pixels[..., 3:] > 0, pixels, np.uint8(0))


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep Blender's line about each frame, which is written past Python, off the terminal."""
    sys.stdout.flush()
    sys.stderr.flush()
    with open(os.devnull, "wb") as nothing:
        kept = [(number, os.dup(number)) for number in (1, 2)]
        try:
            for number, _ in kept:
                os.dup2(nothing.fileno(), number)
            yield
        finally:
            for number, copy in kept:
                os.dup2(copy, number)
                os.close(copy)


def _stretch(rig: bpy.types.Object, bone: str, factor: float) -> tuple[float, float, float]:
    """Scale of a bone that makes what follows it higher, whichever of its axes points up."""
    axes = np.abs(np.array(rig.pose.bones[bone].bone.matrix_local.to_3x3())[2])
    return tuple(factor if number == int(axes.argmax()) else 1.0 for number in range(3))  # type: ignore[return-value]


def _make_rig(look: Look) -> bpy.types.Object:
    armature = bpy.data.armatures.new("rig")
    rig = bpy.data.objects.new("rig", armature)
    bpy.context.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    for bone in list_bones(look.body):
        made = armature.edit_bones.new(bone.name)
        made.head, made.tail = bone.start, bone.end
        if bone.parent:
            made.parent = armature.edit_bones[bone.parent]
    bpy.ops.object.mode_set(mode="OBJECT")
    return rig


def _make_mesh(look: Look, rig: bpy.types.Object, size: int) -> None:
    parts = build_parts(look)
    starts = np.cumsum([0, *(len(part.mesh.points) for part in parts)])
    mesh = bpy.data.meshes.new(look.name)
    points = np.concatenate([part.mesh.points for part in parts])
    faces = [
        [int(start) + corner for corner in face]
        for start, part in zip(starts, parts, strict=False)
        for face in part.mesh.faces
    ]
    mesh.from_pydata(points.tolist(), [], faces)
    slots: dict[Colour, int] = {}
    indices = []
    for part in parts:
        slot = slots.setdefault(part.colour, len(slots))
        indices += [slot] * len(part.mesh.faces)
    for number, colour in enumerate(slots):
        mesh.materials.append(_make_material(f"colour {number}", colour))
    mesh.polygons.foreach_set("material_index", indices)
    mesh.polygons.foreach_set("use_smooth", [True] * len(mesh.polygons))
    mesh.update()
    body = bpy.data.objects.new(look.name, mesh)
    bpy.context.collection.objects.link(body)
    _weigh(body, parts, starts)
    body.parent = rig
    body.shadow_terminator_geometry_offset = 0.3  # smooth shading on coarse meshes would show their faces
    body.modifiers.new("skeleton", "ARMATURE").object = rig
    if size > _COARSE:
        smooth = body.modifiers.new("smooth", "SUBSURF")
        smooth.levels = smooth.render_levels = 1


def _weigh(body: bpy.types.Object, parts: tuple[Part, ...], starts: NDArray[np.int64]) -> None:
    for start, part in zip(starts, parts, strict=False):
        for bone, weights in part.weights.items():
            group = body.vertex_groups.get(bone) or body.vertex_groups.new(name=bone)
            if np.ptp(weights) == 0:
                group.add([int(start) + n for n in range(len(weights))], float(weights[0]), "REPLACE")
                continue
            for number, weight in enumerate(weights):
                group.add([int(start) + number], float(weight), "REPLACE")


def _make_material(name: str, colour: Colour) -> bpy.types.Material:
    material = bpy.data.materials.new(name)
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in colour]
    material.diffuse_color = (*linear, 1)  # what Workbench shows
    material.use_nodes = True
    shader = material.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*linear, 1)
    shader.inputs["Roughness"].default_value = 0.9
    return material


def _place_camera(view: float) -> None:
    camera = bpy.data.cameras.new("camera")
    camera.type, camera.ortho_scale, camera.clip_end = "ORTHO", view, 50
    place = bpy.data.objects.new("camera", camera)
    bpy.context.collection.objects.link(place)
    middle = view * (0.5 - _FLOOR)
    tilt = radians(ELEVATION)
    place.location = (0, -10 * cos(tilt), middle + 10 * sin(tilt))
    place.rotation_euler = (radians(90) - tilt, 0, 0)
    bpy.context.scene.camera = place


def _place_lamps() -> None:
    # Shadows with a sharp edge, and none of the weaker lamps: nothing is left to chance, so there is no noise.
    for name, energy, shadow, angles in (
        ("key", 2.3, True, (48, 8, 26)),
        ("fill", 1.35, False, (62, 0, -55)),
        ("sky", 0.7, False, (12, 0, 0)),
        ("ground", 0.6, False, (150, 0, 0)),
    ):
        lamp = bpy.data.lights.new(name, "SUN")
        lamp.energy, lamp.angle, lamp.use_shadow = energy, 0.0, shadow
        place = bpy.data.objects.new(name, lamp)
        place.rotation_euler = [radians(angle) for angle in angles]
        bpy.context.collection.objects.link(place)


def _set_up(size: int, engine: str, samples: int, scratch: Path) -> None:
    scene = bpy.context.scene
    render = scene.render
    render.engine = ENGINES[engine]
    render.resolution_x = render.resolution_y = size
    render.resolution_percentage = 100
    render.film_transparent = True
    render.filepath = f"{scratch}/####"
    render.image_settings.file_format = "PNG"
    render.image_settings.color_mode = "RGBA"
    render.image_settings.compression = 0
    render.threads_mode, render.threads = "FIXED", 1
    render.dither_intensity = 0
    render.use_persistent_data = True
    scene.view_settings.view_transform = "Standard"
    if engine == "cycles":
        scene.cycles.samples = samples
        scene.cycles.use_denoising = False
        scene.cycles.seed = 0
        scene.cycles.max_bounces = 0
        return
    shading = scene.display.shading
    shading.light, shading.color_type = "STUDIO", "MATERIAL"
    shading.show_specular_highlight = False
    shading.show_object_outline = True
    shading.object_outline_color = (0.06, 0.05, 0.09)
    shading.show_cavity = True
    shading.cavity_type = "WORLD"
    shading.cavity_ridge_factor, shading.cavity_valley_factor = 0.0, 1.4
    shading.show_shadows = False
    scene.display.render_aa = "16"
