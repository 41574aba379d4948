"""The panel's buttons with a real backend: what ends up in the .blend, also when that is closed in mid-job."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .conftest import Extension

bpy = pytest.importorskip("bpy", reason="needs Blender's Python module: run tools/test_extension.py")


@pytest.fixture
def scene(connected: Extension, example: dict[str, np.ndarray]) -> Iterator[None]:
    """A file with the example's clips as source and motion."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    data, images = bpy.context.scene.bitpuppet, connected.load("images")
    for sheet, name in ((data.source, "content"), (data.motion, "motion")):
        sheet.image = images.store_pixels(name, np.concatenate(list(example[name]), axis=1))
        sheet.height, sheet.width = example[name].shape[1:3]
    data.settings.seed = "7"
    yield
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def wait_for_job(extension: Extension) -> Any:
    """The newest entry of the history, when it is over."""
    extension.wait(lambda: not bpy.context.scene.bitpuppet.jobs[0].is_open, "the end of the job")
    item = bpy.context.scene.bitpuppet.jobs[0]
    assert item.state == "done", item.message
    return item


def read_result(extension: Extension, item: Any) -> np.ndarray:
    return extension.load("results").read_frames(item.image)


def test_extend_and_loop_go_on_from_the_given_frames(
    connected: Extension, scene: None, example: dict[str, np.ndarray]
) -> None:
    given, settings = example["motion"], bpy.context.scene.bitpuppet.settings
    settings.count, settings.variations = 2, 2
    for operator in (bpy.ops.bitpuppet.extend, bpy.ops.bitpuppet.close_loop):
        assert operator() == {"FINISHED"}
        frames = read_result(connected, wait_for_job(connected))
        assert frames.shape == (len(given) + 2, *given.shape[1:])
        assert np.array_equal(frames[: len(given)], given)
        assert frames[len(given) :].any()
        settings.variations = 1


def test_job_of_a_closed_file_is_fetched_with_the_command_lines_pixels(
    connected: Extension, scene: None, example: dict[str, np.ndarray], tmp_path: Path
) -> None:
    link = connected.state.link
    assert bpy.ops.bitpuppet.retarget() == {"FINISHED"}
    job = bpy.context.scene.bitpuppet.jobs[0].job
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    connected.wait(lambda: not link.jobs, "the end of the job that nobody looks at")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    item = wait_for_job(connected)
    assert item.job == job
    assert np.array_equal(read_result(connected, item), example["frames"])


def test_edited_motion_is_drawn_again(connected: Extension, scene: None, example: dict[str, np.ndarray]) -> None:
    bpy.ops.bitpuppet.retarget()
    strip = read_result(connected, wait_for_job(connected))
    bpy.ops.bitpuppet.motion_to_timeline(step=1)
    (curve,) = connected.load("decoding").list_curves(bpy.context.active_object)
    points = curve.keyframe_points
    points[0].type = "EXTREME"
    points[len(points) - 1].co.x += 1  # the pose before it holds
    curve.update()
    bpy.ops.bitpuppet.redecode()
    connected.wait(lambda: len(bpy.context.scene.bitpuppet.jobs) == 2, "the strip's entry")
    connected.wait(lambda: bpy.context.scene.bitpuppet.jobs[0].kind == "decode", "its tokens")
    frames = read_result(connected, wait_for_job(connected))
    assert len(frames) == len(strip) + 1
    assert np.array_equal(frames[0], strip[0]), "the locked frame is untouched"
    assert np.array_equal(frames[-2], frames[-3]), "a held pose is drawn once"


def test_in_betweens_are_drawn_and_can_be_edited_again(
    connected: Extension, scene: None, example: dict[str, np.ndarray]
) -> None:
    bpy.ops.bitpuppet.retarget()
    strip = read_result(connected, wait_for_job(connected))
    bpy.ops.bitpuppet.motion_to_timeline(step=1)
    bpy.context.scene.frame_set(bpy.context.scene.frame_start + 1)
    bpy.ops.bitpuppet.add_in_between()
    bpy.ops.bitpuppet.redecode()
    connected.wait(lambda: bpy.context.scene.bitpuppet.jobs[0].kind == "decode", "its tokens")
    item = wait_for_job(connected)
    frames = read_result(connected, item)
    assert len(frames) == len(strip) + 1
    known = connected.load("results").read_tokens(item.image)
    assert known is not None and len(known) == len(frames), "the backend told the mixed ones"
    bpy.ops.bitpuppet.motion_to_timeline(step=1)
    bpy.ops.bitpuppet.redecode()
    assert bpy.context.scene.bitpuppet.jobs[0].kind == "decode", "no tokens need to be read"
    assert np.array_equal(read_result(connected, wait_for_job(connected)), frames)


FILM = """
import sys
from pathlib import Path
import numpy as np
from bitpuppet.sprites import Clip, write_clip
frames = np.load(sys.argv[1]).repeat(2, axis=1).repeat(2, axis=2)
write_clip(Clip(frames, (100,) * len(frames)), Path(sys.argv[2]))
"""
"""Writes frames, at twice their size, as a film of ten frames a second."""


def test_film_drives_a_sprite(
    connected: Extension, scene: None, backend: str, example: dict[str, np.ndarray], tmp_path: Path
) -> None:
    np.save(tmp_path / "motion.npy", example["motion"])
    film = tmp_path / "motion.webm"
    subprocess.run([backend, "-I", "-c", FILM, str(tmp_path / "motion.npy"), str(film)], check=True, timeout=600)
    data, films = bpy.context.scene.bitpuppet, connected.load("films")
    data.film.path, data.film.crop = str(film), "WHOLE"
    assert bpy.ops.bitpuppet.read_film(sheet="motion") == {"FINISHED"}
    connected.wait(lambda: films.find_reading() is None, "the film")
    assert data.notice == "" and data.motion.image.name == "motion.webm"
    assert data.settings.fps == 10.0
    assert bpy.ops.bitpuppet.retarget() == {"FINISHED"}
    item = wait_for_job(connected)
    assert item.title == "content - motion"
    assert read_result(connected, item).shape == example["frames"].shape
    film.write_bytes(film.read_bytes()[:60])
    bpy.ops.bitpuppet.read_film(sheet="motion")
    connected.wait(lambda: films.find_reading() is None, "its end")
    assert data.notice.startswith("motion.webm is damaged or cut short")


def test_colours_of_a_palette_file_are_all_that_is_drawn(connected: Extension, scene: None, tmp_path: Path) -> None:
    (tmp_path / "mine.hex").write_text("ff0102\n03ff04\n0506ff\n")
    settings = bpy.context.scene.bitpuppet.settings
    bpy.ops.bitpuppet.load_palette(filepath=str(tmp_path / "mine.hex"))
    connected.wait(lambda: settings.palette, "the palette")
    bpy.ops.bitpuppet.retarget()
    frames = read_result(connected, wait_for_job(connected))
    used = {tuple(colour) for colour in frames[frames[..., 3] > 0][:, :3].tolist()}
    assert used <= {(255, 1, 2), (3, 255, 4), (5, 6, 255)} and len(used) > 1


def test_added_set_is_one_of_the_backend(connected: Extension, scene: None, tmp_path: Path) -> None:
    frames = np.zeros((4, 16, 16, 4), dtype=np.uint8)
    for number, frame in enumerate(frames):
        frame[4:12, 3 + number : 9 + number] = (200, 80, 40, 255)
    encode_png = connected.load("core.png").encode_png
    (tmp_path / "zoo" / "frog").mkdir(parents=True)
    for name, rows in (("walk", frames), ("back", frames[::-1])):
        (tmp_path / "zoo" / "frog" / f"{name}_16x16.png").write_bytes(encode_png(np.concatenate(list(rows), axis=1)))
    training, addition = connected.load("training"), connected.load("additions")
    bpy.ops.bitpuppet.set_add(directory=str(tmp_path / "zoo"))
    assert addition.find_addition() is not None
    connected.wait(lambda: addition.find_addition() is None, "the set")
    assert training.get_training().outcome.startswith("The set zoo is there: 1 character. zoo: there is one")
    training.get_training().sets = ()
    bpy.ops.bitpuppet.train_look()
    connected.wait(lambda: training.get_training().sets, "the backend's sets")
    assert training.get_training().sets == ("zoo",)
    bpy.ops.bitpuppet.set_add(directory=str(tmp_path / "zoo"), replace=True)
    addition.cancel()
    connected.wait(lambda: addition.find_addition() is None, "its end")
    assert "cancelled" in training.get_training().outcome and not connected.state.stops


def test_backend_tells_its_models_and_refuses_a_set_that_is_not_there(connected: Extension, scene: None) -> None:
    get_training = connected.load("training").get_training
    assert bpy.ops.bitpuppet.train_look() == {"FINISHED"}
    connected.wait(lambda: get_training().models, "the models")
    shipped = [("render64", False), ("sprite64", False)]
    assert [(card.model.name, card.own) for card in get_training().models] == shipped
    bpy.context.scene.bitpuppet.train.characters = "no-such-set"
    assert bpy.ops.bitpuppet.train_start() == {"FINISHED"}
    connected.wait(lambda: not get_training().is_open, "the end of the training")
    assert get_training().has_failed and get_training().outcome.startswith("There is no character set")
