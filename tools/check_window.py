"""Draws every panel in every state in a real Blender window, and says which failed and how long each took.

    blender --factory-startup --python tools/check_window.py -- ZIP FOLDER

ZIP is a built extension, FOLDER takes a screenshot of each state and `report.json`. The backend is played, so that
nothing is drawn but panels. Blender's exit status is 1 when a panel raised or was never drawn. Needs a display; on a
server, put `xvfb-run -s "-screen 0 1600x900x24"` before it. Set BLENDER_USER_RESOURCES to an empty folder to keep your
own Blender out of it.

Blender prints what a panel raises and goes on, so that no test in background can see it: tests/blender draws the same
states onto a layout that is played.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy

MODULE = "bl_ext.user_default.bitpuppet"
TESTS = Path(__file__).resolve().parent.parent / "tests"
FIRST_SECONDS, STEP_SECONDS = 2.0, 0.4
"""Between two steps Blender draws, which takes its time on a virtual screen."""
TRIES = 100


class Watch:
    """Which panels were drawn, how long the slowest drawing took, and what was raised."""

    def __init__(self) -> None:
        """Nothing was drawn yet."""
        self.state = ""
        self.slowest: dict[str, tuple[float, float, str]] = {}
        """Milliseconds of the processor and of the clock, and the state, of each one's slowest drawing."""
        self.failures: list[str] = []

    def wrap_draw(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A panel's method, watched. Blender counts the arguments, so they are named here."""
        watched = self.wrap(name, function)

        def draw(panel: Any, context: Any) -> None:
            watched(panel, context)

        return draw

    def wrap_item(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The method that draws an entry of a list, watched."""
        watched = self.wrap(name, function)

        def draw(
            kind: Any, context: Any, layout: Any, data: Any, item: Any, icon: Any, active: Any, which: Any
        ) -> None:
            watched(kind, context, layout, data, item, icon, active, which)

        return draw

    def wrap(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, watched."""

        def call(*values: Any, **named: Any) -> Any:
            begun, worked = time.perf_counter(), time.thread_time()
            try:
                return function(*values, **named)
            except Exception:
                text = f"{name} in the state {self.state}: {traceback.format_exc()}"
                if text not in self.failures:
                    self.failures.append(text)
                raise
            finally:
                took = (
                    round(1e3 * (now - before), 2)
                    for now, before in ((time.thread_time(), worked), (time.perf_counter(), begun))
                )
                self.slowest[name] = max((*took, self.state), self.slowest.get(name, (0.0, 0.0, "")))

        return call


def load(name: str) -> ModuleType:
    """A module of the extension."""
    return importlib.import_module(f"{MODULE}.{name}")


def open_panels(watch: Watch) -> list[str]:
    """Register all panels again, open and watched; their names."""
    kinds = load("panels.tabs").CLASSES
    for kind in reversed(kinds):
        bpy.utils.unregister_class(kind)
    for kind in kinds:
        kind.bl_options = set()
        for name in ("draw", "draw_header", "draw_header_preset"):
            if hasattr(kind, name):
                setattr(kind, name, watch.wrap_draw(kind.bl_idname, getattr(kind, name)))
        bpy.utils.register_class(kind)
    lists, page = load("panels.lists").CLASSES, load("preferences").BitpuppetPreferences
    for kind in lists:
        kind.draw_item = watch.wrap_item(kind.__name__, kind.draw_item)
    page.draw = watch.wrap_draw(page.__name__, page.draw)
    load("state").tick = watch.wrap("state.tick", load("state").tick)
    for module, name in ((load("handlers"), "turn"), (load("overlay"), "draw_overlay")):
        module.unregister()
        setattr(module, name, watch.wrap(f"{module.__name__.split('.')[-1]}.{name}", getattr(module, name)))
        module.register()
    return [*(kind.bl_idname for kind in kinds), *(kind.__name__ for kind in (*lists, page))]


def list_views() -> list[Any]:
    """The 3D Views, the narrowest first."""
    areas = bpy.context.window_manager.windows[0].screen.areas
    return sorted((area for area in areas if area.type == "VIEW_3D"), key=lambda area: area.width)


def split_view(factor: float) -> None:
    """Split the 3D View; Blender knows the parts' sizes when it has drawn them."""
    (area,) = list_views()
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area, region=area.regions[-1]):
        bpy.ops.screen.area_split(direction="VERTICAL", factor=factor)


def open_sidebars() -> None:
    """Show the sidebars, and our page of the preferences."""
    window = bpy.context.window_manager.windows[0]
    for area in window.screen.areas:
        if area.type in ("IMAGE_EDITOR", "VIEW_3D"):
            area.spaces.active.show_region_ui = True
            area.spaces.active.show_region_toolbar = False
        elif area.type == "PREFERENCES":
            bpy.context.preferences.active_section = "ADDONS"
            bpy.context.window_manager.addon_search = "Bitpuppet"


def choose_tab() -> bool:
    """Show our tab; whether that went, which it does once Blender has drawn the sidebars."""
    for area in bpy.context.window_manager.windows[0].screen.areas:
        for region in area.regions:
            if region.type == "UI" and area.type in ("IMAGE_EDITOR", "VIEW_3D"):
                try:
                    region.active_panel_category = load("panels.tabs").TAB
                except AttributeError:  # "read-only" before that
                    return False
    return True


def show(image: Any) -> None:
    """Show an image in the Image Editor, and have everything drawn."""
    for area in bpy.context.window_manager.windows[0].screen.areas:
        if area.type == "IMAGE_EDITOR":
            area.spaces.active.image = image
        area.tag_redraw()


def shoot(path: Path) -> None:
    """Take a screenshot of the window."""
    window = bpy.context.window_manager.windows[0]
    with bpy.context.temp_override(window=window, screen=window.screen, area=window.screen.areas[0]):
        bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=1)
        bpy.ops.screen.screenshot(filepath=str(path))


def walk(archive: Path, folder: Path, watch: Watch) -> Iterator[None]:
    """All steps; Blender draws after each."""
    bpy.ops.extensions.package_install_files(filepath=str(archive), repo="user_default", enable_on_install=True)
    sys.path.insert(0, str(TESTS))
    from blender.played import PlayedLink
    from blender.states import Stage, list_states

    expected = open_panels(watch)
    for kind, factor in (("PREFERENCES", 0.3), ("IMAGE_EDITOR", 0.5)):  # a narrow editor shows no sidebar
        split_view(factor)
        yield
        list_views()[0].type = kind
        yield
    open_sidebars()
    bpy.ops.preferences.addon_expand(module=MODULE)
    for _ in range(TRIES):
        yield
        if choose_tab():
            break
    state = load("state").current()
    state.link.close()
    state.link = PlayedLink()
    stage = Stage(load, state.link)
    preferences = load("preferences").get_preferences()
    for name, enter in list_states(stage).items():
        watch.state = name
        stage.clear()
        enter(stage)
        for image in (None, bpy.data.images.get("hero - walk") or bpy.data.images.get("hero")):
            show(image)
            yield
        shoot(folder / f"{name}.png")
    stage.clear()
    for preferences.mode in ("PROGRAM", "ENDPOINT", "INSTALL"):
        watch.state = f"preferences, {preferences.mode}"
        show(None)
        yield
        shoot(folder / f"preferences-{preferences.mode.lower()}.png")
    missing = [name for name in expected if name not in watch.slowest]
    watch.failures += [f"{name} was never drawn" for name in missing]


def main(arguments: list[str]) -> None:
    """Walk by a timer, and end Blender."""
    archive, folder = (Path(one).resolve() for one in arguments)
    folder.mkdir(parents=True, exist_ok=True)
    bpy.context.preferences.view.show_splash = False
    watch = Watch()
    steps = walk(archive, folder, watch)

    def turn() -> float | None:
        try:
            next(steps)
        except StopIteration:
            pass
        except Exception:
            watch.failures.append(f"the walk, in the state {watch.state}: {traceback.format_exc()}")
        else:
            return STEP_SECONDS
        slowest = dict(sorted(watch.slowest.items(), key=lambda pair: -pair[1][0]))
        report = {
            "blender": bpy.app.version_string,
            "failures": watch.failures,
            "slowest: processor ms, clock ms, state": slowest,
        }
        (folder / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
        print(f"{len(slowest)} drawn, {len(watch.failures)} failures", *watch.failures, sep="\n", flush=True)
        os._exit(1 if watch.failures else 0)  # Blender has no other way out with a status

    bpy.app.timers.register(turn, first_interval=FIRST_SECONDS)


if __name__ == "__main__":
    main(sys.argv[sys.argv.index("--") + 1 :])
