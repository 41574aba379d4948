"""Films as source and motion, soft presets, and results that are too wide for one row; the backend is played."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs Blender's Python module: run tools/test_extension.py")
from .played import PlayedLink  # noqa: E402 - it needs bpy


@pytest.fixture
def link(extension: Any) -> Iterator[PlayedLink]:
    """A played backend with a model of each kind, behind an empty file."""
    state = extension.state
    real, state.link = state.link, PlayedLink()
    model = state.link.replies.ModelInfo
    state.link.models = (model("sprite64", "sprite64", "12345678", 64), model("anna", "heads", "12345679", 128))
    for name in ("session", "film"):
        state.extras.pop(name, None)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    yield state.link
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    state.link = real


@pytest.fixture
def films(extension: Any) -> Any:
    return extension.load("films")


@pytest.fixture
def data(link: PlayedLink, tmp_path: Path) -> Any:
    """The scene's data, with a film of three bytes."""
    (tmp_path / "dance.mp4").write_bytes(b"abc")
    found = bpy.context.scene.bitpuppet
    found.film.path = str(tmp_path / "dance.mp4")
    return found


def draw(count: int, side: int) -> np.ndarray:
    """Opaque frames (count, side, side, 4), each of its own grey."""
    frames = np.full((count, side, side, 4), 255, np.uint8)
    frames[..., :3] = (np.arange(count) % 250)[:, None, None, None]
    return frames


def begin(link: PlayedLink, sheet: str = "motion") -> str:
    """Press the button; the id of the job that the backend got."""
    assert bpy.ops.bitpuppet.read_film(sheet=sheet) == {"FINISHED"}
    link.answer(link.replies.HealthReport("ready", ()))
    (job,) = link.callbacks
    return job


def test_film_becomes_the_motion_at_its_own_speed(data: Any, link: PlayedLink, films: Any) -> None:
    data.film.start, data.film.end, data.film.fps = 1.5, 4.0, 25.0
    job = begin(link)
    params, parts = link.asked[job]
    assert (params.kind, params.name, params.fps, params.range) == ("read", "dance.mp4", "25", "1.5-4")
    assert (params.crop, params.size) == ("centre", "64x64"), "as large as the preset's canvas"
    assert bytes(parts["video"]) == b"abc"
    link.update(job, step=3, steps=100)
    assert (films.find_reading().step, films.find_reading().steps) == (3, 100)
    frames = draw(100, 64)
    link.finish(job, {"frames": frames}, fps=25.0)
    assert films.find_reading() is None and link.acknowledged == [job]
    image = data.motion.image
    assert tuple(image.size) == (64 * 64, 2 * 64), "a sheet of rows that can be looked at"
    assert (data.motion.width, data.motion.height, data.settings.fps) == (64, 64, 25.0)
    assert image.packed_file is not None and not data.jobs
    data.source.image = image
    assert bpy.ops.bitpuppet.retarget() == {"FINISHED"}
    (asked,) = [parts for params, parts in link.asked.values() if params.kind == "retarget"]
    assert (asked["motion"] == frames).all() and (asked["content"] == frames).all()


def test_film_as_source_leaves_the_frame_rate(data: Any, link: PlayedLink) -> None:
    data.settings.model, data.film.sizing = "anna", "PRESET"
    job = begin(link, "source")
    assert link.asked[job][0].size == "128x128"
    link.finish(job, {"frames": draw(2, 128)}, fps=50.0)
    assert data.source.image.name == "dance.mp4" and data.settings.fps == 12.0


def test_movie_that_was_opened_as_an_image_is_read(data: Any, link: PlayedLink, tmp_path: Path) -> None:
    data.motion.image = bpy.data.images.new("opened", 1, 1)
    data.motion.image.source, data.motion.image.filepath = "MOVIE", str(tmp_path / "other.mp4")
    (tmp_path / "other.mp4").write_bytes(b"z")
    params, parts = link.asked[begin(link)]
    assert params.name == "other.mp4" and bytes(parts["video"]) == b"z"


def test_image_sequence_is_sent_as_a_film(data: Any, link: PlayedLink, extension: Any, tmp_path: Path) -> None:
    encode_png = extension.load("core.png").encode_png
    for number, frame in enumerate(draw(3, 8), 7):
        (tmp_path / f"shot{number:04d}.png").write_bytes(encode_png(frame))
    bpy.context.scene.render.fps = 30
    data.motion.image = bpy.data.images.load(str(tmp_path / "shot0007.png"))
    data.motion.image.source = "SEQUENCE"
    params, parts = link.asked[begin(link)]
    assert params.name == "shot0007.png"
    film = bytes(parts["video"])
    assert film[:4] == b"RIFF" and film.count(b"MPNG") == 2 and film.count(encode_png(draw(3, 8)[2])) == 1


def test_what_cannot_be_read_is_told(
    data: Any, link: PlayedLink, films: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.film.end, data.film.start = 1.0, 2.0
    with pytest.raises(RuntimeError, match="let To be the later one"):
        bpy.ops.bitpuppet.read_film()
    assert data.topic == films.TOPIC
    data.film.end, data.film.start = 0.0, 0.0
    bpy.ops.bitpuppet.read_film()
    link.answer(None, "the backend cannot be started; look at its log")
    assert data.notice.startswith("the backend cannot be started") and films.find_reading() is None
    data.settings.model = "nobody"
    bpy.ops.bitpuppet.read_film()
    link.answer(link.replies.HealthReport("ready", ()))
    assert 'no preset "nobody"' in data.notice and films.find_reading() is None
    data.settings.model = "anna"
    link.fail(begin(link), "failed", "dance.mp4 is too long; name a part, such as --range 0-10")
    assert data.notice == "dance.mp4 is too long; name a part, such as the range (From, To) 0-10"
    data.film.path = str(tmp_path / "none.mp4")
    bpy.ops.bitpuppet.read_film()
    link.answer(link.replies.HealthReport("ready", ()))
    assert "none.mp4 does not exist; choose a video file" in data.notice and films.find_reading() is None
    assert data.topic == films.TOPIC
    data.film.path = str(tmp_path / "dance.mp4")
    job = begin(link)
    assert data.notice == data.topic == "", "it is tried again"
    monkeypatch.setattr(link, "run", lambda work, on_done: on_done(None, OSError("no room")))
    link.finish(job, {"frames": draw(2, 128)}, fps=25.0)
    assert "could not be stored (no room); read the film again" in data.notice and data.topic == films.TOPIC
    data.film.path = ""
    with pytest.raises(RuntimeError, match="No film is chosen"):
        bpy.ops.bitpuppet.read_film()
    with pytest.raises(RuntimeError, match="no camera"):
        bpy.ops.bitpuppet.render_frames()
    assert data.topic == "", "it concerns no film"


def test_one_film_at_a_time_and_each_can_be_cancelled(data: Any, link: PlayedLink, films: Any) -> None:
    bpy.ops.bitpuppet.read_film()
    assert not bpy.ops.bitpuppet.read_film.poll()
    bpy.ops.bitpuppet.cancel_film()  # before anything was sent
    assert films.find_reading() is None
    link.answer(link.replies.HealthReport("ready", ()))
    assert not link.callbacks, "nothing is sent any more"
    begin(link)
    bpy.ops.bitpuppet.cancel_film()
    assert films.find_reading() is None and not link.callbacks
    assert data.motion.image is None and data.notice == ""


def test_film_of_a_closed_file_is_thrown_away(
    data: Any, link: PlayedLink, films: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "cancel", lambda job: None)  # it was quicker
    job = begin(link)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert films.find_reading() is None and job in link.callbacks
    link.finish(job, {"frames": draw(2, 64)}, fps=25.0)
    assert link.acknowledged == [job], "the backend need not keep it"
    assert bpy.context.scene.bitpuppet.motion.image is None


def test_soft_presets_are_not_hardened_unless_asked(data: Any, link: PlayedLink, extension: Any) -> None:
    images, results = extension.load("images"), extension.load("results")
    for sheet in (data.source, data.motion):
        sheet.image = images.store_pixels("two", np.concatenate(list(draw(2, 8)), axis=1))
        sheet.width = sheet.height = 8
    soft = draw(2, 8)
    soft[..., 3] = 100
    data.settings.model = "anna"
    bpy.ops.bitpuppet.retarget()
    ((job, (params, _)),) = link.asked.items()
    assert (params.palette_lock, params.pixels.hard_alpha) == (False, False)
    link.finish(job, {"frames": soft}, seed=0)
    assert (results.read_frames(data.jobs[0].image) == soft).all()
    data.settings.soft_lock = True
    bpy.ops.bitpuppet.retarget()
    params, _ = list(link.asked.values())[-1]
    assert params.palette_lock and not params.pixels.hard_alpha
    data.settings.soft_lock, data.settings.palette_lock = False, True
    bpy.ops.bitpuppet.restore(job=data.jobs[0].job)
    assert data.settings.soft_lock and data.settings.palette_lock and data.settings.hard_alpha
    data.settings.model = "sprite64"
    bpy.ops.bitpuppet.retarget()
    params, _ = list(link.asked.values())[-1]
    assert (params.palette_lock, params.pixels.hard_alpha) == (True, True)


def test_shipped_soft_presets_are_known_before_the_backend_is(data: Any, link: PlayedLink, extension: Any) -> None:
    link.models = ()
    models = extension.load("models")
    assert models.is_soft("heads") and models.is_soft("render64") and not models.is_soft("anna")


def test_long_result_is_a_sheet_that_plays_on_a_plane(data: Any, link: PlayedLink, extension: Any) -> None:
    images, results = extension.load("images"), extension.load("results")
    for sheet in (data.source, data.motion):
        sheet.image = images.store_pixels("two", np.concatenate(list(draw(2, 8)), axis=1))
        sheet.width = sheet.height = 8
    bpy.ops.bitpuppet.retarget()
    (job,) = link.asked
    frames = draw(300, 64)
    frames[299] = 0  # nobody is in the picture
    link.finish(job, {"frames": frames}, seed=0)
    image = data.jobs[0].image
    assert tuple(image.size) == (16384, 128)
    assert (results.read_frames(image) == frames).all(), "also the frame that shows nothing"
    assert bpy.ops.bitpuppet.add_plane(step=1) == {"FINISHED"}
    plane, scene = bpy.context.active_object, bpy.context.scene
    for pose in (0, 255, 256, 298):
        scene.frame_set(scene.frame_start + pose)
        shown = plane.evaluated_get(bpy.context.evaluated_depsgraph_get()).to_mesh()
        corners = np.array([loop.uv for loop in shown.uv_layers.active.data])
        left, low = corners.min(axis=0) * image.size
        column, row = pose % 256, pose // 256
        assert (round(left), round(low)) == (column * 64, (1 - row) * 64)
    data.batch_motions.add().take(image, data.motion.to_settings())
    data.batch_motions[0].width = data.batch_motions[0].height = 64
    data.batch_sources.add().take(data.source.image, data.source.to_settings())
    pairs = extension.load("operators.batch").list_pairs(scene, extension.load("starting").Reader())
    assert len(pairs) == 1, "its rows are one motion"


def test_rendered_frames_are_soft_where_wanted(data: Any, link: PlayedLink, extension: Any) -> None:
    scene = bpy.context.scene
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.location, camera.data.type, camera.data.ortho_scale = (0, 0, 5), "ORTHO", 3.0
    scene.collection.objects.link(camera)
    scene.camera, scene.frame_start, scene.frame_end = camera, 1, 2
    mesh = bpy.data.meshes.new("tilted")
    mesh.from_pydata([(-1, -0.5, 0), (0.9, -0.8, 0), (0.2, 1, 0)], [], [(0, 1, 2)])
    scene.collection.objects.link(bpy.data.objects.new("tilted", mesh))
    levels = []
    for soft in (False, True):
        data.render.width = data.render.height = 16
        data.render.soft = soft
        bpy.ops.bitpuppet.render_frames(sheet="motion")
        assert data.notice == ""
        levels.append(set(np.unique(extension.load("images").read_pixels(data.motion.image)[..., 3]).tolist()))
    assert levels[0] == {0, 255}
    assert len(levels[1]) > 2
    assert data.settings.fps == scene.render.fps / scene.render.fps_base, "the result moves as the scene does"
