"""An image plane that shows one frame of a strip at a time, pixel by pixel, by the object's animated pose."""

from __future__ import annotations

import bpy

from . import results
from .core.errors import ArtError
from .decoding import PATH, POSE, STRIP


def find_plane(
    scene: bpy.types.Scene, image: bpy.types.Image, active: bpy.types.Object | None
) -> bpy.types.Object | None:
    """The plane of a strip in the scene, the active object first."""
    candidates = [active] if active is not None else []
    return next((one for one in [*candidates, *scene.objects] if one.get(STRIP) == image.name), None)


def add_plane(scene: bpy.types.Scene, image: bpy.types.Image) -> bpy.types.Object:
    """Add a plane that shows the strip at the object's pose, without any animation yet.

    It is as high as one unit for a square frame, stands upright, faces the front view, and has its feet on the cursor.

    Raises:
        ArtError: the image has rows of its own, which are several clips.
    """
    width, height = results.get_size(image)
    columns, rows = image.size[0] // width, image.size[1] // height
    if rows != 1 and not image.get(results.WRAPPED):
        raise ArtError(f'"{image.name}" is a sheet of several rows; use it as motion, and put the result on a plane')
    mesh = bpy.data.meshes.new(image.name)
    half, tall = width / height / 2, 1.0
    mesh.from_pydata([(-half, 0, 0), (half, 0, 0), (half, 0, tall), (-half, 0, tall)], [], [(0, 1, 2, 3)])
    # The mesh itself shows the frame, and no nodes move it, so that Solid viewports with textures play it, too.
    layer = mesh.uv_layers.new(name="UVMap")
    right, low = 1 / columns, 1 - 1 / rows
    for loop, corner in zip(layer.data, ((0, low), (right, low), (right, 1), (0, 1)), strict=True):
        loop.uv = corner
    plane = bpy.data.objects.new(image.name, mesh)
    plane.location = scene.cursor.location
    plane[STRIP] = image.name
    plane[POSE] = 0
    mesh.materials.append(_make_material(image))
    scene.collection.objects.link(plane)
    warp = plane.modifiers.new("Pose", "UV_WARP")
    # Simple enough for Blender to work out without running Python.
    if rows == 1:
        _drive(plane, warp, 0, f"pose / {columns}")
    else:
        _drive(plane, warp, 0, f"fmod(pose, {columns}) / {columns}")
        _drive(plane, warp, 1, f"-floor(pose / {columns}) / {rows}")
    return plane


def _drive(plane: bpy.types.Object, warp: bpy.types.Modifier, axis: int, expression: str) -> None:
    """Let the plane's pose move what it shows."""
    driver = warp.driver_add("offset", axis).driver
    variable = driver.variables.new()
    variable.name = "pose"
    variable.targets[0].id = plane
    variable.targets[0].data_path = PATH
    driver.expression = expression


def _make_material(image: bpy.types.Image) -> bpy.types.Material:
    """Emission of the strip's pixels, see-through where they are."""
    material = bpy.data.materials.new(image.name)
    if bpy.app.version < (5, 0, 0):  # from then on all have nodes
        material.use_nodes = True
    if hasattr(material, "surface_render_method"):
        material.surface_render_method = "BLENDED"
    tree = material.node_tree
    tree.nodes.clear()
    kinds = ("TexImage", "Emission", "BsdfTransparent", "MixShader", "OutputMaterial")
    nodes = {kind: tree.nodes.new(f"ShaderNode{kind}") for kind in kinds}
    for number, node in enumerate(nodes.values()):
        node.location = (number * 200 - 700, 0)
    texture = nodes["TexImage"]
    texture.image = image
    texture.interpolation = "Closest"
    links = (
        (texture.outputs["Color"], nodes["Emission"].inputs["Color"]),
        (texture.outputs["Alpha"], nodes["MixShader"].inputs[0]),
        (nodes["BsdfTransparent"].outputs[0], nodes["MixShader"].inputs[1]),
        (nodes["Emission"].outputs[0], nodes["MixShader"].inputs[2]),
        (nodes["MixShader"].outputs[0], nodes["OutputMaterial"].inputs["Surface"]),
    )
    for output, place in links:
        tree.links.new(output, place)
    return material
