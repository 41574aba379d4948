"""Training from the panel, against a backend that is played."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs Blender's Python module: run tools/test_extension.py")
from .conftest import choose_backend  # noqa: E402 - it needs bpy
from .played import PlayedLink  # noqa: E402
from .states import SIDE, Stage, draw_figure, list_models, show_training, show_training_begun  # noqa: E402


@pytest.fixture
def stage(extension: Any) -> Iterator[Stage]:
    """A played backend and a new file."""
    state = extension.state
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    real, state.link = state.link, PlayedLink()
    made = Stage(extension.load, state.link)
    made.clear()
    yield made
    made.clear()
    state.link = real
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def get_training(stage: Stage) -> Any:
    return stage.load("training").get_training()


def test_training_asks_for_what_the_panel_says(stage: Stage) -> None:
    list_models(stage)
    stage.data.train.model, stage.data.train.minutes = "knights-2", 7
    bpy.ops.bitpuppet.train_start()
    ((params, parts),) = stage.link.asked.values()
    assert (params.kind, params.name, params.characters, params.base) == ("train", "knights-2", "knights", "sprite64")
    assert (params.minutes, params.steps, parts) == (7, None, {})
    assert not bpy.ops.bitpuppet.train_start.poll(), "one at a time"
    assert not stage.data.jobs, "it is no job of this file"


def test_bad_name_is_told_and_starts_nothing(stage: Stage) -> None:
    list_models(stage)
    stage.data.train.model = "a/b"
    with pytest.raises(RuntimeError, match="name"):
        bpy.ops.bitpuppet.train_start()
    assert not stage.link.asked and not get_training(stage).is_open


def test_training_is_paused_resumed_and_finished(stage: Stage) -> None:
    show_training(stage)
    training = get_training(stage)
    stage.link.questions.clear()
    for action in ("pause", "resume", "finish"):
        bpy.ops.bitpuppet.train_steer(action=action)
        message, _ = stage.link.questions.pop()
        assert (message.job, message.action) == (training.job, action)
    assert training.curve[0] == (1, 2.0) and len(training.curve) == 39
    job = training.job
    stage.link.finish(job, {})
    assert stage.link.acknowledged == [job] and not training.is_open and "done" in training.outcome
    assert type(stage.link.questions[-1][0]).__name__ == "Library", "the new model is looked for"


def test_cancelled_training_is_no_failure(stage: Stage) -> None:
    show_training_begun(stage)
    bpy.ops.bitpuppet.train_cancel()
    training = get_training(stage)
    assert not training.is_open and not training.has_failed and "cancelled" in training.outcome


def test_training_goes_on_with_another_file(stage: Stage, tmp_path: Path) -> None:
    show_training(stage)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "a.blend"))
    training = get_training(stage)
    assert training.is_open and training.job in stage.link.jobs


def test_training_of_an_earlier_session_is_found(stage: Stage) -> None:
    show_training_begun(stage)
    (job,) = stage.link.jobs
    link, kind = stage.link, stage.link.status.JobStatus
    statuses = (kind(job, "train", "paused", 5, 1.0, step=3, steps=9),)
    page = link.replies.Statuses("0b8f6c6e-7d0f-4b53-9b7a-6a1f0f6d2c11", statuses)
    link.forget(job)
    stage.load("state").current().extras.pop("training")
    link.questions.clear()
    bpy.ops.bitpuppet.train_look()
    link.answer(link.replies.LibraryPage((), ()))
    link.answer(page)
    assert link.attached == [job] and get_training(stage).status.step == 3


@pytest.fixture
def sheets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A character with two animations; the user has no sets."""
    monkeypatch.setenv("BITPUPPET_SETS", str(tmp_path / "sets"))
    folder = tmp_path / "My Zoo"
    (folder / "frog").mkdir(parents=True)
    for seed, motion in enumerate(("idle", "run")):
        image = bpy.data.images.new(motion, SIDE * 4, SIDE, alpha=True)
        rows = np.concatenate(list(draw_figure(4, seed)), axis=1)[::-1]
        image.pixels.foreach_set(rows.astype(np.float32).ravel() / np.float32(255))
        image.filepath_raw, image.file_format = str(folder / "frog" / f"{motion}_{SIDE}x{SIDE}.png"), "PNG"
        image.save()
    return folder


def test_folder_is_added_as_a_set_and_chosen(stage: Stage, extension: Any, backend: str, sheets: Path) -> None:
    choose_backend(extension)
    assert bpy.ops.bitpuppet.set_add(directory=f"{sheets}/") == {"FINISHED"}
    training = get_training(stage)
    assert training.outcome.startswith("The set My-Zoo is there: 1 character. ") and not training.has_failed
    assert "one character only" in training.outcome
    assert (sheets.parent / "sets" / "My-Zoo" / "set.toml").is_file()
    assert training.sets == ("My-Zoo",) and stage.data.train.characters == "My-Zoo"
    assert not stage.load("state").current().stops and bpy.ops.bitpuppet.set_add.poll()
    bpy.ops.bitpuppet.set_add(directory=f"{sheets}/")
    assert training.has_failed and "switch Replace on" in training.outcome
    bpy.ops.bitpuppet.set_add(directory=str(sheets / "none"), set_name="zoo")
    assert training.has_failed and "none" in training.outcome


def test_set_that_cannot_be_trained_says_why(stage: Stage, extension: Any, backend: str, sheets: Path) -> None:
    choose_backend(extension)
    next((sheets / "frog").glob("run*")).unlink()
    bpy.ops.bitpuppet.set_add(directory=f"{sheets}/")
    outcome = get_training(stage).outcome
    assert outcome.startswith("The set My-Zoo is there: 1 character. ") and "two animations" in outcome


def test_set_is_not_added_where_the_program_is_not_known(stage: Stage, extension: Any, sheets: Path) -> None:
    preferences = extension.load("preferences").get_preferences()
    before = preferences.mode
    try:
        preferences.mode = "INSTALL"
        with pytest.raises(RuntimeError, match="not installed yet"):
            bpy.ops.bitpuppet.set_add(directory=str(sheets))
        assert stage.data.remedy == "bitpuppet.open_preferences"
        preferences.mode = "ENDPOINT"
        assert not bpy.ops.bitpuppet.set_add.poll()
    finally:
        preferences.mode = before
    assert not stage.load("state").current().stops


def test_set_that_is_being_added_can_be_stopped(stage: Stage, extension: Any, backend: str, sheets: Path) -> None:
    choose_backend(extension)
    works: list[tuple[Any, Any]] = []
    stage.link.run = lambda work, on_done: works.append((work, on_done))
    bpy.ops.bitpuppet.set_add(directory=str(sheets))
    assert not bpy.ops.bitpuppet.set_add.poll(), "one at a time"
    bpy.ops.bitpuppet.set_cancel()
    ((work, on_done),) = works
    PlayedLink.run(stage.link, work, on_done)
    assert "cancelled" in get_training(stage).outcome and not (sheets.parent / "sets").exists()


def test_models_are_renamed_and_deleted(stage: Stage) -> None:
    list_models(stage)
    stage.link.questions.clear()
    bpy.ops.bitpuppet.model_rename(model="my-knights", to="others")
    message = stage.link.answer(stage.link.replies.ModelChanged("others"))
    assert (message.name, message.to) == ("my-knights", "others")
    assert type(stage.link.questions[0][0]).__name__ == "Library", "the list is renewed"
    stage.link.questions.clear()
    bpy.ops.bitpuppet.model_delete(model="others")
    assert stage.link.answer(None, "the model is needed by a job; wait").name == "others"
    assert get_training(stage).has_failed and get_training(stage).outcome.startswith("The model is needed")


def test_card_tells_steps_size_and_fingerprint(stage: Stage) -> None:
    list_models(stage)
    card = get_training(stage).models[0]
    assert stage.load("training").describe_facts(card) == [
        ("Preset", "sprite64"),
        ("Steps", "400"),
        ("Size", "25.0 MB"),
        ("Fingerprint", "12345678"),
    ]


def test_model_that_was_made_since_is_offered_as_preset(stage: Stage) -> None:
    models = stage.load("models")
    stage.link.models = (stage.link.replies.ModelInfo("sprite64", "sprite64", "12345678", 64),)
    list_models(stage)
    assert [model.name for model in stage.load("training").list_models()] == ["my-knights", "sprite64"]
    assert models.find_canvas("my-knights") == 64
    stage.link.welcome = object()
    assert [model.name for model in stage.load("training").list_models()] == ["sprite64"], "another backend was met"
