"""Every panel in every state, drawn onto a layout that is played: names that do not exist are found here.

tools/check_window.py does the same with Blender's own layout, in a window.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

bpy = pytest.importorskip("bpy", reason="needs Blender's Python module: run tools/test_extension.py")
from .played import PlayedLayout, PlayedLink  # noqa: E402 - it needs bpy
from .states import Stage, list_states  # noqa: E402


@pytest.fixture
def stage(extension: Any) -> Iterator[Stage]:
    """A played backend and a new file."""
    state = extension.state
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    real, state.link = state.link, PlayedLink()
    made = Stage(extension.load, state.link)
    made.clear()
    yield made
    made.clear()
    state.link = real
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)


def draw_all(stage: Stage, image: Any = None) -> dict[str, PlayedLayout]:
    """What each panel of both editors shows; panels that are not shown are left out."""
    context = SimpleNamespace(
        scene=bpy.context.scene,
        preferences=bpy.context.preferences,
        region=SimpleNamespace(width=300),
        space_data=SimpleNamespace(image=image),
        active_object=bpy.context.view_layer.objects.active,
        window_manager=bpy.context.window_manager,
    )
    drawn = {}
    for kind in stage.load("panels.tabs").CLASSES:
        if hasattr(kind, "poll") and not kind.poll(context):
            continue
        layout = drawn[kind.bl_idname] = PlayedLayout()
        panel = SimpleNamespace(layout=layout, draws=kind.draws)
        for name in ("draw_header", "draw_header_preset", "draw"):
            if hasattr(kind, name):
                getattr(kind, name)(panel, context)
    return drawn


def list_texts(drawn: dict[str, PlayedLayout], name: str) -> str:
    return " ".join(text for panel, layout in drawn.items() if panel.endswith(name) for text in layout.texts)


def test_no_job_is_started_while_the_backend_is_being_installed(stage: Stage) -> None:
    stage.choose()
    stage.data.batch_sources.add()
    stage.data.batch_motions.add()
    stage.data.train.characters = "ninjas"
    names = ("retarget", "extend", "close_loop", "batch_run", "train_start", "set_add")
    operators = [getattr(bpy.ops.bitpuppet, name) for name in names]
    assert all(operator.poll() for operator in operators)
    list_states(stage)["installing"](stage)
    assert not any(operator.poll() for operator in operators)
    with pytest.raises(RuntimeError, match="the backend is not ready"):
        bpy.ops.bitpuppet.retarget()


def test_every_panel_is_drawn_in_every_state(stage: Stage) -> None:
    seen: set[str] = set()
    for name, enter in list_states(stage).items():
        stage.clear()
        enter(stage)
        for image in (None, bpy.data.images.get("hero"), bpy.data.images.get("hero - walk")):
            try:
                seen.update(draw_all(stage, image))
            except Exception as error:
                error.add_note(f"in the state {name}")
                raise
    assert seen == {kind.bl_idname for kind in stage.load("panels.tabs").CLASSES}


@pytest.mark.parametrize(
    ("state", "panel", "words"),
    [
        ("chosen", "source", "6 x 1 cells of 32 x 32"),
        ("grid", "motion", "6 x 2 cells of 32 x 32 rows"),
        ("wrong-grid", "source", "do not divide"),
        ("damage", "source", "its file is missing"),
        ("queued", "draw", "Queued, 3 ahead"),
        ("running", "draw", "Step 2 of 4, 1 min 15 s left"),
        ("running", "draw", "Cancel All 2"),
        ("failed", "source", "fewer frames"),
        ("result", "result", "12 frames of 32 x 32"),
        ("motion", "timeline", "12 keys, 1 locked"),
        ("rendering", "render", "Frame 3 of 8"),
        ("film", "motion", "Read Film"),
        ("film-reading", "film", "Frame 120 of 750"),
        ("film-missing", "film", "dance_take_12.mp4 does not exist; choose"),
        ("film-missing", "source", "dance_take_12.mp4 does not exist; choose"),
        ("empty", "film", "to its end"),
        ("empty", "film", "the film's own"),
        ("soft", "pixels", "draws soft edges"),
        ("models", "models", "my-knights"),
        ("training", "train", "Step 39 of 80, 15 min left"),
        ("training", "train", "held out 42.0%"),
        ("training-paused", "train", "Resume"),
        ("training-failed", "train", "no animation"),
        ("installing", "source", "Installing torch for cpu"),
        ("lost", "source", "Start Backend"),
        ("lost-elsewhere", "source", "Try Again"),
        ("wrong-version", "source", "Set Up"),
        ("notice-object.camera_add", "source", "Add Camera"),
    ],
)
def test_panel_tells_its_state(stage: Stage, state: str, panel: str, words: str) -> None:
    list_states(stage)[state](stage)
    # Sentences are wrapped, so they are looked for in all texts of the panel together.
    for editor in ("image", "view"):
        assert words in list_texts(draw_all(stage), f"_{editor}_{panel}")


def test_panel_of_films_shows_what_concerns_films_until_it_is_hidden(stage: Stage) -> None:
    states = list_states(stage)
    for name, is_about_films in (("film-missing", True), ("failed", False), ("notice-", False), ("film", False)):
        stage.clear()
        states[name](stage)
        for panel, layout in draw_all(stage).items():
            if panel.endswith("_film"):
                assert ("bitpuppet.dismiss_notice" in layout.operators) == is_about_films, (name, panel)
    stage.clear()
    states["film-missing"](stage)
    texts = next(layout.texts for panel, layout in draw_all(stage).items() if panel.endswith("_film"))
    lines = [text for text in texts if text and text in stage.data.notice]
    assert max(map(len, lines)) <= 23, "in a window wider lines lose their middle"
    assert bpy.ops.bitpuppet.dismiss_notice() == {"FINISHED"}
    for layout in draw_all(stage).values():
        assert "bitpuppet.dismiss_notice" not in layout.operators


def test_zero_is_explained_only_where_it_counts(stage: Stage) -> None:
    stage.data.film.end, stage.data.film.fps = 2.0, 25.0
    shown = list_texts(draw_all(stage), "_film")
    assert "to its end" not in shown and "the film's own" not in shown


@pytest.mark.parametrize(
    "draw",
    [
        lambda layout: layout.prop(bpy.context.scene.bitpuppet, "nothing"),
        lambda layout: layout.label(text="it", icon="NO_SUCH_ICON"),
        lambda layout: layout.label(text="it", align=True),
        lambda layout: layout.operator("bitpuppet.nothing"),
        lambda layout: setattr(layout.operator("bitpuppet.show"), "sheet", "source"),
        lambda layout: setattr(layout, "scale", 2),
        lambda layout: layout.row(align=True).lable(text="it"),
        lambda layout: layout.template_ID(bpy.context.scene.bitpuppet.source, "picture"),
    ],
)
def test_layout_refuses_what_blender_does_not_know(extension: Any, draw: Any) -> None:
    with pytest.raises((AssertionError, KeyError)):
        draw(PlayedLayout())
