"""What is rendered for the add-on and by it: frames of the scene as a sheet, and planes that show exact pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs Blender's Python module: run tools/test_extension.py")


@pytest.fixture
def scene(extension: Any) -> Iterator[Any]:
    """An empty scene of three frames with a camera that looks along Y at what stands at the origin."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    found = bpy.context.scene
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.location, camera.rotation_euler = (0, -5, 0.5), (math.pi / 2, 0, 0)
    camera.data.type, camera.data.ortho_scale = "ORTHO", 1.0
    found.collection.objects.link(camera)
    found.camera = camera
    found.frame_start, found.frame_end = 1, 3
    yield found
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


@pytest.fixture
def wait(extension: Any) -> Any:
    """Waits until no errand is under way."""
    return lambda: extension.wait(lambda: not extension.state.link.is_busy, "the errands")


def add_block(scene: Any) -> Any:
    """A block that stands aside of the middle, to the right of the camera."""
    mesh = bpy.data.meshes.new("block")
    corners = [(x, y, z) for z in (0.3, 0.7) for x, y in ((0.1, -0.1), (0.4, -0.1), (0.4, 0.1), (0.1, 0.1))]
    faces = [(0, 1, 2, 3), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7)]
    mesh.from_pydata(corners, [], faces)
    block = bpy.data.objects.new("block", mesh)
    scene.collection.objects.link(block)
    return block


def test_turned_object_is_rendered_row_by_row(scene: Any, extension: Any, wait: Any) -> None:
    block = add_block(scene)
    block.delta_rotation_euler = (0, 0, 0)
    settings = scene.bitpuppet.render
    settings.width = settings.height = 16
    settings.engine, settings.samples, settings.step = "CYCLES", 1, 2
    settings.views, settings.turned, settings.directions = "OBJECT", block, 2
    before = (scene.render.engine, scene.render.resolution_x, scene.render.filepath, scene.frame_end)
    assert bpy.ops.bitpuppet.render_frames(sheet="motion") == {"FINISHED"}
    wait()
    image = scene.bitpuppet.motion.image
    assert tuple(image.size) == (32, 32), "two frames in each of two rows"
    assert (scene.bitpuppet.motion.width, scene.bitpuppet.motion.height) == (16, 16)
    pixels = extension.load("images").read_pixels(image)
    visible = pixels[..., 3] > 0
    first, second = visible[:16, :16], visible[16:, :16]
    assert first[:, 8:].any() and not first[:, :8].any(), "on the right, on a transparent background"
    assert second[:, :8].any() and not second[:, 8:].any(), "turned by half, on the left"
    assert len(bpy.data.scenes) == 1 and tuple(block.delta_rotation_euler) == (0, 0, 0)
    assert before == (scene.render.engine, scene.render.resolution_x, scene.render.filepath, scene.frame_end)
    assert {one.name for one in bpy.data.images} <= {image.name, "Render Result"}, "rendered files are let go"


def test_scene_that_cannot_be_rendered_is_told(scene: Any) -> None:
    scene.bitpuppet.render.views = "OBJECT"
    with pytest.raises(RuntimeError, match="no object to turn"):
        bpy.ops.bitpuppet.render_frames()
    scene.bitpuppet.render.views, scene.camera = "CAMERA", None
    with pytest.raises(RuntimeError, match="no camera"):
        bpy.ops.bitpuppet.render_frames()
    assert len(bpy.data.scenes) == 1 and scene.bitpuppet.remedy == "object.camera_add"


def test_plane_shows_exact_pixels_at_each_pose(scene: Any, extension: Any, tmp_path: Path) -> None:
    results, images = extension.load("results"), extension.load("images")
    frames = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 4), dtype=np.uint8)
    frames[..., 3] = np.where(frames[..., 3] > 99, 255, 0)
    image = images.store_pixels("strip", np.concatenate(list(frames), axis=1))
    for name, value in (("frames", 3), ("frame_width", 8), ("frame_height", 8), ("fps", 24.0)):
        image[results.PREFIX + name] = value
    item = scene.bitpuppet.jobs.add()
    item.image, item.state, scene.bitpuppet.active_job = image, "done", 0
    assert bpy.ops.bitpuppet.add_plane(repeat=True) == {"FINISHED"}
    (view,) = (area.spaces.active for area in bpy.context.screen.areas if area.type == "VIEW_3D")
    assert view.shading.color_type == "TEXTURE", "or the plane is grey in Solid"
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 1, False
    scene.cycles.pixel_filter_type, scene.cycles.filter_width = "BOX", 0.01
    scene.render.resolution_x = scene.render.resolution_y = 8
    scene.render.film_transparent = True
    scene.render.image_settings.file_format, scene.render.image_settings.color_mode = "PNG", "RGBA"
    for number in (1, 2, 3, 4):  # the fourth is the first again
        scene.frame_set(number)
        scene.render.filepath = str(tmp_path / f"{number}.png")
        bpy.ops.render.render(write_still=True)
        shown = images.read_pixels(bpy.data.images.load(scene.render.filepath))
        wanted = frames[(number - 1) % 3].copy()
        wanted[wanted[..., 3] == 0] = 0
        assert (shown == wanted).all(), f"frame {number}"
