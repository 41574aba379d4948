"""Images, jobs, results and motion inside Blender, against a backend that is played: no process, no waiting.

The real backend is tried by the tests of the installed extension.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs Blender's Python module: run tools/test_extension.py")
from .played import PlayedLink  # noqa: E402 - it needs bpy


@pytest.fixture
def link(extension: Any) -> Iterator[PlayedLink]:
    """A played backend behind an empty file."""
    state = extension.state
    real, state.link = state.link, PlayedLink()
    state.extras.pop("session", None)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    yield state.link
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    state.link = real


@pytest.fixture
def images(extension: Any) -> Any:
    return extension.load("images")


@pytest.fixture
def curves(extension: Any) -> Any:
    return extension.load("decoding").list_curves


@pytest.fixture
def data(link: PlayedLink, images: Any) -> Any:
    """The scene's data, with a source of 3 frames of 6x8 and a motion of two rows of 4 frames of 4x4."""
    found = bpy.context.scene.bitpuppet
    found.source.image = images.store_pixels("hero", join(draw(3, 8, 6, 1)))
    found.source.width, found.source.height = 6, 8
    found.motion.image = images.store_pixels("walk", np.vstack([join(draw(4, 4, 4, 2)), join(draw(4, 4, 4, 3))]))
    found.motion.width, found.motion.height = 4, 4
    return found


def draw(count: int, height: int, width: int, seed: int) -> np.ndarray:
    frames = np.random.default_rng(seed).integers(0, 256, (count, height, width, 4), dtype=np.uint8)
    frames[..., 0, 0, 3] = 255
    return frames


def join(frames: np.ndarray) -> np.ndarray:
    return np.concatenate(list(frames), axis=1)


def read(image: Any) -> np.ndarray:
    """Pixels (H, W, 4) of an image, by the plainest way that there is."""
    width, height = image.size
    return np.rint(np.array(image.pixels[:]).reshape(height, width, 4)[::-1] * 255).astype(np.uint8)


def test_image_is_exact_packed_and_comes_back(link: PlayedLink, images: Any, tmp_path: Path) -> None:
    one, two = join(draw(3, 9, 7, 0)), join(draw(2, 5, 6, 1))
    image = images.store_pixels("it", one)
    assert (images.read_pixels(image) == one).all() and (read(image) == one).all()
    assert images.store_pixels("it", two, "it") == image, "the same data-block is used again"
    assert (read(image) == two).all()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    assert (read(bpy.data.images["it"]) == two).all()


@pytest.mark.parametrize(
    ("make", "words", "remedy"),
    [
        (lambda new: new("a", 4, 4, float_buffer=True), "float pixels", ""),
        (lambda new: new("a", 4, 4, tiled=True), "tiled", ""),
        (
            lambda new: _change(new("a", 4, 4), source="FILE", filepath="/none/a.png"),
            "missing",
            "file.find_missing_files",
        ),
        (lambda new: _change(new("a", 4, 4), alpha_mode="PREMUL"), "straight alpha", "bitpuppet.fix_alpha"),
        (lambda new: _change(new("a", 4, 4), source="MOVIE"), "press Read Film", ""),
        (lambda new: None, "choose an image", ""),
    ],
)
def test_image_without_exact_pixels_is_told(
    link: PlayedLink, extension: Any, images: Any, make: Any, words: str, remedy: str
) -> None:
    with pytest.raises(extension.load("core.errors").ArtError, match=words) as caught:
        images.read_pixels(make(bpy.data.images.new))
    assert caught.value.remedy == remedy


def _change(image: Any, **values: Any) -> Any:
    for name, value in values.items():
        setattr(image, name, value)
    return image


def test_retarget_asks_for_the_cut_frames_and_stores_the_result(data: Any, link: PlayedLink, tmp_path: Path) -> None:
    data.motion.rows = "1"
    data.settings.seed = "7"
    data.settings.colours, data.settings.outline, data.settings.orphans = 12, True, False
    assert bpy.ops.bitpuppet.retarget() == {"FINISHED"}
    ((job, (params, parts)),) = link.asked.items()
    assert (params.kind, params.seed, params.steps, params.palette_lock) == ("retarget", 7, None, True)
    assert (params.pixels.colours, params.pixels.outline, params.pixels.orphans) == (12, True, False)
    assert (parts["content"] == draw(3, 8, 6, 1)).all()
    assert (parts["motion"] == draw(4, 4, 4, 3)).all()
    link.update(job, step=2, steps=4, eta_seconds=3.0)
    link.preview(job, draw(4, 8, 6, 5))
    assert (data.jobs[0].state, data.jobs[0].step, data.jobs[0].steps) == ("running", 2, 4)
    result = draw(4, 8, 6, 9)
    link.finish(job, {"frames": result}, seed=7, bits_per_frame=12.5)
    image = data.jobs[0].image
    assert data.jobs[0].state == "done" and link.acknowledged == [job]
    assert image.name == "hero - walk" and image.packed_file is not None
    assert image["bitpuppet_job"] == job and json.loads(image["bitpuppet_settings"])["seed"] == "7"
    assert (read(image) == join(result)).all()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    data = bpy.context.scene.bitpuppet
    assert (read(data.jobs[0].image) == join(result)).all()
    data.settings.seed, data.motion.rows = "1", ""
    data.settings.colours, data.settings.outline = 0, False
    assert bpy.ops.bitpuppet.restore(job=job) == {"FINISHED"}
    assert (data.settings.colours, data.settings.outline) == (12, True)
    assert (data.settings.seed, data.motion.rows, data.motion.image.name) == ("7", "1", "walk")


def test_result_replaces_the_image_that_was_chosen(data: Any, link: PlayedLink) -> None:
    data.settings.reuse = True
    for seed in (4, 5):
        bpy.ops.bitpuppet.retarget()
        link.finish(list(link.asked)[-1], {"frames": draw(8, 8, 6, seed)})
    assert data.jobs[0].image == data.jobs[1].image == data.settings.output
    assert (read(data.settings.output) == join(draw(8, 8, 6, 5))).all()


def test_palettes_colours_go_with_the_job_and_come_back(data: Any, link: PlayedLink, tmp_path: Path) -> None:
    (tmp_path / "two.hex").write_text("ff8001\n000203\n")
    bpy.ops.bitpuppet.load_palette(filepath=str(tmp_path / "two.hex"))
    palette = data.settings.palette
    data.settings.colours, data.settings.hard_alpha = 5, False
    bpy.ops.bitpuppet.retarget()
    ((job, (params, parts)),) = link.asked.items()
    assert parts["palette"].tolist() == [[255, 128, 1], [0, 2, 3]]
    assert (params.pixels.colours, params.pixels.hard_alpha) == (None, False)
    data.settings.palette, data.settings.hard_alpha = None, True
    bpy.ops.bitpuppet.restore(job=job)
    assert data.settings.palette == palette and not data.settings.hard_alpha
    palette.colors[0].color = (0, 0, 0)  # not what the job had
    bpy.ops.bitpuppet.restore(job=job)
    assert data.settings.palette != palette
    bpy.ops.bitpuppet.retarget()
    assert link.asked[list(link.asked)[-1]][1]["palette"].tolist() == [[255, 128, 1], [0, 2, 3]]
    data.settings.palette = None
    bpy.ops.bitpuppet.retarget()
    params, parts = link.asked[list(link.asked)[-1]]
    assert "palette" not in parts and params.pixels.colours == 5


def test_palettes_are_loaded_from_images_and_failures_told(data: Any, link: PlayedLink, tmp_path: Path) -> None:
    image = bpy.data.images.new("ramp", 2, 1, alpha=True)
    image.pixels.foreach_set(np.array([1, 0, 0, 1, 0, 0, 1 / 255, 1], np.float32))
    image.filepath_raw, image.file_format = str(tmp_path / "ramp.png"), "PNG"
    image.save()
    bpy.ops.bitpuppet.load_palette(filepath=str(tmp_path / "ramp.png"))
    assert data.settings.palette.name == "ramp" and len(data.settings.palette.colors) == 2
    bpy.ops.bitpuppet.retarget()
    assert link.asked[data.jobs[0].job][1]["palette"].tolist() == [[255, 0, 0], [0, 0, 1]]
    works: list[tuple[Any, Any]] = []
    link.run = lambda *work: works.append(work)  # type: ignore[method-assign] - as in life, not at once
    bpy.ops.bitpuppet.load_palette(filepath=str(tmp_path / "none.gpl"))
    PlayedLink.run(link, *works.pop())
    assert "cannot be read" in data.notice and data.settings.palette.name == "ramp"
    with pytest.raises(RuntimeError, match="cannot be read"):
        bpy.ops.bitpuppet.load_palette(filepath=str(tmp_path / "none.png"))
    data.settings.palette = bpy.data.palettes.new("nothing")
    with pytest.raises(RuntimeError, match="0 colors"):
        bpy.ops.bitpuppet.retarget()


def test_extend_keeps_the_given_frames_and_stores_each_variation(data: Any, link: PlayedLink) -> None:
    data.settings.variations, data.settings.palette_lock, data.settings.anchor = 2, False, "GROUND"
    bpy.ops.bitpuppet.close_loop()
    ((job, (params, parts)),) = link.asked.items()
    assert params.loop and params.count == 8 and list(parts) == ["motion"]
    frames = draw(16, 4, 4, 6)
    link.finish(job, {"frames": frames, "frames_2": draw(16, 4, 4, 7)}, given_frames=8)
    pixels = read(data.jobs[0].image)
    assert (pixels[:, :32] == join(frames[:8])).all(), "the given frames are untouched"
    assert set(np.unique(pixels[:, 32:, 3])) <= {0, 255}, "the new ones have hard alpha"
    assert bpy.data.images["walk - loop 2"].size[0] == 64


def test_what_cannot_be_started_is_told_and_leaves_the_file_as_it_was(data: Any, link: PlayedLink) -> None:
    data.motion.width = 5
    with pytest.raises(RuntimeError, match="do not divide"):
        bpy.ops.bitpuppet.retarget()
    assert "do not divide" in data.notice and not data.jobs and not link.asked
    data.motion.width, link.is_missing = 4, True
    with pytest.raises(RuntimeError, match="not installed"):
        bpy.ops.bitpuppet.retarget()
    assert not data.jobs
    link.is_missing = False
    bpy.ops.bitpuppet.retarget()
    assert data.notice == ""


def test_cancel_and_failure_end_an_entry(data: Any, link: PlayedLink) -> None:
    bpy.ops.bitpuppet.retarget()
    bpy.ops.bitpuppet.cancel(job=data.jobs[0].job)
    assert data.jobs[0].state == "cancelled" and data.notice == ""
    bpy.ops.bitpuppet.retarget()
    job = data.jobs[0].job
    link.fail(job, "crashed", "the job killed its worker twice; send fewer frames")
    assert data.jobs[0].state == "failed" and "fewer frames" in data.notice and data.remedy == "bitpuppet.show_log"
    bpy.ops.bitpuppet.clear()
    assert not data.jobs


def test_job_that_ended_while_the_file_was_closed_is_fetched(data: Any, link: PlayedLink, tmp_path: Path) -> None:
    bpy.ops.bitpuppet.retarget()
    job = data.jobs[0].job
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert link.jobs == (), "the old file's job is let go"
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    assert link.attached == [job]
    link.finish(job, {"frames": draw(8, 8, 6, 9)})
    item = bpy.context.scene.bitpuppet.jobs[0]
    assert item.state == "done" and (read(item.image) == join(draw(8, 8, 6, 9))).all()


def test_entry_that_undo_took_comes_back_with_the_result(data: Any, link: PlayedLink) -> None:
    bpy.ops.bitpuppet.retarget()
    job = data.jobs[0].job
    data.jobs.clear()  # what undo does to it
    link.finish(job, {"frames": draw(8, 8, 6, 9)})
    assert data.jobs[0].state == "done" and data.jobs[0].job == job


def test_batch_is_each_motion_on_each_character(data: Any, link: PlayedLink) -> None:
    bpy.ops.bitpuppet.batch_add(sheet="source")
    bpy.ops.bitpuppet.batch_add(sheet="source")
    bpy.ops.bitpuppet.batch_add(sheet="motion")
    bpy.ops.bitpuppet.batch_run()
    assert len(link.asked) == 4
    assert sorted(parts["motion"][0, 0, 0, 0] for _, parts in link.asked.values()) == sorted(
        [draw(4, 4, 4, 2)[0, 0, 0, 0], draw(4, 4, 4, 3)[0, 0, 0, 0]] * 2
    )
    bpy.ops.bitpuppet.cancel()
    assert {item.state for item in data.jobs} == {"cancelled"}


def key_motion(data: Any, link: PlayedLink, step: int) -> np.ndarray:
    """Put a result of four frames on the timeline, a key every `step` scene frames: its frames (4, 8, 6, 4)."""
    data.motion.rows = "0"
    bpy.ops.bitpuppet.retarget()
    strip = draw(4, 8, 6, 9)
    link.finish(data.jobs[0].job, {"frames": strip})
    bpy.ops.bitpuppet.motion_to_timeline(step=step)
    return strip


def test_edited_keys_are_decoded_and_locked_frames_stay(data: Any, link: PlayedLink, curves: Any) -> None:
    strip = key_motion(data, link, step=2)
    plane = bpy.context.active_object
    (curve,) = curves(plane)
    points = curve.keyframe_points
    assert [(point.co.x, point.co.y) for point in points] == [(1, 0), (3, 1), (5, 2), (7, 3)]
    assert {point.interpolation for point in points} == {"CONSTANT"}
    points[0].co.y, points[3].co.x, points[0].type = 2, 9, "EXTREME"  # re-ordered and locked; held longer
    points.remove(points[1])
    curve.update()
    bpy.ops.bitpuppet.redecode()
    job = data.jobs[0].job
    assert link.asked[job][0].kind == "tokens" and (link.asked[job][1]["motion"] == draw(4, 4, 4, 2)).all()
    tokens = np.arange(8, dtype=np.uint16).reshape(4, 2)
    link.finish(job, {"tokens": tokens})
    job = data.jobs[0].job
    params, parts = link.asked[job]
    assert params.kind == "decode" and parts["tokens"].tolist() == [[4, 5], [6, 7]]
    assert (parts["content"] == draw(3, 8, 6, 1)).all()
    drawn = draw(2, 8, 6, 11)
    link.finish(job, {"frames": drawn})
    # Pose 2 was put first and locked; it holds where the key of pose 1 was; then pose 2 unlocked, 3 held to 9.
    wanted = [strip[2], strip[2], drawn[0], drawn[0], drawn[1]]
    assert (read(data.jobs[0].image) == join(np.stack(wanted))).all()
    assert json.loads(data.jobs[0].image["bitpuppet_tokens"]) == tokens[[2, 2, 2, 2, 3]].tolist()
    assert [item.kind for item in data.jobs] == ["decode", "retarget"]


def test_in_betweens_are_keyed_mixed_and_remembered(data: Any, link: PlayedLink, curves: Any) -> None:
    strip = key_motion(data, link, step=2)
    (curve,) = curves(bpy.context.active_object)
    scene = bpy.context.scene
    scene.frame_set(3)
    bpy.ops.bitpuppet.add_in_between()
    found = [(point.co.x, point.co.y, point.type) for point in curve.keyframe_points]
    assert found == [
        (1, 0, "KEYFRAME"),
        (3, 1, "KEYFRAME"),
        (5, 1, "BREAKDOWN"),
        (7, 2, "KEYFRAME"),
        (9, 3, "KEYFRAME"),
    ]
    assert scene.frame_current == 5
    scene.frame_set(9)
    with pytest.raises(RuntimeError, match="No two keys lie around frame 9"):
        bpy.ops.bitpuppet.add_in_between()
    for point in curve.keyframe_points:
        if point.type == "KEYFRAME":
            point.type = "EXTREME"
    bpy.ops.bitpuppet.redecode()
    tokens = np.arange(8, dtype=np.uint16).reshape(4, 2)
    link.finish(data.jobs[0].job, {"tokens": tokens})
    job = data.jobs[0].job
    _, parts = link.asked[job]
    assert (parts["tokens"].tolist(), parts["second"].tolist()) == ([[2, 3]], [[4, 5]])
    assert parts["shares"].tolist() == [0.5]
    drawn = draw(1, 8, 6, 11)
    link.finish(job, {"frames": drawn, "tokens": np.array([[3, 5]], np.uint16)})
    image = data.jobs[0].image
    assert (read(image) == join(np.stack([strip[0], strip[1], drawn[0], strip[2], strip[3]]))).all()
    assert json.loads(image["bitpuppet_tokens"]) == [[0, 1], [2, 3], [3, 5], [4, 5], [6, 7]]


def test_all_locked_needs_no_backend(data: Any, link: PlayedLink, curves: Any) -> None:
    strip = key_motion(data, link, step=1)
    (curve,) = curves(bpy.context.active_object)
    for number, point in enumerate(curve.keyframe_points):
        point.co.y, point.type = 3 - number, "EXTREME"
    bpy.ops.bitpuppet.redecode()
    assert len(link.asked) == 1
    assert (read(data.jobs[0].image) == join(strip[::-1])).all()


def test_exports_are_files_with_the_same_pixels(data: Any, link: PlayedLink, tmp_path: Path) -> None:
    bpy.ops.bitpuppet.retarget()
    strip = draw(8, 8, 6, 9)
    link.finish(data.jobs[0].job, {"frames": strip})
    bpy.ops.bitpuppet.save_strip(filepath=str(tmp_path / "strip"))
    bpy.ops.bitpuppet.save_sheet(filepath=str(tmp_path / "sheet.png"), columns=3)
    bpy.ops.bitpuppet.save_frames(filepath=str(tmp_path / "one.png"))
    assert (read(bpy.data.images.load(str(tmp_path / "strip.png"))) == join(strip)).all()
    sheet = read(bpy.data.images.load(str(tmp_path / "sheet.png")))
    boxes = [frame["frame"] for frame in json.loads((tmp_path / "sheet.json").read_text())["frames"]]
    cells = [sheet[box["y"] : box["y"] + box["h"], box["x"] : box["x"] + box["w"]] for box in boxes]
    assert (np.stack(cells) == strip).all()
    assert (read(bpy.data.images.load(str(tmp_path / "one_0007.png"))) == strip[7]).all()
    with pytest.raises(RuntimeError, match="does not exist"):
        bpy.ops.bitpuppet.save_strip(filepath=str(tmp_path / "none" / "a.png"))
    with pytest.raises(RuntimeError, match="save it first"):
        bpy.ops.bitpuppet.add_strip()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.bitpuppet.add_strip()
    editor = bpy.context.scene.sequence_editor
    (added,) = editor.strips if hasattr(editor, "strips") else editor.sequences
    assert (added.frame_final_duration, added.transform.filter) == (16, "NEAREST")
