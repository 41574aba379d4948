"""Every state that the panels have something to show for.

The test of the panels enters each of them in background, tools/check_window.py in a window. No pytest here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import bpy
import numpy as np

from .played import PlayedLink

SIDE = 32
"""Pixels of a drawn frame."""


class Stage:
    """The extension with a played backend, and the file that is open."""

    def __init__(self, load: Callable[[str], ModuleType], link: PlayedLink) -> None:
        """Take the function that loads a module of the extension by its name."""
        self.load, self.link = load, link

    @property
    def data(self) -> Any:
        return bpy.context.scene.bitpuppet

    @property
    def setup(self) -> Any:
        return self.load("state").current().setup

    def clear(self) -> None:
        """As in a new file, with a backend that is connected."""
        data, setup = self.data, self.setup
        for job in self.link.jobs:
            self.link.forget(job)
        state = self.load("state").current()
        state.extras.pop("session", None)
        for name in ("rendering", "training", "addition", "film"):
            state.extras.pop(name, None)
        self.link.questions.clear()
        for name in ("jobs", "batch_sources", "batch_motions"):
            getattr(data, name).clear()
        for name in ("source", "motion", "settings", "render", "film", "train"):
            group = getattr(data, name)
            for each in group.bl_rna.properties:
                if each.identifier not in ("rna_type", "name"):
                    group.property_unset(each.identifier)
        data.notice, data.remedy, data.topic, data.active_job = "", "", "", 0
        setup.installer, setup.doing, setup.step, setup.outcome, setup.has_failed = None, "", "", "", False
        setup.lines.clear()
        self.link.state, self.link.message, self.link.can_start = "connected", "", True
        for thing in [one for one in bpy.context.scene.objects if one.get("bitpuppet_strip")]:
            bpy.data.objects.remove(thing)

    def choose(self) -> None:
        """A source and a motion."""
        for sheet, seed in ((self.data.source, 1), (self.data.motion, 2)):
            name = ("hero", "walk")[seed - 1]
            rows = [np.concatenate(list(draw_figure(6, seed, turn)), axis=1) for turn in range(seed)]
            sheet.image = bpy.data.images.get(name) or self.load("images").store_pixels(name, np.vstack(rows))
            sheet.width = sheet.height = SIDE

    def start(self, count: int = 1) -> list[str]:
        """Jobs that the backend has not answered yet."""
        self.choose()
        for _ in range(count):
            bpy.ops.bitpuppet.retarget()
        return list(self.link.jobs)[-count:]

    def finish(self) -> str:
        """A result."""
        (job,) = self.start()
        self.link.finish(job, {"frames": draw_figure(12, 3)}, seed=0, bits_per_frame=14.5)
        return job


def draw_figure(count: int, seed: int, turn: int = 0) -> np.ndarray:
    """A little walker, uint8 (count, SIDE, SIDE, 4): a head, a body and two legs that swing."""
    frames = np.zeros((count, SIDE, SIDE, 4), dtype=np.uint8)
    skin, coat, leg = (np.array([*color, 255]) for color in np.random.default_rng(seed).integers(60, 255, (3, 3)))
    for number, frame in enumerate(frames):
        swing = round(3 * np.sin(2 * np.pi * number / count))
        frame[4:12, 12 + turn : 20 + turn], frame[12:22, 11:21] = skin, coat
        frame[22:30, 12 + swing : 15 + swing] = frame[22:30, 17 - swing : 20 - swing] = leg
    return frames


def show_grid(stage: Stage) -> None:
    stage.choose()
    stage.data.source.mode, stage.data.source.columns = "GRID", 6
    stage.data.motion.rows = "1"


def show_wrong_grid(stage: Stage) -> None:
    stage.choose()
    stage.data.source.width = 31


def show_damage(stage: Stage) -> None:
    stage.choose()
    stage.data.source.image = bpy.data.images.new("none", 1, 1)
    stage.data.source.image.source, stage.data.source.image.filepath = "FILE", "/none/a.png"
    stage.data.batch_sources.add()


def show_running(stage: Stage) -> None:
    running, _ = stage.start(2)
    stage.link.update(running, step=2, steps=4, eta_seconds=75.0)
    stage.link.preview(running, draw_figure(6, 3))


def show_queued(stage: Stage) -> None:
    (job,) = stage.start()
    stage.link.update(job, "queued", position=3)


def show_preparing(stage: Stage) -> None:
    (job,) = stage.start()
    stage.link.update(job, step=0, steps=0)


def show_storing(stage: Stage) -> None:
    stage.start()
    stage.data.jobs[0].state = "storing"
    stage.data.jobs[0].message = "A sentence about it"


def show_failed(stage: Stage) -> None:
    (job,) = stage.start()
    stage.link.fail(job, "crashed", "The job killed its worker twice; send fewer frames, or fewer content frames")


def show_cancelled(stage: Stage) -> None:
    (job,) = stage.start()
    stage.link.cancel(job)


def show_result(stage: Stage) -> None:
    stage.finish()
    stage.data.settings.reuse = True
    stage.data.settings.palette_lock = False


def show_palette(stage: Stage) -> None:
    stage.choose()
    colours = np.array([[255, 0, 0], [0, 0, 1]], np.uint8)
    stage.data.settings.palette = stage.load("palettes").find_palette("two", colours)


def show_unlisted(stage: Stage) -> None:
    stage.finish()
    bpy.ops.bitpuppet.clear()


def show_motion(stage: Stage) -> None:
    stage.finish()
    bpy.ops.bitpuppet.motion_to_timeline(step=2)
    (curve,) = stage.load("decoding").list_curves(bpy.context.active_object)
    curve.keyframe_points[0].type = "EXTREME"


def show_batch(stage: Stage) -> None:
    stage.choose()
    for sheet in ("source", "motion", "motion"):
        bpy.ops.bitpuppet.batch_add(sheet=sheet)
    stage.data.motion.rows = "1"
    bpy.ops.bitpuppet.batch_add(sheet="motion")


def show_cameras(stage: Stage) -> None:
    stage.data.render.views, stage.data.render.engine = "CAMERAS", "CYCLES"


def show_turns(stage: Stage) -> None:
    stage.data.render.views, stage.data.render.turned = "OBJECT", None


def show_rendering(stage: Stage) -> None:
    rendering = stage.load("rendering")
    shots = [rendering.Shot(0, number, "Camera", 0.0) for number in range(8)]
    # A copy that is not there: no render begins, and nobody ticks.
    run = rendering.Run("Scene", "none", "motion", Path("none"), shots, 1, done=3)
    stage.load("state").current().extras["rendering"] = run


def show_film(stage: Stage) -> None:
    stage.data.film.path, stage.data.film.crop, stage.data.film.sizing = "//dance.mp4", "BOX", "SIZE"
    stage.data.motion.image = bpy.data.images.get("dance") or bpy.data.images.new("dance", 1, 1)
    stage.data.motion.image.source = "MOVIE"


def show_film_reading(stage: Stage) -> None:
    films = stage.load("films")
    cut = stage.data.film.to_cut()
    reading = films.Reading("Scene", "motion", "dance.mp4", cut, "sprite64", state="running", step=120, steps=750)
    stage.load("state").current().extras["film"] = reading


def show_film_missing(stage: Stage) -> None:
    stage.data.film.path = "/media/footage of the year/recordings_of_the_dancers_in_the_studio/dance_take_12.mp4"
    bpy.ops.bitpuppet.read_film()
    stage.link.answer(stage.link.replies.HealthReport("ready", ()))


def show_soft(stage: Stage) -> None:
    stage.choose()
    stage.data.settings.model = "heads"


def list_models(stage: Stage) -> None:
    """Models and sets, as the backend tells of them."""
    replies = stage.link.replies
    bpy.ops.bitpuppet.train_look()
    cards = tuple(
        replies.ModelCard(replies.ModelInfo(name, "sprite64", "12345678", 64), 25_000_000, 1.0, own, {"steps": 400})
        for name, own in (("my-knights", True), ("sprite64", False))
    )
    stage.link.answer(replies.LibraryPage(cards, ("knights",)))
    stage.data.train.characters = "knights"


def show_adding(stage: Stage) -> None:
    """A set of a folder that is being added: nothing runs, and nobody ends it."""
    additions = stage.load("additions")
    addition = additions.Addition(SimpleNamespace(cancel=lambda: None), "Reading 3 of 12", 0.25)
    stage.load("state").current().extras["addition"] = addition


def show_training(stage: Stage) -> None:
    list_models(stage)
    bpy.ops.bitpuppet.train_start()
    (job,) = stage.link.asked.keys() & set(stage.link.jobs)
    for step in range(1, 40):
        stage.link.update(job, step=step, steps=80, eta_seconds=900.0, loss=2.0 / step, held_out=0.42)
    stage.link.preview(job, np.hstack(list(draw_figure(6, 3)))[None])


def show_paused(stage: Stage) -> None:
    show_training(stage)
    (job,) = stage.link.jobs
    stage.link.update(job, "paused", step=40, steps=80, loss=0.05)


def show_training_begun(stage: Stage) -> None:
    list_models(stage)
    bpy.ops.bitpuppet.train_start()


def show_training_failed(stage: Stage) -> None:
    show_training(stage)
    (job,) = stage.link.jobs
    stage.link.fail(job, "failed", "The set knights holds no animation that is longer than a frame; add one")


def show_installing(stage: Stage) -> None:
    setup = stage.setup
    setup.installer, setup.doing = SimpleNamespace(cancel=lambda: None), "Installing"
    setup.step, setup.fraction = "Installing torch for cpu", 0.4
    setup.lines[:] = ["Collecting torch"] * 20


def show_failed_installation(stage: Stage) -> None:
    show_status("not installed")(stage)
    setup = stage.setup
    setup.has_failed, setup.outcome, setup.lines[:] = True, "The download failed; try again", ["ERROR: no route"]


def show_status(state: str, can_start: bool = True) -> Callable[[Stage], None]:
    """How the backend is."""

    def enter(stage: Stage) -> None:
        stage.link.state, stage.link.can_start = state, can_start
        stage.link.message = f"A sentence which says that the backend is {state}, and what can be done about that"

    return enter


def show_notice(remedy: str) -> Callable[[Stage], None]:
    """What an action could not do."""

    def enter(stage: Stage) -> None:
        stage.choose()
        stage.load("session").notify(bpy.context.scene, "A sentence that says what is wrong, and the remedy", remedy)

    return enter


STATES: dict[str, Callable[[Stage], None]] = {
    "empty": lambda stage: None,
    "chosen": Stage.choose,
    "grid": show_grid,
    "wrong-grid": show_wrong_grid,
    "damage": show_damage,
    "waiting": Stage.start,
    "queued": show_queued,
    "preparing": show_preparing,
    "running": show_running,
    "storing": show_storing,
    "failed": show_failed,
    "cancelled": show_cancelled,
    "result": show_result,
    "palette": show_palette,
    "unlisted": show_unlisted,
    "motion": show_motion,
    "batch": show_batch,
    "cameras": show_cameras,
    "turns": show_turns,
    "rendering": show_rendering,
    "film": show_film,
    "film-reading": show_film_reading,
    "film-missing": show_film_missing,
    "soft": show_soft,
    "models": list_models,
    "adding": show_adding,
    "training-begun": show_training_begun,
    "training": show_training,
    "training-paused": show_paused,
    "training-failed": show_training_failed,
    "installing": show_installing,
    "failed-installation": show_failed_installation,
    "lost-elsewhere": show_status("lost", can_start=False),
    **{state.replace(" ", "-"): show_status(state) for state in ("not installed", "stopped", "starting", "lost")},
    "wrong-version": show_status("wrong version"),
}
"""Each begins from `Stage.clear`. States that remedies add are made by `list_states`."""


def list_states(stage: Stage) -> dict[str, Callable[[Stage], None]]:
    """All states, by their names."""
    remedies = stage.load("panels.parts").REMEDIES
    return STATES | {f"notice-{name}": show_notice(name) for name in ("", *remedies)}
